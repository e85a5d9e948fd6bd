package store

import "context"

// Room is how much may be assigned to an install.
type Room struct {
	Window int // messages that it may hold at once
	Now    int // how many more it may get now
	// Opening is how many of them may open a conversation: be the first message to a
	// peer that the line has had nothing to do with. Below 0 there is no limit, and
	// nothing is counted.
	Opening int
}

// Assign hands the oldest waiting messages of a line to an install: as many as there
// is room for, one at a time to each peer, in their order, none whose time has passed, and
// none to whoever has opted out. What it returns must be sent to that install only after
// the commit.
func (tx *Tx) Assign(lineID, installID string, room Room, now int64) ([]Message, error) {
	held, err := tx.CountHeld(tx.ctx, lineID)
	if err != nil {
		return nil, err
	}
	room.Now = min(room.Now, room.Window-held)
	var list []Message
	for room.Now > 0 {
		candidates, err := tx.candidates(lineID, room, now)
		if err != nil {
			return nil, err
		}
		skipped := false
		for _, c := range candidates {
			if c.opens && room.Opening == 0 {
				skipped = true
				continue
			}
			m, err := tx.assign(c, installID, now)
			if err != nil {
				return nil, err
			}
			list = append(list, m)
			room.Now--
			if c.opens {
				room.Opening--
			}
		}
		if !skipped { // otherwise there may be some behind it that open nothing
			break
		}
	}
	return list, nil
}

// candidate is a message that may be assigned.
type candidate struct {
	id    string
	opens bool
}

// opens tells of a message m whether it is the first that its line has to do with its
// peer: nothing came from there, and nothing was given to a relay.
const opens = `(m.opened_at = 0 AND NOT EXISTS (SELECT 1 FROM messages AS p WHERE p.account_id = m.account_id AND p.peer = m.peer AND p.line_id = m.line_id
	AND (p.direction = 'inbound' OR p.origin <> '' OR p.attempt > 0)))`

func (tx *Tx) candidates(lineID string, room Room, now int64) ([]candidate, error) {
	return collect(tx.ctx, tx.reader, func(r scanner) (c candidate, err error) {
		err = r.Scan(&c.id, &c.opens)
		return c, err
	}, `SELECT id, CAST($4 AS BIGINT) >= 0 AND `+opens+` FROM messages AS m
		WHERE line_id = $1 AND status IN ('queued', 'accepted', 'sending') AND install_id IS NULL AND awaits_media = 0 AND (expires_at = 0 OR expires_at > $2)
		AND NOT EXISTS (SELECT 1 FROM messages AS h WHERE h.line_id = m.line_id AND h.peer = m.peer AND h.status IN ('queued', 'accepted', 'sending') AND h.seq < m.seq)
		AND ($4 <> 0 OR NOT `+opens+`)
		AND (m.origin <> '' OR NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.account_id = m.account_id AND c.address = m.peer AND c.opted_out = 1))
		ORDER BY seq LIMIT $3`, lineID, now, room.Now, room.Opening)
}

func (tx *Tx) assign(c candidate, installID string, now int64) (Message, error) {
	m, err := tx.settled(scanMessage(tx.stmts.row(tx.ctx, "UPDATE messages SET install_id = $1, attempt = attempt + 1, updated_at = $2, opened_at = CASE WHEN CAST($3 AS BIGINT) = 1 THEN $2 ELSE opened_at END WHERE id = $4 RETURNING "+messageColumns,
		installID, now, flag(c.opens), c.id)))
	if err != nil {
		return m, err
	}
	return m, tx.AddStep(m.AccountID, m.ID, TimelineEntry{Status: m.Status, At: now, RecordedAt: now, Attempt: m.Attempt, Evidence: EvidenceAssigned})
}

// CountHeld counts the messages of a line that an install is responsible for.
func (r reader) CountHeld(ctx context.Context, lineID string) (n int, err error) {
	err = r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE line_id = $1 AND status IN ('queued', 'accepted', 'sending') AND install_id IS NOT NULL", lineID).Scan(&n)
	return n, err
}

// HeldNews returns when anything was last learned of what an install is responsible for, of
// a line, or when it was given to the install; 0 where none is responsible for anything.
func (r reader) HeldNews(ctx context.Context, lineID string) (int64, error) {
	return scanInt(r.stmts.row(ctx, "SELECT COALESCE(MAX(updated_at), 0) FROM messages WHERE line_id = $1 AND status IN ('queued', 'accepted', 'sending') AND install_id IS NOT NULL", lineID))
}

// Opened counts the conversations that a line has opened after a time. Only what was
// assigned under a limit counts.
func (r reader) Opened(ctx context.Context, lineID string, since int64) (n int, err error) {
	err = r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE line_id = $1 AND opened_at > 0 AND opened_at > $2", lineID, since).Scan(&n)
	return n, err
}

// Opens tells whether a message would open a conversation if it were assigned now.
func (r reader) Opens(ctx context.Context, id string) (yes bool, err error) {
	err = r.stmts.row(ctx, "SELECT "+opens+" FROM messages AS m WHERE id = $1", id).Scan(&yes)
	return yes, err
}

// Assigned returns what an install is responsible for and has not brought to an
// end, in order.
func (r reader) Assigned(ctx context.Context, installID, lineID string) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND install_id = $2 AND status IN ('queued', 'accepted', 'sending') ORDER BY seq", lineID, installID)
}

// Waiting returns the oldest of a line's messages that no install is responsible for.
func (r reader) Waiting(ctx context.Context, lineID string, limit int) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND status IN ('queued', 'accepted', 'sending') AND install_id IS NULL ORDER BY seq LIMIT $2", lineID, limit)
}

// Before returns the oldest message to the same peer that must be settled before m
// may go, or ErrNotFound.
func (r reader) Before(ctx context.Context, m Message) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND peer = $2 AND status IN ('queued', 'accepted', 'sending') AND seq < $3 ORDER BY seq LIMIT 1", m.LineID, m.Peer, m.Seq))
}

// Overdue returns messages of a line, or of all with "", whose time has passed and
// that no install is responsible for.
func (r reader) Overdue(ctx context.Context, lineID string, now int64, limit int) ([]Message, error) {
	if lineID == "" {
		return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE "+overdue+" AND expires_at <= $1 LIMIT $2", now, limit)
	}
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE "+overdue+" AND expires_at <= $1 AND line_id = $3 LIMIT $2", now, limit, lineID)
}

// overdue is the condition of the index that holds what may expire here.
const overdue = "expires_at > 0 AND install_id IS NULL AND status = 'queued'"

// RequestCancel notes that the relay is asked to give a message up. It returns false
// where no install is responsible for it, or where it was noted before.
func (tx *Tx) RequestCancel(m Message, now int64) (Message, bool, error) {
	list, err := collect(tx.ctx, tx.reader, scanMessage, "UPDATE messages SET cancel_requested = $1, updated_at = $1 WHERE id = $2 AND install_id IS NOT NULL AND status IN ('queued', 'accepted') AND cancel_requested = 0 RETURNING "+messageColumns, now, m.ID)
	if err != nil || len(list) == 0 {
		return m, false, err
	}
	m = list[0]
	tx.date(m)
	return m, true, tx.AddStep(m.AccountID, m.ID, TimelineEntry{Status: m.Status, At: now, RecordedAt: now, Attempt: m.Attempt, Evidence: EvidenceCancel, Code: cancelRequested})
}

// cancelRequested is the code of the step that asks, beside the one that says canceled.
const cancelRequested = "cancel_requested"
