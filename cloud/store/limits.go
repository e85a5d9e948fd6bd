package store

import (
	"context"
	"time"
)

// month numbers the calendar months in UTC; ms is Unix ms.
func month(ms int64) int64 {
	t := time.UnixMilli(ms).UTC()
	return int64(t.Year())*12 + int64(t.Month()) - 1
}

// counts tells whether a new message counts against its account's plan: it was ordered
// here, and not declined.
func (m Message) counts() bool { return m.ordered() && m.Origin == "" }

// SentInMonth counts the messages that an account had sent through us in the calendar
// month, in UTC, of a time that is no earlier than the last of them. Those that were
// declined are not among them, those that were deleted are.
func (r reader) SentInMonth(ctx context.Context, accountID string, at int64) (int64, error) {
	return scanInt(r.stmts.row(ctx, "SELECT CASE WHEN sent_month = $1 THEN sent_in_month ELSE 0 END FROM accounts WHERE id = $2", month(at), accountID))
}

// NthOutbound returns when the nth newest message that an account had sent through us
// was created, if that was after a time, in Unix ms; else ErrNotFound. Those that were
// declined count with declined only.
func (r reader) NthOutbound(ctx context.Context, accountID string, n, since int64, declined bool) (int64, error) {
	return scanInt(r.stmts.row(ctx, `SELECT created_at FROM messages WHERE account_id = $1 AND created_at > $2 AND direction = 'outbound' AND origin = ''
		AND (CAST($4 AS BIGINT) = 1 OR ABS(class) % CAST($5 AS BIGINT) <> CAST($6 AS BIGINT)) ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET $3`,
		accountID, since, n-1, flag(declined), classPhase+1, numberOf(phases, PhaseDeclined)))
}
