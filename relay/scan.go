package relay

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// scan looks at everything that may have changed: rows that were not complete,
// bound rows, and new rows. It reads to the end.
func (o *observer) scan(ctx context.Context) error {
	rows, err := o.db.Rows(ctx, slices.Sorted(maps.Keys(o.followed)))
	if err != nil {
		return err
	}
	again, err := o.db.Rows(ctx, slices.Sorted(maps.Keys(o.waiting)))
	if err != nil {
		return err
	}
	if err := o.digest(ctx, append(rows, again...), o.cursor); err != nil {
		return err
	}
	for {
		rows, err := o.db.After(ctx, o.cursor.RowID, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		next := o.cursor
		last := rows[len(rows)-1]
		next.Mark = chatdb.Mark{RowID: last.RowID, GUID: last.GUID, File: o.db.File()}
		next.Seen = time.Now().UnixMilli()
		if err := o.digest(ctx, rows, next); err != nil {
			return err
		}
	}
}

// finding is what a look at rows comes to: everything in it goes to the journal in
// one transaction, together with the cursor.
type finding struct {
	saves   []save
	reports []wire.Report
	wait    []int64 // rows to look at again
	done    []int64 // rows that need not be looked at again
}

// save is a row of one of our sends with what changed.
type save struct {
	send    send
	row     chatdb.Message
	changes []chatdb.Change
	seen    chatdb.Seen
}

func (f *finding) empty() bool {
	return len(f.saves) == 0 && len(f.reports) == 0 && len(f.wait) == 0 && len(f.done) == 0
}

// digest turns rows into reports and commits them with the cursor. Only after the
// commit does the observer's own memory change, so that a failed commit is simply
// tried again.
func (o *observer) digest(ctx context.Context, rows []chatdb.Message, next cursor) error {
	now := time.Now()
	var f finding
	for _, m := range rows {
		if err := o.judge(ctx, &f, m, now); err != nil {
			return err
		}
	}
	if f.empty() && next == o.cursor {
		return nil
	}
	err := o.journal.write(ctx, func(tx *sql.Tx) error { return f.commit(ctx, tx, next, now) })
	if err != nil {
		return err
	}
	o.cursor = next
	o.remember(f, now)
	if len(f.saves)+len(f.reports) > 0 {
		ring(o.outboxBell)
	}
	return nil
}

func (f *finding) commit(ctx context.Context, tx *sql.Tx, next cursor, now time.Time) error {
	for _, s := range f.saves {
		if err := saveRow(ctx, tx, s.send, s.row, s.changes, s.seen, now); err != nil {
			return err
		}
	}
	for _, r := range f.reports {
		if err := addReport(ctx, tx, r); err != nil {
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
		if s.seen.Read {
			delete(o.followed, s.row.RowID)
		} else {
			o.followed[s.row.RowID] = one
		}
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
	maps.DeleteFunc(o.followed, func(_ int64, s send) bool { return now.Sub(s.armedAt) > o.cfg.Observe })
}

// judge decides what one row means.
func (o *observer) judge(ctx context.Context, f *finding, m chatdb.Message, now time.Time) error {
	if s, ok := o.followed[m.RowID]; ok {
		if s.guid == m.GUID {
			if changes, seen := chatdb.Diff(s.seen, m); seen != s.seen {
				f.saves = append(f.saves, save{s, m, changes, seen})
			}
		}
		return nil
	}
	first, waited := o.waiting[m.RowID]
	if !waited {
		first = now
	}
	patient := now.Sub(first) < o.cfg.Grace
	settled, err := o.judgeNew(ctx, f, m, patient)
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

// judgeNew looks at a row that is not bound. It returns false where the row has to
// be looked at again; with patient false it must come to an end.
func (o *observer) judgeNew(ctx context.Context, f *finding, m chatdb.Message, patient bool) (bool, error) {
	if !isMessage(m) {
		return true, nil
	}
	if m.FromMe {
		return o.judgeOwn(ctx, f, m, patient)
	}
	if m.Date.Before(time.UnixMilli(o.cursor.Floor)) {
		return true, nil // history that iCloud or a replaced file brought
	}
	complete := m.Chat != nil && (m.HasBody || m.HasAttachments)
	if !complete && patient {
		return false, nil
	}
	if !m.HasBody && !m.HasAttachments || m.Handle == "" {
		return true, nil // nothing that anybody said
	}
	wanted, err := o.wanted(ctx, m.Handle)
	if err != nil || !wanted {
		return err == nil, err
	}
	in := &wire.Inbound{GUID: m.GUID, From: m.Handle, To: m.Caller, Service: m.Service, Text: m.Text, Sent: m.Date.UnixMilli(), Attachments: len(m.Attachments)}
	if m.Chat != nil {
		in.Chat, in.Group = m.Chat.GUID, m.Chat.Group()
	}
	f.reports = append(f.reports, wire.Report{Kind: wire.Received, At: in.Sent, GUID: m.GUID, Service: m.Service, Inbound: in})
	return true, nil
}

// isMessage tells what a person wrote from tapbacks, group events and messages that
// are only scheduled. Associated types 2 and 3 are ordinary messages of apps.
func isMessage(m chatdb.Message) bool {
	return m.ItemType == 0 && !m.System && m.ScheduleType != 2 && !m.PendingSatellite &&
		(m.AssociatedType == 0 || m.AssociatedType == 2 || m.AssociatedType == 3)
}

// judgeOwn binds an own row to the send that made it. Rows that the owner's other
// devices made fit none and are left alone.
func (o *observer) judgeOwn(ctx context.Context, f *finding, m chatdb.Message, patient bool) (bool, error) {
	if !m.HasBody && patient {
		return false, nil // the text comes with a later commit
	}
	bound, err := o.journal.bound(ctx, m.GUID)
	if err != nil || bound {
		return err == nil, err
	}
	sends, err := o.journal.unresolved(ctx, time.Now().Add(-o.cfg.Observe))
	if err != nil {
		return false, err
	}
	// One row binds one send, also within this look.
	sends = slices.DeleteFunc(sends, func(s send) bool {
		return slices.ContainsFunc(f.saves, func(taken save) bool { return taken.send.message == s.message })
	})
	s, ok := choose(sends, m, o.db.File())
	if !ok {
		return true, nil
	}
	changes, seen := chatdb.Diff(chatdb.Seen{}, m)
	f.saves = append(f.saves, save{s, m, changes, seen})
	return true, nil
}

// wanted applies what the owner chose at pairing to leave the Mac.
func (o *observer) wanted(ctx context.Context, handle string) (bool, error) {
	switch o.credential.Scope {
	case ScopeStarted:
		return o.journal.wroteTo(ctx, handle)
	case ScopeAllow:
		return slices.ContainsFunc(o.credential.Allow, func(a string) bool { return sameHandle(a, handle) }), nil
	}
	return true, nil
}
