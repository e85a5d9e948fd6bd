// Package store is the only place with SQL of the cloud: accounts, keys, lines,
// relays, messages, events, webhooks and their deliveries.
//
// It refuses to have opinions: it checks no permission, renders nothing, knows no
// public API. What must be true together is composed by the caller inside one
// Write; what must be guarded against late news is guarded here, in the WHERE of
// the one statement that changes a state.
//
// A Store may be used from any number of goroutines. Reads run on a pool of
// connections. Writes run on one: every function given to Write that is waiting
// when a transaction begins shares that transaction and its one wait for the disk,
// each inside a savepoint of its own, so that one's failure does not touch the
// others. When Write has returned nil, the data is on disk.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNotFound says that there is no such row, or not for this account.
var ErrNotFound = errors.New("not found")

// ErrExists says that a unique value is taken.
var ErrExists = errors.New("exists already")

// ErrNoSpace says that the disk is full or the database cannot be written now; the
// same call may succeed later.
var ErrNoSpace = errors.New("the database cannot be written now")

// Store is an open database.
type Store struct {
	reader
	path   string
	db     *sql.DB // readers
	writer *writer
}

// readers is how many reads run at once.
const readers = 8

// Open opens the database that dsn names, a path or sqlite://PATH, creates it if it
// is missing, and brings its schema up to date. Close it when done.
func Open(ctx context.Context, dsn string) (*Store, error) {
	path, err := sqlitePath(dsn)
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	wdb := openSQLite(path, "_txlock=immediate")
	wdb.SetMaxOpenConns(1)
	if err := migrate(ctx, wdb); err != nil {
		wdb.Close()
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	w, err := newWriter(ctx, wdb)
	if err != nil {
		wdb.Close()
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	rdb := openSQLite(path, "_query_only=1")
	rdb.SetMaxOpenConns(readers)
	rdb.SetMaxIdleConns(readers)
	return &Store{reader: reader{newStatements(rdb)}, path: path, db: rdb, writer: w}, nil
}

// Path is the file of the database.
func (s *Store) Path() string { return s.path }

// Close waits for writes in hand and closes the database. No other method may be
// called after it.
func (s *Store) Close() error {
	return errors.Join(s.writer.close(), s.stmts.close(), s.db.Close())
}

// Ping tells whether the database can be read and, by an empty transaction, written.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.stmts.row(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	return s.Write(ctx, func(*Tx) error { return nil })
}

// sqlitePath reads the data source name. PostgreSQL is named here so that nobody
// gets a file called "postgres:".
func sqlitePath(dsn string) (string, error) {
	scheme, rest, found := strings.Cut(dsn, "://")
	switch {
	case dsn == "":
		return "", errors.New("no database is named: give a path, or sqlite://PATH")
	case !found:
		return dsn, nil
	case scheme == "sqlite" && rest != "":
		return rest, nil
	case scheme == "postgres" || scheme == "postgresql":
		return "", errors.New("this version keeps its data in SQLite only: give a path, or sqlite://PATH")
	}
	return "", fmt.Errorf("%q is no database this program knows: give a path, or sqlite://PATH", scheme+"://…")
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

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Hopeless tells whether err comes from what was to be written: the same call would
// fail again, whatever becomes of the disk and the connection.
func Hopeless(err error) bool {
	if e, ok := errors.AsType[sqlite3.Error](err); ok {
		return slices.Contains([]sqlite3.ErrNo{sqlite3.ErrConstraint, sqlite3.ErrMismatch, sqlite3.ErrTooBig, sqlite3.ErrRange}, e.Code)
	}
	for _, passing := range []error{ErrNoSpace, errClosed, context.Canceled, context.DeadlineExceeded, sql.ErrConnDone, sql.ErrTxDone, driver.ErrBadConn} {
		if errors.Is(err, passing) {
			return false
		}
	}
	return err != nil
}

// explain turns the engine's errors into the package's.
func explain(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if e, ok := errors.AsType[sqlite3.Error](err); ok {
		switch {
		case e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey:
			return fmt.Errorf("%w: %w", ErrExists, err)
		case e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrIoErr || e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrReadonly || e.Code == sqlite3.ErrCantOpen:
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return err
}
