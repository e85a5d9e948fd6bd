package store

import (
	"context"
	"net/url"
	"slices"
	"strings"
)

// The states of a file.
const (
	MediaPending = "pending" // announced, or on its way
	MediaStored  = "stored"  // whole, checked and on disk
	MediaFailed  = "failed"  // it will not come
)

// Media is one file of a message. Several may belong to one attachment: the file as
// it came, and copies converted to what more programs read.
type Media struct {
	ID        string // also the name of its file in the media folder
	AccountID string
	LineID    string
	MessageID string
	Place     int64  // order within the message; a variant has its original's
	GUID      string // Apple's, of the attachment; "" for a file that we send
	Variant   string // "" for the file as it came
	Name      string // clean: a part of the public path
	MIME      string
	Size      int64  // bytes
	SHA256    string // hex, "" until its upload has begun
	State     string
	Token     string // secret part of the public path
	CreatedAt int64  // Unix ms
	ExpiresAt int64  // Unix ms: the file goes then, stored or not
}

const mediaColumns = "id, account_id, line_id, message_id, place, guid, variant, name, mime, size, sha256, state, token, created_at, expires_at"

func scanMedia(r scanner) (v Media, err error) {
	err = r.Scan(&v.ID, &v.AccountID, &v.LineID, &v.MessageID, &v.Place, &v.GUID, &v.Variant, &v.Name, &v.MIME, &v.Size, &v.SHA256, &v.State, &v.Token, &v.CreatedAt, &v.ExpiresAt)
	return v, err
}

// Path is where the public finds the file, below the server's address.
func (v Media) Path() string { return "/media/" + v.Token + "/" + url.PathEscape(v.Name) }

// CreateMedia adds a file, or returns ErrExists where the message has that
// attachment in that variant.
func (tx *Tx) CreateMedia(v Media) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO media ("+mediaColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
		v.ID, v.AccountID, v.LineID, v.MessageID, v.Place, v.GUID, v.Variant, v.Name, v.MIME, v.Size, v.SHA256, v.State, v.Token, v.CreatedAt, v.ExpiresAt)
	return err
}

// UpdateMedia writes name, type, size, hash, state and expiry of a file, or returns
// ErrNotFound.
func (tx *Tx) UpdateMedia(v Media) error {
	return tx.one("UPDATE media SET name = $1, mime = $2, size = $3, sha256 = $4, state = $5, expires_at = $6 WHERE id = $7",
		v.Name, v.MIME, v.Size, v.SHA256, v.State, v.ExpiresAt, v.ID)
}

// RemoveMedia forgets a file.
func (tx *Tx) RemoveMedia(id string) error { return tx.one("DELETE FROM media WHERE id = $1", id) }

// TakeMedia gives the files of a message to another one, shows them there and returns it.
func (tx *Tx) TakeMedia(from, to string, now int64) (Message, error) {
	if _, err := tx.stmts.exec(tx.ctx, "UPDATE media SET message_id = $1 WHERE message_id = $2", to, from); err != nil {
		return Message{}, err
	}
	return tx.ShowMedia(to, now)
}

// Media returns one variant of a message's attachment, or ErrNotFound.
func (r reader) Media(ctx context.Context, messageID, guid, variant string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+mediaColumns+" FROM media WHERE message_id = $1 AND guid = $2 AND variant = $3", messageID, guid, variant))
}

// MediaByToken returns the file of a public path, or ErrNotFound.
func (r reader) MediaByToken(ctx context.Context, token string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+mediaColumns+" FROM media WHERE token = $1", token))
}

// MessageMedia returns the files of a message in their order, an original before
// its variants.
func (r reader) MessageMedia(ctx context.Context, messageID string) ([]Media, error) {
	return collect(ctx, r, scanMedia, "SELECT "+mediaColumns+" FROM media WHERE message_id = $1 ORDER BY place, guid, variant", messageID)
}

// ExpiredMedia returns files whose time is over, oldest first. What a message is still
// to be sent with stays.
func (r reader) ExpiredMedia(ctx context.Context, now int64, limit int) ([]Media, error) {
	return collect(ctx, r, scanMedia, "SELECT "+mediaColumns+` FROM media WHERE expires_at <= $1
		AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.id = media.message_id AND m.status IN ('queued', 'accepted', 'sending')) ORDER BY expires_at LIMIT $2`, now, limit)
}

// ShowMedia writes into a message the paths of its files that are stored now, and those
// of a file that has an aside into that too. It returns the message.
func (tx *Tx) ShowMedia(messageID string, now int64) (Message, error) {
	all, err := tx.MessageMedia(tx.ctx, messageID)
	if err != nil {
		return Message{}, err
	}
	var parts []Message
	if len(all) > 1 {
		if parts, err = tx.Parts(tx.ctx, messageID); err != nil {
			return Message{}, err
		}
	}
	first, others := "", ""
	theirs := make([]string, len(parts))
	for _, v := range all {
		if v.State != MediaStored {
			continue
		}
		line := v.Path() + "\n"
		if i := slices.IndexFunc(parts, func(p Message) bool { return p.Place == v.Place }); i >= 0 {
			theirs[i] += line
			others += line
		} else {
			first += line
		}
	}
	for i, p := range parts {
		_, err := tx.stmts.exec(tx.ctx, "UPDATE messages SET media_url = $1, updated_at = $2 WHERE id = $3 AND media_url <> $1", strings.TrimSuffix(theirs[i], "\n"), now, p.ID)
		if err != nil {
			return Message{}, err
		}
		p.UpdatedAt = now
		tx.date(p)
	}
	if others != "" {
		first += "\n" + others
	}
	return tx.settled(scanMessage(tx.stmts.row(tx.ctx, "UPDATE messages SET media_url = $1, updated_at = $2 WHERE id = $3 RETURNING "+messageColumns,
		strings.TrimSuffix(first, "\n"), now, messageID)))
}

// setMedia reads the column media_url: one path or URL a line, and after an empty line
// those that asides show.
func (m *Message) setMedia(column string) {
	if column == "" {
		return
	}
	own, others, apart := strings.Cut("\n"+column, "\n\n")
	list := strings.Split(own, "\n")[1:]
	if apart {
		further := strings.Split(others, "\n")
		list, m.Apart = append(list, further...), len(further)
	}
	if m.MediaURL = list[0]; len(list) > 1 {
		m.MediaURLs = list
	}
}

// MessageByGUID returns the message of a line with that Apple guid, or ErrNotFound.
func (r reader) MessageByGUID(ctx context.Context, lineID, guid string) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND apple_guid = $2", lineID, guid))
}

// HoldEvent keeps a message's first event back until a time.
func (tx *Tx) HoldEvent(m Message, due int64) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO held_events (message_id, account_id, due_at) VALUES ($1, $2, $3)", m.ID, m.AccountID, due)
	return err
}

// TakeHeld ends the holding of a message's event and tells whether there was one.
func (tx *Tx) TakeHeld(messageID string) (bool, error) {
	res, err := tx.stmts.exec(tx.ctx, "DELETE FROM held_events WHERE message_id = $1", messageID)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Held tells whether a message's first event is held back.
func (r reader) Held(ctx context.Context, messageID string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM held_events WHERE message_id = $1", messageID).Scan(&n)
	return n > 0, err
}

// DueHeld returns messages whose event has been held back long enough.
func (r reader) DueHeld(ctx context.Context, now int64, limit int) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE id IN (SELECT message_id FROM held_events WHERE due_at <= $1 ORDER BY due_at LIMIT $2) ORDER BY account_id, seq", now, limit)
}

// MediaPending tells whether a file of a message, as it came, is still on its way.
func (r reader) MediaPending(ctx context.Context, messageID string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM media WHERE message_id = $1 AND variant = '' AND state = 'pending'", messageID).Scan(&n)
	return n > 0, err
}
