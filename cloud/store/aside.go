package store

import "context"

// An aside is what one public API shows as a message of its own and the other as a part
// of one: each further file of what came in, and each tapback. It is a row among the
// messages, with an id of its own and without an Apple guid, so that no report of a relay
// finds it. Lists hold it only where MessageFilter.Asides is set.

// CreateAside adds an aside of the message that m.BelongsTo names.
func (tx *Tx) CreateAside(m *Message) error {
	m.Aside = true
	if err := tx.CreateMessage(m); err != nil {
		return err
	}
	return tx.one("UPDATE messages SET belongs_to = $1, place = $2 WHERE id = $3", m.BelongsTo, m.Place, m.ID)
}

// Asides returns what stands beside a message: tapbacks, then its further files in their
// order.
func (r reader) Asides(ctx context.Context, messageID string) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE belongs_to = $1 AND belongs_to <> '' ORDER BY place", messageID)
}

// Parts returns the asides that stand for a message's further files, in their order.
func (r reader) Parts(ctx context.Context, messageID string) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE belongs_to = $1 AND belongs_to <> '' AND place > 0 ORDER BY place", messageID)
}

// GiveRow takes the Apple guid from a message, so that the message to may have it. What
// tapbacks on that row became stands beside that one from now on.
func (tx *Tx) GiveRow(from Message, to string) error {
	if err := tx.one("UPDATE messages SET apple_guid = NULL WHERE id = $1", from.ID); err != nil {
		return err
	}
	_, err := tx.stmts.exec(tx.ctx, "UPDATE messages SET belongs_to = $1 WHERE belongs_to = $2 AND belongs_to <> '' AND place = 0", to, from.ID)
	return err
}

// Part returns the aside that stands for the file of that place, or ErrNotFound where the
// message itself shows it.
func (r reader) Part(ctx context.Context, messageID string, place int64) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+" FROM messages WHERE belongs_to = $1 AND belongs_to <> '' AND place = $2", messageID, max(place, 1)))
}
