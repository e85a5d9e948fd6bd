package store

import "context"

// NthOutbound returns when the nth newest message that an account had sent through us
// was created, if that was after a time, in Unix ms; else ErrNotFound.
func (r reader) NthOutbound(ctx context.Context, accountID string, n, since int64) (int64, error) {
	var at int64
	err := r.stmts.row(ctx, "SELECT created_at FROM messages WHERE account_id = $1 AND created_at > $2 AND direction = 'outbound' AND origin = '' ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET $3",
		accountID, since, n-1).Scan(&at)
	return at, err
}
