// Package storetest gives tests a database of their own, in the engine of the run:
// SQLite, or with TEST_ENGINE=postgres a PostgreSQL server that lives as long as the
// test binary. A package whose tests open a store calls Main from its TestMain.
//
// It knows no table: store.Open, which Main is given, makes them.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "github.com/mattn/go-sqlite3"    // the driver "sqlite3"
)

// engineVariable, in the environment, chooses the engine.
const engineVariable = "TEST_ENGINE"

// shared is the server of the run, nil with SQLite.
var shared *Server

// template is the database that new ones are copies of: far quicker than to make each
// table again. With SQLite it is the bytes of a file.
const template = "template_of_tests"

var templateFile []byte

var databases atomic.Int64

// OnPostgres tells whether this run uses PostgreSQL.
func OnPostgres() bool { return shared != nil }

// Main runs the tests of a package and returns the exit code. open is store.Open, which
// makes the tables; this package cannot name it, as the store's own tests use it too.
func Main[S io.Closer](m *testing.M, open func(ctx context.Context, dsn string) (S, error)) int {
	switch engine := os.Getenv(engineVariable); engine {
	case "", "sqlite":
		if err := fillFile(open); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	case "postgres":
	default:
		fmt.Fprintf(os.Stderr, "%s is %q: sqlite and postgres are known\n", engineVariable, engine)
		return 1
	}
	// No power cut is survived by these databases; fsync would only make the tests slow.
	s, err := start("fsync=off", "full_page_writes=off")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.remove()
	if err := fill(s, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = s
	return m.Run()
}

// fill makes the template.
func fill[S io.Closer](s *Server, open func(ctx context.Context, dsn string) (S, error)) error {
	if err := s.run("CREATE DATABASE " + template); err != nil {
		return err
	}
	db, err := open(context.Background(), s.DSN(template))
	if err != nil {
		return err
	}
	return db.Close()
}

// fillFile makes the template of SQLite. Nothing of it is left in a file beside, because
// its store was closed.
func fillFile[S io.Closer](open func(ctx context.Context, dsn string) (S, error)) error {
	dir, err := os.MkdirTemp("", "template")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cloud.db")
	db, err := open(context.Background(), path)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	templateFile, err = os.ReadFile(path)
	return err
}

// New returns the data source name of a database without rows. It is the test's own.
func New(t testing.TB) string {
	t.Helper()
	// The go command keeps results by the variables that are read while tests run.
	if os.Getenv(engineVariable); shared == nil {
		path := filepath.Join(t.TempDir(), "cloud.db")
		if err := os.WriteFile(path, templateFile, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// To make a database takes PostgreSQL longer than most tests: they are used again.
	var name string
	select {
	case name = <-emptied:
	default:
		name = fmt.Sprintf("test_%d", databases.Add(1))
		shared.must(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	}
	t.Cleanup(func() {
		if _, odd := altered.Load(name); odd {
			shared.drop(t, name)
			return
		}
		Exec(t, shared.DSN(name), emptying)
		select {
		case emptied <- name:
		default:
			shared.drop(t, name)
		}
	})
	return shared.DSN(name)
}

// emptied are databases that can be used again, altered names those that cannot.
var (
	emptied = make(chan string, 16)
	altered sync.Map
)

// emptying takes all rows away but those that say which migrations were applied. With
// that setting no foreign key asks for an order.
const emptying = `SET session_replication_role = replica;
DO $$ DECLARE name TEXT; BEGIN
	FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version' LOOP
		EXECUTE format('DELETE FROM %I', name);
	END LOOP;
END $$`

// Empty returns the data source name of a database without anything in it.
func Empty(t testing.TB) string {
	t.Helper()
	if shared == nil {
		return filepath.Join(t.TempDir(), "cloud.db")
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	shared.must(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { shared.drop(t, name) })
	return shared.DSN(name)
}

// Copy makes a copy of a database that nobody uses, and returns what puts it in the
// place of the original.
func Copy(t testing.TB, dsn string) (restore func()) {
	t.Helper()
	if shared == nil {
		return copyFile(t, dsn)
	}
	name := shared.database(dsn)
	copied := name + "_copy"
	shared.must(t, "CREATE DATABASE "+copied+" TEMPLATE "+name)
	t.Cleanup(func() { shared.drop(t, copied) })
	return func() {
		t.Helper()
		shared.drop(t, name)
		shared.must(t, "ALTER DATABASE "+copied+" RENAME TO "+name)
	}
}

func copyFile(t testing.TB, path string) (restore func()) {
	t.Helper()
	copied := path + ".copy"
	if _, err := SQL(t, path).ExecContext(t.Context(), "VACUUM INTO '"+copied+"'"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		for _, ending := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + ending); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.Rename(copied, path); err != nil {
			t.Fatal(err)
		}
	}
}

// SQL opens a database beside its store, as an operator would. It ends with the test.
func SQL(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, source := "sqlite3", "file:"+dsn+"?_busy_timeout=10000"
	if strings.HasPrefix(dsn, "postgres://") {
		driver, source = "pgx", dsn
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Rows runs statements beside the store and reads the rows of the last as lines, their
// columns separated by spaces.
func Rows(t testing.TB, dsn, query string) []string {
	t.Helper()
	db := SQL(t, dsn)
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			places[i] = &cells[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		words := make([]string, len(cells))
		for i, c := range cells {
			words[i] = c.String
		}
		lines = append(lines, strings.Join(words, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// Exec changes the database beside the store.
func Exec(t testing.TB, dsn, query string) {
	t.Helper()
	if shared != nil && (strings.HasPrefix(query, "ALTER") || strings.HasPrefix(query, "CREATE")) {
		altered.Store(shared.database(dsn), true)
	}
	db := SQL(t, dsn)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, query); err != nil {
		t.Fatal(err)
	}
}
