package cloud_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// picture stands for the bytes of a file.
var picture = bytes.Repeat([]byte("a private picture"), 20_000)

// long keeps events back until the files are there.
func long(c *cloud.Config) { c.MediaWait = time.Hour }

// announces reports an inbound message with files.
func (m *mac) announces(guid string, files ...wire.Media) {
	m.w.t.Helper()
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: guid, From: somebody, Text: secretText, Media: files}})
}

// file is one upload as a relay makes it.
type file struct {
	secret  string
	message string
	id      string
	variant string
	name    string
	mime    string
	data    []byte
	sum     [32]byte
}

func newFile(secret, message, id string, data []byte) file {
	return file{secret: secret, message: message, id: id, name: "photo.jpg", mime: "image/jpeg", data: data, sum: sha256.Sum256(data)}
}

// ask makes a request about the file; offset and body are those of a PUT.
func (w *world) ask(method string, f file, offset int, body io.Reader) (*http.Response, error) {
	w.t.Helper()
	q := url.Values{"message": {f.message}, "variant": {f.variant}, "name": {f.name}, "mime": {f.mime}}
	req, err := http.NewRequest(method, w.server.URL+"/relay/v1/media/"+url.PathEscape(f.id)+"?"+q.Encode(), body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.secret)
	req.Header.Set(wire.HeaderOffset, strconv.Itoa(offset))
	req.Header.Set(wire.HeaderLength, strconv.Itoa(len(f.data)))
	req.Header.Set(wire.HeaderDigest, "sha-256=:"+base64.StdEncoding.EncodeToString(f.sum[:])+":")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

// put sends the file from an offset and returns the status.
func (w *world) put(f file, offset int) int {
	w.t.Helper()
	resp, err := w.ask(http.MethodPut, f, offset, bytes.NewReader(f.data[offset:]))
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode
}

// head asks for the state of a file.
func (w *world) head(f file) (status int, offset string, complete bool) {
	w.t.Helper()
	resp, err := w.ask(http.MethodHead, f, 0, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get(wire.HeaderOffset), resp.Header.Get(wire.HeaderComplete) == "?1"
}

// inbox is the one message that has come in.
func (w *world) inbox() store.Message {
	w.t.Helper()
	list, _, err := w.service.Messages(w.t.Context(), w.who, store.MessageFilter{Direction: store.Inbound, Limit: 10}, "")
	if err != nil || len(list) != 1 {
		w.t.Fatalf("%d messages, %v", len(list), err)
	}
	return list[0]
}

// public serves the public paths of files.
func (w *world) public() *httptest.Server {
	w.t.Helper()
	mux := http.NewServeMux()
	w.service.MediaRoutes(mux)
	server := httptest.NewServer(mux)
	w.t.Cleanup(server.Close)
	return server
}

// visit gets a public address.
func (w *world) visit(address string, header ...string) (*http.Response, []byte) {
	w.t.Helper()
	path, ok := strings.CutPrefix(address, "https://blue.example")
	if !ok {
		w.t.Fatalf("%s is not on this server", address)
	}
	req, err := http.NewRequest(http.MethodGet, w.public().URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, data
}

func (w *world) folder() string { return w.cfg.MediaDir }

// A message with files is told once they are there; what comes later is an update.
func TestMessageWaitsForItsFiles(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	m.announces("G1", wire.Media{ID: "A1", Name: "one.jpg"}, wire.Media{ID: "A2", Name: "two.jpg"})
	if got := w.events(); len(got) != 0 {
		t.Fatalf("told before the files: %v", got)
	}
	first, second := newFile(secret, "G1", "A1", picture), newFile(secret, "G1", "A2", []byte("two"))
	second.name = "two.jpg"
	if status := w.put(second, 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	if got := w.events(); len(got) != 0 {
		t.Fatalf("told before all files: %v", got)
	}
	if status := w.put(first, 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.received"}) {
		t.Fatalf("%v", got)
	}
	msg := w.inbox()
	if len(msg.MediaURLs) != 2 || msg.MediaURL != msg.MediaURLs[0] || !strings.HasSuffix(msg.MediaURLs[1], "/two.jpg") {
		t.Fatalf("%q %q", msg.MediaURL, msg.MediaURLs)
	}
	if resp, data := w.visit(msg.MediaURL); resp.StatusCode != http.StatusOK || !bytes.Equal(data, picture) {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(data))
	}

	// Again, as after a lost answer; then a file that nobody announced.
	if status := w.put(first, 0); status != http.StatusOK {
		t.Error(status)
	}
	if status := w.put(newFile(secret, "G1", "A3", []byte("three")), 0); status != http.StatusCreated {
		t.Error(status)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.received", "message.updated"}) {
		t.Errorf("%v", got)
	}
	if got := w.inbox().MediaURLs; len(got) != 3 {
		t.Errorf("%v", got)
	}
}

// A file that does not come in time keeps nobody waiting, through a restart.
func TestMessageDoesNotWaitForever(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	m.announces("G1", wire.Media{ID: "A1"})
	m.leave()
	w.stop()
	w.sql("UPDATE held_events SET due_at = 1")
	w.start()
	eventually(t, "the event", func() bool { return slices.Equal(w.events(), []string{"message.received"}) })
	if got := w.inbox().MediaURL; got != "" {
		t.Errorf("%q", got)
	}
	if status := w.put(newFile(secret, "G1", "A1", picture), 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.received", "message.updated"}) || w.inbox().MediaURL == "" {
		t.Errorf("%v", got)
	}
}

// What happens to a message meanwhile is told after the message itself.
func TestNothingIsToldBeforeTheMessage(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	m.announces("G1", wire.Media{ID: "A1"})
	m.report(wire.Report{Kind: wire.Edited, GUID: "G1", Change: &wire.Change{Version: 1, Text: "another private sentence"}})
	if got := w.events(); !slices.Equal(got, []string{"message.received", "message.updated"}) {
		t.Fatalf("%v", got)
	}
	if status := w.put(newFile(secret, "G1", "A1", picture), 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.received", "message.updated", "message.updated"}) {
		t.Errorf("%v", got)
	}
}

// A file that is given up ends the waiting too, and may come after all.
func TestFileIsGivenUp(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	f := newFile(secret, "G1", "A1", picture)
	for range 2 {
		if resp, err := w.ask(http.MethodDelete, f, 0, nil); err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatal(resp, err)
		}
		if got := w.events(); !slices.Equal(got, []string{"message.received"}) {
			t.Fatalf("%v", got)
		}
	}
	if status := w.put(f, 0); status != http.StatusCreated || w.inbox().MediaURL == "" {
		t.Error(status)
	}
}

// A converted copy comes first and is told together with its original.
func TestVariantIsToldWithItsOriginal(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1", Name: "a.heic", MIME: "image/heic"}, wire.Media{ID: "A2", Name: "b.png"})
	other := newFile(secret, "G1", "A2", []byte("b"))
	other.name, other.mime = "b.png", "image/png"
	original := newFile(secret, "G1", "A1", picture)
	original.name, original.mime = "a.heic", "image/heic"
	variant := newFile(secret, "G1", "A1", []byte("jpeg"))
	variant.name, variant.variant = "a.jpg", wire.VariantJPEG
	for _, f := range []file{other, variant} {
		if status := w.put(f, 0); status != http.StatusCreated || len(w.events()) != 0 {
			t.Fatal(status, w.events())
		}
	}
	if status := w.put(original, 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	var names []string
	for _, u := range w.inbox().MediaURLs {
		names = append(names, u[strings.LastIndexByte(u, '/')+1:])
	}
	if !slices.Equal(names, []string{"a.heic", "a.jpg", "b.png"}) || len(w.events()) != 1 {
		t.Errorf("%v, %v", names, w.events())
	}
}

// An upload whose connection is cut goes on where it ended, also in another process.
func TestUploadGoesOn(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	f := newFile(secret, "G1", "A1", picture)
	half := len(picture) / 2
	body, writer := io.Pipe()
	answered := make(chan error)
	go func() {
		_, err := w.ask(http.MethodPut, f, 0, body)
		answered <- err
	}()
	if _, err := writer.Write(picture[:half]); err != nil {
		t.Fatal(err)
	}
	w.begun()
	writer.CloseWithError(errors.New("the cable is out"))
	if err := <-answered; err == nil {
		t.Fatal("the request was answered")
	}
	w.restart()
	_, said, complete := w.head(f)
	offset, err := strconv.Atoi(said)
	if err != nil || offset == 0 || offset > half || complete {
		t.Fatalf("%s of %d bytes are there, complete %v", said, half, complete)
	}
	if status := w.put(f, offset+1); status != http.StatusConflict {
		t.Errorf("a gap: %d", status)
	}
	if status := w.put(f, offset); status != http.StatusCreated {
		t.Fatal(status)
	}
	if status, said, complete := w.head(f); status != http.StatusOK || said != strconv.Itoa(len(picture)) || !complete {
		t.Errorf("%d, %s, %v", status, said, complete)
	}
	if _, data := w.visit(w.inbox().MediaURL); !bytes.Equal(data, picture) {
		t.Error("the file is another one")
	}
	if names := w.files(); len(names) != 1 || strings.HasSuffix(names[0], ".part") {
		t.Errorf("files %v", names)
	}
}

// begun waits until some of an upload is on disk.
func (w *world) begun() {
	eventually(w.t, "the first bytes on disk", func() bool {
		parts, _ := filepath.Glob(filepath.Join(w.folder(), "*.part"))
		if len(parts) == 0 {
			return false
		}
		info, err := os.Stat(parts[0])
		return err == nil && info.Size() > 0
	})
}

// files are the names in the media folder.
func (w *world) files() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.folder())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A server that was killed after the file had its name and before the database knew
// takes up there.
func TestUploadAfterACrashAtItsEnd(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	f := newFile(secret, "G1", "A1", picture)
	if status := w.put(f, 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	w.stop()
	w.sql("UPDATE media SET state = 'pending'; UPDATE messages SET media_url = ''")
	w.start()
	_, said, complete := w.head(f)
	if said != strconv.Itoa(len(picture)) || complete {
		t.Fatalf("%s, %v", said, complete)
	}
	if status := w.put(f, len(picture)); status != http.StatusCreated {
		t.Fatal(status)
	}
	if _, data := w.visit(w.inbox().MediaURL); !bytes.Equal(data, picture) {
		t.Error("the file is another one")
	}
}

// What is not as announced is refused and leaves nothing behind.
func TestUploadRefused(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	other := w.paired(w.addLine(w.account("team_b"), "+14155559877"))
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	good := newFile(secret, "G1", "A1", picture)
	change := func(fn func(*file)) file { f := good; fn(&f); return f }
	for name, c := range map[string]struct {
		file file
		want int
	}{
		"other bytes":       {change(func(f *file) { f.sum = sha256.Sum256([]byte("x")) }), http.StatusUnprocessableEntity},
		"another line's":    {change(func(f *file) { f.secret = other }), http.StatusNotFound},
		"nobody's":          {change(func(f *file) { f.secret = "rly_x" }), http.StatusUnauthorized},
		"unknown message":   {change(func(f *file) { f.message = "G2" }), http.StatusNotFound},
		"unknown variant":   {change(func(f *file) { f.variant = "../x" }), http.StatusBadRequest},
		"an id too long":    {change(func(f *file) { f.id = strings.Repeat("a", 201) }), http.StatusBadRequest},
		"an id with a path": {change(func(f *file) { f.id = "../../x"; f.sum = sha256.Sum256(nil) }), http.StatusUnprocessableEntity},
	} {
		if status := w.put(c.file, 0); status != c.want {
			t.Errorf("%s: %d, want %d", name, status, c.want)
		}
		if names := w.files(); len(names) != 0 {
			t.Errorf("%s left %v", name, names)
		}
	}
	resp, err := w.ask(http.MethodPut, good, 0, bytes.NewReader(append(bytes.Clone(picture), '!')))
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("more than announced: %v, %v", resp, err)
	}
	if got := w.events(); len(got) != 0 || w.inbox().MediaURL != "" {
		t.Errorf("something was told: %v", got)
	}
	if status := w.put(good, 0); status != http.StatusConflict && status != http.StatusCreated {
		t.Errorf("the good one: %d", status)
	}
	huge := good
	huge.data = make([]byte, wire.MaxMediaBytes+1)
	if resp, err := w.ask(http.MethodHead, huge, 0, nil); err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %v, %v", resp, err)
	}
}

// The Mac that was replaced may bring nothing any more.
func TestRetiredMacUploadsNothing(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	line, err := w.store.Line(t.Context(), w.line.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.paired(line)
	if status := w.put(newFile(secret, "G1", "A1", picture), 0); status != http.StatusUnauthorized {
		t.Error(status)
	}
}

// A file lives as long as the table says, to the visitor at once, on disk until the
// next sweep.
func TestFileExpires(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	before := time.Now()
	if status := w.put(newFile(secret, "G1", "A1", picture), 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	address := w.inbox().MediaURL
	expires, err := strconv.ParseInt(w.column("SELECT expires_at FROM media")[0], 10, 64)
	if life := time.UnixMilli(expires).Sub(before); err != nil || life < 30*24*time.Hour || life > 30*24*time.Hour+time.Minute {
		t.Errorf("it lives %s, %v", life, err)
	}
	if resp, _ := w.visit(address); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	w.sql("UPDATE media SET expires_at = 1")
	if resp, _ := w.visit(address); resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
	eventually(t, "the file removed", func() bool { return len(w.files()) == 0 })
	eventually(t, "the address removed", func() bool { return w.inbox().MediaURL == "" })
	if got := w.events(); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// What a visitor gets is what the list of types says, and nothing that runs.
func TestPublicFile(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	for i, c := range []struct{ name, mime, wantName, wantType, wantShown string }{
		{"photo.jpg", "image/jpeg", "photo.jpg", "image/jpeg", "inline; filename=photo.jpg"},
		{"voice.caf", "audio/x-caf", "voice.caf", "audio/x-caf", "inline; filename=voice.caf"},
		{"page.html", "text/html", "page.html", "application/octet-stream", "attachment; filename=page.html"},
		{"draw.svg", "image/svg+xml", "draw.svg", "application/octet-stream", "attachment; filename=draw.svg"},
		{"../../etc/passwd", "nonsense\r\nX: y", "passwd", "application/octet-stream", "attachment; filename=passwd"},
		{"50% off? #1.png", "image/png", "50%25_off%3F_%231.png", "image/png", `inline; filename="50%_off?_#1.png"`},
		{"", "video/quicktime", "file.mov", "video/quicktime", "inline; filename=file.mov"},
		{"été 1.pdf", "application/pdf; x=y", "%C3%A9t%C3%A9_1.pdf", "application/pdf", "attachment; filename*=utf-8''%C3%A9t%C3%A9_1.pdf"},
	} {
		guid := "G" + strconv.Itoa(i)
		m.announces(guid, wire.Media{ID: "A"})
		f := newFile(secret, guid, "A", picture)
		f.name, f.mime = c.name, c.mime
		if status := w.put(f, 0); status != http.StatusCreated {
			t.Fatal(c.name, status)
		}
		msg, err := w.store.MessageByGUID(t.Context(), w.line.ID, guid)
		if err != nil {
			t.Fatal(err)
		}
		resp, data := w.visit("https://blue.example" + msg.MediaURL)
		if resp.StatusCode != http.StatusOK || !bytes.Equal(data, picture) {
			t.Fatal(c.name, resp.Status)
		}
		if !strings.HasSuffix(resp.Request.URL.EscapedPath(), "/"+c.wantName) {
			t.Errorf("%s is at %s", c.name, resp.Request.URL.EscapedPath())
		}
		h := resp.Header
		if h.Get("Content-Type") != c.wantType || h.Get("Content-Disposition") != c.wantShown || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("%s: %v", c.name, h)
		}
		if resp, data := w.visit("https://blue.example"+msg.MediaURL, "Range", "bytes=2-8"); resp.StatusCode != http.StatusPartialContent || string(data) != "private" {
			t.Errorf("a range: %s %q", resp.Status, data)
		}
		if resp, _ := w.visit("https://blue.example"+msg.MediaURL, "If-None-Match", h.Get("ETag")); resp.StatusCode != http.StatusNotModified {
			t.Errorf("known already: %s", resp.Status)
		}
		token := strings.Split(msg.MediaURL, "/")[2]
		if len(token) < 26 {
			t.Errorf("a token of %d characters", len(token))
		}
		for _, path := range []string{"/media/" + token + "/other", "/media/" + strings.Repeat("a", len(token)) + "/" + c.wantName, "/media/" + token + "/", "/media/" + token} {
			if resp, _ := w.visit("https://blue.example" + path); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", path, resp.Status)
			}
		}
	}
}

// A relay that lost its connection without the server's knowing takes its upload
// over from itself.
func TestUploadIsTakenOver(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	f := newFile(secret, "G1", "A1", picture)
	body, writer := io.Pipe()
	silent := make(chan struct{})
	go func() {
		defer close(silent)
		resp, err := w.ask(http.MethodPut, f, 0, body)
		if err == nil && resp.StatusCode == http.StatusCreated {
			t.Error("the silent connection has stored the file")
		}
	}()
	if _, err := writer.Write(picture[:100_000]); err != nil {
		t.Fatal(err)
	}
	w.begun()
	_, said, _ := w.head(f)
	offset, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(err)
	}
	if status := w.put(f, offset); status != http.StatusCreated {
		t.Fatal(status)
	}
	writer.Close()
	<-silent
	if _, data := w.visit(w.inbox().MediaURL); !bytes.Equal(data, picture) {
		t.Error("the file is another one")
	}
}

// A server that stops cuts what is under way and takes nothing new.
func TestTransfersAreCut(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_1", 0)).announces("G1", wire.Media{ID: "A1"})
	f := newFile(secret, "G1", "A1", picture)
	body, writer := io.Pipe()
	cut := make(chan int)
	go func() {
		resp, err := w.ask(http.MethodPut, f, 0, body)
		if err != nil {
			cut <- 0
			return
		}
		cut <- resp.StatusCode
	}()
	if _, err := writer.Write(picture[:100_000]); err != nil {
		t.Fatal(err)
	}
	w.begun()
	w.service.CutTransfers()
	select {
	case status := <-cut:
		if status != 0 && status != http.StatusServiceUnavailable {
			t.Errorf("%d does not make the relay come again", status)
		}
	case <-time.After(patience):
		t.Fatal("the upload goes on")
	}
	writer.Close()
	if status, _, _ := w.head(f); status != http.StatusServiceUnavailable {
		t.Error(status)
	}
}
