package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// childDatabase, set in the environment, makes the test binary play a server that
// writes until it is killed.
const childDatabase = "STORE_TEST_DATABASE"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDatabase); dsn != "" {
		os.Exit(writeUntilKilled(dsn))
	}
	os.Exit(storetest.Main(m, store.Open))
}

// writeUntilKilled writes from several goroutines and prints the id of each message
// whose Write has returned nil.
func writeUntilKilled(dsn string) int {
	ctx := context.Background()
	s, err := store.Serve(ctx, dsn)
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

// open opens a new database with one account and one line, and returns its name.
func open(t testing.TB) (*store.Store, string) {
	t.Helper()
	dsn := storetest.New(t)
	s := openAt(t, dsn)
	write(t, s, fixtures)
	return s, dsn
}

// fixtures are the account and the line.
func fixtures(tx *store.Tx) error {
	if err := tx.CreateAccount(store.Account{ID: accountID, Name: "A", Plan: "self_hosted", CreatedAt: 1}); err != nil {
		return err
	}
	return tx.CreateLine(store.Line{ID: lineID, AccountID: accountID, PhoneNumber: "+14155559876", Status: store.LineActive, Verified: true, CreatedAt: 1})
}

func openAt(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
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

// sound fails unless SQLite finds a file in order. PostgreSQL looks after itself.
func sound(t testing.TB, dsn string) {
	t.Helper()
	if storetest.OnPostgres() {
		return
	}
	if verdict := storetest.Rows(t, dsn, "PRAGMA integrity_check"); !slices.Equal(verdict, []string{"ok"}) {
		t.Errorf("integrity_check says %q", verdict)
	}
	if astray := storetest.Rows(t, dsn, "PRAGMA foreign_key_check"); len(astray) > 0 {
		t.Errorf("foreign keys lead nowhere: %q", astray)
	}
}
