package relay

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/fault"
	"bluerelay/wire"
)

// scan looks at everything that may have changed. Rows that were not complete come first:
// what follows them is not to overtake them. Rows that were told come last: they are many,
// and what is new does not wait for news of what is old. It reads to the end.
func (o *observer) scan(ctx context.Context) error {
	if err := o.heedClock(ctx, time.Now()); err != nil {
		return err
	}
	o.cursor.look(time.Now())
	if now := time.Now(); now.Sub(o.combed) >= breath {
		o.combed = now
		o.lookForStuck(now)
		if astray, err := o.astray(ctx, o.cursor); err != nil {
			return err
		} else if astray { // another database was put into the open file
			if err := o.resume(ctx); err != nil {
				return err
			}
		}
		if err := o.giveUpSilent(ctx, now); err != nil {
			return err
		}
	}
	if err := o.reviewWaiting(ctx); err != nil {
		return err
	}
	if err := o.readNew(ctx); err != nil {
		return err
	}
	if err := o.reviewTold(ctx); err != nil {
		return err
	}
	if o.awaiting.Load() {
		ring(o.uploadBell)
	}
	return nil
}

// readNew reads the rows that have come, to the last.
func (o *observer) readNew(ctx context.Context) error {
	for {
		rows, err := o.db.After(ctx, o.cursor.RowID, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		next := o.cursor
		last := rows[len(rows)-1]
		next.Mark = chatdb.Mark{RowID: last.RowID, GUID: last.GUID, File: o.db.File()}
		next.Seen = time.Now().UnixMilli()
		if err := o.digest(ctx, rows, next); err != nil || len(rows) < batch {
			return err // a row that came later has woken us again
		}
	}
}

// finding is what a look at rows comes to: everything in it goes to the journal in
// one transaction, together with the cursor.
type finding struct {
	owned   []wire.Report // whose rows are that were told as somebody's
	saves   []save
	reports []wire.Report
	watches []watchedRow // reported rows that may yet change
	uploads []fileID     // files that the cloud is to get
	wait    []int64      // rows to look at again
	done    []int64      // rows that need not be looked at again
}

// save is a row of one of our sends with what changed.
type save struct {
	send    send
	row     chatdb.Message
	changes []chatdb.Change
	seen    chatdb.Seen
}

func (f *finding) empty() bool {
	return len(f.saves) == 0 && len(f.reports) == 0 && len(f.watches) == 0 && len(f.uploads) == 0 && len(f.wait) == 0 && len(f.done) == 0
}

// digest turns rows into reports and commits them with the cursor; gone are rows that
// were waited for and will not come. Only after the commit does the observer's own
// memory change, so that a failed commit is simply tried again.
func (o *observer) digest(ctx context.Context, rows []chatdb.Message, next cursor, gone ...int64) error {
	now := time.Now()
	f := finding{done: gone}
	for _, m := range rows {
		if err := o.judge(ctx, &f, m, now); err != nil {
			return err
		}
	}
	if f.empty() && next == o.cursor {
		return nil
	}
	point := fault.RelayInbound
	if len(f.saves) > 0 {
		point = fault.RelayBind
	}
	err := o.journal.write(ctx, point, func(ctx context.Context, tx *sql.Tx) error { return f.commit(ctx, tx, next, now) })
	if err != nil {
		return err
	}
	o.cursor = next
	o.remember(f, now)
	if len(f.saves)+len(f.reports) > 0 {
		ring(o.outboxBell)
	}
	if slices.ContainsFunc(f.saves, func(s save) bool { return s.send.part == partFile }) {
		ring(o.sendBell) // the text that follows it
	}
	if len(f.uploads) > 0 {
		ring(o.uploadBell)
	}
	return nil
}

func (f *finding) commit(ctx context.Context, tx *sql.Tx, next cursor, now time.Time) error {
	for _, r := range f.owned {
		if err := addReport(ctx, tx, r, now); err != nil {
			return err
		}
	}
	for _, s := range f.saves {
		if err := saveRow(ctx, tx, s.send, s.row, s.changes, s.seen, now); err != nil {
			return err
		}
	}
	for _, r := range f.reports {
		if err := addReport(ctx, tx, r, now); err != nil {
			return err
		}
	}
	if len(f.watches) > 0 {
		if err := saveWatched(ctx, tx, f.watches, next.present(now)); err != nil {
			return err
		}
	}
	for _, id := range f.uploads {
		if err := addUpload(ctx, tx, id, now); err != nil {
			return err
		}
	}
	for _, id := range f.wait {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO waiting (rowid_, first_seen) VALUES (?, ?)", id, now.UnixMilli()); err != nil {
			return err
		}
	}
	for _, id := range f.done {
		if _, err := tx.ExecContext(ctx, "DELETE FROM waiting WHERE rowid_ = ?", id); err != nil {
			return err
		}
	}
	return setCursor(ctx, tx, next)
}

func (o *observer) remember(f finding, now time.Time) {
	for _, s := range f.saves {
		one := s.send
		one.state, one.guid, one.rowid, one.seen, one.text = stateObserved, s.row.GUID, s.row.RowID, s.seen, ""
		o.followed[s.row.RowID] = one
		o.heed(s.row, s.changes, now)
		for _, c := range s.changes {
			o.log.Info("message."+string(c.Kind), "message", one.message, "error_number", c.Error)
		}
	}
	for _, id := range f.wait {
		o.waiting[id] = now
	}
	for _, id := range f.done {
		delete(o.waiting, id)
	}
	present, awake := o.cursor.present(now), o.cursor.awake(now)
	maps.DeleteFunc(o.followed, func(_ int64, s send) bool { return !s.follows(o.cfg.Observe, awake, present) })
	keepNewest(o.followed, maxFollowed)
	o.rememberWatched(f.watches, present)
}

// judge decides what one row means.
func (o *observer) judge(ctx context.Context, f *finding, m chatdb.Message, now time.Time) error {
	if m.Damage != nil {
		o.judgeDamaged(f, m, now)
		return nil
	}
	if m.GUID == "" { // whatever is said of it could not be recognised when it is said again
		o.log.Error("chatdb.row_unnamed", "rowid", m.RowID)
		f.done = append(f.done, m.RowID)
		return nil
	}
	o.own.note(m)
	if s, ok := o.followed[m.RowID]; ok {
		if s.guid == m.GUID {
			if changes, seen := chatdb.Diff(s.seen, m); seen != s.seen {
				f.saves = append(f.saves, save{s, m, changes, seen})
			}
		}
		return nil
	}
	if w, ok := o.watched[m.RowID]; ok && w.guid == m.GUID {
		return o.judgeWatched(ctx, f, w, m, now)
	}
	first, waited := o.waiting[m.RowID]
	if !waited {
		first = now
	}
	settled, err := o.judgeNew(ctx, f, m, first, now)
	if err != nil {
		return err
	}
	if settled && waited {
		f.done = append(f.done, m.RowID)
	}
	if !settled && !waited {
		f.wait = append(f.wait, m.RowID)
	}
	return nil
}

// judgeNew looks at a row that is not bound; first is when it was seen first. It
// returns false where the row has to be looked at again.
func (o *observer) judgeNew(ctx context.Context, f *finding, m chatdb.Message, first, now time.Time) (bool, error) {
	switch m.Class(now) {
	case chatdb.ClassPending:
		return false, nil
	case chatdb.ClassTapback:
		return o.judgeTapback(ctx, f, m, first, now)
	case chatdb.ClassGroup:
		return o.judgeGroup(ctx, f, m, first, now)
	case chatdb.ClassNothing:
		if !m.FromMe || !m.Retracted {
			return true, nil
		}
	}
	if m.FromMe {
		return o.judgeOwn(ctx, f, m, first, now)
	}
	return o.judgeInbound(ctx, f, m, first, now)
}

// judgeOwn binds an own row to the send that made it, or reports it as the owner's
// own doing.
func (o *observer) judgeOwn(ctx context.Context, f *finding, m chatdb.Message, first, now time.Time) (bool, error) {
	bound, err := o.journal.bound(ctx, m.GUID)
	if err == nil && bound {
		err = o.followAgain(ctx, f, m, now)
	}
	if err != nil || bound {
		return err == nil, err
	}
	sends, err := o.journal.unresolved(ctx, o.cursor.awake(now).Add(-o.cfg.Observe))
	if err != nil {
		return false, err
	}
	// One row binds one send, also within this look.
	sends = slices.DeleteFunc(sends, func(s send) bool {
		return slices.ContainsFunc(f.saves, func(taken save) bool { return taken.send.same(s) })
	})
	sends = undated(sends, o.db.File(), now)
	if m.Retracted {
		if s, ok := undone(sends, m, o.db.File()); ok {
			f.bind(s, m)
		}
		return true, nil
	}
	if !m.HasBody {
		if o.judgeGhost(f, m, sends, first, now) {
			return true, nil
		}
		if now.Sub(first) < o.cfg.Grace {
			return false, nil // the text comes with a later commit
		}
	}
	s, ok := choose(sends, m, o.db.File())
	if !ok {
		settled, err := o.judgeTyped(ctx, f, m, sends, first, now)
		if settled && err == nil {
			err = o.raise(ctx, f, m, sends, now)
		}
		return settled && err == nil, err
	}
	f.bind(s, m)
	return true, nil
}

// bind gives a row to a send.
func (f *finding) bind(s send, m chatdb.Message) {
	changes, seen := chatdb.Diff(chatdb.Seen{}, m)
	f.saves = append(f.saves, save{s, m, changes, seen})
}

// wanted applies what the owner chose at pairing to leave the Mac.
func (o *observer) wanted(ctx context.Context, handle string) (bool, error) {
	return o.credential.wants(handle, func() (bool, error) { return o.journal.wroteTo(ctx, handle) })
}
