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
