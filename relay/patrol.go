package relay

import (
	"context"
	"slices"
	"time"

	"bluerelay/wire"
)

// patrol looks at the preconditions when the agent starts, when its health changes and now
// and then, so that people at the cloud read what is wrong and not only that something is.
// It writes nothing and tells only what is news.
func (r *Relay) patrol(ctx context.Context) {
	for {
		// What changes often comes together: a start, a Messages that comes and goes.
		if !wait(ctx, r.cfg.Retry) {
			return
		}
		found := newDoctor(r.cfg, r, false).look(ctx)
		if ctx.Err() != nil {
			return
		}
		if last := r.checkup.Load(); last == nil || !sameCheckup(*last, found) {
			r.checkup.Store(&found)
			ring(r.health.changed)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.health.news:
		case <-time.After(r.cfg.Checkup):
		}
	}
}

// wait returns false where ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// sameCheckup tells whether two looks have found the same. The evidence does not count:
// the room on a disk is never twice the same.
func sameCheckup(a, b wire.Checkup) bool {
	return slices.EqualFunc(a.Checks, b.Checks, func(a, b wire.Check) bool {
		return a.Name == b.Name && a.State == b.State && a.Next == b.Next
	})
}
