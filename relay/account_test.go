package relay

import (
	"testing"
	"time"

	"bluerelay/wire"
)

// Rows that fail for the Mac's own account stop the queue and name the reason; a row
// that goes out by iMessage ends that, and time lets one message through to see.
func TestAccountIsSignedOut(t *testing.T) {
	for _, number := range []int{30, 31, 32, 33, 40} {
		s := newStory(t)
		s.sends("msg_1", "hello")
		s.own("G", "hello", columns{"error": number})
		s.wants("failed msg_1")
		if h := s.o.health.now(); h.Ready || h.Code != wire.ProblemAccount || h.Reason != signedOut {
			t.Errorf("error %d: %+v", number, h)
		}
		if !s.o.heldUp(time.Now()) {
			t.Errorf("error %d does not hold up", number)
		}
		s.sends("msg_2", "by SMS")
		s.own("G2", "by SMS", columns{"is_sent": 1, "service": "SMS"})
		s.wants("sent msg_2")
		if !s.o.heldUp(time.Now()) {
			t.Error("an SMS needs no account")
		}
		s.row("PHONE", columns{"text": "from the phone", "is_from_me": 1, "is_sent": 1, "handle": bob})
		s.join("PHONE", "any;-;"+bob)
		s.wants("typed PHONE from the phone")
		if s.o.heldUp(time.Now()) || !s.o.health.now().Ready {
			t.Errorf("error %d: still held up, %+v", number, s.o.health.now())
		}
	}
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", columns{"error": 22})
	s.wants("failed msg_1")
	if s.o.heldUp(time.Now()) {
		t.Error("an error of the recipient holds up the queue")
	}
}

// TestHold: several failures together count once; after the pause one message goes, and
// what it meets decides; the pause grows, within a bound, and is short again after an end.
func TestHold(t *testing.T) {
	t.Parallel()
	var h hold
	const pause = time.Minute
	at := func(want time.Duration, p wire.Problem) {
		t.Helper()
		until, got := h.until()
		if want == 0 && !until.IsZero() || want != 0 && !until.Equal(noon.Add(want)) || got != p {
			t.Errorf("held up until %v for %q, want %v for %q", until, got, noon.Add(want), p)
		}
	}
	h.through(noon, pause) // nothing is held up
	at(0, "")
	if !h.begin(wire.ProblemAccount, noon, pause) || h.begin(wire.ProblemAccount, noon.Add(time.Second), pause) {
		t.Error("one of the failures does not count, or two do")
	}
	at(pause, wire.ProblemAccount)
	now := noon.Add(pause)
	for _, next := range []time.Duration{2, 4, 8, 8} {
		h.through(now, pause)
		at(now.Sub(noon)+next*pause, wire.ProblemAccount)
		now = now.Add(time.Second)
		if !h.begin(wire.ProblemAccount, now, pause) {
			t.Error("the failure of the one that was let through does not count")
		}
		at(now.Sub(noon)+next*pause, wire.ProblemAccount)
		now = now.Add(next * pause)
	}
	if p := h.end(); p != wire.ProblemAccount {
		t.Errorf("it ended %q", p)
	}
	at(0, "")
	if !h.begin(wire.ProblemStuck, noon, pause) {
		t.Error("it does not begin again")
	}
	at(pause, wire.ProblemStuck)
}

// A pause that is over makes the relay ready: without an order it would never learn.
func TestHoldLetsOneMessageTry(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	s.holdFor(wire.ProblemAccount, signedOut, time.Now().Add(-s.cfg.Hold-time.Second))
	if s.health.now().Ready {
		t.Error("it is ready")
	}
	if s.heldUp(time.Now()) || !s.health.now().Ready {
		t.Errorf("after the pause: %+v", s.health.now())
	}
	s.hold.through(time.Now(), s.cfg.Hold)
	if !s.heldUp(time.Now()) {
		t.Error("a second message is let through at once")
	}
}

// A file that Messages neither sends nor fails raises the alarm once.
func TestStuckFile(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	now := time.Now()
	for name, tt := range map[string]struct {
		age  time.Duration
		sent bool
		part string
		err  int
		want bool
	}{
		"young":      {time.Minute, false, partFile, 0, false},
		"stuck":      {21 * time.Minute, false, partFile, 0, true},
		"sent":       {21 * time.Minute, true, partFile, 0, false},
		"failed":     {21 * time.Minute, false, partFile, 25, false},
		"a text":     {21 * time.Minute, false, partText, 0, false},
		"given up":   {25 * time.Hour, false, partFile, 0, false},
		"stuck once": {23 * time.Hour, false, partFile, 0, true},
	} {
		one := send{message: "msg_1", part: tt.part, state: stateObserved, guid: "G", armedAt: now.Add(-tt.age)}
		one.seen.Sent, one.seen.Error = tt.sent, tt.err
		s.o.followed, s.o.stuck = map[int64]send{1: one}, nil
		s.o.lookForStuck(now)
		if got := s.o.heldUp(now); got != tt.want || tt.want && s.o.health.now().Code != wire.ProblemStuck {
			t.Errorf("%s: held up %t, %+v", name, got, s.o.health.now())
		}
		s.o.unhold()
		s.o.lookForStuck(now)
		if s.o.heldUp(now) {
			t.Errorf("%s: the alarm is raised again", name)
		}
	}
}
