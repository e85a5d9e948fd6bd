package store

import (
	"context"
	"errors"
)

// Participant is somebody who is, or was, known to be in a group. Times are Unix
// milliseconds, 0 for never.
type Participant struct {
	Address string
	In      int64 // when he was last known to be in it
	Out     int64 // when he was last known to have left
}

// participant notes when somebody was in a group, or had left it. The owner has no address.
func (tx *Tx) participant(lineID, chat string, m Participant) error {
	if m.Address == "" {
		return nil
	}
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO group_members (line_id, chat_guid, address, in_at, out_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (line_id, chat_guid, address) DO UPDATE SET
		in_at = CASE WHEN excluded.in_at > group_members.in_at THEN excluded.in_at ELSE group_members.in_at END,
		out_at = CASE WHEN excluded.out_at > group_members.out_at THEN excluded.out_at ELSE group_members.out_at END`,
		lineID, chat, m.Address, m.In, m.Out)
	return err
}

// spoke notes that the sender of a message is in its group.
func (tx *Tx) spoke(m Message) error {
	if m.Direction != Inbound || !m.InGroup() {
		return nil
	}
	return tx.participant(m.LineID, m.Peer, Participant{Address: m.From, In: m.DatedAt})
}

// changed notes who came and who went. Whoever does something to a group is in it.
func (tx *Tx) changed(g GroupChange) error {
	who, other := Participant{Address: g.Who, In: g.MadeAt}, Participant{Address: g.Other}
	switch g.Kind {
	case "left":
		who = Participant{Address: g.Who, Out: g.MadeAt}
	case "joined":
		other.In = g.MadeAt
	case "removed":
		other.Out = g.MadeAt
	}
	return errors.Join(tx.participant(g.LineID, g.ChatGUID, who), tx.participant(g.LineID, g.ChatGUID, other))
}

// Participants returns who is, or was, known to be in a group of a line, in the order of their
// addresses.
func (r reader) Participants(ctx context.Context, lineID, chat string) ([]Participant, error) {
	return collect(ctx, r, func(row scanner) (m Participant, err error) {
		err = row.Scan(&m.Address, &m.In, &m.Out)
		return m, err
	}, "SELECT address, in_at, out_at FROM group_members WHERE line_id = $1 AND chat_guid = $2 ORDER BY address", lineID, chat)
}

// GroupName is what a group of a line was last named, "" where it never was, not while
// somebody looked.
func (r reader) GroupName(ctx context.Context, lineID, chat string) (name string, err error) {
	err = r.stmts.row(ctx, "SELECT name FROM group_changes WHERE line_id = $1 AND chat_guid = $2 AND kind = 'renamed' ORDER BY made_at DESC, id DESC LIMIT 1", lineID, chat).Scan(&name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return name, err
}
