package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Who may read the metrics, by where he is, what he shows and what the server is.
func TestWhoSeesTheMetrics(t *testing.T) {
	open := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "figures") })
	const here, world = "http://127.0.0.1:8787", "https://messages.example.com"
	for _, c := range []struct {
		name, token, url     string
		remote, host, header string
		status               int
	}{
		{"this machine", "", here, "127.0.0.1:5000", "127.0.0.1:8787", "", 200},
		{"this machine by name", "", "http://localhost:8787", "[::1]:5000", "localhost:8787", "", 200},
		{"this machine in both families", "", here, "[::ffff:127.0.0.1]:5000", "[::1]:8787", "", 200},
		{"another machine", "", here, "192.168.1.7:5000", "127.0.0.1:8787", "", 403},
		{"a page that names itself so", "", here, "127.0.0.1:5000", "rebound.example.com:8787", "", 403},
		{"a proxy on this machine", "", world, "127.0.0.1:5000", "127.0.0.1:8787", "", 403},
		{"another machine with a made-up token", "", here, "192.168.1.7:5000", "127.0.0.1", "Bearer ", 403},
		{"the token", "secret", world, "203.0.113.5:5000", "messages.example.com", "Bearer secret", 200},
		{"this machine without the token", "secret", here, "127.0.0.1:5000", "127.0.0.1:8787", "", 401},
		{"another token", "secret", here, "127.0.0.1:5000", "127.0.0.1:8787", "Bearer secrets", 401},
		{"the bare token", "secret", here, "127.0.0.1:5000", "127.0.0.1:8787", "secret", 401},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		req.RemoteAddr, req.Host = c.remote, c.host
		if c.header != "" {
			req.Header.Set("Authorization", c.header)
		}
		rec := httptest.NewRecorder()
		guardMetrics(open, c.token, c.url).ServeHTTP(rec, req)
		if rec.Code != c.status || (rec.Body.String() == "figures") != (c.status == 200) {
			t.Errorf("%s: %d %s", c.name, rec.Code, rec.Body)
		}
	}
}
