package store

import "context"

// FallBack makes the next attempt at a message go by SMS. With an install, it is no
// other's.
func (tx *Tx) FallBack(messageID, installID string) error {
	_, err := tx.settled(scanMessage(tx.stmts.row(tx.ctx, "UPDATE messages SET fallback = 1, fallback_install = $1, service = 'SMS' WHERE id = $2 RETURNING "+messageColumns, installID, messageID)))
	return err
}

// FallenBack returns the messages of a line that wait for an attempt by SMS which only
// that install may make.
func (r reader) FallenBack(ctx context.Context, installID, lineID string) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND status IN ('queued', 'accepted', 'sending') AND install_id IS NULL AND fallback_install = $2 ORDER BY seq", lineID, installID)
}

// Downgrade notes that Messages has chosen SMS by itself.
func (tx *Tx) Downgrade(messageID string) error {
	return tx.one("UPDATE messages SET downgraded = 1 WHERE id = $1", messageID)
}

// HasMessage tells whether there is a message with that id, whosever it is.
func (r reader) HasMessage(ctx context.Context, id string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE id = $1", id).Scan(&n)
	return n > 0, err
}

// HasGroup tells whether a line knows a group by its chat guid: from a message that
// came in it, or that the owner wrote in it.
func (r reader) HasGroup(ctx context.Context, lineID, chat string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE account_id = (SELECT account_id FROM lines WHERE id = $1) AND line_id = $1 AND peer = $2 AND chat_guid = $2 AND chat_guid <> '' LIMIT 1) AS known", lineID, chat).Scan(&n)
	return n > 0, err
}
