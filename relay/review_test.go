package relay

import (
	"fmt"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// Of many rows the newest are looked at with every change, the others when it is their
// turn again; nothing of them is lost meanwhile, and nothing is told twice.
func TestOldRowsTakeTurns(t *testing.T) {
	s := newStory(t)
	const n = nearby + 50
	s.exec("BEGIN")
	for i := range n {
		s.message(fmt.Sprint("G", i), "x", nil)
	}
	s.exec("COMMIT")
	scan(t, s.o)
	clearOutbox(t, s.j)
	newest := fmt.Sprint("G", n-1)
	edit := func(guid, from, to string) {
		t.Helper()
		s.set(guid, "text = ?, date_edited = ?, message_summary_info = ?", to, apple(time.Now()), madeSummary(t, []string{from, to}, nil, 1))
	}
	turn := func(d time.Duration) { s.o.told.due = time.Now().Add(d) }
	turn(0)
	edit("G0", "x", "a")
	edit(newest, "x", "b")
	s.wants("edited "+newest+" b", "edited G0 a") // after a pause all are looked at
	turn(time.Hour)
	edit("G1", "x", "c")
	edit(newest, "b", "d")
	s.set(newest, "message_summary_info = ?", madeSummary(t, []string{"x", "b", "d"}, nil, 1))
	s.wants("edited " + newest + " d")
	if !s.o.told.owed {
		t.Error("nobody remembers that there is something to look at")
	}
	// A new row makes another one old.
	border := fmt.Sprint("G", n-nearby)
	edit(border, "x", "e")
	s.message("N", "new", nil)
	s.wants("received N new")
	turn(0)
	s.wants("edited G1 c", "edited "+border+" e")
	turn(0)
	s.wants()
	if s.o.told.owed {
		t.Error("there is nothing left to look at")
	}
}

// The others are looked at in time, also where nothing changes any more.
func TestOldRowsAreNotForgotten(t *testing.T) {
	s := newStory(t)
	w, err := chatdb.NewWatcher(s.o.db, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Wait(t.Context()); err != nil { // the first is for free
		t.Fatal(err)
	}
	s.o.told = told{owed: true, due: time.Now().Add(10 * time.Millisecond)}
	if event, err := s.o.await(t.Context(), w); event != chatdb.Changed || err != nil || time.Now().Before(s.o.told.due) {
		t.Error(event, err)
	}
	scan(t, s.o)
	if s.o.told.owed {
		t.Error("there is nothing to look at")
	}
}
