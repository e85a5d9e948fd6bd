package cloud

import "sync"

// hub knows the relay sessions of this process by line. It carries no message: it
// only rings a session's doorbell, and the session looks into the table.
type hub struct {
	mu       sync.Mutex
	sessions map[string]*session // by line id
}

// enter makes a session the line's and returns the one it supersedes, or nil.
func (h *hub) enter(s *session) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.sessions[s.relay.LineID]
	h.sessions[s.relay.LineID] = s
	return old
}

// leave forgets a session and tells whether it was still the line's.
func (h *hub) leave(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.relay.LineID] != s {
		return false
	}
	delete(h.sessions, s.relay.LineID)
	return true
}

func (h *hub) ring(lineID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[lineID]; s != nil {
		s.ring()
	}
}

func (h *hub) ringAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		s.ring()
	}
}
