package relay

import (
	"sync"
	"time"

	"bluerelay/wire"
)

// hold stops the queue for what rows tell and osascript does not: that Messages is
// signed out, or that a file is stuck in it and holds up whatever follows. No probe
// answers either, only the row of a message does. So after a pause one message is let
// through, and a row that says sent ends the hold; one by SMS only where no account is
// needed. It is safe for concurrent use.
type hold struct {
	mu      sync.Mutex
	problem wire.Problem // "" while nothing is held up
	next    time.Time    // when one more message may go
	tries   int          // messages that were let through since it began
	tried   bool         // one was let through and its row has not spoken
	hopes   time.Time    // until when that row may still be on its way
}

// maxHold is how often the pause doubles.
const maxHold = 3

// begin holds the queue up for p, or for longer where one was let through in vain. It
// returns false where that changes nothing: the row is one of several that failed
// together.
func (h *hold) begin(p wire.Problem, now time.Time, pause time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problem != "" && !h.tried {
		return false
	}
	if h.problem == "" {
		h.tries = 0
	}
	h.problem, h.tried, h.hopes = p, false, time.Time{}
	h.next = now.Add(pause << min(h.tries, maxHold))
	return true
}

// until is when the queue may go on by one message, and for what it waits; the zero
// time while nothing is held up.
func (h *hold) until() (time.Time, wire.Problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next, h.problem
}

// through notes that one message was let through, whose row is awaited for so long; the
// next has to wait for what that says, or for another pause.
func (h *hold) through(now time.Time, pause, awaited time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problem == "" {
		return
	}
	h.tries++
	h.tried = true
	h.hopes = now.Add(awaited)
	h.next = now.Add(pause << min(h.tries, maxHold))
}

// hope is until when the row of the message that was let through is awaited; the zero
// time where none is, or not any longer.
func (h *hold) hope(now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Before(h.hopes) {
		return h.hopes
	}
	return time.Time{}
}

// end lets the queue go on where it is held up for only, or for whatever with "", and
// gives what it was held up for, "" for nothing.
func (h *hold) end(only wire.Problem) wire.Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.problem
	if only != "" && p != only {
		return ""
	}
	h.problem, h.next, h.hopes, h.tries, h.tried = "", time.Time{}, time.Time{}, 0, false
	return p
}
