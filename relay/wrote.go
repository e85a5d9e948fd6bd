package relay

import (
	"context"
	"database/sql"
	"fmt"
)

// wroteSchema holds whom the API has written to, for as long as the journal belongs to the
// same line: their answers, STOP among them, may come long after the order is forgotten.
//
// It is run at each opening. The table came later than the journal, whose version stays,
// so that a former program opens it too where an update is taken back; whom that one was
// ordered to write to is in its orders.
const wroteSchema = `
CREATE TABLE IF NOT EXISTS wrote (handle TEXT PRIMARY KEY COLLATE NOCASE) WITHOUT ROWID;
INSERT OR IGNORE INTO wrote (handle) SELECT handle FROM orders WHERE handle != '';
`

// noteWrote remembers the person of an order; a group, which has no handle, is nobody.
func noteWrote(ctx context.Context, tx *sql.Tx, handle string) error {
	if handle == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO wrote (handle) VALUES (?)", handle)
	return err
}

// wroteTo tells whether the API was ever to write to that handle; never to nobody, which
// is the handle of what the owner himself did in a group.
func (j *journal) wroteTo(ctx context.Context, handle string) (bool, error) {
	var n int
	err := j.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM wrote WHERE handle = ?", handle).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read the journal: %w", err)
	}
	return n > 0, nil
}
