package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bluerelay/relay"
	"bluerelay/update"
)

// asked is a server of manifests that answers nothing and notes when it was asked.
type asked chan time.Time

func (a asked) RoundTrip(*http.Request) (*http.Response, error) {
	a <- time.Now()
	return nil, errors.New("no manifest today")
}

// selfUpdateIn is that of version 1.0.0, with that state.
func selfUpdateIn(t *testing.T, dir string, s update.State) (*selfUpdate, asked) {
	t.Helper()
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "update.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := make(asked, 100)
	place := update.Place{
		Replace:  func(context.Context, string, string) error { t.Error("something was put in place"); return nil },
		Rollback: func() error { t.Error("something was put back"); return nil },
		Keep:     func() error { return nil },
	}
	return &selfUpdate{
		updater: update.Updater{Dir: dir, Version: "1.0.0", Place: place, Source: update.Source{URL: "https://example.com/manifest.json", HTTP: &http.Client{Transport: a}}},
		on:      true, every: 24 * time.Hour, log: slog.New(slog.DiscardHandler), welcomed: make(chan struct{}, 1),
	}, a
}

// A version that could not be put in place is not tried again before the next look is due,
// however often the daemon starts.
func TestLookWaitsAfterAFailure(t *testing.T) {
	for name, tt := range map[string]struct {
		failed      time.Duration // before now; 0 for never
		least, most time.Duration
	}{
		"never":               {0, 0, firstLook + time.Minute},
		"just now":            {time.Nanosecond, 24*time.Hour - time.Minute, 24 * time.Hour},
		"an hour ago":         {time.Hour, 23*time.Hour - time.Minute, 23 * time.Hour},
		"long ago":            {1000 * time.Hour, 0, firstLook + time.Minute},
		"by a clock set back": {-1000 * time.Hour, 24*time.Hour - time.Minute, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var st update.State
				if tt.failed != 0 {
					st.Failed = &update.Failed{Version: "1.1.0", At: time.Now().Add(-tt.failed)}
				}
				s, asked := selfUpdateIn(t, dir, st)
				ctx, cancel := context.WithCancel(t.Context())
				begun := time.Now()
				go s.look(ctx)
				if after := (<-asked).Sub(begun); after < tt.least || after > tt.most {
					t.Errorf("asked after %s", after)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// During a trial no update is looked for.
func TestLookWaitsForTheTrial(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, asked := selfUpdateIn(t, dir, update.State{Trial: &update.Trial{From: "0.9.0", To: "1.0.0"}})
		s.every = time.Second
		begun := time.Now()
		err := s.around(t.Context(), func(context.Context) error {
			if after := (<-asked).Sub(begun); after < goodWithin {
				t.Errorf("asked after %s", after)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A second daemon, started by hand, is no start of a version on trial and replaces nothing.
func TestSecondDaemonIsNoTrial(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ready := &update.Ready{Version: "1.1.0"}
	for name, st := range map[string]update.State{
		"on trial":           {Trial: &update.Trial{From: "0.9.0", To: "1.0.0", Starts: 1}},
		"on its last trial":  {Trial: &update.Trial{From: "0.9.0", To: "1.0.0", Starts: 3}},
		"something is ready": {Ready: ready},
	} {
		s, _ := selfUpdateIn(t, dir, st)
		if err := s.around(t.Context(), func(context.Context) error { return relay.ErrBusy }); !errors.Is(err, relay.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		got, err := update.ReadState(dir)
		if err != nil || (got.Trial == nil) != (st.Trial == nil) || got.Trial != nil && *got.Trial != *st.Trial || (got.Ready == nil) != (st.Ready == nil) {
			t.Errorf("%s: the state is %+v, %v", name, got, err)
		}
	}
}
