package relay

import (
	"path/filepath"
	"testing"
	"time"
)

// forgetAll lets so much time pass that the journal forgets its orders.
func forgetAll(t testing.TB, j *journal) {
	t.Helper()
	if err := j.forgetOrders(t.Context(), highOf(t, j), noon.Add(keptOrders+time.Hour)); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := j.db.QueryRow("SELECT COUNT(*) FROM orders").Scan(&n); err != nil || n != 0 {
		t.Fatalf("%d orders are left, %v", n, err)
	}
}

func wantWrote(t testing.TB, j *journal, handle string, want bool) {
	t.Helper()
	if got, err := j.wroteTo(t.Context(), handle); err != nil || got != want {
		t.Errorf("wroteTo %t, %v, want %t", got, err, want)
	}
}

// Whoever was written to may answer when the order is long forgotten.
func TestAnswerAfterTheOrderIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &story{messages: newMessages(t), j: reopen(t, dir)}
	give(t, s.j, order("msg_1", 1, "carol@example.com", "hello"))
	arm(t, s.j, "msg_1", noon)
	refuse(t, s.j, "msg_1", noon)
	forgetAll(t, s.j)
	clearOutbox(t, s.j)
	s.o = s.look(s.j, Credential{Scope: ScopeStarted})
	s.say("G1", "Carol@Example.com", "STOP", false, time.Now())
	s.say("G2", bob, "private words", false, time.Now())
	s.wants("received G1 STOP")
	c, err := readClaimsFrom(t.Context(), filepath.Join(dir, "journal.db"))
	if err != nil || len(c.wrote) != 1 || !c.wrote["carol@example.com"] {
		t.Errorf("an import knows %v, %v", c.wrote, err)
	}
}

// A journal of before there was the table, and one that a former program went on with,
// know whom their orders were to.
func TestWroteIsMadeOfOrders(t *testing.T) {
	t.Parallel()
	for _, was := range []string{"DROP TABLE wrote", "DELETE FROM wrote"} {
		dir := t.TempDir()
		j := reopen(t, dir)
		group := order("msg_2", 1, "", "hello all")
		group.Group = "any;+;chat7"
		give(t, j, order("msg_1", 1, alice, "hello"), group)
		arm(t, j, "msg_1", noon)
		refuse(t, j, "msg_1", noon)
		arm(t, j, "msg_2", noon)
		refuse(t, j, "msg_2", noon)
		if _, err := j.db.Exec(was); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			j.close()
			j = reopen(t, dir)
			wantWrote(t, j, alice, true)
			wantWrote(t, j, bob, false)
			wantWrote(t, j, "", false)
		}
		forgetAll(t, j)
		wantWrote(t, j, alice, true)
	}
}

// A group that the API writes to is not a person: what is said in it goes by who says it,
// and what the owner says in it stays.
func TestScopeStartedInAGroup(t *testing.T) {
	t.Parallel()
	const room = "any;+;chat7"
	s := newStory(t)
	s.toGroup("msg_1", room, "hello all")
	give(t, s.j, order("msg_2", 1, alice, "hello"))
	clearOutbox(t, s.j)
	s.o = s.look(s.j, Credential{Scope: ScopeStarted})
	s.impatient()
	said := func(guid string, c columns) {
		s.row(guid, c)
		s.join(guid, room)
	}
	said("OWN", columns{"text": "hello all", "handle": "", "is_from_me": 1, "is_sent": 1})
	said("TYPED", columns{"text": "of the owner", "handle": "", "is_from_me": 1, "is_sent": 1})
	said("BOB", columns{"text": "of a stranger", "handle": bob})
	said("ALICE", columns{"text": "an answer", "handle": alice})
	s.wants("sent msg_1", "received ALICE an answer")
}
