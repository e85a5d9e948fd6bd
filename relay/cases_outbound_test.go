package relay

import (
	"maps"
	"testing"
	"time"

	"bluerelay/wire"
)

func TestCase08_SubjectDoesNotHideReceipts(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", columns{"subject": "about it"})
	s.wants()
	s.set("G", "is_sent = 1, is_delivered = 1, date_delivered = ?", apple(time.Now()))
	s.wants("sent msg_1", "delivered msg_1")
}

func TestCase35_RowAppearsLate(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.wants()
	hand(t, s.j, "msg_1", time.Now(), time.Now().Add(-time.Second))
	if n, err := s.j.settle(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.wants("unknown msg_1")
	s.own("G", "hello", columns{"is_sent": 1})
	s.wants("sent msg_1")
	s.wants()
}

func TestCase36_SameTextTwice(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "ok")
	s.sends("msg_2", "ok")
	s.own("G1", "ok", columns{"is_sent": 1})
	s.own("G2", "ok", columns{"is_sent": 1})
	s.wants("sent msg_1", "sent msg_2")
	if one, two := sendIn(t, s.j, "msg_1"), sendIn(t, s.j, "msg_2"); one.guid != "G1" || two.guid != "G2" {
		t.Errorf("bound to %q and %q", one.guid, two.guid)
	}
}

func TestCase37_TextThatMessagesChanges(t *testing.T) {
	s := newStory(t)
	for i, sent := range []string{`it's "so" -- she said `, "cafe\u0301", "https://example.com/a"} {
		row := []string{"it’s “so” — she said", "café", "https://example.com/a"}[i]
		message, guid := "msg_"+string(rune('a'+i)), "G"+string(rune('a'+i))
		s.sends(message, sent)
		more := columns{"is_sent": 1}
		if i == 2 {
			more["balloon_bundle_id"] = "com.apple.messages.URLBalloonProvider"
		}
		s.own(guid, row, more)
		s.wants("sent " + message)
	}
	s.sends("msg_link", "see https://example.com/z")
	s.own("L1", "see https://example.com/z", columns{"is_sent": 1})
	s.own("L2", "https://example.com/z", columns{"is_sent": 1, "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	s.wants("sent msg_link")
}

func TestCase38_Failures(t *testing.T) {
	s := newStory(t)
	for i, code := range []int{22, 3, 9999} {
		message, guid := "msg_"+string(rune('a'+i)), "G"+string(rune('a'+i))
		s.sends(message, message)
		s.own(guid, message, nil)
		s.wants()
		s.set(guid, "error = ?", code)
		if r := s.last(); r.Kind != wire.Failed || r.Message != message || r.Fault.Number != code || r.Fault.Text == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestCase39_FailureThatRecovers(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", columns{"error": 22})
	s.wants("failed msg_1")
	s.set("G", "error = 0")
	s.wants()
	s.restart()
	s.set("G", "is_sent = 1, service = 'SMS', was_downgraded = 1")
	s.wants("sent msg_1")
}

// Each state of a row that fails and recovers says which it is, across restarts.
func TestStatesAreCounted(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.own("G", "hello", columns{"is_sent": 1})
	is := func(kind wire.Kind, version int64) {
		t.Helper()
		if r := s.last(); r.Kind != kind || r.Version != version {
			t.Errorf("%s %d, want %s %d", r.Kind, r.Version, kind, version)
		}
	}
	is(wire.Sent, 1)
	s.set("G", "error = 3")
	is(wire.Failed, 1)
	s.restart()
	s.set("G", "error = 0")
	is(wire.Sent, 2)
	s.set("G", "error = 22")
	is(wire.Failed, 2)
}

func TestCase40_GhostRow(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.row("ghost", columns{"is_from_me": 1, "error": 22})
	s.wants() // its text and its chat may yet come
	s.impatient()
	r := s.last()
	if r.Kind != wire.Failed || r.Message != "msg_1" || r.GUID != "ghost" || r.Fault.Code != "ghost_row" || r.Fault.Number != 22 {
		t.Errorf("%+v %+v", r, r.Fault)
	}
	s.wants()
	s.restart()
	s.wants()
}

// What osascript says decides nothing where there is a row, and sent is never said
// where there is none. The other half, what osascript says, is in package applescript.
func TestCase41_TheRowIsTheTruth(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	hand(t, s.j, "msg_1", time.Now(), time.Now().Add(time.Hour)) // an error after the marker
	s.own("G", "hello", columns{"is_sent": 1})
	s.wants("sent msg_1")
	s.sends("msg_2", "silence")
	hand(t, s.j, "msg_2", time.Now(), time.Now().Add(-time.Second))
	if _, err := s.j.settle(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.wants("unknown msg_2")
}

// bound is a send whose row is there and sent.
func (s *story) bound(message, guid string, more columns) {
	s.t.Helper()
	s.sends(message, "hello "+guid)
	c := columns{"is_sent": 1}
	maps.Copy(c, more)
	s.own(guid, "hello "+guid, c)
	s.wants("sent " + message)
}

func TestCase42_DeliveredWithoutDate(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G", nil)
	s.set("G", "is_delivered = 1")
	s.wants("delivered msg_1")
	s.set("G", "date_delivered = ?", apple(time.Now()))
	s.wants()
}

func TestCase43_DeliveredAndReadAtOnce(t *testing.T) {
	s := newStory(t)
	now := time.Now()
	for i, apart := range []time.Duration{0, 36 * time.Millisecond} {
		message, guid := "msg_"+string(rune('a'+i)), "G"+string(rune('a'+i))
		s.bound(message, guid, nil)
		s.set(guid, "is_delivered = 1, is_read = 1, date_delivered = ?, date_read = ?", apple(now), apple(now.Add(apart)))
		s.wants("delivered "+message, "read "+message)
		s.wants()
	}
}

func TestCase44_ReadWithoutDelivered(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G", nil)
	s.set("G", "is_read = 1, date_read = ?", apple(time.Now()))
	s.wants("delivered msg_1", "read msg_1")
}

// The relay promises read for the row that says so, and for no other: that a person
// who read the last message has read those before it is likely, not a fact.
func TestCase45_ReadOnTheLastRowOnly(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G1", nil)
	s.bound("msg_2", "G2", nil)
	s.set("G2", "is_read = 1, date_read = ?", apple(time.Now()))
	s.wants("delivered msg_2", "read msg_2")
}

func TestCase46_ReceiptThreeDaysLater(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G", nil)
	ago := time.Now().Add(-3 * 24 * time.Hour)
	if _, err := s.j.db.Exec("UPDATE sends SET armed_at = ?", ago.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.wants()
	s.set("G", "is_delivered = 1, is_read = 1, date_read = ?", apple(time.Now()))
	s.restart()
	s.wants("delivered msg_1", "read msg_1")
	s.set("G", "date_read = ?", apple(time.Now().Add(time.Second))) // iCloud moves it
	s.wants()
}

func TestCase47_OwnReadingIsNoReceipt(t *testing.T) {
	s := newStory(t)
	s.message("G", "hello", nil)
	s.wants("received G hello")
	s.set("G", "is_read = 1, date_read = ?", apple(time.Now()))
	s.wants()
}

func TestCase48_GroupHasNoReceipts(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"text": "to all", "is_from_me": 1, "is_sent": 1, "handle": "", "cache_roomnames": "chat7"})
	s.join("G", "any;+;chat7")
	s.wants("typed G to all")
	s.set("G", "is_delivered = 1, is_read = 1, date_read = ?", apple(time.Now()))
	s.wants()
}

func TestCase49_ServicesWithAndWithoutReceipts(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G1", columns{"service": "SMS"})
	s.set("G1", "is_delivered = 1, is_read = 1")
	s.wants()
	s.bound("msg_2", "G2", columns{"service": "RCS"})
	s.set("G2", "is_delivered = 1")
	s.wants("delivered msg_2")
}

func TestCase50_OwnRowIsToldOnce(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "G", nil)
	s.wants()
	s.restart()
	s.wants()
	// Nor when it comes again, with another ROWID in a new file, long after its end.
	s.set("G", "is_read = 1")
	s.wants("delivered msg_1", "read msg_1")
	if _, err := s.j.db.Exec("UPDATE sends SET armed_at = armed_at - ?", 2*changeWindow.Milliseconds()); err != nil {
		t.Fatal(err)
	}
	next := &story{messages: newMessages(t), j: s.j}
	next.message("N", "before it", nil)
	next.own("G", "hello G", columns{"is_sent": 1, "is_delivered": 1, "is_read": 1})
	next.restart()
	next.wants("received N before it")
}

func TestCase51_Edits(t *testing.T) {
	s := newStory(t)
	s.message("G", "helo", nil)
	s.wants("received G helo")
	now := time.Now()
	s.restart()
	s.set("G", "text = NULL, attributedBody = ?, date_edited = ?, message_summary_info = ?", typedstream("hello"), apple(now), madeSummary(t, []string{"helo", "hello"}, nil, 1))
	r := s.last()
	if r.Kind != wire.Edited || r.Change.Text != "hello" || r.Change.Version != 1 || len(r.Change.Edits) != 2 || r.Change.Edits[0].Text != "helo" {
		t.Errorf("%+v %+v", r, r.Change)
	}
	s.wants()
	s.restart()
	s.wants()
	s.message("N", "now", columns{"date_edited": apple(now), "message_summary_info": madeSummary(t, []string{"first", "then", "now"}, nil, 1)})
	r = s.last()
	if r.Kind != wire.Received || r.Inbound.Text != "now" || r.Inbound.Change == nil || len(r.Inbound.Change.Edits) != 3 {
		t.Errorf("%+v %+v", r, r.Inbound)
	}
	s.wants()
	s.bound("msg_1", "O", nil)
	s.set("O", "text = 'better', date_edited = ?, message_summary_info = ?", apple(now), madeSummary(t, []string{"hello O", "better"}, nil, 1))
	s.wants("edited msg_1 better")
}

func TestCase52_Unsends(t *testing.T) {
	s := newStory(t)
	s.message("G", "one two", nil)
	s.wants("received G one two")
	now := time.Now()
	s.set("G", "text = 'two', date_edited = ?, message_summary_info = ?", apple(now), madeSummary(t, nil, []int{0}, 2))
	if r := s.last(); r.Kind != wire.Unsent || r.Change.Text != "two" || r.Change.Whole || len(r.Change.Parts) != 1 {
		t.Errorf("%+v %+v", r, r.Change)
	}
	s.set("G", "text = NULL, is_empty = 1, part_count = 0, message_summary_info = ?", madeSummary(t, nil, []int{0, 1}, 2))
	if r := s.last(); r.Kind != wire.Unsent || r.Change.Text != "" || !r.Change.Whole {
		t.Errorf("%+v %+v", r, r.Change)
	}
	s.wants()
	s.message("N", "", columns{"text": nil, "is_empty": 1, "date_edited": apple(now), "message_summary_info": madeSummary(t, nil, []int{0}, 1)})
	s.impatient()
	s.wants() // taken back before anybody saw it
}

func TestCase53_RecentlyDeletedAndBack(t *testing.T) {
	s := newStory(t)
	s.message("G", "hello", nil)
	s.wants("received G hello")
	s.exec("INSERT INTO chat_recoverable_message_join (chat_id, message_id, delete_date) SELECT chat_id, message_id, 1 FROM chat_message_join")
	s.exec("DELETE FROM chat_message_join")
	s.wants()
	s.restart()
	s.wants()
	// Back in its chat, as macOS 13 to 15 do it, and gone for good.
	s.join("G", direct)
	s.exec("DELETE FROM chat_recoverable_message_join")
	s.wants()
	s.exec("DELETE FROM message WHERE guid = 'G'")
	s.wants()
	s.message("G2", "hello", columns{"date_recovered": apple(time.Now())})
	s.wants()
	// Deleted by the owner before the relay saw it: somebody wrote it all the same.
	s.row("G3", columns{"text": "quick"})
	s.exec("INSERT INTO chat_recoverable_message_join (chat_id, message_id, delete_date) SELECT chat.ROWID, message.ROWID, 1 FROM chat, message WHERE message.guid = 'G3'")
	if r := s.last(); r.Kind != wire.Received || r.GUID != "G3" || r.Inbound.Chat != direct {
		t.Errorf("%+v", r.Inbound)
	}
	s.wants()
}

func TestCase54_OtherUpdates(t *testing.T) {
	s := newStory(t)
	s.message("G", "hello", nil)
	s.wants("received G hello")
	s.set("G", "is_read = 1, ck_sync_state = 1, ck_record_id = 'x', was_delivered_quietly = 1")
	s.wants()
	s.restart()
	s.wants()
}
