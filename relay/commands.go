package relay

import (
	"context"
	"errors"
	"time"

	"bluerelay/wire"
)

// What the cloud asks for. Each is in the journal before anything follows from it.

// order writes an order into the journal. One that cannot be written is not
// acknowledged; the cloud repeats it after the next hello.
func (l *link) order(ctx context.Context, o wire.Send) error {
	err := l.journal.receive(ctx, o, time.Now())
	if errors.Is(err, errStale) {
		l.log.Error("link.stale_order", "message", o.Message, "attempt", o.Attempt)
		return nil
	}
	if err != nil {
		return err
	}
	if l.released {
		return l.release(ctx)
	}
	if o.File != nil {
		ring(l.fetchBell)
		ring(l.outboxBell)
		ring(l.sendBell) // it may have a time that passes
		return nil
	}
	// An idle sender arms at once and reports both together; a busy one may be busy
	// for a while.
	idle := l.idle.Load()
	ring(l.sendBell)
	if !idle {
		ring(l.outboxBell)
	}
	return nil
}

// cancel takes an order back. What is begun goes on, and its reports are the answer.
func (l *link) cancel(ctx context.Context, c wire.Cancel) error {
	err := l.journal.cancel(ctx, c, time.Now())
	if errors.Is(err, errStale) {
		l.log.Warn("link.stale_cancel", "message", c.Message, "attempt", c.Attempt)
		return nil
	}
	ring(l.outboxBell)
	return err
}

// release gives back what was not begun; what is begun is finished. The cloud decides
// when it is enough.
func (l *link) release(ctx context.Context) error {
	l.released = true
	l.health.set(wire.ProblemReleased, releasedSentence)
	l.log.Info("link.released")
	ring(l.outboxBell)
	return l.journal.release(ctx, time.Now())
}
