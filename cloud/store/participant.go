package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
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

// GroupKey names a group as one line has it.
type GroupKey struct{ LineID, Chat string }

// ofGroups begins a statement about groups, each named once, which are the rows of k.
func ofGroups(groups []GroupKey) (with string, args []any) {
	rows := make([]string, 1<<bits.Len(uint(len(groups)-1))) // filled up, so that statements are few
	for i := range rows {
		var g GroupKey
		if i < len(groups) {
			g = groups[i]
		}
		rows[i] = fmt.Sprintf("($%d, $%d)", len(args)+1, len(args)+2)
		args = append(args, g.LineID, g.Chat)
	}
	return "WITH k (line_id, chat_guid) AS (VALUES " + strings.Join(rows, ", ") + ") ", args
}

// Participants returns who is, or was, known to be in groups, in no order.
func (r reader) Participants(ctx context.Context, groups ...GroupKey) (map[GroupKey][]Participant, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	with, args := ofGroups(groups)
	found := make(map[GroupKey][]Participant)
	_, err := collect(ctx, r, func(row scanner) (g GroupKey, err error) {
		var one Participant
		if err = row.Scan(&g.LineID, &g.Chat, &one.Address, &one.In, &one.Out); err == nil {
			found[g] = append(found[g], one)
		}
		return g, err
	}, with+`SELECT m.line_id, m.chat_guid, m.address, m.in_at, m.out_at FROM k CROSS JOIN group_members AS m
		WHERE m.line_id = k.line_id AND m.chat_guid = k.chat_guid`, args...)
	return found, err
}

// GroupNames is what groups were last named, "" for those that never were, not while
// somebody looked.
func (r reader) GroupNames(ctx context.Context, groups ...GroupKey) (map[GroupKey]string, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	with, args := ofGroups(groups)
	names := make(map[GroupKey]string)
	_, err := collect(ctx, r, func(row scanner) (g GroupKey, err error) {
		var name string
		if err = row.Scan(&g.LineID, &g.Chat, &name); err == nil {
			names[g] = name
		}
		return g, err
	}, with+`SELECT line_id, chat_guid, COALESCE((SELECT name FROM group_changes AS c WHERE c.line_id = k.line_id AND c.chat_guid = k.chat_guid AND c.kind = 'renamed'
		ORDER BY c.made_at DESC, c.id DESC LIMIT 1), '') FROM k`, args...)
	return names, err
}
