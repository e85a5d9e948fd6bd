package simulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// sqlFile is one SQLite file on one kept connection with its statements
// prepared once. It belongs to one goroutine.
type sqlFile struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// openSQLFile opens path, made with mode 0600 where it is missing (SQLite
// gives -wal and -shm the mode of the file). WAL with synchronous NORMAL is
// what Messages uses: a commit survives the process, not a power cut.
func openSQLFile(ctx context.Context, path string) (*sqlFile, error) {
	made, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make database: %w", err)
	}
	// SQLite takes POSIX locks, which any close of the file by this process
	// would drop: this one comes before its first.
	if err := made.Close(); err != nil {
		return nil, fmt.Errorf("make database: %w", err)
	}
	query := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"},
		"_busy_timeout": {"10000"},
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite3", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &sqlFile{db: db, conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

func (f *sqlFile) close() error {
	var errs []error
	for _, s := range f.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, f.conn.Close(), f.db.Close())...)
}

// commit runs work as one transaction.
func (f *sqlFile) commit(ctx context.Context, work func() error) error {
	if _, err := f.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := work()
	if err == nil {
		if _, err = f.exec(ctx, "COMMIT"); err == nil {
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	if _, rollbackErr := f.exec(ctx, "ROLLBACK"); rollbackErr != nil {
		err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
	}
	return err
}

func (f *sqlFile) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := f.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// find scans the first row of query into dest; false where there is none.
func (f *sqlFile) find(ctx context.Context, dest []any, query string, args ...any) (bool, error) {
	stmt, err := f.prepare(ctx, query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (f *sqlFile) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := f.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := f.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	f.stmts[query] = stmt
	return stmt, nil
}

// script runs several statements at once, unprepared.
func (f *sqlFile) script(ctx context.Context, text string) error {
	_, err := f.conn.ExecContext(ctx, text)
	return err
}
