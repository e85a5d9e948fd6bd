package store

import "context"

// Tapback is one reaction to a message, or its withdrawal. Times are Unix
// milliseconds.
type Tapback struct {
	ID         string
	AccountID  string
	LineID     string
	AppleGUID  string // of the tapback itself
	TargetGUID string // of the message
	MessageID  string // "" where the message is unknown
	Part       int    // of the message, from 0; -1 for the whole of it
	From       string
	Origin     string // OriginDevice where the owner made it
	Kind       string // love, like, dislike, laugh, emphasize, question, emoji, sticker
	Emoji      string
	Removed    bool
	MadeAt     int64
	CreatedAt  int64
}

// CreateTapback adds a tapback and returns ErrExists for a guid that the line
// already has.
func (tx *Tx) CreateTapback(t Tapback) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO tapbacks (id, account_id, line_id, apple_guid, target_guid, message_id, part, from_addr, origin, kind, emoji, removed, made_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		t.ID, t.AccountID, t.LineID, t.AppleGUID, t.TargetGUID, t.MessageID, t.Part, t.From, t.Origin, t.Kind, t.Emoji, flag(t.Removed), t.MadeAt, t.CreatedAt)
	return err
}

// Tapback returns the tapback of a line with that Apple guid, or ErrNotFound.
func (r reader) Tapback(ctx context.Context, lineID, guid string) (t Tapback, err error) {
	err = r.stmts.row(ctx, `SELECT id, account_id, line_id, apple_guid, target_guid, message_id, part, from_addr, origin, kind, emoji, removed, made_at, created_at
		FROM tapbacks WHERE line_id = $1 AND apple_guid = $2`, lineID, guid).
		Scan(&t.ID, &t.AccountID, &t.LineID, &t.AppleGUID, &t.TargetGUID, &t.MessageID, &t.Part, &t.From, &t.Origin, &t.Kind, &t.Emoji, &t.Removed, &t.MadeAt, &t.CreatedAt)
	return t, err
}

// OwnTapback makes a tapback the owner's.
func (tx *Tx) OwnTapback(id, from string) error {
	return tx.one("UPDATE tapbacks SET from_addr = $1, origin = $2 WHERE id = $3", from, OriginDevice, id)
}
