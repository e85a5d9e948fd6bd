package relay

import (
	"context"
	"testing"
	"testing/synctest"
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
	h.through(noon, pause, time.Second) // nothing is held up
	at(0, "")
	if !h.begin(wire.ProblemAccount, noon, pause) || h.begin(wire.ProblemAccount, noon.Add(time.Second), pause) {
		t.Error("one of the failures does not count, or two do")
	}
	at(pause, wire.ProblemAccount)
	now := noon.Add(pause)
	for _, next := range []time.Duration{2, 4, 8, 8} {
		h.through(now, pause, time.Second)
		at(now.Sub(noon)+next*pause, wire.ProblemAccount)
		now = now.Add(time.Second)
		if !h.begin(wire.ProblemAccount, now, pause) {
			t.Error("the failure of the one that was let through does not count")
		}
		at(now.Sub(noon)+next*pause, wire.ProblemAccount)
		now = now.Add(next * pause)
	}
	if p := h.end(""); p != wire.ProblemAccount {
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
	s.holdFor(wire.ProblemAccount, time.Now().Add(-s.cfg.Hold-time.Second))
	if s.health.now().Ready {
		t.Error("it is ready")
	}
	if s.heldUp(time.Now()) || !s.health.now().Ready {
		t.Errorf("after the pause: %+v", s.health.now())
	}
	s.hold.through(time.Now(), s.cfg.Hold, s.cfg.Settle)
	if !s.heldUp(time.Now()) || !s.health.now().Ready {
		t.Errorf("a second message is let through at once, or %+v", s.health.now())
	}
	// No row says that all is well: what everything else waits for is told again.
	if later := time.Now().Add(s.cfg.Settle + time.Second); !s.heldUp(later) || s.health.now().Code != wire.ProblemAccount {
		t.Errorf("while nothing is known: %+v", s.health.now())
	}
	// It is another thing then that is wrong, and ends.
	s.holdFor(wire.ProblemStuck, time.Now())
	if h := s.health.now(); h.Code != wire.ProblemStuck {
		t.Errorf("%+v", h)
	}
	s.unhold()
	if !s.health.now().Ready {
		t.Errorf("%+v", s.health.now())
	}
}

// A sender that nobody wakes says again what a hold is for when the row of the message that
// it let through has had its time.
func TestHoldIsToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSender(t, "exit 0")
		s.welcome.Store(true)
		s.holdFor(wire.ProblemAccount, time.Now())
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- s.run(ctx) }()
		time.Sleep(s.cfg.Hold + time.Second)
		if !s.health.now().Ready {
			t.Errorf("after the pause: %+v", s.health.now())
		}
		s.hold.through(time.Now(), s.cfg.Hold, s.cfg.Settle)
		ring(s.sendBell)
		time.Sleep(s.cfg.Settle + time.Second)
		if h := s.health.now(); h.Code != wire.ProblemAccount {
			t.Errorf("no row has come: %+v", h)
		}
		time.Sleep(2 * s.cfg.Hold)
		if !s.health.now().Ready {
			t.Errorf("after the next pause: %+v", s.health.now())
		}
		stop()
		<-ended
	})
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

// What a file had no time for is not its fault: a Mac that wakes waits before it calls one
// stuck.
func TestStuckAfterSleep(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	now := time.Now()
	s.o.followed = map[int64]send{1: {message: "msg_1", part: partFile, state: stateObserved, guid: "G", armedAt: now.Add(-8 * time.Hour)}}
	s.o.cursor.Seen = now.Add(-8 * time.Hour).UnixMilli() // the last look before the night
	scan(t, s.o)
	if s.o.heldUp(now) {
		t.Error("it is called stuck at the wake")
	}
	s.o.lookForStuck(now.Add(s.o.cfg.Stuck + time.Second))
	if !s.o.heldUp(now) {
		t.Error("it is never called stuck")
	}
}

// A hold for a stuck file ends with a message that goes out by whatever service, on a line
// that sends by SMS alone too, and when the file is stuck no longer.
func TestStuckEnds(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"SMS", "iMessage"} {
		s := newStory(t)
		s.o.combed = time.Now() // so that only the row can end it
		s.o.holdFor(wire.ProblemStuck, time.Now())
		s.sends("msg_1", "hello")
		s.own("G", "hello", columns{"is_sent": 1, "service": service})
		s.wants("sent msg_1")
		if s.o.heldUp(time.Now()) || !s.o.health.now().Ready {
			t.Errorf("by %s: %+v", service, s.o.health.now())
		}
	}
	s := newStory(t)
	now := time.Now()
	one := send{message: "msg_1", part: partFile, state: stateObserved, guid: "G", armedAt: now.Add(-time.Hour)}
	s.o.followed = map[int64]send{1: one}
	s.o.lookForStuck(now)
	if !s.o.heldUp(now) {
		t.Error("it is not held up")
	}
	one.seen.Error = 25
	s.o.followed[1] = one
	s.o.lookForStuck(now)
	if s.o.heldUp(now) || !s.o.health.now().Ready {
		t.Errorf("the file has failed: %+v", s.o.health.now())
	}
	s.o.holdFor(wire.ProblemAccount, now)
	s.o.lookForStuck(now)
	if !s.o.heldUp(now) {
		t.Error("a hold for the account ends because no file is stuck")
	}
}
