package store

import (
	"context"
	"fmt"

	"bluerelay/wire"
)

// LastFrom returns the newest message that a person has sent to an account's lines, to
// no group, or ErrNotFound.
func (r reader) LastFrom(ctx context.Context, accountID, address string) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+` FROM messages WHERE account_id = $1 AND from_addr = $2 AND direction = 'inbound' AND peer = from_addr AND service <> ''
		ORDER BY created_at DESC, seq DESC LIMIT 1`, accountID, address))
}

// LastTo returns the newest message that has gone from an account's lines to a person, or
// of which Messages has said that the person is not on iMessage, or ErrNotFound.
func (r reader) LastTo(ctx context.Context, accountID, address string) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+fmt.Sprintf(` FROM messages WHERE account_id = $1 AND to_addr = $2 AND direction = 'outbound' AND peer = to_addr AND service <> ''
		AND (status IN ('sent', 'delivered', 'read') OR (status = 'failed' AND error_number BETWEEN %d AND %d)) ORDER BY created_at DESC, seq DESC LIMIT 1`, wire.FirstNotReached, wire.LastNotReached), accountID, address))
}
