package cloud

import (
	"maps"
	"math"
	"slices"
	"sync"
)

// waiters are requests that wait for news of one thing, a message or an account. They
// carry no news: who is woken looks into the table.
type waiters struct {
	mu   sync.Mutex
	byID map[string][]chan struct{}
}

// listen returns a bell that rings after each commit that brings news from now on,
// until stop is called.
func (w *waiters) listen(id string) (bell <-chan struct{}, stop func()) {
	bell, stop, _ = w.join(id, math.MaxInt)
	return bell, stop
}

// join is listen where fewer than most wait already.
func (w *waiters) join(id string, most int) (bell <-chan struct{}, stop func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID[id]) >= most {
		return nil, nil, false
	}
	own := make(chan struct{}, 1)
	w.byID[id] = append(w.byID[id], own)
	return own, func() { w.leave(id, own) }, true
}

func (w *waiters) leave(id string, own chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []chan struct{}
	for _, other := range w.byID[id] {
		if other != own {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(w.byID, id)
		return
	}
	w.byID[id] = rest
}

func (w *waiters) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, bell := range w.byID[id] {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}

// ids lists what is waited for.
func (w *waiters) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.byID))
}
