package relay

import (
	"strings"
	"testing"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// broken is a sender whose chat.db cannot tell where these people's messages go.
func broken(t *testing.T, handles ...string) *sender {
	t.Helper()
	st := newStory(t)
	st.chat("any;-;"+bob, "iMessage", "", noon)
	for _, handle := range handles {
		name := strings.Repeat("<"+handle+">", 1000)
		st.exec("INSERT INTO chat (guid, style, chat_identifier, service_name, display_name) VALUES (?, 45, ?, 'iMessage', ?)", "any;-;"+handle, handle, name)
		st.breakRow(strings.Repeat("<"+handle+">", 2))
	}
	s := st.aimer()
	s.journal = st.j
	s.welcome.Store(true)
	return s
}

// tries takes so many steps, without the pauses between them.
func (s *sender) tries(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := s.journal.db.Exec("UPDATE sends SET retry_at = 0"); err != nil {
			t.Fatal(err)
		}
		if busy, err := s.step(t.Context()); err != nil || !busy {
			t.Fatal(busy, err)
		}
	}
}

// An order whose way lies on damaged pages lets the others go before it, and ends.
func TestDamagedWay(t *testing.T) {
	t.Parallel()
	s := broken(t, alice)
	give(t, s.journal, order("msg_1", 1, alice, "a"), order("msg_2", 1, bob, "b"))
	clearOutbox(t, s.journal)
	s.tries(t, 1)
	if got := nextPart(t, s.journal, noon.AddDate(100, 0, 0)); got != "msg_1 text" {
		t.Errorf("%q waits", got)
	}
	one, err := s.journal.next(t.Context(), noon)
	if err != nil || one == nil || one.message != "msg_2" {
		t.Fatal(one, err)
	}
	if _, err := s.aim(t.Context(), one, &applescript.Request{Verb: applescript.SendText, Value: "b"}); err != nil {
		t.Errorf("the other: %v", err)
	}
	if _, err := s.journal.db.Exec("DELETE FROM orders WHERE message = 'msg_2'"); err != nil {
		t.Fatal(err)
	}
	s.tries(t, maxMisses-2)
	if h := s.health.now(); !h.Ready {
		t.Errorf("for one of them: %+v", h)
	}
	wantReports(t, s.journal)
	s.tries(t, 1)
	wantNoSend(t, s.journal, "msg_1", 1, "chat_db", false)
}

// Where it meets one after the other the queue is not thrown away: a person is told.
func TestDamagedWays(t *testing.T) {
	t.Parallel()
	s := broken(t, alice, "+14155550103")
	give(t, s.journal, order("msg_1", 1, alice, "a"))
	s.tries(t, 1)
	other := order("msg_2", 1, "+14155550103", "b")
	other.Seq = 0 // goes first
	give(t, s.journal, other)
	clearOutbox(t, s.journal)
	s.tries(t, 2*maxMisses)
	wantReports(t, s.journal)
	if h := s.health.now(); h.Code != wire.ProblemChatDB || h.Reason != damagedChats {
		t.Errorf("%+v", h)
	}
	// Nothing of it is left to be tried, and an order has to come to find out.
	for _, message := range []string{"msg_1", "msg_2"} {
		if err := cancel(t, s.journal, message, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := s.health.now(); !h.Ready {
		t.Errorf("%+v", h)
	}
}
