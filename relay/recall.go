package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"bluerelay/fault"
	"bluerelay/wire"
)

// What was ordered and not begun can be taken back: by a cancel, by its time, for
// another Mac. Each is one transaction with the condition that nothing was begun, so
// that it either happens before the arming or not at all.

// givenBack is why an order was given back that was not begun.
func givenBack(code string) wire.Fault {
	text := "It was given back: another Mac takes this one's place."
	switch code {
	case wire.FaultCanceled:
		text = "It was canceled before it was begun."
	case wire.FaultExpired:
		text = "Its time had passed before it was begun."
	}
	return wire.Fault{Code: code, Text: text}
}

// cancel takes an attempt back that was not begun, also one whose order never came,
// so that it finds itself canceled when it does. Otherwise what has become of it is
// the answer. A cancel of an attempt that is over is void.
func (j *journal) cancel(ctx context.Context, c wire.Cancel, now time.Time) error {
	return j.write(ctx, fault.RelayCancel, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := lastAttempt(ctx, tx, c.Message)
		if err != nil {
			return err
		}
		switch {
		case len(rows) == 0:
			if err = addOrder(ctx, tx, wire.Send{Message: c.Message, Attempt: c.Attempt}, now); err != nil {
				break
			}
			if begun, err := j.adoptOne(ctx, tx, c.Message); begun || err != nil {
				return err
			}
		case c.Attempt < rows[0].attempt:
			return errStale
		case !allAre(rows, stateReceived) && !allNoSend(rows):
			return answerKnown(ctx, tx, c.Message, c.Attempt, now)
		case c.Attempt > rows[0].attempt && !allNoSend(rows):
			return errStale
		}
		if err != nil {
			return fmt.Errorf("cancel an order: %w", err)
		}
		if len(rows) > 0 && rows[0].attempt != c.Attempt {
			if _, err := tx.ExecContext(ctx, "UPDATE sends SET attempt = ? WHERE message = ? AND attempt = ?", c.Attempt, c.Message, rows[0].attempt); err != nil {
				return fmt.Errorf("cancel an order: %w", err)
			}
		}
		return giveBack(ctx, tx, c.Message, c.Attempt, givenBack(wire.FaultCanceled), false, now)
	})
}

// giveBack ends an attempt of which nothing was begun, and reports it.
func giveBack(ctx context.Context, tx *sql.Tx, message string, attempt int, fault wire.Fault, again bool, now time.Time) error {
	if err := endUnbegun(ctx, tx, message, attempt, fault, again); err != nil {
		return err
	}
	return addReport(ctx, tx, wire.Report{Kind: wire.NoSend, At: now.UnixMilli(), Message: message, Attempt: attempt, Fault: &fault, Again: again}, now)
}

func endUnbegun(ctx context.Context, tx *sql.Tx, message string, attempt int, fault wire.Fault, again bool) error {
	data, err := json.Marshal(fault)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE sends SET state = ?, text = '', fault = ?, again = ? WHERE message = ? AND attempt = ? AND state IN (?, ?)",
		stateNoSend, string(data), again, message, attempt, stateReceived, stateNoSend)
	if err != nil {
		return fmt.Errorf("give an order back: %w", err)
	}
	return nil
}

// expire gives back the orders whose time has passed before they were begun, and says
// how many.
func (j *journal) expire(ctx context.Context, now time.Time) (int, error) {
	return j.giveBackAll(ctx, fault.RelayExpire, "expires_at > 0 AND expires_at <= ? AND "+unbegun, []any{now.UnixMilli()}, givenBack(wire.FaultExpired), false, now)
}

// release gives back all orders that were not begun: another Mac may have them. What
// was begun is finished.
func (j *journal) release(ctx context.Context, now time.Time) error {
	_, err := j.giveBackAll(ctx, fault.RelayRelease, unbegun, nil, givenBack(wire.FaultReleased), true, now)
	return err
}

func (j *journal) giveBackAll(ctx context.Context, point fault.Point, where string, args []any, fault wire.Fault, again bool, now time.Time) (int, error) {
	n := 0
	list, err := j.querySends(ctx, where, args...)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	err = j.write(ctx, point, func(ctx context.Context, tx *sql.Tx) error {
		list, err := querySends(ctx, tx, where+" ORDER BY seq, part", args...)
		if err != nil {
			return err
		}
		for i, s := range list {
			if i > 0 && list[i-1].message == s.message {
				continue // the other part of the same order
			}
			if err := giveBack(ctx, tx, s.message, s.attempt, fault, again, now); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// retire drops what was not begun, without a word: the cloud no longer counts on this
// Mac. A text whose file was begun is not sent any more, and nobody says whether it was:
// the journal may be a copy from before that. That it is so outlives a cloud that is put
// back to a copy from before: the other Mac may have sent what such a cloud orders here.
func (j *journal) retire(ctx context.Context, now time.Time) error {
	return j.write(ctx, fault.RelayFence, func(ctx context.Context, tx *sql.Tx) error {
		if err := setMeta(ctx, tx, metaRetired, "1"); err != nil {
			return err
		}
		return fence(ctx, tx, now)
	})
}

// retired tells whether another Mac has taken this one's place since it was paired.
func (j *journal) retired(ctx context.Context) (bool, error) {
	mark, err := j.meta(ctx, metaRetired)
	return mark != "", err
}

func fence(ctx context.Context, tx *sql.Tx, now time.Time) error {
	list, err := querySends(ctx, tx, "state = ?", stateReceived)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := leaveOpen(ctx, tx, s); err != nil {
			return err
		}
		if err := endUnbegun(ctx, tx, s.message, s.attempt, givenBack(wire.FaultReleased), true); err != nil {
			return err
		}
	}
	for _, s := range list {
		if s.second() {
			if err := tell(ctx, tx, s.message, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveOpen ends a text whose file was begun as one of which nobody knows. No row is
// looked for: this journal does not know of a run that could have made one.
func leaveOpen(ctx context.Context, tx *sql.Tx, s send) error {
	data, err := json.Marshal(wire.Fault{Code: wire.FaultUnknown, Text: "Whether the text followed its file is not known: this Mac was replaced or paired again."})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE sends SET state = ?, text = '', fault = ?, armed_at = 0 WHERE message = ? AND part = ? AND attempt = ? AND state = ?
		AND EXISTS (SELECT 1 FROM sends f WHERE f.message = sends.message AND f.attempt = sends.attempt AND f.part = ? AND f.state IN (?, ?, ?))`,
		stateUnknown, string(data), s.message, partText, s.attempt, stateReceived, partFile, stateArmed, stateHanded, stateObserved)
	if err != nil {
		return fmt.Errorf("give an order back: %w", err)
	}
	return nil
}
