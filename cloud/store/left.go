package store

import "context"

// Left returns the messages to a peer that were created between two times, had an install
// that was retired since, and have come to an end by which they may have been sent; the
// oldest first.
func (r reader) Left(ctx context.Context, line Line, peer string, from, to int64) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+` FROM messages WHERE account_id = $1 AND peer = $2 AND created_at >= $3 AND created_at <= $4
		AND line_id = $5 AND status IN ('sent', 'delivered', 'read', 'failed', 'unknown') AND install_id IN (SELECT id FROM installs WHERE retired_at <> 0) ORDER BY seq`,
		line.AccountID, peer, from, to, line.ID)
}

// HasRival tells whether a later message of the same words to the same peer, created before
// a time, is or was with another install, and no row of it is known.
func (r reader) HasRival(ctx context.Context, m Message, before int64) (bool, error) {
	var n int
	err := r.stmts.row(ctx, `SELECT COUNT(*) FROM messages WHERE account_id = $1 AND peer = $2 AND created_at >= $3 AND created_at <= $4 AND line_id = $5 AND seq > $6
		AND content = $7 AND media_url = $8 AND apple_guid IS NULL AND install_id <> $9 AND status IN ('queued', 'accepted', 'sending', 'unknown')`,
		m.AccountID, m.Peer, m.CreatedAt, before, m.LineID, m.Seq, m.Content, m.MediaURL, m.InstallID).Scan(&n)
	return n > 0, err
}
