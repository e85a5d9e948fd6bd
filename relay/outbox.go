package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"bluerelay/wire"
)

// The outbox is the part of the journal that the cloud has not acknowledged yet: a
// report is written in the transaction of the fact it reports, and deleted when the
// cloud has committed it. Sequence numbers rise and are never given out twice.

func addReport(ctx context.Context, tx *sql.Tx, r wire.Report) error {
	data, err := encodeReport(r)
	if err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO outbox (report) VALUES (?)", string(data)); err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	return nil
}

// reports returns up to limit reports above seq, oldest first.
func (j *journal) reports(ctx context.Context, seq int64, limit int) ([]wire.Report, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT seq, report FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	defer rows.Close()
	var list []wire.Report
	for rows.Next() {
		var n int64
		var data string
		if err := rows.Scan(&n, &data); err != nil {
			return nil, fmt.Errorf("read the outbox: %w", err)
		}
		var r wire.Report
		if err := json.Unmarshal([]byte(data), &r); err != nil {
			return nil, fmt.Errorf("read the outbox: report %d: %w", n, err)
		}
		r.Seq = n
		list = append(list, r)
	}
	return list, rows.Err()
}

// acked deletes what the cloud has committed.
func (j *journal) acked(ctx context.Context, seq int64) error {
	return j.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE seq <= ?", seq)
		return err
	})
}

// high is the highest sequence number ever given out, also to reports that are
// gone.
func (j *journal) high(ctx context.Context) (int64, error) {
	var n sql.NullInt64
	err := j.db.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n.Int64, err
}
