package console_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/console"
	"bluerelay/cloud/store"
)

// inviting is a server with one account, and an open invitation's token.
func inviting(t testing.TB) (c console.Console, service *cloud.Service, token string) {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "cloud.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	service = cloud.New(cloud.Config{Store: s, Log: slog.New(slog.DiscardHandler), PublicURL: "https://blue.example"})
	made, err := service.CreateAccount(t.Context(), "Acme <b>&</b> Co", "owner@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, link, err := service.Invite(t.Context(), cloud.Principal{Account: store.Account{ID: made.AccountID}}, "guest@example.com", cloud.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ = strings.Cut(link, "/invite?token=")
	return console.Console{Cloud: service, PublicURL: "https://blue.example"}, service, token
}

// post sends the form, as a browser that says what headers say.
func post(t testing.TB, c console.Console, form url.Values, headers map[string]string) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	c.Log = slog.New(slog.DiscardHandler)
	c.Routes(mux)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://blue.example/invite", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, req)
	return rec.Result()
}

const password = "correct horse battery"

// A person follows the link, mends what he has typed, and is a member.
func TestInvitation(t *testing.T) {
	c, _, token := inviting(t)
	resp := get(t, c, http.MethodGet, "/invite?token="+token)
	page := text(t, resp)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, page)
	}
	for _, want := range []string{"Acme &lt;b&gt;&amp;&lt;/b&gt; Co", "guest@example.com", "admin", `<form method="post" action="invite">`, `value="` + token + `"`, `minlength="12"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") || strings.Contains(page, `role="alert"`) {
		t.Errorf("%s", page)
	}
	for _, c2 := range []struct{ name, password, want string }{
		{"", password, "field is required"}, {`<img src=x>`, "short", "12 to 200 characters"}, {"Guest", "guest@example.com", "must not be your address"},
	} {
		resp := post(t, c, url.Values{"token": {token}, "name": {c2.name}, "password": {c2.password}}, nil)
		page := text(t, resp)
		if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, c2.want) || strings.Contains(page, c2.password) && c2.password != "guest@example.com" || strings.Contains(page, "<img") {
			t.Errorf("%d %s", resp.StatusCode, page)
		}
	}
	good := url.Values{"token": {token}, "name": {"Guest"}, "password": {password}}
	resp = post(t, c, good, map[string]string{"Origin": "https://blue.example", "Sec-Fetch-Site": "same-origin"})
	if page := text(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(page, "Welcome to Acme") || !strings.Contains(page, "guest@example.com") || strings.Contains(page, token) {
		t.Errorf("%d %s", resp.StatusCode, page)
	}
	for name, resp := range map[string]*http.Response{"the link": get(t, c, http.MethodGet, "/invite?token="+token), "the form": post(t, c, good, nil)} {
		if page := text(t, resp); resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "This invitation is not open") || strings.Contains(page, "<form") || strings.Contains(page, "Acme") {
			t.Errorf("%s works again: %d %s", name, resp.StatusCode, page)
		}
	}
}

// No other site can post the form, whatever it knows, and no GET changes anything.
func TestNoOtherSiteAccepts(t *testing.T) {
	c, service, token := inviting(t)
	form := url.Values{"token": {token}, "name": {"Guest"}, "password": {password}}
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "https://blue.example.evil.example"},
	} {
		if resp := post(t, c, form, headers); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", headers, resp.StatusCode)
		}
	}
	get(t, c, http.MethodGet, "/invite?"+form.Encode())
	if _, err := service.Invitation(t.Context(), token); err != nil {
		t.Errorf("the invitation is used up: %v", err)
	}
}

func TestOddInvitations(t *testing.T) {
	c, _, token := inviting(t)
	for _, odd := range []string{"", "join_", token[:len(token)-1], token + "a", strings.ToUpper(token), "<script>alert(1)</script>", "' OR 1=1 --", "\x00", strings.Repeat("a", 10_000)} {
		for _, resp := range []*http.Response{
			get(t, c, http.MethodGet, "/invite?token="+url.QueryEscape(odd)), post(t, c, url.Values{"token": {odd}, "name": {"x"}, "password": {password}}, nil),
		} {
			if page := text(t, resp); resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "This invitation is not open") || strings.Contains(page, "alert(1)") {
				t.Errorf("%q: %d %s", odd, resp.StatusCode, page)
			}
		}
	}
	if resp := post(t, c, url.Values{"token": {token}, "name": {strings.Repeat("x", 20<<10)}}, nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a large form: %d", resp.StatusCode)
	}
	// A token in the address is none in the form.
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/invite?token="+token+"&name=Guest&password="+url.QueryEscape(password), nil)
	mux := http.NewServeMux()
	c.Log = slog.New(slog.DiscardHandler)
	c.Routes(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, req)
	if body, _ := io.ReadAll(rec.Result().Body); rec.Code != http.StatusNotFound {
		t.Errorf("%d %s", rec.Code, body)
	}
}
