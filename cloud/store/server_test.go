package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

// One process serves a database; others may change it beside that one.
func TestServedByOne(t *testing.T) {
	dsn := storetest.New(t)
	first, err := store.Serve(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := store.Serve(t.Context(), dsn); !errors.Is(err, store.ErrServed) {
		t.Fatalf("a second one: %v, %v", second, err)
	}
	beside := openAt(t, dsn)
	write(t, beside, func(tx *store.Tx) error { return tx.SetSetting("n", "beside") })
	write(t, first, func(tx *store.Tx) error { return tx.SetSetting("m", "first") })
	same(t, "beside")(first.Setting(t.Context(), "n"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := store.Serve(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// A writer that takes no notice of a failed statement harms nobody who shares its
// transaction.
func TestUnnoticedFailure(t *testing.T) {
	s, _ := open(t)
	release := hold(t, s)
	careless, careful := make(chan error, 1), make(chan error, 1)
	go func() {
		careless <- s.Write(context.Background(), func(tx *store.Tx) error {
			_ = tx.CreateAccount(store.Account{ID: accountID})
			return nil
		})
	}()
	go func() {
		careful <- s.Write(context.Background(), func(tx *store.Tx) error { return tx.SetSetting("n", "there") })
	}()
	release()
	<-careless // as the engine has it: SQLite goes on after a failure, PostgreSQL does not
	if err := <-careful; err != nil {
		t.Error(err)
	}
	same(t, "there")(s.Setting(t.Context(), "n"))
}

// What is no text becomes text, the same on every engine.
func TestOddText(t *testing.T) {
	s, _ := open(t)
	for odd, kept := range map[string]string{"a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "\U0001F600\u2028": "\U0001F600\u2028", "": ""} {
		write(t, s, func(tx *store.Tx) error { return tx.SetSetting("name"+odd, odd) })
		same(t, kept)(s.Setting(t.Context(), "name"+odd))
	}
}

// A database that goes away is told apart from what can never be stored, and is used
// again when it is back, also after it had died.
func TestDatabaseComesBack(t *testing.T) {
	server := storetest.Start(t)
	s, err := store.Serve(t.Context(), server.New(t, "away"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, end := range []func(testing.TB){server.Stop, server.Crash} {
		write(t, s, func(tx *store.Tx) error { return tx.SetSetting("n", "kept") })
		same(t, "kept")(s.Setting(t.Context(), "n"))
		end(t)
		for range 2 {
			err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("n", "lost") })
			if !errors.Is(err, store.ErrNoSpace) || store.Hopeless(err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("a write without a database: %v", err)
			}
			if _, err := s.Setting(t.Context(), "n"); !errors.Is(err, store.ErrNoSpace) || strings.Contains(err.Error(), "secret") {
				t.Errorf("a read without a database: %v", err)
			}
		}
		server.Again(t)
		write(t, s, func(tx *store.Tx) error { return tx.SetSetting("m", "again") })
		same(t, "kept")(s.Setting(t.Context(), "n"))
	}
}

// The connection breaks during COMMIT. Write says what became of it: a client that is
// told that nothing was stored sends again.
func TestLostCommit(t *testing.T) {
	server := storetest.Start(t)
	dsn := server.New(t, "lost")
	between := newBreaker(t, server.Socket())
	s, err := store.Serve(t.Context(), strings.Replace(dsn, filepath.Dir(server.Socket()), filepath.Dir(between.socket), 1))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 { // all statements are prepared then
		write(t, s, func(tx *store.Tx) error { return tx.SetSetting("n", "old") })
	}
	for _, c := range []struct {
		reached bool
		want    string
	}{{true, "new"}, {false, "old"}} {
		write(t, s, func(tx *store.Tx) error { return tx.SetSetting("n", "old") })
		told := false
		err := s.Write(t.Context(), func(tx *store.Tx) error {
			tx.OnCommit(func() { told = true })
			// What comes after it: the end of this part, and COMMIT.
			defer between.breakAfter(2, c.reached)
			return tx.SetSetting("n", "new")
		})
		if (err == nil) != c.reached || told != c.reached || err != nil && !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("COMMIT reached the database %t: %v, told %t", c.reached, err, told)
		}
		same(t, c.want)(s.Setting(t.Context(), "n"))
	}
}

// breaker stands between a store and its database and breaks a connection at a given
// statement.
type breaker struct {
	socket string
	left   atomic.Int64 // statements until it breaks one, 0 for never
	passes atomic.Bool  // whether the last one still reaches the database
}

func newBreaker(t *testing.T, server string) *breaker {
	t.Helper()
	b := &breaker{socket: filepath.Join(t.TempDir(), filepath.Base(server))}
	ln, err := net.Listen("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			if far, err := net.Dial("unix", server); err == nil {
				answered := make(chan struct{})
				go func() { defer close(answered); _, _ = io.Copy(client, far); client.Close() }()
				go b.forward(client, far, answered)
			}
		}
	}()
	return b
}

func (b *breaker) breakAfter(statements int64, passes bool) {
	b.passes.Store(passes)
	b.left.Store(statements)
}

// forward passes on what a client sends: one statement at a time. answered tells that
// an answer found nobody, or that the database has hung up.
func (b *breaker) forward(client, far net.Conn, answered <-chan struct{}) {
	defer far.Close()
	defer client.Close()
	data := make([]byte, 1<<16)
	for {
		n, err := client.Read(data)
		if err != nil {
			return
		}
		last := b.left.Load() > 0 && b.left.Add(-1) == 0
		if last {
			client.Close()
		}
		if last && !b.passes.Load() {
			return
		}
		if _, err := far.Write(data[:n]); err != nil {
			return
		}
		if last {
			<-answered
			return
		}
	}
}
