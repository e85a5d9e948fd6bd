package relay

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"bluerelay/fault"
	"bluerelay/wire"
)

// errCopy says that the cloud knows another life of this journal.
var errCopy = errors.New("the journal is an old copy of the one that the cloud knows")

// recognise makes sure that what the cloud last heard from this install it heard from
// this journal. The number alone does not say: an old copy that has gone on by itself
// has given it out too. A copy says so in its next hello.
func (l *link) recognise(ctx context.Context, w wire.Welcome) error {
	if w.Token == "" {
		return nil
	}
	own, err := l.journal.gaveOut(ctx, w.Acked, w.Token)
	if err != nil || own {
		return err
	}
	err = l.journal.write(ctx, fault.RelayFence, func(ctx context.Context, tx *sql.Tx) error { return setMeta(ctx, tx, metaCopy, "1") })
	return cmp.Or(err, errCopy)
}

// welcomed lets the sender begin, or sees to it that it begins nothing more. Before
// the first welcome of a run nothing is begun: only the cloud can tell that the journal
// is not an old copy of itself, whose orders have gone out long ago. A Mac that was once
// told that another has its place goes by that until it is paired anew, whatever a cloud
// says that was put back to a copy from before.
func (l *link) welcomed(ctx context.Context, w wire.Welcome) error {
	retired, err := l.journal.retired(ctx)
	if err != nil {
		return err
	}
	l.released = w.Retired || retired
	l.acked.Store(w.Acked)
	if !l.released {
		l.health.set(wire.ProblemReleased, "")
		l.welcome.Store(true)
		if l.cfg.Welcomed != nil {
			l.cfg.Welcomed()
		}
		ring(l.sendBell)
		ring(l.fetchBell)
		return nil
	}
	l.welcome.Store(false)
	l.health.set(wire.ProblemReleased, releasedSentence)
	if !w.Retired {
		l.log.Error("link.retired", "reason", "the cloud has forgotten that another Mac has this one's place")
	}
	return l.journal.retire(ctx, time.Now())
}

const releasedSentence = "Another Mac takes this one's place. To send from this one again, pair it again with `bluerelay pair`."
