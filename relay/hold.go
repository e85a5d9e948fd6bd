package relay

import (
	"sync"
	"time"

	"bluerelay/wire"
)

// hold stops the queue for what rows tell and osascript does not: that Messages is
// signed out, or that a file is stuck in it and holds up whatever follows. No probe
// answers either, only the row of a message does. So after a pause one message is let
// through, and a row that says sent ends the hold. It is safe for concurrent use.
type hold struct {
	mu      sync.Mutex
	problem wire.Problem // "" while nothing is held up
	next    time.Time    // when one more message may go
	tries   int          // messages that were let through since it began
	tried   bool         // one was let through and its row has not spoken
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
	h.problem, h.tried = p, false
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

// through notes that one message was let through; the next has to wait for what its
// row says, or for another pause.
func (h *hold) through(now time.Time, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problem == "" {
		return
	}
	h.tries++
	h.tried = true
	h.next = now.Add(pause << min(h.tries, maxHold))
}

// end lets the queue go on and gives what it was held up for, "" for nothing.
func (h *hold) end() wire.Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.problem
	h.problem, h.next, h.tries, h.tried = "", time.Time{}, 0, false
	return p
}
