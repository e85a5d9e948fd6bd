package cloud_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

func TestSetupURLWorksOnce(t *testing.T) {
	w := newWorld(t, nil)
	setup, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil {
		t.Fatal(err)
	}
	const macs = 8
	var paired atomic.Int32
	var all sync.WaitGroup
	for range macs {
		all.Go(func() {
			switch status, answer := w.pair(setup); {
			case status == http.StatusOK && strings.HasPrefix(answer.Secret, "rly_") && answer.Error == "":
				paired.Add(1)
			case status == http.StatusForbidden && answer.Secret == "" && strings.Contains(answer.Error, "has been used already"):
			default:
				t.Errorf("%d %+v", status, answer)
			}
		})
	}
	all.Wait()
	if n := paired.Load(); n != 1 {
		t.Errorf("%d Macs were paired by one URL", n)
	}
	if relays, err := w.store.Relays(t.Context(), w.who.Account.ID); err != nil || len(relays) != 1 {
		t.Errorf("%d relays, %v", len(relays), err)
	}
}

// Each end of a setup URL has its own sentence, for the program and for the page, and
// tells nothing of whom it was for.
func TestSetupURLsThatHaveEnded(t *testing.T) {
	for want, tt := range map[cloud.SetupState]struct {
		says string
		end  func(*world, string) string // the URL to try then
	}{
		cloud.SetupUsed:     {"has been used already", func(w *world, url string) string { w.pair(url); return url }},
		cloud.SetupExpired:  {"is over", func(w *world, url string) string { w.clockAfter(url); return url }},
		cloud.SetupReplaced: {"A newer setup URL", func(w *world, url string) string { w.setupURL(false); return url }},
		cloud.SetupTaken:    {"has got a Mac since", func(w *world, url string) string { w.takeLine(); return url }},
		cloud.SetupUnknown:  {"does not know this setup URL", func(_ *world, url string) string { return url + "x" }},
	} {
		t.Run(string(want), func(t *testing.T) {
			w := newWorld(t, nil)
			setup := w.setupURL(false)
			if got, err := w.service.Setup(t.Context(), tokenOf(setup)); err != nil || got.State != cloud.SetupOpen || got.Number != w.line.PhoneNumber || got.Account != "Acme" || time.Until(got.ExpiresAt) < 9*time.Minute || got.Replaces {
				t.Errorf("while it is open: %+v, %v", got, err)
			}
			setup = tt.end(w, setup)
			status, answer := w.pair(setup)
			if status != http.StatusForbidden || answer.Secret != "" || !strings.Contains(answer.Error, tt.says) || !strings.Contains(answer.Error, "bluecloud line pair") || strings.Contains(answer.Error, w.line.PhoneNumber) {
				t.Errorf("%d %+v", status, answer)
			}
			got, err := w.service.Setup(t.Context(), tokenOf(setup))
			if err != nil || got.State != want || got.Number != "" || got.Account != "" || !got.ExpiresAt.IsZero() || got.Replaces {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// setupURL makes one for the world's line.
func (w *world) setupURL(replace bool) string {
	w.t.Helper()
	l, err := w.store.Line(w.t.Context(), w.line.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	url, err := w.service.StartPairing(w.t.Context(), l, replace)
	if err != nil {
		w.t.Fatal(err)
	}
	return url
}

func tokenOf(url string) string {
	_, token, _ := strings.Cut(url, "token=")
	return token
}

// clockAfter lets the time of a setup URL go by.
func (w *world) clockAfter(string) {
	w.t.Helper()
	storetest.Exec(w.t, w.dsn, "UPDATE setup_tokens SET expires_at = 1")
}

// takeLine gives the line a Mac without the setup URL that is there.
func (w *world) takeLine() {
	w.t.Helper()
	err := w.store.Write(w.t.Context(), func(tx *store.Tx) error {
		relay := store.Relay{ID: "rel_other", AccountID: w.line.AccountID, LineID: w.line.ID, SecretHash: "x"}
		w.line.RelayID = relay.ID
		return errors.Join(tx.CreateRelay(relay), tx.UpdateLine(w.line))
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestNewerSetupURLEndsTheFormer(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.setupURL(false), w.setupURL(false)
	if second == first {
		t.Fatal("the same URL twice")
	}
	if status, _ := w.pair(first); status != http.StatusForbidden {
		t.Errorf("the former: %d", status)
	}
	if status, _ := w.pair(second); status != http.StatusOK {
		t.Errorf("the newer: %d", status)
	}
}

// A setup URL lives ten minutes where nothing else was said, and not longer than was.
func TestSetupURLExpires(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.SetupTTL = time.Nanosecond })
	if status, answer := w.pair(w.setupURL(false)); status != http.StatusForbidden || answer.Secret != "" || !strings.Contains(answer.Error, "is over") {
		t.Errorf("%d %+v", status, answer)
	}
	w = newWorld(t, nil)
	if got, err := w.service.Setup(t.Context(), tokenOf(w.setupURL(false))); err != nil || time.Until(got.ExpiresAt).Round(time.Minute) != 10*time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
}

// A URL that may replace the Mac that the line has says so.
func TestSetupURLThatReplaces(t *testing.T) {
	w := newWorld(t, nil)
	w.paired(w.line)
	if got, err := w.service.Setup(t.Context(), tokenOf(w.setupURL(true))); err != nil || got.State != cloud.SetupOpen || !got.Replaces {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPairRefusesWhatItCannotRead(t *testing.T) {
	w := newWorld(t, nil)
	for _, body := range []string{"", "[]", "null", `"x"`, "{", `{"token":7}`, `{"token":"` + strings.Repeat("x", wire.MaxFrame) + `"}`} {
		resp, err := http.Post(w.server.URL+"/relay/v1/pair", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest && (body != "null" || resp.StatusCode != http.StatusForbidden) {
			t.Errorf("%.20q was answered with %d", body, resp.StatusCode)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.20q may be cached", body)
		}
	}
	// What a stranger says of itself is bounded.
	setup, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(setup, "token=")
	if _, err := w.service.Pair(t.Context(), wire.PairRequest{Token: token, Host: strings.Repeat("é", 500), OS: "\xff", Version: strings.Repeat("v", 500)}); err != nil {
		t.Fatal(err)
	}
	relays, err := w.store.Relays(t.Context(), "")
	if err != nil || len(relays) != 1 || len(relays[0].Host) != 100 || relays[0].OS != "" || len(relays[0].Version) != 100 {
		t.Errorf("%+v, %v", relays, err)
	}
}

// A setup URL that was made before a Mac was paired does not replace it.
func TestPlainSetupURLReplacesNobody(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	// As if the line had had no Mac when it was made.
	setup, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := w.pair(setup); status != http.StatusForbidden {
		t.Errorf("%d", status)
	}
	w.connect(secret, hello("ins_a", 0)).idle()
}

func TestRemovedNumber(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window = 1 })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	held, waiting := w.send("+14155550001"), w.send("+14155550002")
	m.order()
	if err := w.service.RemoveNumber(t.Context(), w.account("team_b"), w.line.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("another account removed it: %v", err)
	}
	if err := w.service.RemoveNumber(t.Context(), w.who, w.line.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.message(held); got.Status != wire.StatusUnknown {
		t.Errorf("%+v", got)
	}
	if got := w.message(waiting); got.Status != wire.Canceled || got.ErrorCode != "canceled" {
		t.Errorf("%+v", got)
	}
	if code := m.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
	if _, status := w.dial(secret, nil); status != http.StatusUnauthorized {
		t.Errorf("let in with %d", status)
	}
	if err := w.service.RemoveNumber(t.Context(), w.who, w.line.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.failed", "message.unknown"}) {
		t.Errorf("%v", got)
	}
	// The number is free for anybody.
	w.addLine(w.who, w.line.PhoneNumber)
}
