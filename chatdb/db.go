// Package chatdb reads chat.db, the database in which macOS Messages keeps
// what was sent and received: new rows, rows read again, the changes between
// two looks at a row, and the moment at which something was committed.
//
// It never writes: the file is opened read-only, no transaction outlives a
// call, and it neither checkpoints nor changes a setting, so that Messages is
// not kept waiting. It does not copy or move attachments, keeps no cursor
// (callers remember a Mark), and decides nothing about what a row means to
// them. It knows the schemas of macOS 12 to 26 and asks each database which
// columns it has.
//
// A DB may be used by several goroutines at once; their reads follow one
// another on one connection. A Watcher is waited on by one goroutine at a
// time, while others read; its Close may come from any. DecodeBody, Diff and
// ErrorName are pure.
package chatdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long an operation tries again while the database is locked.
// Messages commits in milliseconds; a restore or a clean-up tool may hold it
// for seconds.
const patience = 10 * time.Second

// DB is an open chat.db. Make one with Open.
type DB struct {
	path string // as given
	real string // with symbolic links resolved: SQLite puts -wal and -shm there

	file     os.FileInfo // what was opened
	identity string

	gate    chan struct{} // held while the session is used; a mutex that ctx can leave
	session *session      // nil after Close, and while a new connection could not be made
	opened  int64         // counts the sessions, so that a data version is never compared across two
	checked time.Time     // when renew last looked at the files of the session
	closed  bool
}

// Open opens the database at path for reading, with what is still in its
// write-ahead log. The result must be closed.
//
// The error is an *Error of kind ErrMissing, ErrPermission, ErrNotDatabase,
// ErrNotMessages or, after some ten seconds of trying, ErrBusy.
func Open(ctx context.Context, path string) (*DB, error) {
	db := &DB{path: path, gate: make(chan struct{}, 1)}
	if err := db.open(ctx); err != nil {
		return nil, wrapError("open", path, err)
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) (err error) {
	if db.real, err = filepath.Abs(db.path); err != nil {
		return err
	}
	if db.real, err = filepath.EvalSymlinks(db.real); err != nil {
		return err
	}
	if db.file, err = os.Stat(db.real); err != nil {
		return err
	}
	if db.file.IsDir() {
		return &Error{Op: "open", Path: db.path, Kind: ErrNotDatabase, Err: errors.New("it is a folder"), Hint: hint(ErrNotMessages, nil)}
	}
	if err := db.connect(ctx); err != nil {
		return err
	}
	if db.identity, err = db.identify(ctx); err != nil {
		db.session.close()
		return err
	}
	return nil
}

// connect makes the session, and makes sure that it reads db.file: the path is
// looked at before and after.
func (db *DB) connect(ctx context.Context) error {
	return patiently(ctx, func() error {
		s, err := openSession(ctx, db.real)
		if err != nil {
			return db.named(err)
		}
		now, err := os.Stat(db.real)
		if err == nil && !os.SameFile(now, db.file) {
			err = fmt.Errorf("file was replaced: %w", fs.ErrNotExist)
		}
		if err != nil {
			s.close()
			return err
		}
		db.session = s
		db.opened++
		return nil
	})
}

// named completes an error that was made where the path is not known.
func (db *DB) named(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Path == "" {
		e.Op, e.Path, e.Hint = "open", db.path, hint(e.Kind, e.Err)
	}
	return err
}

func (db *DB) identify(ctx context.Context) (identity string, err error) {
	if st, ok := db.file.Sys().(*syscall.Stat_t); ok {
		identity = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	unique := ""
	err = patiently(ctx, func() error {
		return db.session.query(ctx, queryIdentity, nil, func(r row) { unique = ":" + r.text(0) })
	})
	return identity + unique, err
}

// Close ends the connection. Reads that come later fail with fs.ErrClosed. Do
// not close a DB before its Watcher.
func (db *DB) Close() error {
	db.gate <- struct{}{}
	defer func() { <-db.gate }()
	if db.closed {
		return nil
	}
	db.closed = true
	if db.session == nil {
		return nil
	}
	err := db.session.close()
	db.session = nil
	return wrapError("close", db.path, err)
}

// Path is the path as it was given to Open.
func (db *DB) Path() string { return db.path }

// File names the opened file: its device and inode, and the database's own
// unique id where it has one. Compare it with what an earlier DB said before
// trusting a ROWID of that time.
//
// A device number may change with a restart of the Mac, so another File is not
// proof of another database; the guid of a remembered row is (GUIDAt).
func (db *DB) File() string { return db.identity }

// Replaced tells whether the path names another file than the one that was
// opened, or none. The DB goes on reading the old file: close it and open anew.
// An error means that the path could not be looked at.
func (db *DB) Replaced() (bool, error) {
	now, err := os.Stat(db.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, wrapError("look at", db.path, err)
	}
	return !os.SameFile(now, db.file), nil
}

// read runs fn in one short read transaction, again while the database is
// locked; fn must start from nothing each time.
func (db *DB) read(ctx context.Context, op string, fn func(*session) error) error {
	return db.readOnce(ctx, op, func(s *session) error {
		return s.snapshot(ctx, func() error { return fn(s) })
	})
}

// readOnce is read without a transaction, for what one statement does: that is a
// snapshot by itself.
func (db *DB) readOnce(ctx context.Context, op string, fn func(*session) error) error {
	leave, err := db.enter(ctx)
	if err != nil {
		return wrapError(op, db.path, err)
	}
	defer leave()
	return wrapError(op, db.path, patiently(ctx, func() error {
		if err := db.renew(ctx); err != nil {
			return err
		}
		return fn(db.session)
	}))
}

// enter waits for its turn on the connection.
func (db *DB) enter(ctx context.Context) (leave func(), err error) {
	select {
	case db.gate <- struct{}{}: // free, as nearly always
	default:
		select {
		case db.gate <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if db.closed {
		<-db.gate
		return nil, fs.ErrClosed
	}
	return func() { <-db.gate }, nil
}

// fresh is how long a look at the files of a session holds: on the way of a message
// several reads follow at once on the look that found it.
const fresh = time.Millisecond

// renew connects again where the connection is bound to a -wal or -shm that
// has been replaced, or where the last attempt to do so failed. SQLite shares
// the -shm among the connections that a process has to one file, so the old
// connection goes first.
func (db *DB) renew(ctx context.Context) error {
	if db.session != nil {
		if time.Since(db.checked) < fresh {
			return nil
		}
		now, err := statSidecars(db.real)
		if err != nil {
			return err
		}
		if !db.session.wal.renewed(now) {
			db.checked = time.Now()
			return nil
		}
		// It only ever read: there is nothing that its end could lose.
		db.session.close()
		db.session = nil
	}
	return db.connect(ctx)
}

// patiently calls fn again while it meets a lock that passes by itself.
func patiently(ctx context.Context, fn func() error) error {
	const longest = 100 * time.Millisecond
	start := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		err := fn()
		if !transient(err) || time.Since(start) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}
