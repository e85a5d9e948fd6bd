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

// Rivals returns the later messages to the same peer, created before a time, which are or
// were with another install, and of which no row is known.
func (r reader) Rivals(ctx context.Context, m Message, before int64) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+` FROM messages WHERE account_id = $1 AND peer = $2 AND created_at >= $3 AND created_at <= $4 AND line_id = $5 AND seq > $6
		AND apple_guid IS NULL AND install_id <> $7 AND status IN ('queued', 'accepted', 'sending', 'unknown') ORDER BY seq`,
		m.AccountID, m.Peer, m.CreatedAt, before, m.LineID, m.Seq, m.InstallID)
}
