package relay

import (
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

// age makes the sends of the journal older, and lets the observer look around again.
func (s *story) age(by time.Duration) {
	s.t.Helper()
	if _, err := s.j.db.Exec("UPDATE sends SET armed_at = armed_at - ? WHERE armed_at > 0", by.Milliseconds()); err != nil {
		s.t.Fatal(err)
	}
	s.restart()
}

// A row that says neither sent nor failed for a day ends its message, so that others may
// go; what it says later still counts, and an order that comes again is answered.
func TestSilentRow(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", nil)
	s.wants()
	s.age(stuckFor - time.Minute)
	s.wants()
	s.age(2 * time.Minute)
	if r := s.last(); r.Kind != wire.Unknown || r.Message != "msg_1" || r.GUID != "G" || r.Fault == nil || r.Fault.Text == "" {
		t.Errorf("%+v %+v", r, r.Fault)
	}
	s.age(time.Minute)
	s.wants()
	give(t, s.j, order("msg_1", 1, alice, "hello"))
	s.wants("unknown msg_1")
	s.set("G", "is_sent = 1")
	s.wants("sent msg_1")
	s.age(48 * time.Hour)
	s.wants()
}

// One that failed meanwhile says so, also where nobody has followed it for long.
func TestSilentRowSpeaksFirst(t *testing.T) {
	t.Parallel()
	for now, want := range map[string]string{"error = 22": "failed msg_1", "is_sent = 1, is_delivered = 1": "sent msg_1,delivered msg_1"} {
		s := newStory(t)
		s.sends("msg_1", "hello")
		s.own("G", "hello", nil)
		s.wants()
		s.set("G", now)
		s.age(s.o.cfg.Observe + time.Hour)
		s.wants(strings.Split(want, ",")...)
	}
}

// A row that is gone ends its message when it has had the time of a file, and counts
// again when it comes back, with whatever ROWID.
func TestRowIsGone(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", nil)
	s.wants()
	s.exec("DELETE FROM message WHERE guid = 'G'")
	s.age(s.o.cfg.SettleFile - time.Minute)
	s.wants()
	s.age(2 * time.Minute)
	s.wants("unknown msg_1")
	s.own("G", "hello", nil)
	s.wants()
	s.set("G", "is_sent = 1")
	s.wants("sent msg_1")
	s.exec("DELETE FROM message WHERE guid = 'G'")
	s.age(stuckFor)
	s.wants()
}

// What the Mac has slept through is no silence: Messages had no time to speak.
func TestSilentWhileAsleep(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", nil)
	s.wants()
	s.age(3 * stuckFor)
	s.o.cursor.Seen -= (3*stuckFor - time.Hour).Milliseconds() // it slept right after
	s.wants()
	s.o.cursor.Up -= catchUp.Milliseconds()
	s.o.combed = time.Time{}
	s.wants("unknown msg_1")
}

// The text of a file that says nothing is not sent any more, and the message is told
// once.
func TestSilentFile(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.armed(withFile("msg_1", "look"))
	s.own("G-file", "\ufffc", nil)
	s.file("G-file", "at_0_G", "~/Library/Messages/Attachments/bluerelay/x/cat.png", 5)
	s.wants()
	s.age(stuckFor + time.Minute)
	s.wants("unknown msg_1")
	if got := partOf(t, s.j, "msg_1", partText).state; got != stateNoSend {
		t.Errorf("the text is %q", got)
	}
	s.set("G-file", "is_sent = 1")
	if r := s.last(); r.Kind != wire.Failed || r.Fault.Code != wire.FaultText {
		t.Errorf("%+v %+v", r, r.Fault)
	}
}

// A failed row that Messages tries again, and that falls silent over it, may have been
// sent: nothing goes by SMS.
func TestSilentRowBeforeTheSMS(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", columns{"error": 22})
	s.wants("failed msg_1")
	s.set("G", "error = 0")
	s.wants()
	s.age(stuckFor + time.Minute)
	s.wants("unknown msg_1")
	o := order("msg_1", 2, alice, "hello")
	o.Service = wire.ServiceSMS
	give(t, s.j, o)
	s.wants("unknown msg_1")
	if got := nextPart(t, s.j, time.Now()); got != "" {
		t.Errorf("%q would be sent", got)
	}
}
