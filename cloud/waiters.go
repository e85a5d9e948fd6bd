package cloud

import "sync"

// waiters are requests that wait for news of a message. They carry no news: who is
// woken looks into the table.
type waiters struct {
	mu        sync.Mutex
	byMessage map[string][]chan struct{}
}

// listen returns a bell that rings after each commit that changes the message's
// status from now on, until stop is called.
func (w *waiters) listen(id string) (bell <-chan struct{}, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := make(chan struct{}, 1)
	w.byMessage[id] = append(w.byMessage[id], own)
	return own, func() { w.leave(id, own) }
}

func (w *waiters) leave(id string, own chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []chan struct{}
	for _, other := range w.byMessage[id] {
		if other != own {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(w.byMessage, id)
		return
	}
	w.byMessage[id] = rest
}

func (w *waiters) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, bell := range w.byMessage[id] {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}
