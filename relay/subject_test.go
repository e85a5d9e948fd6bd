package relay

import (
	"testing"
	"time"

	"bluerelay/wire"
)

// A subject stands above the text, on a line of its own, whoever wrote it and whatever
// becomes of the text. It is said by itself too.
func TestSubject(t *testing.T) {
	s := newStory(t)
	subject := columns{"subject": "Dinner"}
	s.message("G", "helo", subject)
	s.wants("received G Dinner\nhelo")
	s.set("G", "text = 'hello', date_edited = ?, message_summary_info = ?", apple(time.Now()), madeSummary(t, []string{"helo", "hello"}, nil, 1))
	s.wants("edited G Dinner\nhello")
	s.set("G", "text = NULL, is_empty = 1, part_count = 0, date_edited = ?, message_summary_info = ?", apple(time.Now()), madeSummary(t, []string{"helo", "hello"}, []int{0}, 1))
	s.wants("unsent G")
	s.message("T", "at eight", columns{"subject": "Dinner", "is_from_me": 1, "is_sent": 1})
	s.wants("typed T Dinner\nat eight")
	s.row("A", subject)
	s.join("A", direct)
	s.row("B", columns{"subject": "Dinner", "is_from_me": 1, "is_sent": 1})
	s.join("B", direct)
	s.wants() // the text may yet come
	s.impatient()
	s.wants("received A Dinner", "typed B Dinner")
	// And comes all the same, also to another daemon.
	s.set("A", "text = 'at eight'")
	s.wants("joined A Dinner\nat eight")
	s.restart()
	s.set("B", "text = 'at nine', is_delivered = 1")
	s.wants("joined B Dinner\nat nine", "delivered B")
	s.restart()
	s.wants()
	// A send is told by its own words alone.
	s.sends("msg_1", "at ten")
	s.own("C", "at ten", nil)
	s.wants()
	s.set("C", "is_sent = 1")
	s.wants("sent msg_1")
}

// What the owner typed may lack its text or its chat too when it is told.
func TestTypedRowIsCompleted(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"subject": "Dinner", "is_from_me": 1, "is_sent": 1})
	s.wants()
	s.impatient()
	if r := s.last(); r.Kind != wire.Typed || r.Inbound.Chat != "" {
		t.Errorf("%+v", r.Inbound)
	}
	s.join("G", direct)
	if r := s.last(); r.Kind != wire.Joined || r.GUID != "G" || r.Inbound.Chat != direct || r.Inbound.Text != "Dinner" {
		t.Errorf("%+v %+v", r, r.Inbound)
	}
}

func TestImportOfSubjects(t *testing.T) {
	a := newArchive(t)
	a.message("both", "at eight", columns{"subject": "Dinner"})
	a.row("alone", columns{"subject": "Dinner"})
	a.join("alone", direct)
	a.read()
	a.brings(time.Now().Add(-time.Hour), Imported{New: 2}, "alone", "both")
	for guid, want := range map[string]string{"both": "Dinner\nat eight", "alone": "Dinner"} {
		if got := a.past()[guid]; got.Text != want || got.Status != wire.StatusReceived {
			t.Errorf("%s: %+v", guid, got)
		}
	}
}
