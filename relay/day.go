package relay

import (
	"context"
	"sync"
)

// days are the times between two sleeps of the Mac. A sleep makes void what was waited
// for before it: the cloud has given the connection up, and file events are lost. So
// whoever waits for such a thing does it within a day, and begins anew when the day
// ends. The zero value is ready, and safe for concurrent use.
type days struct {
	mu    sync.Mutex
	today context.Context // nil before the first wait of a day
	end   context.CancelFunc
}

// within is ctx for this day: it ends with either. The caller must call over.
func (d *days) within(ctx context.Context) (day context.Context, over func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.today == nil {
		d.today, d.end = context.WithCancel(context.Background())
	}
	day, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.today, cancel)
	return day, func() { stop(); cancel() }
}

// next ends the day and begins another.
func (d *days) next() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end != nil {
		d.end()
	}
	d.today, d.end = nil, nil
}
