package store

import (
	"context"
	"fmt"
	"strings"
)

// Fetch is a file that is to be fetched for a message. It exists until the file is
// stored, or until it is certain that it will not be.
type Fetch struct {
	MediaID   string
	AccountID string
	MessageID string
	URL       string
	Host      string // of the URL
	MaxBytes  int64
	Tries     int    // made
	DueAt     int64  // Unix ms
	GiveUpAt  int64  // Unix ms: a try that fails after it is the last, and what nobody tries then ends
	CopyOf    string // id of a message whose file it is, "" for none: that may still be here
}

const fetchColumns = "media_id, account_id, message_id, url, host, max_bytes, tries, due_at, give_up_at, copy_of"

func scanFetch(r scanner) (f Fetch, err error) {
	err = r.Scan(&f.MediaID, &f.AccountID, &f.MessageID, &f.URL, &f.Host, &f.MaxBytes, &f.Tries, &f.DueAt, &f.GiveUpAt, &f.CopyOf)
	return f, err
}

// CreateFetch adds what is to be fetched; its Media must be there.
func (tx *Tx) CreateFetch(f Fetch) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO fetches ("+fetchColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		f.MediaID, f.AccountID, f.MessageID, f.URL, f.Host, f.MaxBytes, f.Tries, f.DueAt, f.GiveUpAt, f.CopyOf)
	return err
}

// RetryFetch notes a try that has failed and when the next one is due.
func (tx *Tx) RetryFetch(mediaID string, due int64) error {
	return tx.one("UPDATE fetches SET tries = tries + 1, due_at = $1 WHERE media_id = $2", due, mediaID)
}

// EndFetch forgets what is to be fetched, or returns ErrNotFound.
func (tx *Tx) EndFetch(mediaID string) error {
	return tx.one("DELETE FROM fetches WHERE media_id = $1", mediaID)
}

// Fetch returns what is to be fetched for a file, or ErrNotFound.
func (r reader) Fetch(ctx context.Context, mediaID string) (Fetch, error) {
	return scanFetch(r.stmts.row(ctx, "SELECT "+fetchColumns+" FROM fetches WHERE media_id = $1", mediaID))
}

// DueFetches returns what is due, longest due first, from hosts and for accounts other
// than those.
func (r reader) DueFetches(ctx context.Context, now int64, limit int, hosts, accounts []string) ([]Fetch, error) {
	args := []any{now, limit}
	places := func(list []string) string {
		var b strings.Builder
		for _, one := range list {
			args = append(args, one)
			fmt.Fprintf(&b, ", $%d", len(args))
		}
		return b.String()
	}
	return collect(ctx, r, scanFetch, "SELECT "+fetchColumns+" FROM fetches WHERE due_at <= $1 AND host NOT IN (''"+places(hosts)+
		") AND account_id NOT IN (''"+places(accounts)+") ORDER BY due_at LIMIT $2", args...)
}

// LateFetches returns files whose time is over, longest over first.
func (r reader) LateFetches(ctx context.Context, now int64, limit int) ([]Fetch, error) {
	return collect(ctx, r, scanFetch, "SELECT "+fetchColumns+" FROM fetches WHERE give_up_at <= $1 ORDER BY give_up_at LIMIT $2", now, limit)
}

// FailMedia notes that a file will not come.
func (tx *Tx) FailMedia(id string) error {
	return tx.one("UPDATE media SET state = 'failed' WHERE id = $1", id)
}

// MediaByID returns one file, or ErrNotFound.
func (r reader) MediaByID(ctx context.Context, id string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+mediaColumns+" FROM media WHERE id = $1", id))
}

// ShowFetched ends a message's waiting for its file and returns the message.
func (tx *Tx) ShowFetched(messageID string, now int64) (Message, error) {
	return tx.settled(scanMessage(tx.stmts.row(tx.ctx, "UPDATE messages SET awaits_media = 0, updated_at = $1 WHERE id = $2 RETURNING "+messageColumns, now, messageID)))
}

// Outgoing returns the stored file that a message is sent with, or ErrNotFound.
func (r reader) Outgoing(ctx context.Context, messageID string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+mediaColumns+" FROM media WHERE message_id = $1 AND guid = '' AND state = 'stored'", messageID))
}

// OutgoingOf returns a stored file that a message of a line is sent with, by its own
// id, or ErrNotFound.
func (r reader) OutgoingOf(ctx context.Context, lineID, id string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+mediaColumns+" FROM media WHERE id = $1 AND line_id = $2 AND guid = '' AND state = 'stored'", id, lineID))
}
