package relay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/fault"
	"bluerelay/wire"
)

// batch is how many new rows are read, and committed to the journal, at once: small
// enough for a short read transaction, large enough for a burst.
const batch = 200

// observer reads chat.db: it binds the rows of our own sends, follows their
// receipts, and reports what others wrote. One goroutine runs it.
type observer struct {
	*Relay
	gate     *gate
	db       *chatdb.DB
	cursor   cursor
	followed map[int64]send       // bound own rows that may still change, by ROWID
	waiting  map[int64]time.Time  // rows that are not complete, by ROWID, with their first sight
	watched  map[int64]watchedRow // reported rows that may still change, by ROWID
	waited   chatdb.States        // of the rows that are waited for, at the last look
	told     told
	own      ownAddresses
	stuck    map[string]bool // guids of files for which the alarm was raised
	combed   time.Time       // when files that are stuck were last looked for
}

// run keeps chat.db open and watched until ctx ends, and reopens it when it was
// missing, unreadable or replaced, or when the Mac has slept. The person is told
// through the relay's health.
func (o *observer) run(ctx context.Context) error {
	o.gate = newGate(o.Relay)
	for ctx.Err() == nil {
		day, over := o.days.within(ctx)
		err := o.session(day)
		slept := day.Err() != nil
		over()
		if ctx.Err() != nil {
			break
		}
		if err == nil || slept {
			continue // replaced, or watched by what does not outlive a sleep: open it anew at once
		}
		if !errors.Is(err, errUnwritten) { // that is said of the journal, and no fault of chat.db
			if err := o.missed(ctx, err); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(o.cfg.Retry):
		}
	}
	return nil
}

// missed tells why chat.db cannot be read. It returns an error where only another process
// can read it.
func (o *observer) missed(ctx context.Context, err error) error {
	o.missDB(err)
	if sentence := chatDBSentence(err); o.health.set(wire.ProblemChatDB, sentence) {
		o.log.Error("chatdb.trouble", "do", sentence, "error", err.Error())
	}
	if errors.Is(err, chatdb.ErrPermission) {
		return o.gate.refused(ctx)
	}
	return nil
}

// chatDBSentence is what a person should do about an unreadable chat.db.
func chatDBSentence(err error) string {
	if e, ok := errors.AsType[*chatdb.Error](err); ok && e.Hint != "" {
		return e.Hint
	}
	return "Messages' database cannot be read; the relay keeps trying."
}

// session reads one chat.db until the file is replaced (nil) or fails (error).
func (o *observer) session(ctx context.Context) error {
	db, err := chatdb.Open(ctx, o.cfg.ChatDB)
	if err != nil {
		return err
	}
	o.db = db
	defer func() { o.lendDB(nil); db.Close() }()
	if err := o.resume(ctx); err != nil {
		return err
	}
	w, err := chatdb.NewWatcher(db, o.cfg.Net, o.log)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := o.scan(ctx); err != nil {
		return err
	}
	o.lendDB(db)
	o.gate.set(AccessReadable)
	o.health.set(wire.ProblemChatDB, "")
	ring(o.health.news) // the patrol may have looked before, and found nothing to look at
	o.log.Info("chatdb.reading")
	ring(o.sendBell)
	ring(o.uploadBell)
	for {
		event, err := o.await(ctx, w)
		if err != nil || event == chatdb.Replaced {
			return err
		}
		if err := o.scan(ctx); err != nil {
			return err
		}
	}
}

// breath is how often the observer looks even where nothing happens: so it knows
// that it was awake.
const breath = time.Minute

// await waits for a change, or until a row that is not complete has waited long
// enough, or all that was told is to be looked at, or for a breath.
func (o *observer) await(ctx context.Context, w *chatdb.Watcher) (chatdb.Event, error) {
	now := time.Now()
	wake := now.Add(breath)
	for _, first := range o.waiting {
		for _, end := range append(again(first, o.cfg.Grace), first.Add(o.cfg.ghostAge())) {
			if end.After(now) && end.Before(wake) {
				wake = end
			}
		}
	}
	if o.told.owed && o.told.due.Before(wake) {
		wake = o.told.due
	}
	timed, cancel := context.WithDeadline(ctx, wake)
	defer cancel()
	event, err := w.Wait(timed)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return chatdb.Changed, nil
	}
	return event, err
}

// resume loads what the journal knows and places the cursor in the file that is
// open now.
func (o *observer) resume(ctx context.Context) error {
	c, err := o.journal.cursor(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		c, err = o.firstCursor(ctx)
	} else {
		err = o.relocate(ctx, c)
	}
	if err != nil {
		return err
	}
	o.cursor = *c
	o.cursor.look(time.Now())
	waiting, err := o.journal.waiting(ctx)
	if err != nil {
		return err
	}
	o.waiting = make(map[int64]time.Time)
	for _, w := range waiting {
		o.waiting[w.rowid] = w.firstSeen
	}
	o.waited, o.told = chatdb.States{}, told{}
	if err := o.learnOwn(ctx); err != nil {
		return err
	}
	if err := o.loadWatched(ctx); err != nil {
		return err
	}
	return o.loadFollowed(ctx)
}

// firstCursor starts at the end, in a journal that does not know when it was paired: what
// came before that is history.
func (o *observer) firstCursor(ctx context.Context) (*cursor, error) {
	c, err := markNow(ctx, o.db)
	if err != nil {
		return nil, err
	}
	return c, o.journal.setCursor(ctx, *c)
}

func markNow(ctx context.Context, db *chatdb.DB) (*cursor, error) {
	mark, err := db.Mark(ctx)
	if err != nil {
		return nil, fmt.Errorf("take the mark: %w", err)
	}
	now := time.Now().UnixMilli()
	return &cursor{Mark: mark, Floor: now, Seen: now}, nil
}

// overlap is how far before the last look a replaced file is read again. Rows that
// were reported before have the same guid and are recognised by it.
const overlap = 10 * time.Minute

// relocate checks that the cursor still means what it meant, and finds its place where it
// has none yet.
func (o *observer) relocate(ctx context.Context, c *cursor) error {
	moved, err := o.astray(ctx, *c)
	if err != nil {
		return err
	}
	unread := c.File == ""
	moved = moved || unread
	if c.File == o.db.File() && !moved {
		return nil
	}
	// The same rows under another device number, as after a restart, stay as they are.
	if moved {
		c.Floor = max(c.Floor, c.Seen-overlap.Milliseconds())
		first, err := o.db.FirstSince(ctx, time.UnixMilli(c.Floor))
		if err != nil {
			return err
		}
		c.Mark = chatdb.Mark{RowID: first - 1}
		if !unread {
			o.log.Warn("chatdb.replaced")
		}
	}
	c.File = o.db.File()
	return o.journal.write(ctx, fault.RelayMark, func(ctx context.Context, tx *sql.Tx) error {
		if moved {
			if _, err := tx.ExecContext(ctx, "DELETE FROM waiting"); err != nil {
				return err
			}
		}
		return setCursor(ctx, tx, *c)
	})
}

// astray tells whether the cursor belongs to another database than the one that is
// open. A row that is gone is no reason to doubt in its file, where no ROWID is given
// out twice, unless the file never gave out so high a one: then it was made anew in its
// place. Nor is a row on damaged pages.
func (o *observer) astray(ctx context.Context, c cursor) (bool, error) {
	guid, there, err := o.db.GUIDAt(ctx, c.RowID)
	switch {
	case errors.Is(err, chatdb.ErrNotDatabase):
		return false, nil
	case err != nil:
		return false, err
	case there:
		return c.GUID != "" && guid != c.GUID, nil
	case c.File != o.db.File():
		return true, nil
	}
	last, err := o.db.Sequence(ctx)
	return last < c.RowID, err
}

// loadWatched finds the watched rows again, likewise.
func (o *observer) loadWatched(ctx context.Context) error {
	list, err := o.journal.watched(ctx, o.cursor.present(time.Now()))
	if err != nil {
		return err
	}
	byGUID := make(map[string]watchedRow)
	for _, w := range list {
		byGUID[w.guid] = w
	}
	o.watched = make(map[int64]watchedRow)
	rows, err := o.db.FindGUIDs(ctx, slices.Collect(maps.Keys(byGUID)))
	if err != nil {
		return err
	}
	for _, m := range rows {
		w := byGUID[m.GUID]
		w.rowid = m.RowID
		o.watched[m.RowID] = w
	}
	return nil
}
