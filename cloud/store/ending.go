package store

import "context"

// Ending stands for messages that wait and are to be ended, a part at a time: those on a
// line that was removed, or those to a person who has opted out.
type Ending struct {
	AccountID string
	LineID    string // "" for a person's
	Address   string // the person's, "" for a line's
}

// KeepEnding notes that some of it may be left.
func (tx *Tx) KeepEnding(e Ending) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO endings (account_id, line_id, address) VALUES ($1, $2, $3) ON CONFLICT (account_id, line_id, address) DO NOTHING", e.AccountID, e.LineID, e.Address)
	return err
}

// DropEnding notes that nothing of it is left.
func (tx *Tx) DropEnding(e Ending) error {
	_, err := tx.stmts.exec(tx.ctx, "DELETE FROM endings WHERE account_id = $1 AND line_id = $2 AND address = $3", e.AccountID, e.LineID, e.Address)
	return err
}

// Endings returns some of those that are kept.
func (r reader) Endings(ctx context.Context, limit int) ([]Ending, error) {
	return collect(ctx, r, func(r scanner) (e Ending, err error) {
		err = r.Scan(&e.AccountID, &e.LineID, &e.Address)
		return e, err
	}, "SELECT account_id, line_id, address FROM endings ORDER BY account_id, line_id, address LIMIT $1", limit)
}
