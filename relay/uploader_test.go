package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// shelf is a cloud that takes files.
type shelf struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string][]byte // by id/variant, also those that are not whole
	whole    map[string]string // name and type of those that are
	given    map[string]bool   // that were given up
	answers  []int             // to give before doing anything
	cutAfter int               // bytes of the next PUT that are taken before its connection is cut
	sent     int               // bytes that came in all
	changed  chan struct{}
}

func newShelf(t testing.TB) *shelf {
	s := &shelf{files: make(map[string][]byte), whole: make(map[string]string), given: make(map[string]bool), changed: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer ring(s.changed)
	q := r.URL.Query()
	key := filepath.Base(r.URL.Path) + "/" + q.Get("variant")
	switch {
	case r.Header.Get("Authorization") != "Bearer secret" || q.Get("message") != "G":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case len(s.answers) > 0:
		w.WriteHeader(s.answers[0])
		s.answers = s.answers[1:]
		return
	case r.Method == http.MethodDelete:
		s.given[key] = true
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer := func() {
		w.Header().Set(wire.HeaderOffset, strconv.Itoa(len(s.files[key])))
		if s.whole[key] != "" {
			w.Header().Set(wire.HeaderComplete, "?1")
		}
	}
	if r.Method == http.MethodHead {
		answer()
		return
	}
	if r.Header.Get(wire.HeaderOffset) != strconv.Itoa(len(s.files[key])) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	body := io.Reader(r.Body)
	if s.cutAfter > 0 {
		body = io.LimitReader(body, int64(s.cutAfter))
	}
	data, _ := io.ReadAll(body) // what came counts
	s.sent += len(data)
	s.files[key] = append(s.files[key], data...)
	if s.cutAfter > 0 {
		s.cutAfter = 0
		panic(http.ErrAbortHandler)
	}
	sum := sha256.Sum256(s.files[key])
	if r.Header.Get(wire.HeaderDigest) != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		delete(s.files, key)
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	s.whole[key] = q.Get("name") + " " + q.Get("mime")
	answer()
}

// until waits for something to be true of the shelf.
func (s *shelf) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.changed:
		case <-end:
			t.Fatalf("this never happened: %s", what)
		}
	}
}

// fetching is an uploader over messages and a folder of files.
type fetching struct {
	*shelf
	m    *messages
	root string
	u    *uploader
	stop func()
}

func newFetching(t testing.TB, change func(*Config)) *fetching {
	t.Helper()
	f := &fetching{shelf: newShelf(t), m: newMessages(t)}
	f.root = filepath.Join(filepath.Dir(f.m.path), "Attachments")
	if err := os.MkdirAll(f.root, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := Config{StateDir: t.TempDir(), ChatDB: f.m.path, Sips: "/nowhere", Afconvert: "/nowhere", Grace: 300 * time.Millisecond, RetryMax: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	cfg.defaults()
	db, err := chatdb.Open(t.Context(), f.m.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &Relay{cfg: cfg, log: slog.New(slog.NewTextHandler(t.Output(), nil)), credential: Credential{Server: f.URL}, keys: keysOf(t, Credential{Server: f.URL, Secret: "secret"}), journal: newJournal(t),
		health: newHealth(), db: db, uploadBell: make(chan struct{}, 1)}
	f.u = newUploader(r)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.u.run(ctx); err != nil {
			t.Error(err)
		}
	})
	f.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(f.stop)
	return f
}

// arrives adds a message with one file to chat.db, and what the observer would note.
func (f *fetching) arrives(name, uti string, state int, data []byte) (path string) {
	f.m.t.Helper()
	path = filepath.Join(f.root, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.m.t.Fatal(err)
	}
	f.m.say("G", alice, "look", false, time.Now())
	f.m.attach("G", "A", name, uti, nil, state, false)
	f.m.exec("UPDATE attachment SET filename = ?, total_bytes = ?", "~/Library/Messages/Attachments/"+name, len(data))
	addUploads(f.m.t, f.u.journal, time.Now(), fileID{"G", "A"})
	ring(f.u.uploadBell)
	return path
}

// ends waits for the state of the file in the journal.
func (f *fetching) ends(t testing.TB, state string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for {
		list, err := f.u.journal.uploads(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("the file is not %s but %v", state, uploadsIn(t, f.u.journal))
		}
	}
}

var sample = bytes.Repeat([]byte("0123456789abcdef"), 100_000)

// A file whose transfer takes its time is sent when Messages has it.
func TestSlowTransfer(t *testing.T) {
	t.Parallel()
	f := newFetching(t, nil)
	f.arrives("photo.jpg", "public.jpeg", 0, sample)
	f.ends(t, uploadWaiting)
	for _, state := range []int{1, 3, 7} {
		f.m.exec("UPDATE attachment SET transfer_state = ?", state)
		ring(f.u.uploadBell)
	}
	f.m.exec("UPDATE attachment SET transfer_state = 5")
	ring(f.u.uploadBell)
	f.ends(t, uploadStored)
	f.until(t, "the file", func() bool { return bytes.Equal(f.files["A/"], sample) && f.whole["A/"] == "photo.jpg image/jpeg" })
}

// What will never come is told to the cloud, each for its own reason.
func TestFilesThatDoNotCome(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(f *fetching){
		"the transfer failed": func(f *fetching) { f.arrives("a.jpg", "", 6, sample) },
		"a payload":           func(f *fetching) { f.arrives("a.pluginPayloadAttachment", "", 5, sample) },
		"the file is gone": func(f *fetching) {
			path := f.arrives("a.jpg", "", 0, sample)
			if err := os.Remove(path); err != nil {
				f.m.t.Error(err)
			}
			f.m.exec("UPDATE attachment SET transfer_state = 5")
			ring(f.u.uploadBell)
		},
		"no file name": func(f *fetching) {
			f.arrives("a.jpg", "", 0, sample)
			f.m.exec("UPDATE attachment SET transfer_state = 5, filename = NULL")
			ring(f.u.uploadBell)
		},
		"a link": func(f *fetching) {
			path := f.arrives("a.jpg", "", 0, sample)
			if err := os.Rename(path, path+".real"); err != nil {
				f.m.t.Error(err)
			}
			if err := os.Symlink(path+".real", path); err != nil {
				f.m.t.Error(err)
			}
			f.m.exec("UPDATE attachment SET transfer_state = 5")
			ring(f.u.uploadBell)
		},
		"a way out": func(f *fetching) {
			f.arrives("a.jpg", "", 0, sample)
			f.m.exec("UPDATE attachment SET transfer_state = 5, filename = '~/Library/Messages/Attachments/../chat.db'")
			ring(f.u.uploadBell)
		},
		"too large": func(f *fetching) {
			path := f.arrives("a.mov", "", 0, nil)
			if err := os.Truncate(path, wire.MaxMediaBytes+1); err != nil {
				f.m.t.Error(err)
			}
			f.m.exec("UPDATE attachment SET transfer_state = 5")
			ring(f.u.uploadBell)
		},
		"it never came": func(f *fetching) { f.arrives("a.jpg", "", 3, sample) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFetching(t, func(c *Config) {
				if name == "it never came" {
					c.FileWait = time.Millisecond
				}
			})
			arrange(f)
			f.ends(t, uploadFailed)
			f.until(t, "the cloud is told", func() bool { return f.given["A/"] && len(f.files) == 0 })
		})
	}
}

// A link that is cut, a cloud that does not know the message yet, and one that got
// other bytes: the file arrives, and what was there is not sent again.
func TestUploadThroughTrouble(t *testing.T) {
	t.Parallel()
	f := newFetching(t, nil)
	f.mu.Lock()
	f.answers = []int{http.StatusNotFound, http.StatusServiceUnavailable, http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge}
	f.cutAfter = len(sample) / 2
	f.mu.Unlock()
	f.arrives("film.mov", "com.apple.quicktime-movie", 5, sample)
	f.ends(t, uploadStored)
	f.until(t, "the file", func() bool { return bytes.Equal(f.files["A/"], sample) && f.sent == len(sample) })
}

// A file of another size than Messages says is still being written, or it is what
// there is.
func TestFileOfAnotherSize(t *testing.T) {
	t.Parallel()
	f := newFetching(t, nil)
	f.arrives("photo.jpg", "public.jpeg", 0, sample)
	began := time.Now()
	f.m.exec("UPDATE attachment SET transfer_state = 5, total_bytes = total_bytes + 1")
	ring(f.u.uploadBell)
	f.ends(t, uploadStored)
	if took := time.Since(began); took < f.u.cfg.Grace {
		t.Errorf("it was sent after %s", took)
	}
}

// An uploader that is stopped goes on with its next run.
func TestUploadAfterARestart(t *testing.T) {
	t.Parallel()
	f := newFetching(t, nil)
	f.stop()
	f.arrives("photo.jpg", "public.jpeg", 5, sample)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := newUploader(f.u.Relay).run(ctx); err != nil {
			t.Error(err)
		}
	})
	f.ends(t, uploadStored)
	cancel()
	running.Wait()
}

// Programs in the place of sips and afconvert: a good one, and those that are not.
func TestConverter(t *testing.T) {
	t.Parallel()
	const heic = `[ "$1 $2 $3 $5" = "-s format jpeg --out" ] || exit 3; `
	for name, c := range map[string]struct {
		file, uti, script string
		want              string // variant, bytes, name and type of the copy, "" for none
	}{
		"good":          {"IMG.HEIC", "public.heic", heic + `printf bytes > "$6"`, "A/jpeg bytes IMG.jpg image/jpeg"},
		"voice":         {"Audio Message.caf", "com.apple.coreaudio-format", `[ "$3 $4 $5 $6" = "-f m4af -d aac" ] && printf bytes > "$2"`, "A/m4a bytes Audio Message.m4a audio/mp4"},
		"fails":         {"IMG.HEIC", "public.heic", `echo no >&2; exit 1`, ""},
		"makes nothing": {"IMG.HEIC", "public.heic", `exit 0`, ""},
		"makes a link":  {"IMG.HEIC", "public.heic", `ln -s /etc/passwd "$6"`, ""},
		"hangs":         {"IMG.HEIC", "public.heic", `sleep 60 & wait`, ""},
		"not needed":    {"IMG.jpg", "public.jpeg", `printf jpeg > "$6"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "convert")
			writeProgram(t, program, "#!/bin/sh\n"+c.script+"\n")
			f := newFetching(t, func(cfg *Config) { cfg.Sips, cfg.Afconvert, cfg.ConvertLimit = program, program, 3*time.Second })
			f.arrives(c.file, c.uti, 5, sample)
			f.ends(t, uploadStored)
			f.mu.Lock()
			defer f.mu.Unlock()
			var got strings.Builder
			for key, as := range f.whole {
				if key != "A/" {
					got.WriteString(key + " " + string(f.files[key]) + " " + as)
				}
			}
			if got.String() != c.want {
				t.Errorf("the copy is %q, want %q", got.String(), c.want)
			}
			if !bytes.Equal(f.files["A/"], sample) {
				t.Error("the original is not there")
			}
			left, err := os.ReadDir(f.u.converter.dir)
			if err != nil || len(left) != 0 {
				t.Errorf("copies are left: %v, %v", left, err)
			}
		})
	}
}
