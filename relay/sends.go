package relay

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// The states of a send in the journal.
//
//	received → armed → handed → observed
//	             │        └──→ unknown → observed
//	             └→ nosend → received (the next attempt)
//
// armed may also become observed directly: the row can be seen before osascript
// has ended.
const (
	stateReceived = "received" // ordered by the cloud, not begun
	stateArmed    = "armed"    // osascript may be running
	stateHanded   = "handed"   // osascript ended and something may have happened
	stateObserved = "observed" // a row is bound
	stateUnknown  = "unknown"  // no row within the settle window; still looked for
	stateNoSend   = "nosend"   // this attempt provably had no effect
)

// send is one message in the journal.
type send struct {
	message string
	attempt int
	state   string
	seq     int64
	handle  string
	service string
	text    string           // emptied once a row is bound or nothing can have been sent
	kind    applescript.Kind // how the target was named when it was armed
	noChat  bool             // an earlier attempt found that the chat's guid does not work
	mark    chatdb.Mark
	armedAt time.Time
	endedAt time.Time
	fault   *wire.Fault
	guid    string
	rowid   int64
	seen    chatdb.Seen
}

const sendColumns = "message, attempt, state, seq, handle, service, text, no_chat, mark_rowid, mark_guid, mark_file, armed_at, ended_at, fault, COALESCE(guid, ''), rowid_, seen, kind"

func scanSend(row interface{ Scan(...any) error }) (send, error) {
	var s send
	var armed, ended int64
	var fault, seen string
	err := row.Scan(&s.message, &s.attempt, &s.state, &s.seq, &s.handle, &s.service, &s.text, &s.noChat,
		&s.mark.RowID, &s.mark.GUID, &s.mark.File, &armed, &ended, &fault, &s.guid, &s.rowid, &seen, &s.kind)
	if err != nil {
		return s, err
	}
	s.armedAt, s.endedAt = fromMS(armed), fromMS(ended)
	if fault != "" {
		s.fault = new(wire.Fault)
		if err := json.Unmarshal([]byte(fault), s.fault); err != nil {
			return s, err
		}
	}
	return s, json.Unmarshal([]byte(seen), &s.seen)
}

func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (j *journal) querySends(ctx context.Context, where string, args ...any) ([]send, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT "+sendColumns+" FROM sends WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	var list []send
	for rows.Next() {
		s, err := scanSend(rows)
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// errStale says that an order belongs to an attempt that is over.
var errStale = errors.New("the order belongs to another attempt than the journal's")

// receive writes an order down. An order that is already there changes nothing; what
// has become of it is reported again. A new attempt is taken only where the former
// provably had no effect.
func (j *journal) receive(ctx context.Context, o wire.Send, now time.Time) error {
	return j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var attempt int
		var state string
		err := tx.QueryRowContext(ctx, "SELECT attempt, state FROM sends WHERE message = ?", o.Message).Scan(&attempt, &state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, "INSERT INTO sends (message, attempt, state, seq, handle, service, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
				o.Message, o.Attempt, stateReceived, o.Seq, o.To, o.Service, o.Text)
		case err != nil:
		case o.Attempt == attempt:
			return answerKnown(ctx, tx, o, now)
		case o.Attempt > attempt && state == stateNoSend:
			_, err = tx.ExecContext(ctx, "UPDATE sends SET attempt = ?, state = ?, text = ?, fault = '' WHERE message = ?",
				o.Attempt, stateReceived, o.Text, o.Message)
		case state == stateObserved || state == stateUnknown || state == stateNoSend:
			return answerKnown(ctx, tx, o, now)
		default:
			return errStale
		}
		if err != nil {
			return fmt.Errorf("receive an order: %w", err)
		}
		return addReport(ctx, tx, wire.Report{Kind: wire.Accepted, At: now.UnixMilli(), Message: o.Message, Attempt: o.Attempt})
	})
}

// answerKnown reports again what has become of a message that is ordered though the
// journal knows it: the cloud may have lost what it was told, with a database
// restored from a copy. Of one that is still on its way nothing is to be said.
func answerKnown(ctx context.Context, tx *sql.Tx, o wire.Send, now time.Time) error {
	s, err := scanSend(tx.QueryRowContext(ctx, "SELECT "+sendColumns+" FROM sends WHERE message = ?", o.Message))
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	r := wire.Report{At: now.UnixMilli(), Message: s.message, Attempt: o.Attempt, GUID: s.guid, Fault: s.fault}
	switch {
	case s.state == stateUnknown:
		r.Kind = wire.Unknown
	case s.state == stateNoSend:
		r.Kind, r.Again = wire.NoSend, true
	case s.state != stateObserved:
		return nil
	case s.seen.Error != 0:
		r.Kind, r.Fault = wire.Failed, &wire.Fault{Code: "messages_error", Number: s.seen.Error, Text: failureSentence(s.seen.Error)}
	case s.seen.Read:
		r.Kind, r.Fault = wire.Read, nil
	case s.seen.Delivered:
		r.Kind, r.Fault = wire.Delivered, nil
	case s.seen.Sent:
		r.Kind, r.Fault = wire.Sent, nil
	default:
		return nil // the row has not said anything yet
	}
	return addReport(ctx, tx, r)
}

// next is the oldest order that was not begun, or nil.
func (j *journal) next(ctx context.Context) (*send, error) {
	list, err := j.querySends(ctx, "state = ? ORDER BY seq LIMIT 1", stateReceived)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// arm records that osascript is about to start, and everything needed to recognise
// its row afterwards. Only when arm has returned without error may the child be
// started: an attempt that is not waiting in the journal is errStale.
func (j *journal) arm(ctx context.Context, s *send, mark chatdb.Mark, req applescript.Request, now time.Time) error {
	return j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sends SET state = ?, kind = ?, target = ?, mark_rowid = ?, mark_guid = ?, mark_file = ?, armed_at = ?, ended_at = 0, settle_at = 0
			WHERE message = ? AND attempt = ? AND state = ?`, stateArmed, req.Kind, req.Target, mark.RowID, mark.GUID, mark.File, now.UnixMilli(), s.message, s.attempt, stateReceived)
		if err != nil {
			return fmt.Errorf("arm a send: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, errStale)
		}
		return addReport(ctx, tx, wire.Report{Kind: wire.Sending, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt})
	})
}

// noSend records that an armed attempt had no effect.
func (j *journal) noSend(ctx context.Context, s *send, fault wire.Fault, again, noChat bool, now time.Time) error {
	return j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE sends SET state = ?, text = '', no_chat = max(no_chat, ?) WHERE message = ? AND attempt = ? AND state IN (?, ?)",
			stateNoSend, noChat, s.message, s.attempt, stateArmed, stateReceived)
		if err != nil {
			return fmt.Errorf("end a send: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err // a row was bound meanwhile: the row is the truth
		}
		return addReport(ctx, tx, wire.Report{Kind: wire.NoSend, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt, Fault: &fault, Again: again})
	})
}

// handed records that osascript has ended and may have had its effect. Until
// settle the row is awaited.
func (j *journal) handed(ctx context.Context, s *send, fault wire.Fault, now, settle time.Time) error {
	data, err := json.Marshal(fault)
	if err != nil {
		return err
	}
	return j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sends SET state = ?, ended_at = ?, settle_at = ?, fault = ? WHERE message = ? AND attempt = ? AND state = ?",
			stateHanded, now.UnixMilli(), settle.UnixMilli(), string(data), s.message, s.attempt, stateArmed)
		if err != nil {
			return fmt.Errorf("end a send: %w", err)
		}
		return nil
	})
}

// settle turns the sends whose window has passed into unknown and says how many.
func (j *journal) settle(ctx context.Context, now time.Time) (int, error) {
	due, err := j.querySends(ctx, "state = ? AND settle_at <= ? ORDER BY seq", stateHanded, now.UnixMilli())
	if err != nil || len(due) == 0 {
		return 0, err
	}
	settled := 0
	err = j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range due {
			res, err := tx.ExecContext(ctx, "UPDATE sends SET state = ? WHERE message = ? AND attempt = ? AND state = ?", stateUnknown, s.message, s.attempt, stateHanded)
			if err != nil {
				return fmt.Errorf("settle a send: %w", err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("settle a send: %w", err)
			}
			if n == 0 {
				continue // a row was bound meanwhile
			}
			settled++
			if err := addReport(ctx, tx, wire.Report{Kind: wire.Unknown, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt, Fault: s.fault}); err != nil {
				return err
			}
		}
		return nil
	})
	return settled, err
}

// nextSettle is when the next settle window ends; zero when none is open.
func (j *journal) nextSettle(ctx context.Context) (time.Time, error) {
	var ms sql.NullInt64
	err := j.db.QueryRowContext(ctx, "SELECT MIN(settle_at) FROM sends WHERE state = ?", stateHanded).Scan(&ms)
	return fromMS(ms.Int64), err
}

// left are the sends that an earlier run of the daemon began and did not end.
func (j *journal) left(ctx context.Context) ([]send, error) {
	return j.querySends(ctx, "state = ? ORDER BY seq", stateArmed)
}

// unresolved are the sends whose row has not been seen, oldest first, as far back
// as since.
func (j *journal) unresolved(ctx context.Context, since time.Time) ([]send, error) {
	return j.querySends(ctx, "state IN (?, ?, ?) AND armed_at >= ? ORDER BY armed_at, seq", stateArmed, stateHanded, stateUnknown, since.UnixMilli())
}

// maxFollowed bounds the rows of our own sends whose receipts are awaited.
const maxFollowed = 5000

// followed are the sends with a bound row that may still change, the newest of them:
// those armed after since and not read, and those armed after edited, read or not.
func (j *journal) followed(ctx context.Context, since, edited time.Time) ([]send, error) {
	return j.querySends(ctx, "state = ? AND armed_at >= ? AND (json_extract(seen, '$.read') IS NOT 1 OR armed_at >= ?) ORDER BY rowid_ DESC LIMIT ?",
		stateObserved, since.UnixMilli(), edited.UnixMilli(), maxFollowed)
}

// bound tells whether a row is already somebody's.
func (j *journal) bound(ctx context.Context, guid string) (bool, error) {
	var n int
	err := j.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sends WHERE guid = ?", guid).Scan(&n)
	return n > 0, err
}

// wroteTo tells whether a message was ever sent to that handle through the API.
func (j *journal) wroteTo(ctx context.Context, handle string) (bool, error) {
	var n int
	err := j.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM sends WHERE handle = ? COLLATE NOCASE LIMIT 1)", handle).Scan(&n)
	return n > 0, err
}

// saveRow binds a row to a send, or notes how a bound row has changed, and reports
// the changes.
func saveRow(ctx context.Context, tx *sql.Tx, s send, m chatdb.Message, changes []chatdb.Change, seen chatdb.Seen, now time.Time) error {
	state, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE sends SET state = ?, guid = ?, rowid_ = ?, seen = ?, text = '' WHERE message = ?",
		stateObserved, m.GUID, m.RowID, string(state), s.message)
	if err != nil {
		return fmt.Errorf("bind a row: %w", err)
	}
	for _, c := range changes {
		r := changeReport(m, c, now)
		r.Message, r.Attempt = s.message, s.attempt
		if err := addReport(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func failureSentence(code int) string {
	if code == 22 {
		return "The recipient is not reachable by iMessage (error 22)."
	}
	if name := chatdb.ErrorName(code); name != "" {
		return fmt.Sprintf("Messages could not send it: %s (error %d).", name, code)
	}
	return fmt.Sprintf("Messages could not send it (error %d).", code)
}
