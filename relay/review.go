package relay

import (
	"context"
	"maps"
	"slices"
	"time"

	"bluerelay/chatdb"
)

const (
	// nearby is how many of the newest rows that were told are looked at with each change
	// of chat.db: most of what becomes of a message does so soon after it.
	nearby = 50

	// rareness is how many times as long as a look at all rows has taken none follows it:
	// of thousands, while Messages commits again and again, that is a hundredth of the time,
	// and a receipt of an old message may come some tenths of a second later. After a pause
	// all are looked at at once.
	rareness = 100
)

// told are the rows that were told and may yet change, as they were at the last looks.
type told struct {
	near chatdb.States // of the newest
	all  chatdb.States
	due  time.Time // from when on all may be looked at again
	owed bool      // something has changed since all were looked at
}

// reviewWaiting reads those of the rows that are waited for again that are worth it: their
// state is another one than at the last look, or they have been waited for long enough.
func (o *observer) reviewWaiting(ctx context.Context) error {
	states, err := o.db.States(ctx, slices.Collect(maps.Keys(o.waiting)))
	if err != nil {
		return err
	}
	now := time.Now()
	list, gone := states.Moved(o.waited), maps.Clone(o.waiting)
	for _, id := range states.Rows() {
		if now.Sub(o.waiting[id]) >= o.cfg.ghostAge() {
			list = append(list, id)
		}
		delete(gone, id)
	}
	if err := o.readAgain(ctx, list, slices.Collect(maps.Keys(gone))...); err != nil {
		return err
	}
	o.waited = states
	return nil
}

// reviewTold reads those of the rows that were told again whose state is another one: the
// newest first, and the others where that does not take too much of the time.
func (o *observer) reviewTold(ctx context.Context) error {
	ids := slices.Collect(maps.Keys(o.followed))
	ids = slices.AppendSeq(ids, maps.Keys(o.watched))
	slices.Sort(ids)
	near := ids[max(0, len(ids)-nearby):]
	states, err := o.db.States(ctx, near)
	if err == nil {
		err = o.readAgain(ctx, states.Moved(o.told.near))
	}
	if err != nil {
		return err
	}
	o.told.near = states
	if len(near) == len(ids) {
		o.told.owed = false
		return nil
	}
	o.told.owed = time.Now().Before(o.told.due)
	if o.told.owed {
		return nil
	}
	return o.reviewAll(ctx, ids, near[0])
}

// reviewAll is for those of the rows below one.
func (o *observer) reviewAll(ctx context.Context, ids []int64, below int64) error {
	began := time.Now()
	states, err := o.db.States(ctx, ids)
	if err != nil {
		return err
	}
	took := time.Since(began)
	far := slices.DeleteFunc(states.Moved(o.told.all), func(id int64) bool { return id >= below })
	if err := o.readAgain(ctx, far); err != nil {
		return err
	}
	o.told.all, o.told.due = states, time.Now().Add(rareness*took)
	return nil
}

// readAgain judges rows once more; gone are rows that will not come.
func (o *observer) readAgain(ctx context.Context, rowids []int64, gone ...int64) error {
	rows, err := o.db.Rows(ctx, rowids)
	if err != nil {
		return err
	}
	return o.digest(ctx, rows, o.cursor, gone...)
}
