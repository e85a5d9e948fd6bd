package relay

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bluerelay/fault"
	"bluerelay/wire"
)

// The outbox is the part of the journal that the cloud is told: a report is written
// in the transaction of the fact it reports. Sequence numbers rise one by one and are
// never given out twice. What the cloud has acknowledged is kept for a while: a cloud
// that was restored from a copy asks for it again.

func addReport(ctx context.Context, tx *sql.Tx, r wire.Report, now time.Time) error {
	r.Token = rand.Text()[:13]
	data, err := encodeReport(r)
	if err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO outbox (at, report) VALUES (?, ?)", now.UnixMilli(), string(data))
	if err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	return noteFinal(ctx, tx, r, seq)
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

// lastReport is the last report about a message of ours, empty where there is none. It
// reads reports from the newest on: it is for people who wait for one message.
func (j *journal) lastReport(ctx context.Context, message string) (r wire.Report, err error) {
	var data string
	err = j.db.QueryRowContext(ctx, "SELECT report FROM outbox WHERE json_extract(report, '$.message') = ? ORDER BY seq DESC LIMIT 1", message).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the outbox: %w", err)
	}
	return r, nil
}

// gaveOut tells whether a report of this journal is the one that the cloud has under a
// number. Reports that are forgotten by now are taken to be.
func (j *journal) gaveOut(ctx context.Context, seq int64, token string) (bool, error) {
	var own sql.NullString
	var older bool
	err := j.db.QueryRowContext(ctx, "SELECT (SELECT json_extract(report, '$.token') FROM outbox WHERE seq = ?1), EXISTS (SELECT 1 FROM outbox WHERE seq <= ?1)", seq).Scan(&own, &older)
	if err != nil {
		return false, fmt.Errorf("read the outbox: %w", err)
	}
	return own.String == token || !own.Valid && !older, nil
}

// How long acknowledged reports are kept, and how many of them.
const (
	keptFor     = 7 * 24 * time.Hour
	keptReports = 20_000
)

// forgetReports deletes what the cloud has committed, up to acked, and will not ask
// for again: reports older than keptFor and all but the last keptReports. What stays has
// no gaps, also after a clock was set.
func (j *journal) forgetReports(ctx context.Context, acked int64, now time.Time) error {
	return j.write(ctx, fault.RelayAcked, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE seq <= ? AND (seq <= ? OR seq < (SELECT COALESCE(MIN(seq), ?) FROM outbox WHERE at >= ?))`,
			acked, acked-keptReports, acked+1, now.Add(-keptFor).UnixMilli())
		if err != nil {
			return fmt.Errorf("forget reports: %w", err)
		}
		return nil
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
