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
			case status == http.StatusForbidden && answer.Secret == "" && strings.Contains(answer.Error, "has been used or is too old"):
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

func TestSetupURLExpires(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.SetupTTL = time.Nanosecond })
	setup, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := w.pair(setup); status != http.StatusForbidden || answer.Secret != "" {
		t.Errorf("%d %+v", status, answer)
	}
}

func TestNewerSetupURLEndsTheFormer(t *testing.T) {
	w := newWorld(t, nil)
	first, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.service.StartPairing(t.Context(), w.line, false)
	if err != nil || second == first {
		t.Fatal(err)
	}
	if status, _ := w.pair(first); status != http.StatusForbidden {
		t.Errorf("the former: %d", status)
	}
	if status, _ := w.pair(second); status != http.StatusOK {
		t.Errorf("the newer: %d", status)
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
