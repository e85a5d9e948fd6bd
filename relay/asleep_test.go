package relay

import (
	"testing"
	"time"
)

// away lets a time pass of which the relay sees nothing.
func (s *story) away(d time.Duration) {
	s.t.Helper()
	s.o.cursor.Seen -= d.Milliseconds()
	if err := s.j.setCursor(s.t.Context(), s.o.cursor); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.j.db.Exec("UPDATE sends SET armed_at = armed_at - ?1, ended_at = ended_at - ?1, settle_at = settle_at - ?1 WHERE armed_at > 0", d.Milliseconds()); err != nil {
		s.t.Fatal(err)
	}
	s.exec("UPDATE message SET date = date - ?", d.Nanoseconds())
	s.restart()
}

// The week in which rows of sends are looked for and followed stands still while nobody
// looks: a Mac that is switched off for longer tells what came of them before.
func TestSendsWhileTheMacIsOff(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.bound("msg_1", "G", nil)
	s.sends("msg_2", "late")
	hand(t, s.j, "msg_2", time.Now(), time.Now().Add(-time.Second))
	if n, err := s.j.settle(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.wants("unknown msg_2")
	s.own("L", "late", columns{"is_sent": 1})
	s.away(s.o.cfg.Observe + 24*time.Hour)
	s.set("G", "is_delivered = 1")
	s.wants("sent msg_2", "delivered msg_1")
	s.set("G", "is_read = 1")
	s.wants("read msg_1")
	// Not for ever: an hour after that, all of it is over.
	s.o.cursor.Up -= catchUp.Milliseconds()
	s.message("N", "news", nil)
	s.wants("received N news")
	if len(s.o.followed) > 0 {
		t.Errorf("%d rows are followed", len(s.o.followed))
	}
}
