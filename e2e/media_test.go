package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bluerelay/simulator"
)

// withMedia is what the API tells of the files of a message.
type withMedia struct {
	ID        string   `json:"id"`
	Content   string   `json:"content"`
	MediaURL  string   `json:"media_url"`
	MediaURLs []string `json:"media_urls"`
}

// inbound lists the messages that came in, with their files.
func (w *world) inbound() []withMedia {
	w.t.Helper()
	status, body, err := w.call("GET", "/v1/messages?direction=inbound", nil)
	if err != nil || status != http.StatusOK {
		return nil // the server is being killed
	}
	return decode[struct{ Messages []withMedia }](w.t, body).Messages
}

// fetch gets a file by its public address, as anybody could.
func fetch(t testing.TB, url string) ([]byte, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
	}
	return data, resp.Header
}

// noise is a file that nothing compresses.
func noise(t testing.TB, name string, size int) (path string, data []byte) {
	t.Helper()
	source := rand.New(rand.NewPCG(1, uint64(size)))
	data = make([]byte, size)
	for i := range data {
		data[i] = byte(source.Uint32())
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// A picture that somebody sends is in the webhook's first event, in the list, and
// at its address, byte for byte.
func TestInboundPicture(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	hook := newReceiver(t)
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"message.received"}}); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	w.startRelay()
	path, data := noise(t, "holiday photo.jpeg", 300_000)
	_, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155551234", Text: "look", Media: path})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the webhook", func() bool { return len(hook.all()) > 0 })
	for _, body := range hook.all() {
		e := decode[struct{ Data withMedia }](t, body)
		if e.Data.Content != "look" || !strings.HasPrefix(e.Data.MediaURL, w.url()+"/media/") || !strings.HasSuffix(e.Data.MediaURL, "/holiday_photo.jpeg") {
			t.Fatalf("the event says %s", body)
		}
		got, header := fetch(t, e.Data.MediaURL)
		if !bytes.Equal(got, data) {
			t.Error("the file is another one than was sent")
		}
		if header.Get("Content-Type") != "image/jpeg" || header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("headers %v", header)
		}
	}
	list := w.inbound()
	if len(list) != 1 || list[0].MediaURL == "" || list[0].MediaURLs != nil {
		t.Errorf("the list says %+v", list)
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "media"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

// The same with the one command, as the README has it.
func TestUpSimulatedPicture(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	up := start(t, bluecloud, "up", "--simulate", "--data", dir, "--listen", address)
	up.out.await(t, "ready\n", 20*time.Second)
	keys, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := decode[struct {
		TextingBlue struct {
			APIKey string `json:"api_key"`
		} `json:"texting_blue"`
	}](t, string(keys))
	w := &world{t: t, address: address, key: c.TextingBlue.APIKey}
	path, data := noise(t, "cat.png", 50_000)
	run(t, bluecloud, "simulate", "receive", "--data", dir, "--from", "+14155551234", "--media", path, "my cat")
	eventually(t, 20*time.Second, "the picture", func() bool { list := w.inbound(); return len(list) == 1 && list[0].MediaURL != "" })
	if got, _ := fetch(t, w.inbound()[0].MediaURL); !bytes.Equal(got, data) {
		t.Error("the file is another one than was sent")
	}
}

// all are the bodies that came, one for each event.
func (r *receiver) all() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range r.bodies {
		list = append(list, body)
	}
	return list
}

// A HEIC picture also comes as JPEG, made by the program in the place of sips.
func TestConvertedPicture(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	program := filepath.Join(w.dir, "sips")
	script := "#!/bin/sh\n[ \"$1 $2 $3 $5\" = '-s format jpeg --out' ] && { printf 'jpeg of '; cat \"$4\"; } > \"$6\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.relay = start(t, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--osascript", w.mac.Osascript(), "--attachments", w.mac.Attachments(), "--sips", program)
	path, data := noise(t, "IMG_0001.HEIC", 5000)
	_, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155551234", Media: path})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "both files", func() bool { list := w.inbound(); return len(list) == 1 && len(list[0].MediaURLs) == 2 })
	m := w.inbound()[0]
	if m.MediaURL != m.MediaURLs[0] || !strings.HasSuffix(m.MediaURLs[0], "/IMG_0001.HEIC") || !strings.HasSuffix(m.MediaURLs[1], "/IMG_0001.jpg") {
		t.Fatalf("%+v", m)
	}
	if got, header := fetch(t, m.MediaURLs[0]); !bytes.Equal(got, data) || header.Get("Content-Type") != "image/heic" {
		t.Error("the original is not the one that was sent", header)
	}
	if got, header := fetch(t, m.MediaURLs[1]); !bytes.Equal(got, append([]byte("jpeg of "), data...)) || header.Get("Content-Type") != "image/jpeg" {
		t.Error("the copy is not what the program made", header)
	}
	left, err := os.ReadDir(filepath.Join(w.state(), "copies"))
	if err != nil || len(left) != 0 {
		t.Errorf("copies are left: %v, %v", left, err)
	}
}

// slowLine is a connection to the server that lets only so much through a second,
// and counts it.
type slowLine struct {
	net.Listener
	passed atomic.Int64
}

func newSlowLine(t testing.TB, to string, perSecond int) *slowLine {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &slowLine{Listener: ln}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			all.Go(func() { defer in.Close(); _, _ = io.Copy(in, out) })
			all.Go(func() { defer stop(); defer out.Close(); l.pass(out, in, perSecond) })
		}
	})
	t.Cleanup(func() { cancel(); ln.Close(); all.Wait() })
	return l
}

func (l *slowLine) pass(out io.Writer, in io.Reader, perSecond int) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := in.Read(chunk)
		if err != nil {
			return
		}
		<-time.After(time.Duration(n) * time.Second / time.Duration(perSecond))
		if _, err := out.Write(chunk[:n]); err != nil {
			return
		}
		l.passed.Add(int64(n))
	}
}

// Server and relay are killed and stopped in turn in the middle of an upload of 20
// MiB. It arrives once, whole, and what had arrived is not sent again.
func TestKilledUpload(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	w := newWorld(t, 1)
	hook := newReceiver(t)
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"message.received"}}); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	line := newSlowLine(t, w.address, 8<<20)
	w.redirect("http://" + line.Addr().String())
	w.startRelay()
	path, data := noise(t, "film.mov", size)
	if _, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155551234", Text: "a film", Media: path}); err != nil {
		t.Fatal(err)
	}
	for kill := range 6 {
		mark := line.passed.Load() + 2<<20
		eventually(t, 60*time.Second, "two more megabytes", func() bool { return line.passed.Load() >= mark })
		switch kill {
		case 0, 4:
			w.cloud.kill()
			w.startCloud()
		case 1, 5:
			w.relay.kill()
			w.startRelay()
		case 2:
			if code := w.cloud.stop(syscall.SIGTERM); code != 0 {
				t.Errorf("the cloud ended with %d", code)
			}
			w.startCloud()
		case 3:
			if code := w.relay.stop(syscall.SIGTERM); code != 0 {
				t.Errorf("the relay ended with %d", code)
			}
			w.startRelay()
		}
	}
	eventually(t, 60*time.Second, "the whole file", func() bool { list := w.inbound(); return len(list) == 1 && list[0].MediaURL != "" })
	if got, _ := fetch(t, w.inbound()[0].MediaURL); !bytes.Equal(got, data) {
		t.Error("the file is another one than was sent")
	}
	if sent := line.passed.Load(); sent > size+6<<20 {
		t.Errorf("%d MiB were sent for a file of %d", sent>>20, size>>20)
	}
	eventually(t, 60*time.Second, "the event", func() bool { return len(hook.all()) == 1 })
	files, err := os.ReadDir(filepath.Join(w.dir, "media"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are stored, %v", len(files), err)
	}
}

// redirect lets the relay reach its server by another address.
func (w *world) redirect(server string) {
	w.t.Helper()
	path := filepath.Join(w.state(), "credential.json")
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	c := decode[map[string]any](w.t, string(data))
	c["server"] = server
	if data, err = json.Marshal(c); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}
