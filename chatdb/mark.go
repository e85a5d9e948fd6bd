package chatdb

import (
	"context"
	"time"
)

// Mark is a place in the order of rows, to be remembered across restarts. It
// means something only in the database it was taken from: trust it where File
// is the same, or where GUIDAt still gives GUID at RowID.
type Mark struct {
	RowID int64  `json:"rowid"` // 0 in an empty database
	GUID  string `json:"guid"`  // of the row at RowID
	File  string `json:"file"`  // what DB.File said
}

// Mark gives the newest row; in a file whose newest row lies on damaged pages the
// highest ROWID there ever was, without a guid.
func (db *DB) Mark(ctx context.Context) (mark Mark, err error) {
	err = db.read(ctx, "read newest row", func(s *session) error {
		mark = Mark{File: db.identity}
		return s.query(ctx, queryNewest, nil, func(r row) { mark.RowID, mark.GUID = r.int(0), r.name(1) })
	})
	if damaged(err) {
		mark = Mark{File: db.identity}
		mark.RowID, err = db.Sequence(ctx)
	}
	return mark, err
}

// GUIDAt gives the guid of the row at rowid; ok is false where there is none.
func (db *DB) GUIDAt(ctx context.Context, rowid int64) (guid string, ok bool, err error) {
	err = db.read(ctx, "read guid", func(s *session) error {
		guid, ok = "", false
		return s.query(ctx, queryGUIDAt, args(rowid), func(r row) { guid, ok = r.name(0), true })
	})
	return guid, ok, err
}

// FirstSince gives the lowest ROWID of the rows dated at or after since, or the
// one after the newest row where there is none: where to begin in a database that
// no Mark was taken from. Rows of before macOS 10.13 are dated in seconds and found too.
// Where the dates lie on damaged pages it is 1.
func (db *DB) FirstSince(ctx context.Context, since time.Time) (rowid int64, err error) {
	date := appleDate(since)
	err = db.read(ctx, "find first row", func(s *session) error {
		return s.query(ctx, queryFirstSince, args(date, date/1e9), func(r row) { rowid = r.int(0) })
	})
	if damaged(err) {
		return 1, nil
	}
	return rowid, err
}

// Sequence gives the highest ROWID that this database ever gave to a message,
// deleted ones included. It never falls: below a remembered ROWID, this is
// another database; at or above it, a row that is missing was deleted.
func (db *DB) Sequence(ctx context.Context) (rowid int64, err error) {
	err = db.read(ctx, "read row sequence", func(s *session) error {
		rowid = 0
		return s.query(ctx, querySequence, nil, func(r row) { rowid = r.int(0) })
	})
	return rowid, err
}
