package relay

import (
	"sync"

	"bluerelay/wire"
)

// health gathers what stands in the way of sending and seeing, and wakes whoever
// tells the cloud. It is safe for concurrent use.
type health struct {
	mu       sync.Mutex
	problems map[wire.Problem]string
	changed  chan struct{} // one slot: a doorbell, of whoever tells the cloud
	news     chan struct{} // likewise, of the patrol
}

func newHealth() *health {
	return &health{problems: make(map[wire.Problem]string), changed: make(chan struct{}, 1), news: make(chan struct{}, 1)}
}

// set notes a problem with its sentence, or its end with an empty one. It reports
// whether that was news.
func (h *health) set(p wire.Problem, reason string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problems[p] == reason {
		return false
	}
	if reason == "" {
		delete(h.problems, p)
	} else {
		h.problems[p] = reason
	}
	ring(h.changed)
	ring(h.news)
	return true
}

// now is the gravest problem, or ready.
func (h *health) now() wire.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range []wire.Problem{wire.ProblemDisk, wire.ProblemCredential, wire.ProblemChatDB, wire.ProblemOsascript, wire.ProblemAutomation, wire.ProblemMessages, wire.ProblemAccount, wire.ProblemStuck, wire.ProblemReleased, wire.ProblemStarting} {
		if reason := h.problems[p]; reason != "" {
			return wire.Health{Code: p, Reason: reason}
		}
	}
	return wire.Health{Ready: true}
}

// reason is the sentence of a problem, "" for one that there is not.
func (h *health) reason(p wire.Problem) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problems[p]
}

// ring rings a doorbell: a channel with one slot, where a second ring before the
// first was heard adds nothing.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
