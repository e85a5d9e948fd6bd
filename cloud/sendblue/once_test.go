package sendblue_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bluerelay/cloud"
)

// Whatever the official SDK repeats after a lost answer takes effect once, and gets the
// first one's answer: a contact that is there is no conflict, a secret that is shown once
// is shown, a file is stored once.
func TestEffectsRepeatedBySDK(t *testing.T) {
	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(picture) }))
	defer site.Close()
	w := newWorld(t, func(c *cloud.Config) {
		c.MediaRoots = x509.NewCertPool()
		c.MediaRoots.AddCert(site.Certificate())
	})
	try := func(header, value, method, path, body string) answer {
		t.Helper()
		req := w.request(method, path, w.pair, body)
		req.Header.Set(header, value)
		return w.do(req)
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"a contact", "POST", "/api/v2/contacts", `{"number":"+19998887777"}`, http.StatusCreated},
		{"a webhook", "POST", "/api/account/webhooks", `{"webhooks":["https://a.example/"]}`, http.StatusOK},
		{"all webhooks", "PUT", "/api/account/webhooks", `{"webhooks":{"outbound":["https://b.example/"]}}`, http.StatusOK},
		{"a file", "POST", "/api/upload-media-object", `{"media_url":"` + site.URL + `/a.png"}`, http.StatusCreated},
	} {
		key := strings.ReplaceAll(c.name, " ", "-")
		for header, values := range map[string][2]string{"X-Stainless-Retry-Count": {"0", "1"}, "Idempotency-Key": {key, key}} {
			w.call("DELETE", "/api/v2/contacts/+19998887777", w.pair, "")
			w.ok("PUT", "/api/account/webhooks", `{"webhooks":{}}`)
			first := try(header, values[0], c.method, c.path, c.body)
			again := try(header, values[1], c.method, c.path, c.body)
			if first.status != c.status || again.status != c.status || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s, %s: %d %s, then %d %s", c.name, header, first.status, first.body, again.status, again.body)
			}
			if hook := strings.Contains(c.path, "webhooks"); hook != strings.Contains(string(again.body), "whsec_") {
				t.Errorf("%s, %s: %s", c.name, header, again.body)
			}
		}
	}
	if got := w.files(); len(got) != 2 {
		t.Errorf("%d files are stored", len(got))
	}
	// What is no repetition is what it was.
	const body = `{"number":"+15550001111"}`
	try("X-Stainless-Retry-Count", "0", "POST", "/api/v2/contacts", body)
	try("X-Stainless-Retry-Count", "0", "POST", "/api/v2/contacts", body).expect(t, http.StatusConflict, 0, "conflict", "number")
	try("X-Stainless-Retry-Count", "1", "POST", "/api/v2/contacts", `{"number":"+15550001111","first_name":"Ann"}`).expect(t, http.StatusConflict, 0, "conflict", "number")
	try("Idempotency-Key", "k", "POST", "/api/v2/contacts", `{"number":"+15550002222"}`)
	try("Idempotency-Key", "k", "POST", "/api/v2/contacts", body).expect(t, http.StatusUnprocessableEntity, 4000, "idempotency_key_reused", "")
}
