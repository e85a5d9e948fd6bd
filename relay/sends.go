package relay

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/fault"
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
	stateObserved = "observed" // a row is bound; see silent.go for one that says nothing
	stateUnknown  = "unknown"  // no row within the settle window; still looked for
	stateNoSend   = "nosend"   // this attempt provably had no effect
)

// The parts of a message, in the order in which they are sent. Each is one run of
// osascript and one row in chat.db.
const (
	partFile = "file"
	partText = "text"
)

// send is one part of one attempt at a message in the journal, with what its order
// says.
type send struct {
	message string
	part    string
	attempt int
	state   string
	seq     int64
	handle  string     // of a person; empty for a group
	chat    string     // guid of a group; empty for a person
	service string     // as ordered: one of wire's services
	file    *wire.File // that the message has, also on the part that is its text
	staged  string     // where the file lies below the folder of attachments; empty until it does
	text    string     // emptied once a row is bound or nothing can have been sent
	run     int        // counts the armings of this part, so that each has files of its own

	via     string           // the service by which it was armed
	kind    applescript.Kind // how the target was named when it was armed
	noChat  bool             // an earlier run found that the chat's guid does not work
	mark    chatdb.Mark
	armedAt time.Time
	endedAt time.Time
	settled time.Time // when its row is, or was, no longer awaited
	fault   *wire.Fault
	again   bool // of nosend: another attempt may succeed
	guid    string
	rowid   int64
	seen    chatdb.Seen
}

// runID names the runs of osascript for this part; together with run it is used once.
func (s send) runID() string {
	if s.part == partFile {
		return s.message + "-" + partFile
	}
	return s.message
}

// second tells whether the part follows another one.
func (s send) second() bool { return s.part == partText && s.file != nil }

// same tells whether both are the same entry of the journal.
func (s send) same(t send) bool {
	return s.message == t.message && s.part == t.part && s.attempt == t.attempt
}

const sendColumns = `message, part, attempt, state, seq, handle, orders.chat, service, file, staged, text, run, via, kind, no_chat,
	mark_rowid, mark_guid, mark_file, armed_at, ended_at, settle_at, fault, again, COALESCE(guid, ''), rowid_, seen`

const selectSends = "SELECT " + sendColumns + " FROM sends JOIN orders USING (message) WHERE "

func scanSend(row interface{ Scan(...any) error }) (send, error) {
	var s send
	var armed, ended, settled int64
	var file, fault, seen string
	err := row.Scan(&s.message, &s.part, &s.attempt, &s.state, &s.seq, &s.handle, &s.chat, &s.service, &file, &s.staged, &s.text, &s.run, &s.via, &s.kind, &s.noChat,
		&s.mark.RowID, &s.mark.GUID, &s.mark.File, &armed, &ended, &settled, &fault, &s.again, &s.guid, &s.rowid, &seen)
	if err != nil {
		return s, err
	}
	s.armedAt, s.endedAt, s.settled = fromMS(armed), fromMS(ended), fromMS(settled)
	if file != "" {
		s.file = new(wire.File)
		if err := json.Unmarshal([]byte(file), s.file); err != nil {
			return s, err
		}
	}
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

// querier is the database or a transaction in it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func querySends(ctx context.Context, q querier, where string, args ...any) ([]send, error) {
	rows, err := q.QueryContext(ctx, selectSends+where, args...)
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

func (j *journal) querySends(ctx context.Context, where string, args ...any) ([]send, error) {
	return querySends(ctx, j.db, where, args...)
}

// unbegun is, of a send, that nothing of its attempt was begun.
const unbegun = `state = 'received' AND NOT EXISTS (SELECT 1 FROM sends o WHERE o.message = sends.message AND o.attempt = sends.attempt AND o.state != 'received')`

// ready is, of a send that was not begun, that it may begin: a file that lies where
// Messages can read it, and a text whose file, if it has one, is in a row that says
// sent. A file by SMS says so at once.
const ready = `state = 'received' AND retry_at <= ? AND CASE
	WHEN part = 'file' THEN staged != ''
	WHEN file != '' THEN EXISTS (SELECT 1 FROM sends f WHERE f.message = sends.message AND f.attempt = sends.attempt AND f.part = 'file'
		AND f.state = 'observed' AND json_extract(f.seen, '$.sent') AND json_extract(f.seen, '$.error') IS NULL)
	ELSE 1 END`

// next is the oldest send that may begin, or nil.
func (j *journal) next(ctx context.Context, now time.Time) (*send, error) {
	list, err := j.querySends(ctx, ready+" ORDER BY seq, part LIMIT 1", now.UnixMilli())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// arm records that osascript is about to start, and everything needed to recognise
// its row afterwards. Only when arm has returned without error may the child be
// started: a send that is not waiting in the journal, or whose time has passed, is
// errStale.
func (j *journal) arm(ctx context.Context, s *send, mark chatdb.Mark, req applescript.Request, now time.Time) error {
	return j.write(ctx, fault.RelayArm, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sends SET state = ?, run = ?, via = ?, kind = ?, target = ?, mark_rowid = ?, mark_guid = ?, mark_file = ?,
				armed_at = ?, ended_at = 0, settle_at = 0, fault = '', again = 0
			WHERE message = ? AND part = ? AND attempt = ? AND state = ? AND run = ?
				AND (? OR NOT EXISTS (SELECT 1 FROM orders WHERE orders.message = sends.message AND expires_at > 0 AND expires_at <= ?))`,
			stateArmed, s.run+1, s.via, req.Kind, req.Target, mark.RowID, mark.GUID, mark.File, now.UnixMilli(),
			s.message, s.part, s.attempt, stateReceived, s.run, s.second(), now.UnixMilli())
		if err != nil {
			return fmt.Errorf("arm a send: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, errStale)
		}
		s.run++
		if s.second() {
			return nil // the file has said so for both
		}
		return addReport(ctx, tx, wire.Report{Kind: wire.Sending, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt}, now)
	})
}

// The tries at a text whose file is there already: they are this Mac's own business,
// because another attempt would send the file again.
const (
	maxRuns    = 5
	firstPause = time.Second // before the second run; it doubles with each
)

// noSend records that an armed or waiting send had no effect. With it goes what
// follows it. Where the file of the message is out already, the text is tried again,
// or the message has failed.
func (j *journal) noSend(ctx context.Context, s *send, why wire.Fault, again, noChat bool, now time.Time) error {
	data, err := json.Marshal(why)
	if err != nil {
		return err
	}
	return j.write(ctx, fault.RelayNoSend, func(ctx context.Context, tx *sql.Tx) error {
		state, retry := stateNoSend, int64(0)
		if s.second() && again && s.run < maxRuns {
			w, err := loadWhole(ctx, tx, s.message)
			if err != nil {
				return err
			}
			// A file that has failed meanwhile takes its text with it, as told.
			if kind, _, _ := w.verdict(); kind != wire.Failed {
				state, retry = stateReceived, now.Add(firstPause<<max(s.run-1, 0)).UnixMilli()
			}
		}
		if again && state == stateNoSend && fruitless(applescript.Reason(why.Code)) {
			retry = now.Add(pauseAfter(s.attempt)).UnixMilli() // for the next attempt
		}
		res, err := tx.ExecContext(ctx, `UPDATE sends SET state = ?, text = CASE ? WHEN 'nosend' THEN '' ELSE text END, retry_at = ?, fault = ?, again = ?, no_chat = max(no_chat, ?)
			WHERE message = ? AND part = ? AND attempt = ? AND state IN (?, ?)`,
			state, state, retry, string(data), again, noChat, s.message, s.part, s.attempt, stateArmed, stateReceived)
		if err != nil {
			return fmt.Errorf("end a send: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 || state == stateReceived {
			return err // a row was bound meanwhile: the row is the truth
		}
		if s.second() {
			return tell(ctx, tx, s.message, now)
		}
		if err := dropRest(ctx, tx, *s); err != nil {
			return err
		}
		return addReport(ctx, tx, wire.Report{Kind: wire.NoSend, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt, Fault: &why, Again: again}, now)
	})
}

// putOff lets others go before a send that waits.
func (j *journal) putOff(ctx context.Context, s *send, until time.Time) error {
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sends SET retry_at = ? WHERE message = ? AND part = ? AND attempt = ? AND state = ?",
			until.UnixMilli(), s.message, s.part, s.attempt, stateReceived)
		if err != nil {
			return fmt.Errorf("put a send off: %w", err)
		}
		return nil
	})
}

// handed records that osascript has ended and may have had its effect. Until
// settle the row is awaited.
func (j *journal) handed(ctx context.Context, s *send, why wire.Fault, now, settle time.Time) error {
	data, err := json.Marshal(why)
	if err != nil {
		return err
	}
	return j.write(ctx, fault.RelayHanded, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sends SET state = ?, ended_at = ?, settle_at = ?, fault = ? WHERE message = ? AND part = ? AND attempt = ? AND state = ?",
			stateHanded, now.UnixMilli(), settle.UnixMilli(), string(data), s.message, s.part, s.attempt, stateArmed)
		if err == nil {
			// Of a row that was bound meanwhile it is still worth knowing when osascript ended.
			_, err = tx.ExecContext(ctx, "UPDATE sends SET ended_at = ? WHERE message = ? AND part = ? AND attempt = ? AND state = ? AND ended_at = 0",
				now.UnixMilli(), s.message, s.part, s.attempt, stateObserved)
		}
		if err != nil {
			return fmt.Errorf("end a send: %w", err)
		}
		return nil
	})
}

// due are the sends whose window has passed. One that has ended in the future was given
// its window by a clock that was set back since, while no daemon saw it.
func (j *journal) due(ctx context.Context, now time.Time) ([]send, error) {
	return j.querySends(ctx, "state = ? AND (settle_at <= ? OR ended_at > ?) ORDER BY seq", stateHanded, now.UnixMilli(), now.Add(clockSlack).UnixMilli())
}

// settle turns the sends that are due into unknown and says how many.
func (j *journal) settle(ctx context.Context, now time.Time) (int, error) {
	due, err := j.due(ctx, now)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	settled := 0
	err = j.write(ctx, fault.RelaySettle, func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range due {
			res, err := tx.ExecContext(ctx, "UPDATE sends SET state = ? WHERE message = ? AND part = ? AND attempt = ? AND state = ?", stateUnknown, s.message, s.part, s.attempt, stateHanded)
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
			if err := dropRest(ctx, tx, s); err != nil {
				return err
			}
			if err := tell(ctx, tx, s.message, now); err != nil {
				return err
			}
		}
		return nil
	})
	return settled, err
}

// nextDue is when time alone will change something: the next end of a settle window,
// of an order's time, or of a pause before another try; zero when nothing waits.
func (j *journal) nextDue(ctx context.Context, now time.Time) (time.Time, error) {
	var ms sql.NullInt64
	err := j.db.QueryRowContext(ctx, `SELECT MIN(at) FROM (
		SELECT MIN(settle_at) AS at FROM sends WHERE state = ?
		UNION ALL SELECT MIN(expires_at) FROM sends JOIN orders USING (message) WHERE expires_at > 0 AND `+unbegun+`
		UNION ALL SELECT MIN(retry_at) FROM sends WHERE state = ? AND retry_at > ?)`,
		stateHanded, stateReceived, now.UnixMilli()).Scan(&ms)
	return fromMS(ms.Int64), err
}

// left are the sends that an earlier run of the daemon began and did not end.
func (j *journal) left(ctx context.Context) ([]send, error) {
	return j.querySends(ctx, "state = ? ORDER BY seq", stateArmed)
}

// unresolved are the sends whose row has not been seen, oldest first, as far back
// as since.
func (j *journal) unresolved(ctx context.Context, since time.Time) ([]send, error) {
	return j.querySends(ctx, "state IN (?, ?, ?) AND armed_at >= ? ORDER BY armed_at, seq, part", stateArmed, stateHanded, stateUnknown, since.UnixMilli())
}

// bound tells whether a row is already somebody's.
func (j *journal) bound(ctx context.Context, guid string) (bool, error) {
	var n int
	err := j.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sends WHERE guid = ?", guid).Scan(&n)
	return n > 0, err
}
