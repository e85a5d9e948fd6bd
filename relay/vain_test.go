package relay

import (
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// inVainFor ends an attempt at a message, which begins with it where it is new.
func (s *sender) inVainFor(t *testing.T, message string, attempt int, reason applescript.Reason) {
	t.Helper()
	give(t, s.journal, order(message, attempt, alice, message))
	one := sendIn(t, s.journal, message)
	if err := s.conclude(&one, noEffect(reason, 0), false); err != nil {
		t.Fatal(err)
	}
}

// Between two attempts that did nothing for no known cause there is time, which grows;
// where the cause is known the queue waits for it, or the next attempt goes another way.
func TestFruitlessAttemptsArePaced(t *testing.T) {
	t.Parallel()
	for reason, paced := range map[applescript.Reason]bool{
		applescript.Interrupted: true, applescript.OtherError: true, applescript.NoAccount: true,
		applescript.NoTarget: false, applescript.Denied: false, applescript.NotRunning: false,
	} {
		j := newJournal(t)
		give(t, j, order("msg_1", 1, alice, "a"))
		for attempt := 1; attempt < 12; attempt++ {
			arm(t, j, "msg_1", noon)
			s := sendIn(t, j, "msg_1")
			if err := j.noSend(t.Context(), &s, wire.Fault{Code: string(reason)}, true, false, noon); err != nil {
				t.Fatal(err)
			}
			give(t, j, order("msg_1", attempt+1, alice, "a"))
			pause := min(firstPause<<(attempt-1), maxRetryPause)
			if !paced {
				pause = 0
			}
			if got := nextPart(t, j, noon.Add(pause-time.Millisecond)); paced && got != "" {
				t.Errorf("%s: attempt %d begins within %v", reason, attempt+1, pause)
			}
			if got := nextPart(t, j, noon.Add(pause)); got != "msg_1 text" {
				t.Errorf("%s: attempt %d does not begin after %v", reason, attempt+1, pause)
			}
		}
	}
}

// One message that is refused again and again is that message's matter. Where another one
// is refused too the queue waits, and what it asks of Messages in between counts little.
func TestInVain(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	for attempt := range 5 {
		s.inVainFor(t, "msg_1", attempt+1, applescript.OtherError)
		if !s.resume.IsZero() || !s.health.now().Ready {
			t.Fatalf("attempt %d at one message stops the queue", attempt+1)
		}
	}
	last := time.Duration(-1)
	for attempt := range 12 {
		s.inVainFor(t, "msg_2", attempt+1, applescript.Interrupted)
		pause := max(time.Until(s.resume), 0).Round(time.Second)
		if h := s.health.now(); s.resume.IsZero() || h.Code != wire.ProblemMessages || pause < last || pause > s.cfg.Hold {
			t.Fatalf("a pause of %v after one of %v: %+v", pause, last, h)
		}
		last = pause
		s.resume = time.Time{}.Add(1) // due
		if o := s.examine(t.Context()); o.Effect != applescript.Accepted || !s.resume.IsZero() || !s.health.now().Ready {
			t.Fatalf("after an answer: %+v, %+v", o, s.health.now())
		}
	}
	if last != s.cfg.Hold {
		t.Errorf("the last pause is %v", last)
	}
	give(t, s.journal, order("msg_3", 1, alice, "c"))
	arm(t, s.journal, "msg_3", noon)
	one := sendIn(t, s.journal, "msg_3")
	if err := s.conclude(&one, taken, false); err != nil {
		t.Fatal(err)
	}
	s.inVainFor(t, "msg_4", 1, applescript.OtherError)
	if !s.resume.IsZero() {
		t.Error("it still counts what was before a message that was taken")
	}
}

// An iMessage account that is not there may not be loaded yet; then it is signed out, and
// the queue waits as for rows that say so.
func TestNoAccount(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	for attempt := 1; attempt < accountTries; attempt++ {
		s.inVainFor(t, "msg_1", attempt, applescript.NoAccount)
		if s.heldUp(time.Now()) || !s.resume.IsZero() {
			t.Fatalf("attempt %d stops the queue", attempt)
		}
	}
	s.inVainFor(t, "msg_1", accountTries, applescript.NoAccount)
	if h := s.health.now(); !s.heldUp(time.Now()) || h.Code != wire.ProblemAccount || h.Reason != signedOut {
		t.Errorf("%+v", h)
	}
	s = newSender(t, "exit 0")
	s.inVainFor(t, "msg_1", 1, applescript.NoAccount)
	s.inVainFor(t, "msg_2", 1, applescript.NoAccount)
	if !s.heldUp(time.Now()) {
		t.Error("two messages in a row do not stop the queue")
	}
}
