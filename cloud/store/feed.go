package store

import (
	"context"
	"errors"
	"time"
)

// Told is an event as one dialect tells it.
type Told struct {
	AccountID string
	Dialect   string
	Seq       int64 // of the event, gap-free within the account
	EventID   string
	Type      string
	LineID    string // "" where it is about none
	Own       bool   // done by the owner on a device of his own: no webhook hears of it
	Body      string // the bytes that webhooks get, "" where the dialect does not tell it
	CreatedAt int64  // Unix ms
}

const toldColumns = "account_id, dialect, seq, event_id, type, line_id, own, body, created_at"

func scanTold(r scanner) (t Told, err error) {
	err = r.Scan(&t.AccountID, &t.Dialect, &t.Seq, &t.EventID, &t.Type, &t.LineID, &t.Own, &t.Body, &t.CreatedAt)
	return t, err
}

// Tell keeps how a dialect tells an event.
func (tx *Tx) Tell(t Told) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO event_bodies ("+toldColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		t.AccountID, t.Dialect, t.Seq, t.EventID, t.Type, t.LineID, flag(t.Own), t.Body, t.CreatedAt)
	return err
}

// Told returns an account's events after a number, as a dialect tells them, in their
// order.
func (r reader) Told(ctx context.Context, accountID, dialect string, after int64, limit int) ([]Told, error) {
	return collect(ctx, r, scanTold, "SELECT "+toldColumns+" FROM event_bodies WHERE account_id = $1 AND dialect = $2 AND seq > $3 ORDER BY seq LIMIT $4", accountID, dialect, after, limit)
}

// ToldEvent returns one event of an account, as a dialect tells it, or ErrNotFound.
func (r reader) ToldEvent(ctx context.Context, accountID, dialect, eventID string) (Told, error) {
	return scanTold(r.stmts.row(ctx, "SELECT "+toldColumns+" FROM event_bodies WHERE account_id = $1 AND dialect = $2 AND seq = (SELECT seq FROM events WHERE id = $3 AND account_id = $1)", accountID, dialect, eventID))
}

// eventDisorder is how much older an event may be than one before it in the log: a message may
// wait for its files until it is told, and whoever writes for those before him.
const eventDisorder = 2 * time.Minute

// FirstEventSince is the number of an account's first event that was made at a time or
// later, 0 where there is none. It reads some twenty events and those of eventDisorder,
// however long the log is.
func (r reader) FirstEventSince(ctx context.Context, accountID string, at int64) (seq int64, err error) {
	var low int64
	err = r.stmts.row(ctx, "SELECT seq FROM events WHERE account_id = $1 ORDER BY seq LIMIT 1", accountID).Scan(&low)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	high, err := r.LastEvent(ctx, accountID)
	if err != nil {
		return 0, err
	}
	for high++; low < high; {
		middle := low + (high-low)/2
		made, err := scanInt(r.stmts.row(ctx, "SELECT created_at FROM events WHERE account_id = $1 AND seq = $2", accountID, middle))
		if err != nil && !errors.Is(err, ErrNotFound) { // removed meanwhile, for its age
			return 0, err
		}
		if err != nil || made < at-eventDisorder.Milliseconds() {
			low = middle + 1
		} else {
			high = middle
		}
	}
	err = r.stmts.row(ctx, "SELECT seq FROM events WHERE account_id = $1 AND seq >= $2 AND created_at >= $3 ORDER BY seq LIMIT 1", accountID, low, at).Scan(&seq)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return seq, err
}

// LastEvent is the number of an account's newest event, 0 where it has had none.
func (r reader) LastEvent(ctx context.Context, accountID string) (seq int64, err error) {
	err = r.stmts.row(ctx, "SELECT event_seq FROM accounts WHERE id = $1", accountID).Scan(&seq)
	return seq, err
}

// EventID is the id of the event that has a number, or ErrNotFound.
func (r reader) EventID(ctx context.Context, accountID string, seq int64) (string, error) {
	return scanString(r.stmts.row(ctx, "SELECT id FROM events WHERE account_id = $1 AND seq = $2", accountID, seq))
}

// EventsBefore finds the oldest events of an account, at most limit, that were made
// before a time, and returns the number of the last of them and how many there are. It
// stops at the first that is younger: what is left of a log has no hole.
func (r reader) EventsBefore(ctx context.Context, accountID string, before int64, limit int) (last int64, n int, err error) {
	list, err := collect(ctx, r, func(r scanner) (e Event, err error) {
		err = r.Scan(&e.Seq, &e.CreatedAt)
		return e, err
	}, "SELECT seq, created_at FROM events WHERE account_id = $1 ORDER BY seq LIMIT $2", accountID, limit)
	for _, e := range list {
		if e.CreatedAt >= before {
			break
		}
		last = e.Seq
		n++
	}
	return last, n, err
}

// RemoveEvents removes an account's events up to a number, with all that was told of
// them and their deliveries.
func (tx *Tx) RemoveEvents(accountID string, upTo int64) error {
	for _, query := range []string{
		"DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE account_id = $1 AND seq <= $2)",
		"DELETE FROM event_bodies WHERE account_id = $1 AND seq <= $2",
		"DELETE FROM events WHERE account_id = $1 AND seq <= $2",
	} {
		if _, err := tx.stmts.exec(tx.ctx, query, accountID, upTo); err != nil {
			return err
		}
	}
	return nil
}
