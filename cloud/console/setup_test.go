package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// pairing is a server with a line of an account, and how to make setup URLs for it.
func pairing(t testing.TB) (page func(token string) string, service *cloud.Service, setup func(replace bool) (token string)) {
	t.Helper()
	c, service, _ := inviting(t)
	made, err := service.CreateAccount(t.Context(), "Smith <& Sons>", "")
	if err != nil {
		t.Fatal(err)
	}
	line, err := service.AddLine(t.Context(), made.AccountID, "+14155559876", cloud.LineChange{}, true)
	if err != nil {
		t.Fatal(err)
	}
	page = func(token string) string {
		t.Helper()
		resp := get(t, c, http.MethodGet, "/setup?token="+token)
		s := text(t, resp)
		if resp.StatusCode != http.StatusOK || strings.Contains(s, "ZgotmplZ") || strings.Contains(s, "<no value>") || strings.Contains(s, "<script") || !strings.HasSuffix(strings.TrimSpace(s), "</html>") {
			t.Errorf("%d\n%s", resp.StatusCode, s)
		}
		return s
	}
	setup = func(replace bool) string {
		t.Helper()
		url, err := service.StartPairing(t.Context(), store.Line{ID: line.ID, AccountID: line.AccountID}, replace)
		if err != nil {
			t.Fatal(err)
		}
		_, token, _ := strings.Cut(url, "/setup?token=")
		return token
	}
	return page, service, setup
}

// wantAll demands texts in this order.
func wantAll(t testing.TB, page string, wants ...string) {
	t.Helper()
	rest := page
	for _, want := range wants {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("%q is missing, or in the wrong place, on\n%s", want, page)
			return
		}
		rest = after
	}
}

// wantNone demands that a page says nothing of these.
func wantNone(t testing.TB, page string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if strings.Contains(page, want) {
			t.Errorf("%q is on\n%s", want, page)
		}
	}
}

// Whoever holds an open setup URL is led through the steps in their order, and told what
// will leave his Mac and how long there is time.
func TestSetup(t *testing.T) {
	page, _, setup := pairing(t)
	until := func() string { return "until " + time.Now().UTC().Add(10*time.Minute).Format("15:") }
	hour := until()
	token := setup(false)
	s := page(token)
	if !strings.Contains(s, hour) {
		hour = until() // the hour has struck meanwhile
	}
	wantAll(t, s, "Pair a Mac with &#43;14155559876", "10 more minutes", hour, "UTC",
		"make build", "bluerelay pair &#39;https://blue.example/setup?token="+token+"&#39;", "bluerelay setup", "bluerelay install",
		`<a href="x-apple.systempreferences:com.apple.preference.security?Privacy_AllFiles">`, `<a href="x-apple.systempreferences:com.apple.preference.security?Privacy_Automation">`,
		"bluerelay doctor", "Smith &lt;&amp; Sons&gt;", "--scope all", "--scope started", "--scope allow:FILE", "bluerelay import")
	wantNone(t, s, "replaced")
}

// A page whose time is over says so, and nothing of whom it was for.
func TestSetupThatHasEnded(t *testing.T) {
	page, service, setup := pairing(t)
	former := setup(false)
	token := setup(false)
	if _, err := service.Pair(t.Context(), wire.PairRequest{Token: token}); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		token string
		wants []string
	}{
		"used":     {token, []string{"cannot pair a Mac any more", "has been used already", `start="3"`, "bluerelay install", "Privacy_AllFiles", "bluerelay doctor"}},
		"replaced": {former, []string{"cannot pair a Mac any more", "A newer setup URL"}},
		"unknown":  {"dev_abc234", []string{"cannot pair a Mac any more", "does not know this setup URL"}},
	} {
		s := page(tt.token)
		wantAll(t, s, tt.wants...)
		wantNone(t, s, "14155559876", "Smith", "bluerelay pair '", "bluerelay pair &#39;", "minutes")
		if what != "used" {
			wantNone(t, s, "bluerelay install")
		}
	}
	// One that may replace the Mac that there is says what becomes of that one.
	s := page(setup(true))
	wantAll(t, s, "<strong>replaced</strong> when the new one pairs", "bluerelay pair &#39;")
}
