package relay

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"bluerelay/fault"
)

// Uploads are the part of the journal that says which files of inbound messages the
// cloud is still to get. A row is written in the transaction of the report that
// announces the file, and is kept for a while after its end, so that a message that
// is read again does not begin anew.
//
//	waiting → ready → stored
//	   └────────┴──→ dropped → failed
const (
	uploadWaiting = "waiting" // Messages does not have it yet
	uploadReady   = "ready"   // Messages has it, the cloud does not
	uploadDropped = "dropped" // it will not come; the cloud is not told yet
	uploadStored  = "stored"  // the cloud has it, checked and on disk
	uploadFailed  = "failed"  // it did not come, and the cloud knows
)

const uploadsSchema = `
CREATE TABLE uploads (
	message    TEXT NOT NULL,
	attachment TEXT NOT NULL,
	state      TEXT NOT NULL,
	tries      INTEGER NOT NULL DEFAULT 0,
	next_at    INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (message, attachment)
) WITHOUT ROWID;
CREATE INDEX uploads_state ON uploads (state, next_at);
`

// fileID names a file: Apple's guids of the message and of the attachment.
type fileID struct{ message, attachment string }

// upload is one file in the journal.
type upload struct {
	fileID
	state     string
	tries     int
	nextAt    time.Time
	createdAt time.Time
}

// addUpload writes down that a file is to be sent. One that is there stays as it is.
func addUpload(ctx context.Context, tx *sql.Tx, id fileID, now time.Time) error {
	_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO uploads (message, attachment, state, next_at, created_at) VALUES (?, ?, ?, ?, ?)",
		id.message, id.attachment, uploadWaiting, now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("write an upload: %w", err)
	}
	return nil
}

// uploads returns the files in a state, oldest first.
func (j *journal) uploads(ctx context.Context, state string) ([]upload, error) {
	return j.queryUploads(ctx, "state = ? ORDER BY created_at", state)
}

// openUploads returns up to limit files that are to be sent or given up, soonest
// first.
func (j *journal) openUploads(ctx context.Context, limit int) ([]upload, error) {
	return j.queryUploads(ctx, "state IN (?, ?) ORDER BY next_at, created_at LIMIT ?", uploadReady, uploadDropped, limit)
}

func (j *journal) queryUploads(ctx context.Context, where string, args ...any) ([]upload, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT message, attachment, state, tries, next_at, created_at FROM uploads WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the uploads: %w", err)
	}
	defer rows.Close()
	var list []upload
	for rows.Next() {
		var u upload
		var next, created int64
		if err := rows.Scan(&u.message, &u.attachment, &u.state, &u.tries, &next, &created); err != nil {
			return nil, fmt.Errorf("read the uploads: %w", err)
		}
		u.nextAt, u.createdAt = time.UnixMilli(next), time.UnixMilli(created)
		list = append(list, u)
	}
	return list, rows.Err()
}

// saveUploads writes how far files have come.
func (j *journal) saveUploads(ctx context.Context, list ...upload) error {
	if len(list) == 0 {
		return nil
	}
	return j.write(ctx, fault.RelayUploadNote, func(ctx context.Context, tx *sql.Tx) error {
		for _, u := range list {
			_, err := tx.ExecContext(ctx, "UPDATE uploads SET state = ?, tries = ?, next_at = ? WHERE message = ? AND attachment = ?",
				u.state, u.tries, u.nextAt.UnixMilli(), u.message, u.attachment)
			if err != nil {
				return fmt.Errorf("write an upload: %w", err)
			}
		}
		return nil
	})
}

// hurryUploads makes everything that waits for another try due now.
func (j *journal) hurryUploads(ctx context.Context, now time.Time) error {
	return j.write(ctx, fault.RelayUploadNote, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE uploads SET next_at = ? WHERE state IN (?, ?) AND next_at > ?", now.UnixMilli(), uploadReady, uploadDropped, now.UnixMilli())
		return err
	})
}

// forgetUploads deletes files that came to an end and were announced before a time.
func (j *journal) forgetUploads(ctx context.Context, before time.Time) error {
	return j.write(ctx, fault.RelayPrune, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM uploads WHERE state IN (?, ?) AND created_at < ?", uploadStored, uploadFailed, before.UnixMilli())
		return err
	})
}
