package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// childDatabase, set in the environment, makes the test binary play a server that
// writes until it is killed.
const childDatabase = "STORE_TEST_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childDatabase); path != "" {
		os.Exit(writeUntilKilled(path))
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes from several goroutines and prints the id of each message
// whose Write has returned nil.
func writeUntilKilled(path string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	acks := make(chan string)
	for writer := range 8 {
		go func() {
			for n := 0; ; n++ {
				m := message(fmt.Sprintf("msg_%d_%d", writer, n))
				if err := s.Write(ctx, func(tx *store.Tx) error { return tx.CreateMessage(&m) }); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				acks <- m.ID
			}
		}()
	}
	out := bufio.NewWriter(os.Stdout)
	for id := range acks {
		fmt.Fprintln(out, id)
		if err := out.Flush(); err != nil {
			return 1
		}
	}
	return 0
}

const (
	accountID = "team_a"
	lineID    = "num_a"
)

// open opens a new database with one account and one line, and returns its path.
func open(t testing.TB) (*store.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.db")
	s := openAt(t, path)
	write(t, s, func(tx *store.Tx) error {
		if err := tx.CreateAccount(store.Account{ID: accountID, Name: "A", Plan: "self_hosted", CreatedAt: 1}); err != nil {
			return err
		}
		return tx.CreateLine(store.Line{ID: lineID, AccountID: accountID, PhoneNumber: "+14155559876", Status: store.LineActive, Verified: true, CreatedAt: 1})
	})
	return s, path
}

func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests have closed it already
	return s
}

func write(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// message is a waiting message with every member that a caller may choose.
func message(id string) store.Message {
	return store.Message{
		ID: id, AccountID: accountID, LineID: lineID, Direction: store.Outbound, Status: wire.Queued,
		From: "+14155559876", To: "+14155551234", Peer: "+14155551234", Content: "Hello", Service: "iMessage", CreatedAt: 1000,
	}
}

// raw opens the file beside the store, as an operator with the sqlite3 program
// would.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// sound fails unless SQLite finds the file in order.
func sound(t testing.TB, db *sql.DB) {
	t.Helper()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check says %q, %v", verdict, err)
	}
	rows, err := db.QueryContext(t.Context(), "PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Error("a foreign key leads nowhere")
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
