package console_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"bluerelay/cloud/console"
)

func get(t testing.TB, c console.Console, method, target string) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	c.Log = slog.New(slog.DiscardHandler)
	c.Routes(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	return rec.Result()
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPages(t *testing.T) {
	c := console.Console{PublicURL: "https://blue.example"}
	for target, want := range map[string][]string{
		"/":             {"bluecloud is running", "https://blue.example/v1", "curl -X POST https://blue.example/v1/messages/send"},
		"/setup":        {"This address has no setup token"},
		"/setup?token=": {"This address has no setup token"},
	} {
		resp := get(t, c, http.MethodGet, target)
		page := text(t, resp)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(strings.TrimSpace(page), "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
			t.Errorf("%s: %d\n%s", target, resp.StatusCode, page)
		}
		for _, s := range want {
			if !strings.Contains(page, s) {
				t.Errorf("%s lacks %q:\n%s", target, s, page)
			}
		}
		if strings.Contains(page, "<no value>") || strings.Contains(page, "Simulated") || strings.Contains(page, "<script") {
			t.Errorf("%s:\n%s", target, page)
		}
	}
	if page := text(t, get(t, console.Console{PublicURL: "http://127.0.0.1:8787", Simulated: true}, http.MethodGet, "/")); !strings.Contains(page, "Simulated.") || !strings.Contains(page, "nothing leaves this machine") {
		t.Errorf("a simulated server does not say so:\n%s", page)
	}
}

// What no setup URL of ours has is never repeated, neither as markup nor in the
// command that people copy into a terminal.
func TestOddTokensAreNotRepeated(t *testing.T) {
	c := console.Console{PublicURL: "https://blue.example"}
	for _, token := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "dev_abc'; rm -rf ~; '", "dev_abc$(id)", "dev_abc`id`", "dev_abc\nid", "dev abc", "DEV_ABC", "dev_abc&amp;", "dev_abc%27", "{{.Token}}", "dev_é", "dev_\x00", "\u202edev", "javascript:alert(1)", "dev-abc", "../..",
	} {
		page := text(t, get(t, c, http.MethodGet, "/setup?token="+url.QueryEscape(token)))
		if !strings.Contains(page, "This address has no setup token") || strings.Contains(page, token) || strings.Contains(page, "alert(1)") || strings.Contains(page, "bluerelay pair") {
			t.Errorf("%q:\n%s", token, page)
		}
	}
	// Only the parameter of that name counts.
	c, _, _ = inviting(t)
	if page := text(t, get(t, c, http.MethodGet, "/setup?x=<b>&token=dev_abc&token=<i>#<u>")); strings.Contains(page, "<b>") || strings.Contains(page, "<i>") || !strings.Contains(page, "does not know this setup URL") {
		t.Errorf("%s", page)
	}
}

func TestHeaders(t *testing.T) {
	c, _, _ := inviting(t)
	for _, target := range []string{"/", "/setup", "/setup?token=dev_abc"} {
		resp := get(t, c, http.MethodGet, target)
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
		csp := resp.Header.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(csp, rule) {
				t.Errorf("%s: the policy %q lacks %s", target, csp, rule)
			}
		}
		if strings.Contains(csp, "script-src") || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", target, resp.Header)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"HEAD", "/", 200}, {"POST", "/", 405}, {"POST", "/setup?token=dev_abc", 405}, {"DELETE", "/setup", 405}, {"GET", "/setup/", 404}, {"GET", "/nothing", 404}, {"GET", "/pages/status.html", 404}, {"GET", "/index.html", 404},
	} {
		if got := get(t, console.Console{}, c.method, c.target).StatusCode; got != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.target, got, c.status)
		}
	}
}
