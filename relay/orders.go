package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bluerelay/fault"
	"bluerelay/wire"
)

// An order is one message that the cloud wants sent. It counts by its attempt: of
// each attempt at most one effect leaves the Mac, and a new attempt is taken only
// where the former provably had none, or has a row that says why it failed.

// errStale says that an order belongs to an attempt that is over.
var errStale = errors.New("the order belongs to another attempt than the journal's")

// receive writes an order down. An order that is already there changes nothing; what
// has become of it is reported again. A new attempt is taken only where the former
// provably had no effect, or failed by iMessage and is to go by SMS.
func (j *journal) receive(ctx context.Context, o wire.Send, now time.Time) error {
	if strings.Contains(o.To, "@") {
		o.To = strings.ToLower(o.To) // as Messages keeps them
	}
	return j.write(ctx, fault.RelayReceive, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := lastAttempt(ctx, tx, o.Message)
		if err != nil {
			return err
		}
		switch {
		case len(rows) == 0:
			err = addOrder(ctx, tx, o, now)
		case o.Attempt == rows[0].attempt:
			return answerKnown(ctx, tx, o.Message, o.Attempt, now)
		case o.Attempt > rows[0].attempt && (allNoSend(rows) && !final(rows[0].fault) || fallsBack(o, rows)):
			err = renewOrder(ctx, tx, o, rows, now)
		case !underway(rows):
			return answerKnown(ctx, tx, o.Message, o.Attempt, now)
		default:
			return errStale
		}
		if err == nil {
			err = addReport(ctx, tx, wire.Report{Kind: wire.Accepted, At: now.UnixMilli(), Message: o.Message, Attempt: o.Attempt}, now)
		}
		if err != nil {
			return fmt.Errorf("receive an order: %w", err)
		}
		_, err = j.adoptOne(ctx, tx, o.Message)
		return err
	})
}

// lastAttempt are the parts of the last attempt at a message.
func lastAttempt(ctx context.Context, q querier, message string) ([]send, error) {
	return querySends(ctx, q, "message = ? AND attempt = (SELECT MAX(o.attempt) FROM sends o WHERE o.message = sends.message) ORDER BY part", message)
}

func allNoSend(rows []send) bool { return allAre(rows, stateNoSend) }

func allAre(rows []send, state string) bool {
	for _, s := range rows {
		if s.state != state {
			return false
		}
	}
	return true
}

// underway tells whether an attempt is still on its way.
func underway(rows []send) bool {
	for _, s := range rows {
		if s.state == stateReceived || s.state == stateArmed || s.state == stateHanded {
			return true
		}
	}
	return false
}

// final tells whether a message is over for good, whatever another attempt could do.
func final(f *wire.Fault) bool {
	return f != nil && (f.Code == wire.FaultCanceled || f.Code == wire.FaultExpired)
}

// fallsBack tells whether an order sends by SMS what has failed by iMessage.
func fallsBack(o wire.Send, rows []send) bool {
	s := rows[0]
	return o.Service == wire.ServiceSMS && o.File == nil && len(rows) == 1 && s.part == partText && s.notReachable()
}

// notReachable tells whether a row says that its recipient is not on iMessage.
func (s send) notReachable() bool {
	return s.state == stateObserved && s.seen.Error >= wire.FirstNotReached && s.seen.Error <= wire.LastNotReached
}

func addOrder(ctx context.Context, tx *sql.Tx, o wire.Send, now time.Time) error {
	file, err := encodeFile(o.File)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO orders (message, seq, handle, chat, service, file, received_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		o.Message, o.Seq, o.To, o.Group, o.Service, file, now.UnixMilli(), deadline(o, now))
	if err != nil {
		return err
	}
	if err := noteWrote(ctx, tx, o.To); err != nil {
		return err
	}
	return addParts(ctx, tx, o)
}

// encodeFile gives "" for no file.
func encodeFile(f *wire.File) (string, error) {
	if f == nil {
		return "", nil
	}
	data, err := json.Marshal(f)
	return string(data), err
}

// deadline is by this Mac's clock, which goes on while it sleeps.
func deadline(o wire.Send, now time.Time) int64 {
	if o.ExpiresIn == 0 {
		return 0
	}
	return now.UnixMilli() + max(o.ExpiresIn, 0)
}

// addParts writes the parts of an attempt. Their runs are counted on from those of the
// former attempt, whose files are still there.
func addParts(ctx context.Context, tx *sql.Tx, o wire.Send) error {
	add := func(part, text string) error {
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO sends (message, part, attempt, state, text, run)
			VALUES (?1, ?2, ?3, ?4, ?5, (SELECT COALESCE(MAX(run), 0) FROM sends WHERE message = ?1 AND part = ?2))`, o.Message, part, o.Attempt, stateReceived, text)
		return err
	}
	if o.File != nil {
		if err := add(partFile, ""); err != nil {
			return err
		}
	}
	if o.Text != "" || o.File == nil {
		return add(partText, o.Text)
	}
	return nil
}

// renewOrder begins another attempt. Parts without a row go over to it, with what was
// learned of their target and the time before which they do not begin; a row of the former
// attempt stays and is followed.
func renewOrder(ctx context.Context, tx *sql.Tx, o wire.Send, rows []send, now time.Time) error {
	file, err := encodeFile(o.File)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE orders SET final_seq = 0, service = ?, staged = CASE WHEN file = ? THEN staged ELSE '' END, file = ?, expires_at = ? WHERE message = ?",
		o.Service, file, file, deadline(o, now), o.Message)
	if err != nil {
		return err
	}
	if !allNoSend(rows) {
		return addParts(ctx, tx, o)
	}
	_, err = tx.ExecContext(ctx, "UPDATE sends SET attempt = ?, state = ?, text = CASE part WHEN 'text' THEN ? ELSE '' END, fault = '', again = 0, tries = 0 WHERE message = ? AND attempt = ?",
		o.Attempt, stateReceived, o.Text, o.Message, rows[0].attempt)
	if err != nil {
		return err
	}
	// The parts are those of the order, also where a cloud has changed its mind.
	_, err = tx.ExecContext(ctx, "DELETE FROM sends WHERE message = ? AND attempt = ? AND CASE part WHEN 'file' THEN ? = '' ELSE ? = '' AND ? != '' END", o.Message, o.Attempt, file, o.Text, file)
	if err != nil {
		return err
	}
	return addParts(ctx, tx, o)
}

// answerKnown reports again what has become of a message that is ordered though the
// journal knows it: the cloud may have lost what it was told, with a database
// restored from a copy. Of one that is still on its way nothing is to be said.
func answerKnown(ctx context.Context, tx *sql.Tx, message string, attempt int, now time.Time) error {
	w, err := loadWhole(ctx, tx, message)
	if err != nil {
		return err
	}
	r := wire.Report{At: now.UnixMilli(), Message: message, Attempt: attempt}
	if parts := w.current(); allNoSend(parts) {
		r.Kind, r.Again, r.Fault = wire.NoSend, parts[0].again, parts[0].fault
	} else if r.Kind, r.Fault, r.GUID = w.verdict(); r.Kind == "" {
		return nil
	}
	r.Rows = w.others(r.GUID)
	return addReport(ctx, tx, r, now)
}

// withdraw undoes an attempt that has become needless: the row of the former one no
// longer says that it has failed. What becomes of that row is told by whoever reads it;
// until then it may have been sent.
func (j *journal) withdraw(ctx context.Context, s *send, now time.Time) error {
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM sends WHERE message = ? AND part = ? AND attempt = ? AND state = ?", s.message, s.part, s.attempt, stateReceived)
		if err != nil {
			return fmt.Errorf("withdraw an attempt: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		// The former attempt's row is the message's from now on, also where it fails again.
		former, err := lastAttempt(ctx, tx, s.message)
		if err != nil || len(former) == 0 {
			return err
		}
		fault := wire.Fault{Code: wire.FaultUnknown, Text: "Messages itself may have sent it after it had failed."}
		return addReport(ctx, tx, wire.Report{Kind: wire.Unknown, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt, GUID: former[0].guid, Fault: &fault}, now)
	})
}

// keptOrders is how long an order is remembered after it is over. An order that comes
// once more within that time, from a cloud that was restored from a copy, is answered
// and not sent again.
const keptOrders = 30 * 24 * time.Hour

// forgetOrders deletes orders that are over and older than keptOrders, and of whose end
// the cloud has heard: it gives any other again with each hello, to a journal that would
// not know it. acked is the last report that the cloud has committed. What was dropped
// without a word, because another Mac has the line, had no effect.
func (j *journal) forgetOrders(ctx context.Context, acked int64, now time.Time) error {
	return j.write(ctx, fault.RelayPrune, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM orders WHERE received_at < ?
			AND (final_seq BETWEEN 1 AND ? OR final_seq = 0 AND NOT EXISTS (SELECT 1 FROM sends WHERE sends.message = orders.message AND state != ?))
			AND NOT EXISTS (SELECT 1 FROM sends WHERE sends.message = orders.message AND (state IN (?, ?, ?) OR armed_at >= ?))`,
			now.Add(-keptOrders).UnixMilli(), acked, stateNoSend, stateReceived, stateArmed, stateHanded, now.Add(-keptOrders).UnixMilli())
		if err != nil {
			return fmt.Errorf("forget old orders: %w", err)
		}
		return nil
	})
}
