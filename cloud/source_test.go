package cloud_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// Each way in which a file is not fit to be sent is said, once and for all, and the
// next message goes.
func TestFileThatIsNotSent(t *testing.T) {
	var s *httptest.Server
	s = site(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			rw.WriteHeader(http.StatusGone)
		case "/large":
			rw.Header().Set("Content-Length", "1048577")
		case "/endless":
			for range 40 {
				_, _ = rw.Write(bytes.Repeat([]byte("x"), 64<<10))
			}
		case "/page":
			fmt.Fprint(rw, "<!DOCTYPE html><script>alert(1)</script>")
		case "/program":
			fmt.Fprint(rw, "\x7fELF\x02\x01\x01\x00\x00\x00")
		case "/packed":
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
		case "/plain":
			http.Redirect(rw, r, strings.Replace(s.URL, "https", "http", 1)+"/x", http.StatusFound)
		case "/inside":
			http.Redirect(rw, r, "https://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/round":
			http.Redirect(rw, r, "/round", http.StatusFound)
		}
	})
	w := newWorld(t, reaching(s))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for path, want := range map[string]string{
		"/gone": "media_unavailable", "/large": "media_too_large", "/endless": "media_too_large", "/page": "media_type", "/program": "media_type",
		"/packed": "media_type", "/plain": "media_unavailable", "/inside": "media_unavailable", "/round": "media_unavailable", "/empty": "media_unavailable",
	} {
		id := w.sendFile(somebody, s.URL+path)
		next := w.send(somebody)
		if o := m.order(); o.Message != next {
			t.Fatalf("%s: %+v", path, o)
		}
		if got := w.message(id); got.Status != wire.StatusFailed || got.ErrorCode != want || !strings.Contains(got.ErrorMessage, "media_url") || strings.Contains(got.ErrorMessage, "127.0.0.1") {
			t.Errorf("%s: %s %q", path, got.ErrorCode, got.ErrorMessage)
		}
		m.report(wire.Report{Kind: wire.Sent, Message: next})
	}
	// What is closed to the cloud, whatever name leads there.
	for _, url := range []string{"https://127.0.0.2/x.jpg", "https://10.0.0.1/x.jpg", "https://[::1]/x.jpg"} {
		id := w.sendFile("+14155550001", url)
		eventually(t, url, func() bool { return w.message(id).Status == wire.StatusFailed })
		if got := w.message(id).ErrorCode; got != "media_unavailable" {
			t.Errorf("%s: %s", url, got)
		}
	}
	if names := w.files(); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
	if got := w.column("SELECT COUNT(*) FROM fetches"); got[0] != "0" {
		t.Errorf("%s are still to be fetched", got[0])
	}
	for _, url := range []string{"http://example.com/a.jpg", "https://", "ftp://example.com/a", "https://user:pass@example.com/a", "file:///etc/passwd", "https://example.com/a b", "https://" + strings.Repeat("x", 3000)} {
		_, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: secretText, MediaURL: url})
		if e := refusal(t, err); e.Param != "media_url" {
			t.Errorf("%q: %+v", url, e)
		}
	}
}
