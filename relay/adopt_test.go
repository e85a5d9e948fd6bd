package relay

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/wire"
)

// made leaves the files of a run in a state folder, with the marker of one that began.
func made(t testing.TB, dir, run string, at time.Time) {
	t.Helper()
	sends := filepath.Join(dir, sendsFolder)
	if err := os.MkdirAll(sends, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, ext := range []string{".lock", ".marker"} {
		name := filepath.Join(sends, run+ext)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
}

// A journal that was put back to before a send, while the folder of runs was not: the
// cloud takes it for the one it knows where nothing was acknowledged since. What was
// begun cannot be taken back, whatever asks for it.
func TestOldJournalKnowsItsRuns(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, j *journal) error{
		"expire":  func(t *testing.T, j *journal) error { _, err := j.expire(t.Context(), noon.Add(time.Hour)); return err },
		"cancel":  func(t *testing.T, j *journal) error { return cancel(t, j, "msg_1", 1) },
		"release": func(t *testing.T, j *journal) error { return j.release(t.Context(), noon) },
		"retire":  func(t *testing.T, j *journal) error { return j.retire(t.Context(), noon) },
		"renew":   func(t *testing.T, j *journal) error { return j.renew(t.Context(), "", true, nil, noon) },
		"order again": func(t *testing.T, j *journal) error {
			return j.receive(t.Context(), order("msg_1", 1, alice, "a"), noon)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j := reopen(t, dir)
			o := order("msg_1", 1, alice, "a")
			o.ExpiresIn = 1000
			give(t, j, o)
			clearOutbox(t, j)
			j.close()
			made(t, dir, "msg_1.1", noon)
			j = reopen(t, dir)
			if err := take(t, j); err != nil {
				t.Fatal(err)
			}
			wantReports(t, j, "sending msg_1 1")
			left, err := j.left(t.Context())
			if err != nil || len(left) != 1 || left[0].run != 1 || !left[0].armedAt.Equal(noon) || left[0].text != "a" || !j.adopted.Load() {
				t.Errorf("%+v, %v", left, err)
			}
		})
	}
}

// The same where the copy is older than the order.
func TestOldJournalMeetsAnOrderAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made(t, dir, "msg_1.1", noon)
	made(t, dir, "msg_2-file.1", noon)
	j := reopen(t, dir)
	if err := cancel(t, j, "msg_1", 1); err != nil {
		t.Fatal(err)
	}
	wantReports(t, j, "sending msg_1 1")
	late := withFile("msg_2", "look")
	late.ExpiresIn = -1
	give(t, j, late, order("msg_3", 1, bob, "b"))
	if _, err := j.expire(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	wantReports(t, j, "sending msg_1 1", "accepted msg_2 1", "sending msg_2 1", "accepted msg_3 1")
	wantState(t, j, "msg_1", stateArmed)
	wantState(t, j, "msg_3", stateReceived)
	if s := partOf(t, j, "msg_2", partFile); s.state != stateArmed {
		t.Errorf("%+v", s)
	}
}

// A run that the journal knows is not begun again by its files: the attempt had no
// effect, and another one waits.
func TestKnownRunsAreLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	give(t, j, order("msg_1", 1, alice, "a"))
	arm(t, j, "msg_1", noon)
	refusePart(t, j, "msg_1", partText, true)
	give(t, j, order("msg_1", 2, alice, "a"))
	j.close()
	made(t, dir, "msg_1.1", noon)
	j = reopen(t, dir)
	wantState(t, j, "msg_1", stateReceived)
}

// What was adopted is found out before anything else, and its row is bound by its time.
func TestAdoptedRunIsFound(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	dir := t.TempDir()
	made(t, dir, "msg_1.1", noon)
	s.journal, s.script.Dir = reopen(t, dir), filepath.Join(dir, sendsFolder)
	give(t, s.journal, order("msg_1", 1, alice, "a"))
	if _, err := s.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantState(t, s.journal, "msg_1", stateHanded)
	one := sendIn(t, s.journal, "msg_1")
	if got := fits(one, ownRow("G", 3, alice, "a", noon), "file"); got != exactMatch {
		t.Errorf("its row is %v", got)
	}
	if one.fault == nil || one.fault.Code != "outcome_unknown" {
		t.Errorf("%+v", one.fault)
	}
	clearOutbox(t, s.journal)
	if err := s.journal.receive(t.Context(), wire.Send{Message: "msg_1", Attempt: 1, Seq: 1, To: alice, Text: "a"}, noon); err != nil {
		t.Fatal(err)
	}
	wantReports(t, s.journal)
}

// As long as rows are there that were not looked at, no window ends: the daemon was away,
// and the row that is awaited may be among them.
func TestWindowsEndWhenAllIsRead(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.wants()
	hand(t, s.j, "msg_1", time.Now(), time.Now().Add(-time.Second))
	s.own("G", "hello", columns{"is_sent": 1})
	r := s.o.Relay
	r.began = time.Now()
	r.cfg.SettleFile = time.Hour
	snd := &sender{Relay: r, tidied: time.Now()}
	lend := func(read bool) {
		t.Helper()
		r.lendDB(s.o.db)
		defer r.lendDB(nil)
		if err := snd.timeOut(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if snd.reading == read {
			t.Errorf("rows are to be read: %v", snd.reading)
		}
	}
	lend(false)
	wantState(t, s.j, "msg_1", stateHanded)
	s.wants("sent msg_1")
	s.sends("msg_2", "nobody has it")
	s.wants()
	hand(t, s.j, "msg_2", time.Now(), time.Now().Add(-time.Second))
	lend(true)
	wantState(t, s.j, "msg_2", stateUnknown)

	// Not for ever.
	s.sends("msg_3", "nor this")
	hand(t, s.j, "msg_3", time.Now(), time.Now().Add(-time.Second))
	r.began = time.Now().Add(-2 * time.Hour)
	if err := snd.timeOut(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	wantState(t, s.j, "msg_3", stateUnknown)
}
