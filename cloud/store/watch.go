package store

import (
	"context"
	"time"
)

// LineState is what operators watch of a line.
type LineState struct {
	LineID     string
	Paired     bool
	Connected  bool
	Ready      bool
	LastSeenAt int64 // Unix ms, of its Mac, 0 for never
	Alarms     int64 // of its Mac
	Open       int64 // messages that wait or are being sent
	OldestAt   int64 // when the first of them was created, Unix ms, 0 for none
}

// LineStates returns the state of every line in use. It reads what is open, however
// long the history is.
func (r reader) LineStates(ctx context.Context) ([]LineState, error) {
	return collect(ctx, r, func(row scanner) (v LineState, err error) {
		err = row.Scan(&v.LineID, &v.Paired, &v.Connected, &v.Ready, &v.LastSeenAt, &v.Alarms, &v.Open, &v.OldestAt)
		return v, err
	}, `SELECT l.id, CASE l.relay_id WHEN '' THEN 0 ELSE 1 END,
		COALESCE(r.connected, 0), COALESCE(r.ready, 0), COALESCE(r.last_seen_at, 0), COALESCE(r.alarms, 0),
		(SELECT COUNT(*) FROM messages AS m WHERE m.line_id = l.id AND m.status IN ('queued', 'accepted', 'sending')),
		COALESCE((SELECT m.created_at FROM messages AS m WHERE m.line_id = l.id AND m.status IN ('queued', 'accepted', 'sending') ORDER BY m.seq LIMIT 1), 0)
		FROM lines AS l LEFT JOIN relays AS r ON r.id = l.relay_id WHERE l.removed_at = 0 ORDER BY l.id`)
}

// CountUnknown counts the messages whose outcome nobody knows yet.
func (r reader) CountUnknown(ctx context.Context) (int64, error) {
	var n int64
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE status = 'unknown' AND updated_at > 0").Scan(&n)
	return n, err
}

// CountPending counts the deliveries that are on their way or wait, those to webhooks
// that are switched off included.
func (r reader) CountPending(ctx context.Context) (int64, error) {
	var n int64
	err := r.stmts.row(ctx, "SELECT COALESCE(SUM((SELECT COUNT(*) FROM deliveries AS d WHERE d.webhook_id = w.id AND d.state = 'pending')), 0) FROM webhooks AS w").Scan(&n)
	return n, err
}

// WatchCommits has fn called after each commit with how many writers shared it and how
// long it took. fn must be quick: the next group waits.
func (s *Store) WatchCommits(fn func(writers int, took time.Duration)) { s.writer.watch.Store(&fn) }
