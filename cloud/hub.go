package cloud

import "sync"

// hub knows the relay sessions of this process by the number they send for. It
// carries no message: it finds the session, which looks into the table.
type hub struct {
	mu       sync.Mutex
	sessions map[string]*session
}

// enter makes a session the number's and returns the one it supersedes, or nil.
func (h *hub) enter(s *session) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.sessions[s.number]
	h.sessions[s.number] = s
	return old
}

// leave forgets a session and tells whether it was still the number's.
func (h *hub) leave(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.number] != s {
		return false
	}
	delete(h.sessions, s.number)
	return true
}

// serving is the session that sends for a number, or nil.
func (h *hub) serving(number string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[number]
}

func (h *hub) ring(number string) {
	if s := h.serving(number); s != nil {
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
