package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// oldestPostgres is the first version that tells what became of a transaction by the
// name that it has here.
const oldestPostgres = 130000

// connectTimeout bounds one attempt to reach the server, where the address says nothing
// else (connect_timeout).
const connectTimeout = 5 * time.Second

// openPostgres opens a database of a server. The connection that writes takes the claim
// each time it is made: what a server process commits is committed by the only one that
// serves, also after the database was restarted under it.
func openPostgres(ctx context.Context, dsn string, serve bool) (*Store, error) {
	cfg, err := postgresConfig(dsn)
	if err != nil {
		return nil, err
	}
	reads, writes := cfg, cfg.Copy()
	settings(reads, map[string]string{
		"default_transaction_read_only": "on",
		// A plan for any number of rows, which PostgreSQL would keep after five uses, reads
		// a whole history for a page of it.
		"plan_cache_mode": "force_custom_plan",
	})
	settings(writes, map[string]string{
		"lock_timeout":                        "5s",
		"idle_in_transaction_session_timeout": "60s",
		// The server lets go of the claim of a machine that has vanished.
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4",
	})
	s := &Store{
		engine: postgres, name: postgresName(cfg), db: stdlib.OpenDB(*reads),
		wdb: stdlib.OpenDB(*writes, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error { return enter(ctx, conn, serve) })),
	}
	if err := s.look(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close(), s.wdb.Close())
	}
	return s, nil
}

// postgresConfig reads an address. What is wrong with it is said without showing it: it
// may hold a password anywhere.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	if _, err := url.Parse(dsn); err != nil {
		return nil, errors.New("the address of the database is no URL: write special characters of a name or a password as %XX")
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the address of the database cannot be read: it is postgres://USER@HOST:PORT/NAME?sslmode=verify-full, with settings as PostgreSQL's own programs take them")
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, connectTimeout)
	// Both sides look whether the other one is still there.
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	cfg.DialFunc = dialer.DialContext
	settings(cfg, map[string]string{"application_name": "bluecloud"})
	return cfg, nil
}

// settings adds settings of the session that the address does not have.
func settings(cfg *pgx.ConnConfig, list map[string]string) {
	all := maps.Clone(list)
	maps.Copy(all, cfg.RuntimeParams)
	cfg.RuntimeParams = all
}

// postgresName is how the database is called where anybody may read it.
func postgresName(cfg *pgx.ConnConfig) string {
	return "PostgreSQL " + cfg.User + "@" + net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))) + "/" + cfg.Database
}

// enter prepares a connection that writes.
func enter(ctx context.Context, conn *pgx.Conn, serve bool) error {
	if _, err := conn.Exec(ctx, postgresDurable); err != nil {
		return err
	}
	if !serve {
		return nil
	}
	_, err := conn.Exec(ctx, postgresClaim)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == lockNotAvailable {
		return ErrServed
	}
	return err
}

// look refuses a server that could not keep what is given to it.
func (s *Store) look(ctx context.Context) error {
	var version int
	var encoding, fsync string
	if err := s.db.QueryRowContext(ctx, postgresLook).Scan(&version, &encoding, &fsync); err != nil {
		return explain(err)
	}
	if version < oldestPostgres {
		return fmt.Errorf("this is PostgreSQL %d; 13 is the oldest that will do", version/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("this database is encoded in %s, where not every message can be kept: make one with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	s.careless = fsync == "off"
	return nil
}

// The conditions of PostgreSQL that are asked for by name. The first two characters of
// one are its class (appendix A of its manual).
const (
	uniqueViolation  = "23505"
	inFailed         = "25P02" // a statement of this transaction has failed before
	readOnly         = "25006"
	serialization    = "40001"
	deadlock         = "40P01"
	lockNotAvailable = "55P03"
)

func class(e *pgconn.PgError) string { return e.Code[:min(2, len(e.Code))] }

// meaningPostgres is as meaningSQLite.
func meaningPostgres(e *pgconn.PgError) (taken, later bool) {
	switch e.Code {
	case uniqueViolation:
		return true, false
	case readOnly, serialization, deadlock, lockNotAvailable:
		return false, true
	}
	switch class(e) {
	case "08", // the connection
		"53", // no space, no memory, too many connections
		"57", // the server is being stopped or started
		"58": // an error of its disk
		return false, true
	}
	return false, fatal(e)
}

// fatal tells whether the session has ended with an error.
func fatal(e *pgconn.PgError) bool {
	severity := cmp.Or(e.SeverityUnlocalized, e.Severity)
	return severity == "FATAL" || severity == "PANIC"
}

// hopelessPostgres tells of values that do not fit, break a constraint, or are too large
// for an index or a row.
func hopelessPostgres(e *pgconn.PgError) bool {
	return slices.Contains([]string{"22", "23", "54"}, class(e))
}

// lost tells whether an error says that a server was not reached, or not to the end.
func lost(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return slices.ContainsFunc([]error{ErrServed, pgconn.ErrConnClosed, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded},
		func(end error) bool { return errors.Is(err, end) })
}
