// Package store is the only place with SQL of the cloud: accounts, keys, lines,
// relays, messages, events, webhooks and their deliveries. It keeps them in SQLite or in
// PostgreSQL; engine.go has the few statements in which the two differ.
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
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
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

// ErrServed says that another process serves the database.
var ErrServed = errors.New("another bluecloud serves this database: stop it first, or give this one a database of its own")

// Store is an open database.
type Store struct {
	reader
	engine   *engine
	path     string // "" on a server
	name     string
	careless bool     // a server that does not wait for its disk
	lock     *os.File // of the process that serves a file, else nil
	db, wdb  *sql.DB  // for reading, and for the one writer
	writer   *writer
}

// readers is how many reads run at once.
const readers = 8

// Open opens the database that dsn names, a path, sqlite://PATH or postgres://…, and
// brings its schema up to date. A file that is missing is made; a database of a server
// must be there. Close it when done.
//
// What is opened so may be changed while another process serves it.
func Open(ctx context.Context, dsn string) (*Store, error) { return open(ctx, dsn, false) }

// Serve opens a database as Open does for the one process that serves it, or returns
// ErrServed. No other can serve it before Close or the end of the process.
func Serve(ctx context.Context, dsn string) (*Store, error) { return open(ctx, dsn, true) }

func open(ctx context.Context, dsn string, serve bool) (*Store, error) {
	path, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	var s *Store
	if path != "" {
		s, err = openFile(path, serve)
	} else {
		s, err = openPostgres(ctx, dsn, serve)
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s.wdb.SetMaxOpenConns(1)
	s.db.SetMaxOpenConns(readers)
	s.db.SetMaxIdleConns(readers)
	s.reader = reader{newStatements(s.db, s.engine)}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", s.name, err), s.db.Close(), s.wdb.Close(), s.unlock())
	}
	return s, nil
}

// begin makes the database ready for use.
func (s *Store) begin(ctx context.Context) error {
	if err := s.wdb.PingContext(ctx); err != nil { // as the one that serves, before anything is changed
		return err
	}
	if err := migrate(ctx, s.wdb, s.engine); err != nil {
		return err
	}
	var err error
	s.writer, err = newWriter(ctx, s.wdb, s.engine)
	return err
}

// Path is the file of the database, "" where it has none.
func (s *Store) Path() string { return s.path }

// Name is what the database is called where anybody may read it, with its place.
func (s *Store) Name() string { return s.name }

// Careless tells whether the database's server does not wait for its disk, so that a
// power cut would take what Write has confirmed.
func (s *Store) Careless() bool { return s.careless }

// Close waits for writes in hand and closes the database. No other method may be
// called after it.
func (s *Store) Close() error {
	return errors.Join(s.writer.close(), s.stmts.close(), s.db.Close(), s.unlock())
}

func (s *Store) unlock() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// Ping tells whether the database can be read and, by an empty transaction, written.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.stmts.row(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	return s.Write(ctx, func(*Tx) error { return nil })
}

// OnServer tells whether a data source name is that of a database server, so that
// there is no folder to which files of messages belong by themselves.
func OnServer(dsn string) bool {
	path, err := parse(dsn)
	return err == nil && path == ""
}

// parse reads a data source name. It returns the path of a file, or "" for PostgreSQL.
func parse(dsn string) (path string, err error) {
	scheme, rest, found := strings.Cut(dsn, "://")
	switch {
	case dsn == "":
		return "", errors.New("no database is named: give a path, sqlite://PATH or postgres://…")
	case !found:
		return dsn, nil
	case scheme == "sqlite" && rest != "":
		return rest, nil
	case (scheme == "postgres" || scheme == "postgresql") && rest != "":
		return "", nil
	}
	return "", fmt.Errorf("%q is no database this program knows: give a path, sqlite://PATH or postgres://…", scheme+"://…")
}

func migrate(ctx context.Context, db *sql.DB, e *engine) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger())}
	if e.server { // a file is locked by each migration's own transaction
		alone, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(alone))
	}
	p, err := goose.NewProvider(e.dialect, db, dir, options...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	if err := prepareSearch(ctx, db, e); err != nil {
		return fmt.Errorf("prepare the search for texts: %w", err)
	}
	return nil
}

// Hopeless tells whether err comes from what was to be written: the same call would
// fail again, whatever becomes of the disk and the connection.
func Hopeless(err error) bool {
	if e, ok := errors.AsType[sqlite3.Error](err); ok {
		return slices.Contains([]sqlite3.ErrNo{sqlite3.ErrConstraint, sqlite3.ErrMismatch, sqlite3.ErrTooBig, sqlite3.ErrRange}, e.Code)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return hopelessPostgres(e)
	}
	for _, passing := range []error{ErrNoSpace, errClosed, ErrUnsettled, context.Canceled, context.DeadlineExceeded, sql.ErrConnDone, sql.ErrTxDone, driver.ErrBadConn} {
		if errors.Is(err, passing) {
			return false
		}
	}
	return err != nil
}

// explain turns the engine's errors into the package's.
func explain(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var taken, later bool
	if e, ok := errors.AsType[sqlite3.Error](err); ok {
		taken, later = meaningSQLite(e)
	} else if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		taken, later = meaningPostgres(e)
	} else {
		later = lost(err)
	}
	switch {
	case taken:
		return fmt.Errorf("%w: %w", ErrExists, err)
	case later:
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
