package relay

import (
	"strings"
	"testing"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// A problem is shown when it has lasted, with its own sentence, once a day, through
// restarts; what passes by itself is not.
func TestPersonIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shown := tool(t, dir, "osascript", "cat >/dev/null")
	r := newSender(t, "").Relay
	r.cfg.Tools = mac.Tools{Dir: dir}
	k := newKeeper(r)
	now := noon
	after := func(d time.Duration, want ...string) {
		t.Helper()
		for end := now.Add(d); now.Before(end); now = now.Add(10 * time.Second) {
			k.tellPerson(t.Context(), now)
		}
		if got := shown(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("shown %q, want %q", got, want)
		}
	}
	const signIn = "-l AppleScript - bluerelay needs you " + signedOut
	after(time.Hour)
	r.health.set(wire.ProblemStarting, "Starting.")
	after(time.Hour)
	r.health.set(wire.ProblemStarting, "")
	r.health.set(wire.ProblemAccount, signedOut)
	after(30 * time.Second)
	r.health.set(wire.ProblemAccount, "")
	after(time.Hour)
	r.health.set(wire.ProblemAccount, signedOut)
	after(2*time.Minute, signIn)
	r.health.set(wire.ProblemAccount, "")
	after(time.Minute, signIn)
	r.health.set(wire.ProblemAccount, signedOut)
	k = newKeeper(r) // another run of the relay
	after(20*time.Hour, signIn)
	r.health.set(wire.ProblemDisk, "Full.")
	after(2*time.Minute, signIn, "-l AppleScript - bluerelay needs you Full.")
	r.health.set(wire.ProblemDisk, "")
	now = noon.Add(28 * time.Hour)
	after(20*time.Hour, signIn, "-l AppleScript - bluerelay needs you Full.", signIn)
	after(20*time.Hour, signIn, "-l AppleScript - bluerelay needs you Full.", signIn, signIn)
}

// A journal that cannot be written is itself what is to be shown; a screen that cannot be
// reached is not tried again and again.
func TestPersonIsToldOfTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shown := tool(t, dir, "osascript", "cat >/dev/null; exit 1")
	r := newSender(t, "").Relay
	r.cfg.Tools = mac.Tools{Dir: dir}
	k := newKeeper(r)
	r.health.set(wire.ProblemDisk, "Full.")
	r.journal.close()
	for i := range 26 * 60 {
		k.tellPerson(t.Context(), noon.Add(time.Duration(i)*time.Minute))
	}
	if n := len(shown()); n != 2 {
		t.Errorf("shown %d times in 26 hours, want twice", n)
	}
}
