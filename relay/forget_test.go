package relay

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// ranFor leaves the files of a run.
func (s *sender) ranFor(t testing.TB, id string, age time.Duration) {
	t.Helper()
	at := time.Now().Add(-age)
	for _, ext := range []string{".lock", ".marker", ".result"} {
		path := filepath.Join(s.script.Dir, id+ext)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgetRuns: the files of a run stay until the cloud has acknowledged what became
// of its message.
func TestForgetRuns(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	forgets := func(acked int64, left int) {
		t.Helper()
		s.acked.Store(acked)
		if err := s.forgetRuns(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		runs, err := s.script.Runs()
		if err != nil || len(runs) != left || s.kept != left {
			t.Errorf("acknowledged to %d: left are %+v, %v", acked, runs, err)
		}
	}
	j := s.journal
	s.ranFor(t, "msg_other.1", 2*keptOrders) // of a journal that is gone
	s.ranFor(t, "msg_young.1", time.Hour)
	forgets(1, 1)
	inState(t, j, stateArmed) // reports 1 and 2
	s.ranFor(t, "msg_1.1", 0)
	forgets(2, 2)
	refuse(t, j, "msg_1", noon) // report 3
	forgets(2, 2)
	give(t, j, order("msg_1", 2, alice, "a")) // 4: it goes on
	forgets(4, 2)
	arm(t, j, "msg_1", noon) // 5
	s.ranFor(t, "msg_1.2", 0)
	hand(t, j, "msg_1", noon, noon)
	forgets(5, 3)
	row := ownRow("G-1", 11, alice, "a", noon)
	row.Sent = true
	bind(t, j, "msg_1", row, chatdb.Seen{}) // 6
	forgets(5, 3)
	forgets(6, 1)

	give(t, j, withFile("msg_2", "look")) // 7
	stageFor(t, j, "msg_2")
	armPart(t, j, "msg_2", partFile) // 8
	s.ranFor(t, "msg_2-file.1", 0)
	rowOf(t, j, "msg_2", partFile, sentRow)
	armPart(t, j, "msg_2", partText)
	s.ranFor(t, "msg_2.1", 0)
	forgets(8, 3)
	rowOf(t, j, "msg_2", partText, sentRow) // 9
	forgets(9, 1)
}

// TestOldCopyOfTheJournal: a journal that is put back to before a send, and of which
// the cloud has heard nothing since, finds the files of the run.
func TestOldCopyOfTheJournal(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.journal(func(j *journal) {
		if err := j.receive(t.Context(), order("msg_1", 1, alice, "hello"), time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	path := filepath.Join(m.cfg.StateDir, "journal.db")
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m.greeting(func(wire.Hello) (wire.Welcome, int) { m.deaf = true; return wire.Welcome{}, 0 })
	m.start()
	m.runs(1)
	m.until("the files", func() bool {
		list, _ := filepath.Glob(filepath.Join(m.cfg.StateDir, "sends", "msg_1.1.result"))
		return len(list) == 1
	})
	m.stop()
	for _, name := range []string{path + "-wal", path + "-shm"} {
		_ = os.Remove(name) // the journal was closed: they are gone, or empty
	}
	if err := os.WriteFile(path, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	m.greeting(func(wire.Hello) (wire.Welcome, int) { m.deaf = false; return wire.Welcome{}, 0 })
	m.start()
	m.hears("sending msg_1 1")
	m.until("chat.db is read", func() bool { // else the row may be history
		db, done := m.relay.borrowDB()
		defer done()
		return db != nil
	})
	m.say("G-1", alice, "hello", true, time.Now())
	m.hears("sent msg_1 1")
	if ran := m.ran(); len(ran) != 1 {
		t.Errorf("ran %q", ran)
	}
}
