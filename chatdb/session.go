package chatdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

// The files that SQLite keeps beside a database in WAL mode.
const (
	walSuffix = "-wal"
	shmSuffix = "-shm"
)

// busyTimeout is how long SQLite itself waits for a lock before it reports
// one. It is short because that wait cannot be cancelled; patience, around it,
// can.
const busyTimeout = 250 * time.Millisecond

// session is one read-only connection with its prepared statements. Its owner
// serialises the calls.
//
// It speaks to the driver directly: one connection needs no pool, and rows
// arrive as plain driver values, which is what a reader wants that must accept
// any type in any column.
type session struct {
	conn   *sqlite3.SQLiteConn
	sql    [queryCount]string
	stmts  [queryCount]*sqlite3.SQLiteStmt
	values [queryCount]row // room for a row of each
	has    schema
	wal    sidecars
}

// openSession connects, probes the schema, and notes which -wal and -shm files
// it is bound to.
func openSession(ctx context.Context, path string) (*session, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(dataSource(path))
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn.(*sqlite3.SQLiteConn)}
	if s.has, err = probeSchema(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	if s.sql, err = s.has.queries(); err != nil {
		s.close()
		return nil, err
	}
	if s.wal, err = statSidecars(path); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dataSource never says immutable: that would hide every row which is still in
// the write-ahead log, for hours or days. It asks for no mutex because a session's
// owner serialises its calls already.
func dataSource(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	u.RawQuery = "mode=ro&_query_only=1&_mutex=no&_busy_timeout=" + strconv.FormatInt(busyTimeout.Milliseconds(), 10)
	return u.String()
}

func (s *session) close() error {
	var errs []error
	for _, stmt := range s.stmts {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// snapshot runs fn inside one read transaction, so that a message and its
// joins are seen at the same instant.
func (s *session) snapshot(ctx context.Context, fn func() error) error {
	if err := s.query(ctx, queryBegin, nil, nil); err != nil {
		return err
	}
	err := fn()
	// The end must come even where ctx has ended: a forgotten transaction would keep
	// Messages from ever checkpointing.
	if endErr := s.query(context.WithoutCancel(ctx), queryEnd, nil, nil); err == nil {
		err = endErr
	}
	return err
}

// query runs one of the prepared statements and hands each row to fn, valid
// only during the call. ctx is looked at between rows: a single step is short, and
// to be ready to interrupt it would cost the driver more than most of them.
func (s *session) query(ctx context.Context, q query, args []driver.NamedValue, fn func(row)) error {
	return s.queryUntil(ctx, q, args, func(r row) bool { fn(r); return false })
}

// queryUntil is query that ends where fn has seen enough.
func (s *session) queryUntil(ctx context.Context, q query, args []driver.NamedValue, fn func(row) (enough bool)) error {
	if s.sql[q] == "" {
		return nil // this schema has no such table
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.prepare(ctx, q); err != nil {
		return err
	}
	rows, err := s.stmts[q].QueryContext(context.WithoutCancel(ctx), args)
	if err != nil {
		return err
	}
	if s.values[q] == nil {
		s.values[q] = make(row, len(rows.Columns()))
	}
	return eachRow(ctx, rows, s.values[q], fn)
}

func (s *session) prepare(ctx context.Context, q query) error {
	if s.stmts[q] != nil {
		return nil
	}
	stmt, err := s.conn.PrepareContext(ctx, s.sql[q])
	if err != nil {
		return fmt.Errorf("prepare statement: %w", err)
	}
	s.stmts[q] = stmt.(*sqlite3.SQLiteStmt)
	return nil
}

// text runs a statement that is used once.
func (s *session) text(ctx context.Context, sql string, fn func(row)) error {
	rows, err := s.conn.QueryContext(ctx, sql, nil)
	if err != nil {
		return err
	}
	return eachRow(ctx, rows, make(row, len(rows.Columns())), func(r row) bool { fn(r); return false })
}

// eachRow reads into values, which hold nothing any more when it returns, until fn has
// seen enough.
func eachRow(ctx context.Context, rows driver.Rows, values row, fn func(row) (enough bool)) (err error) {
	// Close resets the statement and so repeats the error of the last step;
	// it has something new to say only where there was none.
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
		clear(values)
	}()
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if fn(values) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// dataVersion changes whenever another connection has committed, or has
// checkpointed. It says nothing across two sessions. Much hangs on its speed: it
// takes the one row without asking whether there is another.
func (s *session) dataVersion(ctx context.Context) (version int64, err error) {
	if err := s.prepare(ctx, queryDataVersion); err != nil {
		return 0, err
	}
	rows, err := s.stmts[queryDataVersion].QueryContext(context.WithoutCancel(ctx), nil)
	if err != nil {
		return 0, err
	}
	var one [1]driver.Value
	err = rows.Next(one[:])
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return row(one[:]).int(0), err
}

// args numbers the values of a statement.
func args(values ...driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(values))
	for i, v := range values {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}

// sidecars are the -wal and -shm files that a connection is bound to. A
// connection keeps reading the ones it opened, even when they have been
// removed and made anew; it is deaf from then on, without an error.
type sidecars struct{ wal, shm os.FileInfo }

func statSidecars(path string) (c sidecars, err error) {
	if c.wal, err = statIfThere(path + walSuffix); err != nil {
		return c, err
	}
	c.shm, err = statIfThere(path + shmSuffix)
	return c, err
}

func statIfThere(name string) (os.FileInfo, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// renewed tells whether now shows another file where c had one. A file that is
// merely gone is not renewed: there is nothing to move to yet. Inodes cannot be
// mistaken here, because the connection still holds the old files.
func (c sidecars) renewed(now sidecars) bool {
	other := func(then, now os.FileInfo) bool {
		return then != nil && now != nil && !os.SameFile(then, now)
	}
	return other(c.wal, now.wal) || other(c.shm, now.shm)
}
