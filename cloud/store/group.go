package store

import (
	"context"
	"errors"
)

// GroupChange is what happened to a group. Times are Unix milliseconds.
type GroupChange struct {
	ID        string
	AccountID string
	LineID    string
	AppleGUID string // of the row that says it
	ChatGUID  string
	Kind      string // joined, left, removed, renamed, photo_set, photo_removed
	Who       string // handle of who did it, "" for the owner
	Other     string // handle of whom it was done to
	Name      string // of renamed, "" where the name was taken away
	MadeAt    int64
	CreatedAt int64
}

// CreateGroupChange adds a change and returns ErrExists for a guid that the line
// already has.
func (tx *Tx) CreateGroupChange(g GroupChange) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO group_changes (id, account_id, line_id, apple_guid, chat_guid, kind, who, other, name, made_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		g.ID, g.AccountID, g.LineID, g.AppleGUID, g.ChatGUID, g.Kind, g.Who, g.Other, g.Name, g.MadeAt, g.CreatedAt)
	if err != nil {
		return err
	}
	return tx.changed(g)
}

// HasGroupChange tells whether a line has a change of a group with that Apple guid.
func (r reader) HasGroupChange(ctx context.Context, lineID, guid string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM group_changes WHERE line_id = $1 AND apple_guid = $2", lineID, guid).Scan(&n)
	return n > 0, err
}

// GroupSpan returns when the first and the last message in a group of a line were made,
// 0 where there is none.
func (r reader) GroupSpan(ctx context.Context, lineID, chat string) (first, last int64, err error) {
	for way, at := range map[string]*int64{"ASC": &first, "DESC": &last} {
		err = r.stmts.row(ctx, "SELECT created_at FROM messages WHERE account_id = (SELECT account_id FROM lines WHERE id = $1) AND peer = $2 AND line_id = $1 ORDER BY created_at "+way+", seq "+way+" LIMIT 1", lineID, chat).Scan(at)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, 0, err
		}
	}
	return first, last, nil
}

// GroupChanges returns what has happened to a group of a line, oldest first.
func (r reader) GroupChanges(ctx context.Context, lineID, guid string) ([]GroupChange, error) {
	return collect(ctx, r, func(r scanner) (g GroupChange, err error) {
		err = r.Scan(&g.ID, &g.AccountID, &g.LineID, &g.AppleGUID, &g.ChatGUID, &g.Kind, &g.Who, &g.Other, &g.Name, &g.MadeAt, &g.CreatedAt)
		return g, err
	}, "SELECT id, account_id, line_id, apple_guid, chat_guid, kind, who, other, name, made_at, created_at FROM group_changes WHERE line_id = $1 AND chat_guid = $2 ORDER BY made_at, id", lineID, guid)
}
