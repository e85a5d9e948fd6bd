package relay

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/wire"
)

// TestRefusal: each way in which the cloud does not want a Mac any more has its sentence,
// with what a person can do; what passes by itself has none.
func TestRefusal(t *testing.T) {
	t.Parallel()
	closed := func(code int) error { return &websocket.CloseError{Code: code, Text: "as the cloud has it"} }
	for _, tt := range []struct {
		err      error
		released bool
		want     string
	}{
		{ErrRevoked, false, "no longer accepts this Mac"},
		{closed(wire.CloseRevoked), false, "no longer accepts this Mac"},
		{closed(wire.CloseRevoked), true, "another Mac has this one's number"},
		{ErrRevoked, true, "no longer accepts this Mac"},
		{closed(wire.CloseJournal), false, "put back from a copy"},
	} {
		l := &link{released: tt.released}
		no := l.refusal(tt.err)
		if no == nil || !strings.Contains(no.Error(), tt.want) || !strings.Contains(no.Error(), "`bluerelay pair`") {
			t.Errorf("%v: %v", tt.err, no)
		}
	}
	for _, err := range []error{nil, errors.New("connection lost"), closed(wire.CloseSuperseded), closed(websocket.CloseGoingAway)} {
		if no := (&link{}).refusal(err); no != nil {
			t.Errorf("%v: %v", err, no)
		}
	}
}

// TestRevokedDoesNotSpin: a Mac that was revoked asks more and more rarely, and says why.
func TestRevokedDoesNotSpin(t *testing.T) {
	t.Parallel()
	asked := make(chan time.Time, 100)
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" { // the link, not the patrol
			asked <- time.Now()
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(cloud.Close)
	m := newMac(t)
	m.cfg.Server = cloud.URL
	m.start()
	var at []time.Time
	for range 5 {
		at = append(at, <-asked)
	}
	for i := range 4 {
		if gap, least := at[i+1].Sub(at[i]), m.cfg.RetryRefused<<i; gap < least {
			t.Errorf("pause %d was %s, want %s at least", i, gap, least)
		}
	}
	if reason := m.relay.health.reason(wire.ProblemCredential); !strings.Contains(reason, "no longer accepts this Mac") {
		t.Errorf("the health says %q", reason)
	}
}

// TestOpenRefusesAWideFolder: the daemon does not work in a folder that others can enter.
func TestOpenRefusesAWideFolder(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Credential{Server: "https://cloud.example.com", Secret: "x"})
	if err := os.Chmod(k.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{StateDir: k.dir}); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}
