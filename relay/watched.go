package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

const (
	// changeWindow is how long a row is looked at again after its date. Messages
	// allows an edit for 15 minutes and taking back for two; the rest is for clocks
	// that differ and for news that is late.
	changeWindow = 20 * time.Minute

	// maxWatched bounds the rows that are looked at again; the newest are kept.
	maxWatched = 500
)

// watchedRow is a row that was reported and may yet change: an inbound one, or one
// that the owner typed elsewhere. The rows of our own sends are followed in the
// table of sends.
type watchedRow struct {
	guid  string
	rowid int64
	own   bool
	until time.Time
	seen  chatdb.Seen
}

// watch begins to look at a row again that is reported as it is now.
func (f *finding) watch(m chatdb.Message, until time.Time) {
	f.watches = append(f.watches, watchedRow{guid: m.GUID, rowid: m.RowID, own: m.FromMe, until: until, seen: chatdb.First(m)})
}

// judgeWatched reports what has become of a row since it was reported.
func (o *observer) judgeWatched(ctx context.Context, f *finding, w watchedRow, m chatdb.Message, now time.Time) error {
	if m.FromMe && !w.own {
		// Messages has made an own row of it: it may be that of a send.
		w.until = now
		f.watches = append(f.watches, w)
		judge := o.judgeOwn
		if m.Tapback != nil {
			judge = o.judgeTapback
		}
		saved := len(f.saves)
		settled, err := judge(ctx, f, m, now, now)
		if err == nil && !settled {
			f.wait = append(f.wait, m.RowID)
		}
		f.own(f.saves[saved:], now)
		return err
	}
	if m.Tapback != nil {
		return nil // nothing else becomes of it
	}
	f.fetch(m) // files that have come after it was reported
	changes, seen := chatdb.Diff(w.seen, m)
	if seen == w.seen {
		return nil
	}
	for _, c := range changes {
		f.reports = append(f.reports, changeReport(m, c, now))
	}
	w.seen = seen
	f.watches = append(f.watches, w)
	return nil
}

// own tells of rows that were told as somebody's, and are those of files of our sends,
// whose they are. The end of such a message is told with its text, which may be long after,
// or was told before.
func (f *finding) own(bound []save, now time.Time) {
	for _, s := range bound {
		if s.send.part == partFile {
			f.owned = append(f.owned, wire.Report{Kind: wire.Sending, At: now.UnixMilli(), Message: s.send.message, Attempt: s.send.attempt, Rows: []string{s.row.GUID}})
		}
	}
}

// changeReport tells one change of a row. Whose message it is, where that is one of
// ours, the caller adds.
func changeReport(m chatdb.Message, c chatdb.Change, now time.Time) wire.Report {
	at := c.At
	if at.IsZero() {
		at = now
	}
	r := wire.Report{Kind: wire.Kind(c.Kind), At: at.UnixMilli(), GUID: m.GUID, Service: m.Service}
	switch c.Kind {
	case chatdb.KindJoined, chatdb.KindBody:
		r.Kind, r.Inbound = wire.Joined, inboundOf(m)
		r.Inbound.Media = nil // announced before
	case chatdb.KindEdited:
		r.Change = &wire.Change{Version: c.Version, At: r.At, Text: m.Words(), Edits: edits(m)}
	case chatdb.KindUnsent:
		r.Change = &wire.Change{Version: c.Version, At: r.At, Text: m.Words(), Parts: m.Unsent, Whole: m.Retracted}
	case chatdb.KindSent:
		r.Version = c.Version + 1
	case chatdb.KindFailed:
		r.Version = c.Version + 1
		r.Fault = &wire.Fault{Code: "messages_error", Number: c.Error, Text: failureSentence(c.Error)}
	}
	return r
}

func edits(m chatdb.Message) []wire.Edit {
	list := make([]wire.Edit, len(m.Edits))
	for i, e := range m.Edits {
		list[i] = wire.Edit{Part: e.Part, Text: e.Text, At: unixMilli(e.At)}
	}
	return list
}

// saveWatched writes watched rows and forgets those whose time is over.
func saveWatched(ctx context.Context, tx *sql.Tx, list []watchedRow, now time.Time) error {
	for _, w := range list {
		seen, err := json.Marshal(w.seen)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO watched (guid, rowid_, own, until, seen) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (guid) DO UPDATE SET rowid_ = excluded.rowid_, until = excluded.until, seen = excluded.seen`,
			w.guid, w.rowid, w.own, w.until.UnixMilli(), string(seen))
		if err != nil {
			return fmt.Errorf("watch a row: %w", err)
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM watched WHERE until <= ? OR rowid_ <= (SELECT rowid_ FROM watched ORDER BY rowid_ DESC LIMIT 1 OFFSET ?)`, now.UnixMilli(), maxWatched)
	if err != nil {
		return fmt.Errorf("watch a row: %w", err)
	}
	return nil
}

func (j *journal) watched(ctx context.Context, now time.Time) ([]watchedRow, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT guid, rowid_, own, until, seen FROM watched WHERE until > ? ORDER BY rowid_", now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	var list []watchedRow
	for rows.Next() {
		var w watchedRow
		var until int64
		var seen string
		if err := rows.Scan(&w.guid, &w.rowid, &w.own, &until, &seen); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		w.until = time.UnixMilli(until)
		if err := json.Unmarshal([]byte(seen), &w.seen); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// rememberWatched keeps memory and table alike.
func (o *observer) rememberWatched(list []watchedRow, now time.Time) {
	for _, w := range list {
		o.watched[w.rowid] = w
	}
	maps.DeleteFunc(o.watched, func(_ int64, w watchedRow) bool { return !w.until.After(now) })
	keepNewest(o.watched, maxWatched)
}

// keepNewest forgets all rows but those n of the highest ROWIDs.
func keepNewest[V any](rows map[int64]V, n int) {
	if len(rows) <= n {
		return
	}
	ids := slices.Sorted(maps.Keys(rows))
	for _, id := range ids[:len(ids)-n] {
		delete(rows, id)
	}
}
