package store

import (
	"context"
	"time"
)

// SetupToken is the one-time right to pair a Mac with a line. Only its hash is kept.
type SetupToken struct {
	TokenHash string
	LineID    string
	Replaces  bool   // the Mac that the line has may be retired by it
	ExpiresAt int64  // Unix ms
	Ended     string // "" while it may be used, SetupUsed or SetupReplaced
}

// Why a token may be used no longer, beside its time.
const (
	SetupUsed     = "used"
	SetupReplaced = "replaced" // by a newer one of its line
)

// keptTokens is how long a token is known after its time, so that people can be told what
// became of it, in ms: 30 days.
const keptTokens = 30 * 24 * int64(time.Hour/time.Millisecond)

const setupColumns = "token_hash, line_id, replaces, expires_at, ended"

func scanSetupToken(r scanner) (t SetupToken, err error) {
	err = r.Scan(&t.TokenHash, &t.LineID, &t.Replaces, &t.ExpiresAt, &t.Ended)
	return t, err
}

// CreateSetupToken adds a token and ends earlier ones of the same line.
func (tx *Tx) CreateSetupToken(t SetupToken) error {
	if _, err := tx.stmts.exec(tx.ctx, "UPDATE setup_tokens SET ended = $1 WHERE line_id = $2 AND ended = ''", SetupReplaced, t.LineID); err != nil {
		return err
	}
	if _, err := tx.stmts.exec(tx.ctx, "DELETE FROM setup_tokens WHERE line_id = $1 AND expires_at < $2", t.LineID, t.ExpiresAt-keptTokens); err != nil {
		return err
	}
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO setup_tokens ("+setupColumns+") VALUES ($1, $2, $3, $4, '')", t.TokenHash, t.LineID, flag(t.Replaces), t.ExpiresAt)
	return err
}

// SetupToken returns a token, whether or not it may still be used, or ErrNotFound.
func (r reader) SetupToken(ctx context.Context, hash string) (SetupToken, error) {
	return scanSetupToken(r.stmts.row(ctx, "SELECT "+setupColumns+" FROM setup_tokens WHERE token_hash = $1", hash))
}

// HasOpenSetup tells whether a line can be paired by a token that there is.
func (r reader) HasOpenSetup(ctx context.Context, lineID string, now int64) (bool, error) {
	n, err := scanInt(r.stmts.row(ctx, "SELECT COUNT(*) FROM setup_tokens WHERE line_id = $1 AND ended = '' AND expires_at > $2", lineID, now))
	return n > 0, err
}

// TakeSetupToken uses a token up, or returns ErrNotFound when there is none, it has
// ended or its time is over.
func (tx *Tx) TakeSetupToken(hash string, now int64) (SetupToken, error) {
	return scanSetupToken(tx.stmts.row(tx.ctx, "UPDATE setup_tokens SET ended = $1 WHERE token_hash = $2 AND ended = '' AND expires_at > $3 RETURNING "+setupColumns, SetupUsed, hash, now))
}
