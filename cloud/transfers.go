package cloud

import "sync"

// transfers are the files that are being received and sent at the moment, and the
// streams of events. Of each
// upload there is one at a time: a relay that comes again has lost its connection,
// whatever the old one still believes.
type transfers struct {
	mu      sync.Mutex
	running map[*transfer]bool
	uploads map[string]*transfer
	closed  bool
}

// transfer is one of them.
type transfer struct {
	cut  func() // makes its reads or writes end soon; quick, and may be called twice
	done chan struct{}
}

// begin registers a transfer; end must be called when it is over. With an id, it
// waits for the end of the transfer that had the same, which is cut. It returns
// false while the server stops.
func (t *transfers) begin(id string, cut func()) (end func(), ok bool) {
	own := &transfer{cut: cut, done: make(chan struct{})}
	for {
		t.mu.Lock()
		if t.closed {
			t.mu.Unlock()
			return nil, false
		}
		old := t.uploads[id]
		if id == "" || old == nil {
			t.running[own] = true
			if id != "" {
				t.uploads[id] = own
			}
			t.mu.Unlock()
			return func() { t.end(id, own) }, true
		}
		old.cut()
		t.mu.Unlock()
		<-old.done
	}
}

func (t *transfers) end(id string, own *transfer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, own)
	if id != "" {
		delete(t.uploads, id)
	}
	close(own.done)
}

// close cuts all and lets none begin any more.
func (t *transfers) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for one := range t.running {
		one.cut()
	}
}
