package store

import (
	"context"
	"errors"
)

// A message may have more rows in Messages' database than the one by whose Apple guid it
// is known: that of its file, and those of attempts before. Each guid is one message's.

// KeepRow notes an Apple guid that a message has beside its own. It stays the first one's
// that kept it.
func (tx *Tx) KeepRow(lineID, guid, messageID string) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO message_rows (line_id, apple_guid, message_id) VALUES ($1, $2, $3) ON CONFLICT (line_id, apple_guid) DO NOTHING", lineID, guid, messageID)
	return err
}

// keepsRow tells whether a message of the line has that guid beside its own.
func (r reader) keepsRow(ctx context.Context, lineID, guid string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM message_rows WHERE line_id = $1 AND apple_guid = $2", lineID, guid).Scan(&n)
	return n > 0, err
}

// MessageByRow returns the message of a line that has a row with that Apple guid, be it
// its own or one beside it, or ErrNotFound.
func (r reader) MessageByRow(ctx context.Context, lineID, guid string) (Message, error) {
	m, err := r.MessageByGUID(ctx, lineID, guid)
	if !errors.Is(err, ErrNotFound) {
		return m, err
	}
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+" FROM messages WHERE id = (SELECT message_id FROM message_rows WHERE line_id = $1 AND apple_guid = $2)", lineID, guid))
}
