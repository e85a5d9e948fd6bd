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
	conn  *sqlite3.SQLiteConn
	sql   [queryCount]string
	stmts [queryCount]*sqlite3.SQLiteStmt
	width [queryCount]int // columns of a row; asking again costs their names each time
	has   schema
	wal   sidecars
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
// the write-ahead log, for hours or days.
func dataSource(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	u.RawQuery = "mode=ro&_query_only=1&_busy_timeout=" + strconv.FormatInt(busyTimeout.Milliseconds(), 10)
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
	// Neither of the two can wait, and the end must come even where ctx ended:
	// a forgotten transaction would keep Messages from ever checkpointing.
	always := context.WithoutCancel(ctx)
	if _, err := s.conn.ExecContext(always, "BEGIN", nil); err != nil {
		return err
	}
	err := fn()
	if _, endErr := s.conn.ExecContext(always, "ROLLBACK", nil); err == nil {
		err = endErr
	}
	return err
}

// query runs one of the prepared statements and hands each row to fn, valid
// only during the call.
func (s *session) query(ctx context.Context, q query, args []driver.NamedValue, fn func(row)) error {
	if s.sql[q] == "" {
		return nil // this schema has no such table
	}
	if s.stmts[q] == nil {
		stmt, err := s.conn.PrepareContext(ctx, s.sql[q])
		if err != nil {
			return fmt.Errorf("prepare statement: %w", err)
		}
		s.stmts[q] = stmt.(*sqlite3.SQLiteStmt)
	}
	rows, err := s.stmts[q].QueryContext(ctx, args)
	if err != nil {
		return err
	}
	if s.width[q] == 0 {
		s.width[q] = len(rows.Columns())
	}
	return eachRow(rows, s.width[q], fn)
}

// text runs a statement that is used once.
func (s *session) text(ctx context.Context, sql string, fn func(row)) error {
	rows, err := s.conn.QueryContext(ctx, sql, nil)
	if err != nil {
		return err
	}
	return eachRow(rows, len(rows.Columns()), fn)
}

func eachRow(rows driver.Rows, width int, fn func(row)) (err error) {
	// Close resets the statement and so repeats the error of the last step;
	// it has something new to say only where there was none.
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	values := make(row, width)
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fn(values)
	}
}

// dataVersion changes whenever another connection has committed, or has
// checkpointed. It says nothing across two sessions.
func (s *session) dataVersion(ctx context.Context) (version int64, err error) {
	err = s.query(ctx, queryDataVersion, nil, func(r row) { version = r.int(0) })
	return version, err
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
