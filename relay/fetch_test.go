package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bluerelay/wire"
)

// store is a cloud that hands out one file.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	content []byte
	cut     int   // bytes after which connections are cut, each once, while there are any left
	cuts    int   // how many connections to cut
	hang    bool  // cut by standing still
	answers []int // to give before doing anything
	ranges  []string
}

func newStore(t testing.TB, content []byte) *store {
	s := &store{content: content}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *store) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	switch {
	case r.Method != http.MethodGet || r.URL.Path != "/relay/v1/files/fil_1" || r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case len(s.answers) > 0:
		w.WriteHeader(s.answers[0])
		s.answers = s.answers[1:]
		return
	case s.cuts > 0:
		s.cuts--
		w = &cutter{w, s.cut}
		if s.hang {
			defer func() { _ = recover(); <-r.Context().Done() }()
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
}

// cutter ends a connection in the middle.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	n, _ := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// download is a fetcher over a journal with one order.
type download struct {
	*store
	j    *journal
	f    *fetcher
	root string
}

// stall is how long a download may say nothing; also a machine that is busy may.
const stall = 2 * time.Second

func newDownload(t testing.TB, content []byte, size int64) *download {
	t.Helper()
	d := &download{store: newStore(t, content), j: newJournal(t), root: filepath.Join(t.TempDir(), "Attachments")}
	cfg := Config{Attachments: d.root, RetryMax: 20 * time.Millisecond, Stall: stall}
	cfg.defaults()
	d.f = newFetcher(&Relay{cfg: cfg, log: slog.New(slog.DiscardHandler), journal: d.j, health: newHealth(), credential: Credential{Server: d.URL}, keys: keysOf(t, Credential{Server: d.URL, Secret: "secret"}),
		sendBell: make(chan struct{}, 1), outboxBell: make(chan struct{}, 1), fetchBell: make(chan struct{}, 1)})
	sum := sha256.Sum256(content)
	o := order("msg_1", 1, alice, "")
	o.File = &wire.File{ID: "fil_1", Name: "../cat.png", Size: size, SHA256: hex.EncodeToString(sum[:])}
	give(t, d.j, o)
	return d
}

// serve fetches until it is decided, and gives what was staged.
func (d *download) serveOne(t testing.TB) (content []byte, rel string) {
	t.Helper()
	d.f.serve(t.Context(), partOf(t, d.j, "msg_1", partFile))
	if rel = partOf(t, d.j, "msg_1", partFile).staged; rel == "" {
		return nil, ""
	}
	content, err := os.ReadFile(filepath.Join(d.root, rel))
	if err != nil {
		t.Fatal(err)
	}
	return content, rel
}

// left are the files below the stage.
func (d *download) left(t testing.TB) (list []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(d.root, stageDir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return b
}

func TestFetch(t *testing.T) {
	t.Parallel()
	const size = 300_000
	for name, trouble := range map[string]func(*store){
		"at once":                  func(*store) {},
		"cut and gone on with":     func(s *store) { s.cut, s.cuts = 70_000, 3 },
		"hanging and gone on with": func(s *store) { s.cut, s.cuts, s.hang = 70_000, 1, true },
		"after troubles":           func(s *store) { s.answers = []int{500, 503, 401, 403, 429} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := bytesOf(size)
			d := newDownload(t, want, size)
			trouble(d.store)
			got, rel := d.serveOne(t)
			if !bytes.Equal(got, want) || filepath.Base(rel) != "cat.png" || len(d.left(t)) != 1 {
				t.Errorf("%d bytes as %q, %q are there", len(got), rel, d.left(t))
			}
			if d.cut > 0 && d.ranges[1] != "bytes=70000-" {
				t.Errorf("asked for %q", d.ranges)
			}
			if nextPart(t, d.j, time.Now()) != "msg_1 file" {
				t.Error("it may not begin")
			}
		})
	}
}

// TestFetchThatFails: what can never be whole is given up, and leaves nothing.
func TestFetchThatFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		size  int64
		spoil func(*store)
		code  string
	}{
		{"it is gone", 9, func(s *store) { s.answers = []int{404} }, "file_gone"},
		{"it is gone for good", 9, func(s *store) { s.answers = []int{500, 410} }, "file_gone"},
		{"it has other bytes", 9, func(s *store) { s.content = []byte("otherwise") }, "file_damaged"},
		{"it is longer", 9, func(s *store) { s.content = append(s.content, 'x') }, "file_damaged"},
		{"it has no size", 0, func(*store) {}, "file_gone"},
		{"it is larger than any", wire.MaxMediaBytes + 1, func(*store) {}, "file_gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDownload(t, []byte("as it was"), tt.size)
			tt.spoil(d.store)
			clearOutbox(t, d.j)
			if got, rel := d.serveOne(t); rel != "" {
				t.Errorf("%q was staged as %s", got, rel)
			}
			wantNoSend(t, d.j, "msg_1", 1, tt.code, false)
			if left := d.left(t); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// TestFetchNobodyWaitsFor ends when the order is canceled meanwhile.
func TestFetchNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	d := newDownload(t, []byte("as it was"), 9)
	s := partOf(t, d.j, "msg_1", partFile)
	d.content = nil // nothing comes
	go func() { _ = cancel(t, d.j, "msg_1", 1) }()
	d.f.serve(t.Context(), s)
	if left := d.left(t); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	wantState(t, d.j, "msg_1", stateNoSend)
}

// TestNowhereToStage: nothing is given up for a trouble of the Mac's own.
func TestNowhereToStage(t *testing.T) {
	t.Parallel()
	d := newDownload(t, []byte("as it was"), 9)
	if err := os.WriteFile(d.root, nil, 0o600); err != nil { // no folder can be made there
		t.Fatal(err)
	}
	to := (*staging)(nil)
	if err := d.f.try(t.Context(), partOf(t, d.j, "msg_1", partFile), &to); err == nil {
		t.Error("it was staged")
	}
	if err := os.Remove(d.root); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.serveOne(t); string(got) != "as it was" {
		t.Errorf("got %q", got)
	}
}

// TestFullDisk is known as such.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDownload(t, []byte("as it was"), 9)
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("this system has no full disk to try")
	}
	defer file.Close()
	to := &staging{file: file, sum: sha256.New()}
	if _, err := to.Write([]byte("a")); !full(err) || to.size != 0 {
		t.Errorf("got %v, %d bytes", err, to.size)
	}
	if err := d.f.try(t.Context(), partOf(t, d.j, "msg_1", partFile), &to); err == nil {
		t.Error("it was staged")
	}
}

// TestFetcherRuns: it begins by itself what the journal holds, and when it is rung.
func TestFetcherRuns(t *testing.T) {
	t.Parallel()
	d := newDownload(t, []byte("as it was"), 9)
	var running sync.WaitGroup
	running.Go(func() { _ = d.f.run(t.Context()) })
	t.Cleanup(running.Wait)
	select {
	case <-d.f.sendBell:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was fetched")
	}
	if partOf(t, d.j, "msg_1", partFile).staged == "" {
		t.Error("it was not staged")
	}
	second := order("msg_2", 1, alice, "")
	second.File = partOf(t, d.j, "msg_1", partFile).file
	give(t, d.j, second)
	ring(d.f.fetchBell)
	select {
	case <-d.f.sendBell:
	case <-time.After(10 * time.Second):
		t.Fatal("the second was not fetched")
	}
}
