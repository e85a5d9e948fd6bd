package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/simulator"
)

// What rows give away, through the whole product: each trouble of Messages by itself.
func TestEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.startRelay()
	mac := filepath.Join(w.dir, "mac")
	trouble := func(tr simulator.Trouble) {
		t.Helper()
		if err := simulator.SetTrouble(t.Context(), mac, tr); err != nil {
			t.Fatal(err)
		}
	}
	effects := func() int {
		t.Helper()
		list, err := simulator.Effects(mac)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	// begin has one message handed over under a trouble, and ends the trouble.
	begin := func(tr simulator.Trouble, to, text string) message {
		t.Helper()
		trouble(tr)
		before := effects()
		m := w.send(to, text)
		eventually(t, 20*time.Second, "the hand-over", func() bool { return effects() > before })
		trouble(simulator.Trouble{})
		return m
	}
	ghost := begin(simulator.Trouble{Ghost: 1}, "+14155550101", "to nobody")
	astray := begin(simulator.Trouble{Misroute: 1}, "+14155550102", "to somebody else")
	twice := begin(simulator.Trouble{Duplicate: 1}, "+14155550103", "twice by Messages itself")
	altered := begin(simulator.Trouble{Alter: 1}, "+14155550104", `it's "changed" -- and so on...`)
	for _, m := range []message{twice, altered} {
		eventually(t, 20*time.Second, "delivered", func() bool { return w.get(m.ID).Status == "delivered" })
	}
	w.relay.out.await(t, "row.duplicate", 40*time.Second)
	eventually(t, 30*time.Second, "the ghost is a failure", func() bool {
		m := w.get(ghost.ID)
		return m.Status == "failed" && m.ErrorCode == "ghost_row"
	})
	w.relay.out.await(t, "row.misrouted", 45*time.Second)
	eventually(t, 45*time.Second, "the misrouted one is no success", func() bool {
		m := w.get(astray.ID)
		return m.Status == "polling" && m.ErrorCode == "outcome_unknown"
	})

	out := begin(simulator.Trouble{Fail: 1, FailNumber: 31}, "+14155550105", "signed out")
	eventually(t, 20*time.Second, "failed", func() bool { return w.get(out.ID).Status == "failed" })
	w.relay.out.await(t, `problem=account`, 20*time.Second)
	waiting := w.send("+14155550106", "waits for the account")
	eventually(t, 20*time.Second, "the reason is shown", func() bool {
		return strings.Contains(run(t, bluecloud, "relay", "list", "--database", w.database()), "sign in")
	})
	// The owner signs in and writes to somebody: the queue goes on.
	if _, err := simulator.Type(t.Context(), mac, "+14155550107", "works again"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the queue goes on", func() bool { return w.get(waiting.ID).Status == "delivered" })
	if n := effects(); n != 7 {
		t.Errorf("%d lines in Messages' own log, want 7", n)
	}
}
