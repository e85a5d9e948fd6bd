package relay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"bluerelay/wire"
)

// The files of a run of osascript say that it was made, whatever the journal says. So
// they stay until the cloud has acknowledged what became of the message: from then on
// it refuses a journal that is an old copy and would make the run again.

// forgetRuns removes the files of messages that are over and acknowledged, and those
// that no journal has known for a long time. It is called between two sends.
func (s *sender) forgetRuns(ctx context.Context, now time.Time) error {
	acked := s.acked.Load()
	if acked == s.swept {
		return nil
	}
	runs, err := s.script.Runs()
	if err != nil {
		return err
	}
	s.kept = 0
	for _, r := range runs {
		known, answered, err := s.journal.answered(ctx, strings.TrimSuffix(r.ID, "-"+partFile), acked)
		if err != nil {
			return err
		}
		if known && !answered || !known && now.Sub(r.Changed) < keptOrders {
			s.kept++
			continue
		}
		if err := s.script.Forget(r.ID, r.Attempt); err != nil {
			return err
		}
	}
	s.swept = acked
	return nil
}

// answered tells whether a message is over and its last report among those up to acked.
func (j *journal) answered(ctx context.Context, message string, acked int64) (known, answered bool, err error) {
	err = j.db.QueryRowContext(ctx, `SELECT final_seq BETWEEN 1 AND ? AND NOT EXISTS (SELECT 1 FROM sends WHERE sends.message = orders.message AND state IN (?, ?, ?))
		FROM orders WHERE message = ?`, acked, stateReceived, stateArmed, stateHanded, message).Scan(&answered)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read the journal: %w", err)
	}
	return true, answered, nil
}

// noteFinal remembers the number of a report that tells how far a message has come.
func noteFinal(ctx context.Context, tx *sql.Tx, r wire.Report, seq int64) error {
	switch r.Kind {
	case wire.NoSend, wire.Unknown, wire.Sent, wire.Delivered, wire.Read, wire.Failed:
	default:
		return nil
	}
	if r.Message == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "UPDATE orders SET final_seq = ? WHERE message = ?", seq, r.Message); err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	return nil
}
