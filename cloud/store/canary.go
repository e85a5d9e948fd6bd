package store

import "context"

// Canary is the daily message of a line to itself, by which its Mac proves that it sends.
// A line without one has none.
type Canary struct {
	LineID    string
	DueAt     int64  // Unix ms: when the next message goes, or the one that is out is judged
	MessageID string // of the last message, "" before the first
	Waiting   bool   // it is out
	ProvedAt  int64  // Unix ms, when one was last seen to be sent, 0 for never
	Failure   string // a sentence where the last one was not, else ""
}

const canaryColumns = "line_id, due_at, message_id, waiting, proved_at, failure"

func scanCanary(r scanner) (c Canary, err error) {
	err = r.Scan(&c.LineID, &c.DueAt, &c.MessageID, &c.Waiting, &c.ProvedAt, &c.Failure)
	return c, err
}

// Canary returns that of a line, or ErrNotFound.
func (r reader) Canary(ctx context.Context, lineID string) (Canary, error) {
	return scanCanary(r.stmts.row(ctx, "SELECT "+canaryColumns+" FROM canaries WHERE line_id = $1", lineID))
}

// CanariesDue returns at most limit of those of lines in use that are due at now, Unix ms.
func (r reader) CanariesDue(ctx context.Context, now int64, limit int) ([]Canary, error) {
	return collect(ctx, r, scanCanary, "SELECT "+canaryColumns+` FROM canaries WHERE due_at <= $1
		AND EXISTS (SELECT 1 FROM lines WHERE lines.id = canaries.line_id AND removed_at = 0) ORDER BY due_at LIMIT $2`, now, limit)
}

// PutCanary writes a line's canary, a new one too.
func (tx *Tx) PutCanary(c Canary) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO canaries ("+canaryColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (line_id) DO UPDATE SET
		due_at = excluded.due_at, message_id = excluded.message_id, waiting = excluded.waiting, proved_at = excluded.proved_at, failure = excluded.failure`,
		c.LineID, c.DueAt, c.MessageID, flag(c.Waiting), c.ProvedAt, c.Failure)
	return err
}

// RemoveCanary ends a line's canary, if it has one.
func (tx *Tx) RemoveCanary(lineID string) error {
	_, err := tx.stmts.exec(tx.ctx, "DELETE FROM canaries WHERE line_id = $1", lineID)
	return err
}
