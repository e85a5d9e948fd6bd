package sendblue_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
)

// picture begins as a PNG does.
var picture = append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte("a private picture"), 5000)...)

// upload posts a form with one file.
func (w *world) upload(who pair, field, name string, data []byte) answer {
	w.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_ = form.WriteField("note", "before it")
	part, err := form.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err != nil || form.Close() != nil {
		w.t.Fatal(err)
	}
	req := w.request("POST", "/api/upload-file", who, b.String())
	req.Header.Set("Content-Type", form.FormDataContentType())
	return w.do(req)
}

// aFile is what an upload answers.
type aFile struct {
	Status    string `json:"status"`
	Message   string `json:"message"`
	ID        string `json:"mediaObjectId"`
	URL       string `json:"media_url"`
	ExpiresAt string `json:"expires_at"`
}

func (a answer) file(t testing.TB) aFile {
	t.Helper()
	var f aFile
	a.into(t, &f)
	if a.status != http.StatusCreated || f.Status != "OK" || f.Message != "File uploaded successfully" || !strings.HasPrefix(f.ID, "MO_") || len(f.ExpiresAt) != 24 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return f
}

// visit gets a file from its public address.
func (w *world) visit(address string) (int, []byte) {
	w.t.Helper()
	mux := http.NewServeMux()
	w.service.MediaRoutes(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	resp, err := http.Get(server.URL + strings.TrimPrefix(address, "https://blue.example"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, data
}

// files are the names in the media folder.
func (w *world) files() (names []string) {
	list, err := os.ReadDir(w.cfg.MediaDir)
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestUploadedFile(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.MediaQuota = 250 << 20 })
	f := w.upload(w.pair, "file", "../my holiday.exe", picture).file(t)
	if !strings.HasSuffix(f.ID, ".png") || !strings.HasSuffix(f.URL, "/my_holiday.png") || !strings.HasPrefix(f.URL, "https://blue.example/media/") {
		t.Errorf("%+v", f)
	}
	if status, data := w.visit(f.URL); status != http.StatusOK || !bytes.Equal(data, picture) {
		t.Errorf("%d, %d bytes", status, len(data))
	}
	if status, _ := w.visit(strings.Replace(f.URL, "my_", "your_", 1)); status != http.StatusNotFound {
		t.Errorf("another name: %d", status)
	}
	for name, a := range map[string]answer{
		"another field": w.upload(w.pair, "attachment", "a.png", picture),
	} {
		if p := a.expect(t, http.StatusBadRequest, 4000, "invalid_request", "file"); p.Message != "Missing fields" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for name, data := range map[string][]byte{"empty": {}, "a page": []byte("<html><script>"), "a program": []byte("\x7fELF\x02\x01\x01\x00\x00\x00")} {
		if a := w.upload(w.pair, "file", "a.png", data); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, kind := range []string{"application/json", "multipart/form-data", "multipart/form-data; boundary=x", ""} {
		req := w.request("POST", "/api/upload-file", w.pair, "{}")
		req.Header.Set("Content-Type", kind)
		w.do(req).expect(t, http.StatusBadRequest, 4000, "invalid_request", "file")
	}
	if got := w.files(); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// A file that is cut off, or is larger than it may be, leaves nothing.
func TestUploadThatIsCutOff(t *testing.T) {
	w := newWorld(t, nil)
	cut := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + string(picture)
	req := w.request("POST", "/api/upload-file", w.pair, cut)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	w.do(req).expect(t, http.StatusBadRequest, 4000, "invalid_request", "file")
	if got := w.files(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	req = w.request("POST", "/api/upload-file", w.pair, "")
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader(cut), io.LimitReader(zeros{}, 100<<20), strings.NewReader("\r\n--b--\r\n")))
	req.ContentLength = -1
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if a := w.do(req); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "larger than 100 MB") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := w.files(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// An account has so much room; what is over goes, and makes room.
func TestUploadsAreBounded(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.MediaQuota = 100<<20 + int64(len(picture)) - 1 })
	w.upload(w.pair, "file", "a.png", picture).file(t)
	w.upload(w.pair, "file", "a.png", picture).expect(t, http.StatusBadRequest, 4000, "invalid_request", "file")
	other := w.newPair(w.newAccount("team_b", 0), "*")
	w.upload(other, "file", "a.png", picture).file(t)
}

func TestUploadsExpire(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.MediaLife = time.Millisecond })
	f := w.upload(w.pair, "file", "a.png", picture).file(t)
	eventually(t, "the file goes", func() bool { return len(w.files()) == 0 })
	if status, _ := w.visit(f.URL); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}

// The server fetches an object from its address, as it does for a message.
func TestUploadedMediaObject(t *testing.T) {
	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.png" {
			http.NotFound(rw, r)
			return
		}
		_, _ = rw.Write(picture)
	}))
	defer site.Close()
	w := newWorld(t, func(c *cloud.Config) {
		c.MediaRoots = x509.NewCertPool()
		c.MediaRoots.AddCert(site.Certificate())
	})
	object := func(address string) answer {
		return w.call("POST", "/api/upload-media-object", w.pair, `{"media_url":"`+address+`"}`)
	}
	f := object(site.URL + "/a.png").file(t)
	if status, data := w.visit(f.URL); status != http.StatusOK || !bytes.Equal(data, picture) {
		t.Errorf("%d, %d bytes", status, len(data))
	}
	for _, bad := range []string{"", "http://example.com/a.png", "ftp://example.com/", "nothing", "https://user@example.com/a.png", "https:///a.png"} {
		if p := object(bad).expect(t, http.StatusBadRequest, 4000, "invalid_request", "media_url"); p.Message != "Invalid media URL" {
			t.Errorf("%s: %+v", bad, p)
		}
	}
	for _, gone := range []string{site.URL + "/b.png", "https://10.0.0.1/a.png", "https://127.0.0.1:1/a.png"} {
		if a := object(gone); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", gone, a.status, a.body)
		}
	}
	w.call("POST", "/api/upload-media-object", w.pair, `{"media_url":1}`).expect(t, http.StatusBadRequest, 4000, "invalid_request", "media_url")
	if got := w.files(); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// eventually polls a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("this never happened: %s", what)
		}
	}
}
