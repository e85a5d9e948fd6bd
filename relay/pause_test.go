package relay

import (
	"testing"
	"time"

	"bluerelay/applescript"
)

// The pauses grow: to minutes where only a person at the screen can help, to one
// minute elsewhere.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	for reason, most := range map[applescript.Reason]time.Duration{
		applescript.Denied: 3 * time.Minute, applescript.Prompt: 3 * time.Minute,
		applescript.NotRunning: time.Minute, applescript.TimedOut: time.Minute, applescript.Environment: time.Minute, applescript.CannotStart: time.Minute,
	} {
		s := newSender(t, "exit 0")
		last := time.Duration(-1)
		for range 20 {
			s.pauseFor(noEffect(reason, 0))
			pause := max(time.Until(s.resume), 0).Round(time.Second)
			if pause < last || pause > most {
				t.Errorf("%s: a pause of %v after one of %v", reason, pause, last)
			}
			last = pause
		}
		if last != most {
			t.Errorf("%s: the last pause is %v, want %v", reason, last, most)
		}
	}
	s := newSender(t, "exit 0")
	s.pauseFor(noEffect(applescript.NoTarget, -1728))
	if !s.resume.IsZero() || !s.health.now().Ready {
		t.Error("an unknown recipient pauses the queue")
	}
}
