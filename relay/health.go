package relay

import (
	"cmp"
	"sync"

	"bluerelay/wire"
)

// health gathers what stands in the way of sending and seeing, and wakes whoever
// tells the cloud. It is safe for concurrent use.
type health struct {
	mu       sync.Mutex
	problems map[wire.Problem][sides]string
	changed  chan struct{} // one slot: a doorbell, of whoever tells the cloud
	news     chan struct{} // likewise, of the patrol
}

// side is who has met a problem. The disk is written by three of them, and none may end
// what another has found.
type side int

const (
	anyone   side = iota // of the disk: whoever writes the journal
	inSender             // what osascript and its shim say
	inFiles              // what fetches the files of orders
	sides
)

func newHealth() *health {
	return &health{problems: make(map[wire.Problem][sides]string), changed: make(chan struct{}, 1), news: make(chan struct{}, 1)}
}

// set notes a problem with its sentence, or its end with an empty one. It reports
// whether that was news.
func (h *health) set(p wire.Problem, reason string) bool { return h.setBy(anyone, p, reason) }

// setBy is set for one of several sides: the problem ends when all have ended it.
func (h *health) setBy(by side, p wire.Problem, reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.problems[p]
	if all[by] == reason {
		return false
	}
	all[by] = reason
	h.problems[p] = all
	ring(h.changed)
	ring(h.news)
	return true
}

// now is the gravest problem, or ready.
func (h *health) now() wire.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range []wire.Problem{wire.ProblemDisk, wire.ProblemCredential, wire.ProblemChatDB, wire.ProblemOsascript, wire.ProblemAutomation, wire.ProblemMessages, wire.ProblemAccount, wire.ProblemStuck, wire.ProblemReleased, wire.ProblemStarting} {
		if reason := h.first(p); reason != "" {
			return wire.Health{Code: p, Reason: reason}
		}
	}
	return wire.Health{Ready: true}
}

// reason is the sentence of a problem, "" for one that there is not.
func (h *health) reason(p wire.Problem) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first(p)
}

// reasonBy is reason as one side has it.
func (h *health) reasonBy(by side, p wire.Problem) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems[p][by]
}

func (h *health) first(p wire.Problem) string {
	all := h.problems[p]
	return cmp.Or(all[:]...)
}

// ring rings a doorbell: a channel with one slot, where a second ring before the
// first was heard adds nothing.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
