package relay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// A run of osascript leaves files in this folder of the state folder, after the journal
// has said that it begins. Where there are files of a run that the journal does not know,
// the journal is an old copy, put back without them: the run was made all the same. The
// cloud does not see each such copy, because a run tells it nothing before it is over.
const sendsFolder = "sends"

// adopt takes for begun what the journal has as waiting, and of which there are files.
// What became of it is then found out as after any other end of the daemon.
func (j *journal) adopt(ctx context.Context, dir string) error {
	runs, err := (&applescript.Sender{Dir: dir}).Runs()
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(runs) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	j.made = make(map[string]applescript.Run)
	for _, r := range runs {
		if r.Attempt > j.made[r.ID].Attempt {
			j.made[r.ID] = r
		}
	}
	waiting, err := j.querySends(ctx, "state = ?", stateReceived)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range waiting {
			if _, err := j.adoptOne(ctx, tx, s.message); err != nil {
				return err
			}
		}
		return nil
	})
}

// adoptOne does it for the parts of one message, and tells whether there was anything.
// Nothing is known of the run but when it began: its row is found by that time.
func (j *journal) adoptOne(ctx context.Context, tx *sql.Tx, message string) (bool, error) {
	var began time.Time
	for _, part := range []string{partFile, partText} {
		made, ok := j.made[send{message: message, part: part}.runID()]
		if !ok {
			continue
		}
		res, err := tx.ExecContext(ctx, `UPDATE sends SET state = ?1, run = ?2, armed_at = ?3, mark_rowid = 0, mark_guid = '', mark_file = '', fault = '', again = 0
			WHERE message = ?4 AND part = ?5 AND state = ?6 AND run < ?2`,
			stateArmed, made.Attempt, made.Began.UnixMilli(), message, part, stateReceived)
		if err != nil {
			return false, fmt.Errorf("adopt a run: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, fmt.Errorf("adopt a run: %w", err)
		}
		if n > 0 && (began.IsZero() || made.Began.Before(began)) {
			began = made.Began
		}
	}
	if began.IsZero() {
		return false, nil
	}
	j.adopted.Store(true)
	rows, err := lastAttempt(ctx, tx, message)
	if err != nil || len(rows) == 0 {
		return true, err
	}
	return true, addReport(ctx, tx, wire.Report{Kind: wire.Sending, At: began.UnixMilli(), Message: message, Attempt: rows[0].attempt}, began)
}
