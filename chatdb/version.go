package chatdb

import (
	"context"
	"io/fs"
	"time"
)

// version is a state of the database, comparable within one process.
type version struct{ session, data int64 }

// version reads the data version, without waiting for a lock beyond SQLite's
// own time-out.
func (db *DB) version(ctx context.Context) (v version, err error) {
	leave, err := db.enter(ctx)
	if err != nil {
		return v, wrapError("look at", db.path, err)
	}
	defer leave()
	db.checked = time.Time{} // whatever was found before
	if err := db.renew(ctx); err != nil {
		return v, wrapError("look at", db.path, err)
	}
	v.session = db.opened
	v.data, err = db.session.dataVersion(ctx)
	return v, wrapError("look at", db.path, err)
}

// glance is version for the connection as it is, fs.ErrClosed where there is none. A
// version that differs from seen proves that the connection hears of commits, so that
// the next read need not look at its files.
func (db *DB) glance(ctx context.Context, seen version) (v version, err error) {
	leave, err := db.enter(ctx)
	if err != nil {
		return v, err
	}
	defer leave()
	if db.session == nil {
		return v, fs.ErrClosed
	}
	v.session = db.opened
	if v.data, err = db.session.dataVersion(ctx); err == nil && v != seen {
		db.checked = time.Now()
	}
	return v, err
}
