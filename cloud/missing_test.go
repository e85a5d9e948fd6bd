package cloud_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// A Mac that stays away is told of once, with what is likely and the next step; what it
// said last stays to be read, and its return ends it.
func TestMissingMac(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { telling(c); c.Away = 200 * time.Millisecond })
	secret := w.paired(w.line)
	hi := hello("ins_a", 0)
	hi.OS, hi.Health = "darwin", wire.Health{Code: wire.ProblemAccount, Reason: "Sign in."}
	w.connect(secret, hi).leave()
	eventually(t, "it is missed", func() bool { return w.relay(w.line).Problem == cloud.ProblemAway })
	r := w.relay(w.line)
	for _, part := range []string{"asleep", "FileVault", "log in", "`bluerelay doctor`", "Before that it said: Sign in."} {
		if !strings.Contains(r.Reason, part) {
			t.Errorf("%q lacks %q", r.Reason, part)
		}
	}
	id := w.send(somebody)
	if waiting, err := w.service.WaitingFor(t.Context(), w.message(id)); err != nil || waiting == nil || waiting.Code != cloud.WaitingMacOffline || waiting.Message != r.Reason {
		t.Errorf("%+v, %v", waiting, err)
	}
	hi.Health = wire.Health{Ready: true}
	back := w.connect(secret, hi)
	if r := w.relay(w.line); !r.Ready || r.Problem != "" || r.Reason != "" {
		t.Errorf("back again: %+v", r)
	}
	back.leave()
	eventually(t, "it is missed again", func() bool { return w.relay(w.line).Problem == cloud.ProblemAway })
	want := []string{"relay.online", "relay.attention account", "relay.offline", "relay.attention away", "relay.online", "relay.offline", "relay.attention away"}
	if events := w.macEvents(); !slices.Equal(events, want) {
		t.Errorf("%q", events)
	}
}

// Nobody is missed by a server that has just started, nor one that is there, was replaced
// by another, or belongs to test keys.
func TestNobodyIsMissed(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { telling(c); c.Away = 150 * time.Millisecond })
	w.connect(w.paired(w.line), hello("ins_a", 0))
	test := w.account("team_test")
	secret := w.paired(w.addLine(test, "+14155550000"))
	w.sql("UPDATE accounts SET test_of = 'team_a' WHERE id = 'team_test'")
	w.connect(secret, hello("ins_b", 0)).leave()
	gone := w.addLine(w.who, "+14155550001")
	w.connect(w.paired(gone), hello("ins_c", 0))
	if err := w.service.RevokeRelay(t.Context(), w.relay(gone).ID); err != nil {
		t.Fatal(err)
	}
	late := w.addLine(w.who, "+14155550002")
	w.connect(w.paired(late), hello("ins_d", 0)).leave()
	eventually(t, "one is missed", func() bool { return w.relay(late).Problem == cloud.ProblemAway })
	if n := w.column("SELECT COUNT(*) FROM events WHERE type = 'relay.attention'"); n[0] != "1" {
		t.Errorf("%s were told of", n[0])
	}
	w.stop() // or it would be missed again at once
	w.sql("UPDATE relays SET problem = ''")
	w.cfg.Away = time.Hour
	w.start()
	w.connect(w.paired(w.addLine(w.who, "+14155550003")), hello("ins_e", 0))
	if r := w.relay(late); r.Problem != "" {
		t.Errorf("missed at once: %+v", r)
	}
}
