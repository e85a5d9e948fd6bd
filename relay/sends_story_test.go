package relay

import (
	"slices"
	"testing"
	"time"

	"bluerelay/wire"
)

// What becomes of sends to groups and of files, from the row to the report.

const theGroup = "any;+;chat1344"

// armed puts an order into the journal and arms its first part, or the next one.
func (s *story) armed(o wire.Send) {
	s.t.Helper()
	give(s.t, s.j, o)
	if o.File != nil && partOf(s.t, s.j, o.Message, partFile).staged == "" {
		stageFor(s.t, s.j, o.Message)
	}
	one, err := s.j.next(s.t.Context(), time.Now())
	if err != nil || one == nil {
		s.t.Fatal(one, err)
	}
	mark, err := s.o.db.Mark(s.t.Context())
	if err == nil {
		err = s.j.arm(s.t.Context(), one, mark, participant, time.Now())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	clearOutbox(s.t, s.j)
}

// In a group there is nobody who delivered or read it.
func TestSendToAGroup(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.armed(wire.Send{Message: "msg_1", Attempt: 1, Seq: 1, Group: theGroup, Service: "auto", Text: "to all"})
	s.message("G-alice", "to all", columns{"is_from_me": 1, "is_sent": 1}) // somebody typed it to her meanwhile
	scan(t, s.o)
	clearOutbox(t, s.j)
	s.row("G", columns{"text": "to all", "is_from_me": 1, "handle": "", "cache_roomnames": "chat1344"})
	s.join("G", theGroup)
	s.wants()
	s.set("G", "is_sent = 1")
	s.wants("sent msg_1")
	s.set("G", "is_delivered = 1, is_read = 1, date_read = ?", apple(time.Now()))
	s.wants()
}

// The row comes first, then its chat, then the file, each by a commit of its own.
func TestFileWhoseRowComesInPieces(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	o := withFile("msg_1", "look")
	s.armed(o)
	s.row("G-file", columns{"is_from_me": 1, "text": "\ufffc"})
	s.wants()
	s.join("G-file", direct)
	s.wants()
	s.file("G-file", "at_0_G", "~/Library/Messages/Attachments/bluerelay/x/cat.png", 5)
	s.wants()
	if got := partOf(t, s.j, "msg_1", partFile); got.guid != "G-file" {
		t.Fatalf("bound to %q", got.guid)
	}
	s.set("G-file", "is_sent = 1, is_delivered = 1")
	s.wants()
	s.armed(o)
	s.own("G-text", "look", columns{"is_sent": 1})
	s.wants("sent msg_1")
	s.restart()
	s.set("G-text", "is_delivered = 1")
	s.wants("delivered msg_1")
}

// The words of an edit of the text are told; the file has none.
func TestEditOfTwoParts(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	o := withFile("msg_1", "helo")
	s.armed(o)
	s.own("G-file", "\ufffc", columns{"is_sent": 1})
	s.file("G-file", "at_0_G", "~/Library/Messages/Attachments/bluerelay/x/cat.png", 5)
	s.wants()
	s.armed(o)
	s.own("G-text", "helo", columns{"is_sent": 1})
	s.wants("sent msg_1")
	now := apple(time.Now())
	s.set("G-text", "text = 'hello', date_edited = ?, message_summary_info = ?", now, madeSummary(t, []string{"helo", "hello"}, nil, 1))
	s.set("G-file", "text = NULL, is_empty = 1, part_count = 0, date_edited = ?, message_summary_info = ?", now, madeSummary(t, nil, []int{0}, 1))
	s.wants("edited msg_1 hello")
}

// A picture that the owner sends to the same person meanwhile is not ours.
func TestAnotherFileIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.armed(withFile("msg_1", ""))
	s.own("G-phone", "\ufffc", columns{"is_sent": 1})
	s.file("G-phone", "dog.png", "~/Library/Messages/Attachments/aa/bb/dog.png", 5)
	scan(t, s.o)
	if got := partOf(t, s.j, "msg_1", partFile); got.state != stateArmed {
		t.Errorf("%+v", got)
	}
	if slices.ContainsFunc(s.reports(), func(r wire.Report) bool { return r.Message == "msg_1" }) {
		t.Errorf("%+v", s.reports())
	}
}

// A message by SMS though it was given to iMessage says so.
func TestDowngradeIsTold(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", nil)
	s.wants()
	s.set("G", "is_sent = 1, service = 'SMS', was_downgraded = 1")
	if r := s.last(); r.Kind != wire.Sent || !r.Downgraded || r.Service != "SMS" {
		t.Errorf("%+v", r)
	}
}
