package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// openFile opens a database in a file. Its server holds a lock beside it.
func openFile(path string, serve bool) (*Store, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	s := &Store{engine: sqlite, path: path, name: "SQLite " + path}
	if serve {
		var err error
		if s.lock, err = lockFile(path + ".lock"); err != nil {
			return nil, err
		}
	}
	s.wdb = openSQLite(path, "_txlock=immediate")
	s.db = openSQLite(path, "_query_only=1")
	return s, nil
}

// create makes the file, for its owner only, before SQLite would make it for all.
func create(path string) error {
	if err := MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// lockFile takes a lock that ends with the process. It is not on the database itself: closing
// that file would take SQLite's own locks away.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrServed
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// openSQLite opens a pool. Every commit waits for the disk; macOS needs the
// full-fsync pragmas for that, which do nothing elsewhere.
func openSQLite(path, more string) *sql.DB {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000&_foreign_keys=1&" + more
	return sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1", nil)
		return err
	}}})
}

type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// meaningSQLite tells whether an error says that a unique value is taken, or that the
// database cannot be used now.
func meaningSQLite(e sqlite3.Error) (taken, later bool) {
	return e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey,
		slices.Contains([]sqlite3.ErrNo{sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrBusy, sqlite3.ErrReadonly, sqlite3.ErrCantOpen}, e.Code)
}
