package relay

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"bluerelay/wire"
)

func TestCase04_BodyAfterTheRow(t *testing.T) {
	s := newStory(t)
	s.row("G", nil)
	s.join("G", direct)
	s.wants()
	s.set("G", "attributedBody = ?", typedstream("hello"))
	s.wants("received G hello")
	s.set("G", "text = 'hello'")
	s.wants()
	s.row("P", columns{"is_from_me": 1, "is_sent": 1}) // with neither text nor chat
	s.wants()
	s.set("P", "attributedBody = ?", typedstream("typed"))
	s.wants()
	s.restart()
	s.join("P", direct)
	s.wants("typed P typed")
	s.wants()
}

func TestCase07_LinkAndItsPreview(t *testing.T) {
	const link = "https://example.com/a"
	s := newStory(t)
	s.message("G1", "look: "+link, nil)
	s.wants("received G1 look: " + link)
	s.message("G2", link, columns{"balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	s.wants()
	s.message("G3", "https://example.com/b", columns{"balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	s.wants("received G3 https://example.com/b") // a link that was sent alone is a message
	s.message("G4", link+"/c", nil)
	s.wants("received G4 " + link + "/c")
	s.set("G4", "balloon_bundle_id = 'com.apple.messages.URLBalloonProvider', payload_data = x'00'") // in its own row
	s.wants()
	s.message("T", "and "+link+"/d", nil)
	s.wants("received T and " + link + "/d")
	s.message("G5", link+"/d", nil) // a balloon that does not say so yet
	s.wants()
	s.set("G5", "balloon_bundle_id = 'com.apple.messages.URLBalloonProvider'")
	s.impatient()
	s.wants()
	s.restart()
	s.message("G6", link+"/d", nil) // somebody who repeats himself
	s.wants()
	s.impatient()
	s.wants("received G6 " + link + "/d")
	// Links that begin alike are different ones.
	s.message("G7", link+"/12", nil)
	s.message("G8", link+"/1", columns{"balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	s.wants("received G7 "+link+"/12", "received G8 "+link+"/1")
}

func TestCase09_JoinAfterTheRow(t *testing.T) {
	s := newStory(t)
	s.row("G1", columns{"text": "late"})
	s.message("G2", "in time", nil)
	s.wants("received G2 in time")
	s.restart()
	s.wants()
	s.join("G1", "any;+;chat7")
	r := s.last()
	if r.GUID != "G1" || r.Inbound.Chat != "any;+;chat7" || !r.Inbound.Group {
		t.Errorf("%+v", r.Inbound)
	}
	s.wants()
	s.row("G3", columns{"text": "deleted before it had a chat"})
	s.wants()
	s.exec("DELETE FROM message WHERE guid = 'G3'")
	s.wants()
	if len(s.o.waiting) != 0 {
		t.Errorf("%d rows are waited for", len(s.o.waiting))
	}
}

func TestCase10_NeverJoined(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"text": "your code is 1234", "service": "SMS"})
	s.wants()
	s.impatient()
	if r := s.last(); r.Kind != wire.Received || r.Inbound.Chat != "" || r.Inbound.Text == "" {
		t.Errorf("%+v", r)
	}
	s.wants()
}

func TestCase11_GroupIsNotTakenForAPerson(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"text": "to all"})
	s.wants()
	s.impatient()
	if r := s.last(); r.Kind != wire.Received || r.Inbound.Text != "to all" || r.Inbound.Chat != "" || r.Inbound.Group {
		t.Errorf("%+v", r.Inbound) // marked: it has no chat
	}
	s.restart()
	s.join("G", "any;+;chat7")
	if r := s.last(); r.Kind != wire.Joined || r.Inbound.Chat != "any;+;chat7" || !r.Inbound.Group {
		t.Errorf("%+v", r)
	}
	s.wants()
}

func TestCase12_MessageInTwoChats(t *testing.T) {
	s := newStory(t)
	s.message("G", "once", nil)
	s.join("G", "SMS;-;"+alice)
	s.wants("received G once")
	s.wants()
	s.join("G", "iMessage;-;"+alice) // a third, later
	s.wants()
	s.restart()
	s.wants()
}

func TestCase13_ManyRowsInOneCommit(t *testing.T) {
	s := newStory(t)
	s.message("G0", "0", nil)
	s.exec("BEGIN")
	want := []string{"received G0 0"}
	for i := range 500 {
		s.message(fmt.Sprintf("G-%d", i), fmt.Sprint(i), nil)
		want = append(want, fmt.Sprintf("received G-%d %d", i, i))
	}
	s.exec("COMMIT")
	s.wants(want...)
}

func TestCase14_RestartWhileTheyArrive(t *testing.T) {
	s := newStory(t)
	s.message("G1", "1", nil)
	s.wants("received G1 1")
	s.message("G2", "2", nil)
	s.restart()
	s.message("G3", "3", nil)
	s.wants("received G2 2", "received G3 3")
	s.restart()
	s.wants()
}

func TestCase15_ThreeDaysDown(t *testing.T) {
	for _, down := range []int{3, 10} { // longer than a message may be late
		testDown(t, down)
	}
}

func testDown(t *testing.T, down int) {
	t.Helper()
	s := newStory(t)
	days := func(n int) columns { return columns{"date": apple(time.Now().Add(-time.Duration(n) * 24 * time.Hour))} }
	ago := time.Now().Add(-time.Duration(down+1) * 24 * time.Hour).UnixMilli()
	if err := s.j.setCursor(t.Context(), cursor{Mark: s.o.cursor.Mark, Floor: ago, Seen: ago}); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.message("G1", "1", days(down))
	s.message("G2", "2", days(down-1))
	s.wants("received G1 1", "received G2 2")
	s.message("G3", "3", days(down-1)) // they go on coming in for a while
	s.wants("received G3 3")
}

func TestCase16_FloodOfOldRows(t *testing.T) {
	s := newStory(t)
	ago := time.Now().Add(-400 * 24 * time.Hour)
	s.o.cursor.Floor = ago.UnixMilli() // paired long ago
	s.message("G1", "news", nil)
	yesterday := apple(time.Now().Add(-20 * time.Hour))
	s.message("G2", "from last night", columns{"date": yesterday})
	s.wants("received G1 news", "received G2 from last night")
	s.exec("BEGIN")
	for i := range 2000 {
		c := columns{"date": apple(ago.Add(time.Duration(i) * 3 * time.Hour))}
		switch i % 4 {
		case 1: // the owner's
			c["is_from_me"], c["is_sent"] = 1, 1
		case 2: // a reaction
			c["associated_message_type"], c["associated_message_guid"] = 2000, "p:0/G1"
		case 3: // of before macOS 10.13, in seconds
			c["date"] = apple(ago.Add(-9*365*24*time.Hour)) / 1e9
		}
		s.message(fmt.Sprintf("H-%d", i), "old", c)
	}
	s.message("H-copy", "from last night", columns{"date": yesterday})
	s.exec("COMMIT")
	s.message("G3", "more news", nil)
	s.wants("received G3 more news")
}

func TestCase17_ScheduledIsHeld(t *testing.T) {
	s := newStory(t)
	s.own("G", "good morning", columns{"schedule_type": 2, "date": apple(time.Now().Add(time.Hour))})
	s.own("S", "from the hills", columns{"is_pending_satellite_send": 1})
	s.impatient()
	s.wants()
	s.restart()
	s.impatient()
	s.wants()
	s.set("G", "is_sent = 1, date = ?", apple(time.Now()))
	s.set("S", "is_sent = 1, is_pending_satellite_send = 0")
	s.wants("typed G good morning", "typed S from the hills")
	s.wants()
	// One that fails is not waited for any longer.
	s.own("F", "good night", columns{"schedule_type": 2, "date": apple(time.Now().Add(time.Minute))})
	s.own("E", "from the sea", columns{"is_pending_satellite_send": 1})
	s.wants()
	s.set("F", "error = 22, date = ?", apple(time.Now()))
	s.set("E", "error = 3")
	s.impatient()
	s.wants("typed F good night", "typed E from the sea")
	s.set("F", "error = 0, is_sent = 1")
	s.wants("sent F")
}

func TestCase18_AbsurdDates(t *testing.T) {
	s := newStory(t)
	s.message("G1", "no date", columns{"date": 0})
	s.message("G2", "read at the end of time", columns{"date_read": int64(1<<63 - 1)})
	s.message("G3", "far ahead", columns{"date": int64(1<<63 - 1)})
	s.wants("received G1 no date", "received G2 read at the end of time", "received G3 far ahead")
	s.message("G4", "after them", nil)
	s.wants("received G4 after them")
}

func TestCase19_DeletedTail(t *testing.T) {
	s := newStory(t)
	s.message("G1", "1", nil)
	s.message("G2", "2", nil)
	s.wants("received G1 1", "received G2 2")
	s.exec("DELETE FROM message WHERE guid = 'G2'")
	s.exec("VACUUM")
	s.restart()
	s.wants()
	s.message("G3", "3", nil)
	s.wants("received G3 3")
}

func TestCase20_FileReplaced(t *testing.T) {
	s := newStory(t)
	s.message("G1", "1", nil)
	s.message("G2", "2", nil)
	s.wants("received G1 1", "received G2 2")
	for _, higher := range []bool{false, true} {
		next := &story{messages: newMessages(t), j: s.j}
		if higher {
			next.exec("INSERT INTO sqlite_sequence (name, seq) VALUES ('message', 5000)")
		}
		next.message(fmt.Sprint("N", higher), "in the new file", nil)
		next.restart()
		next.wants(fmt.Sprintf("received N%t in the new file", higher))
	}
}

// The rows of another database are put into the open file, as a restore does that does
// not replace it: with lower ids than were given out before, or with other rows at the
// same ones. A daemon that runs finds out within a breath, another one when it starts.
func TestCase20_FileFilledAnew(t *testing.T) {
	for _, running := range []bool{true, false} {
		for _, last := range []int{5000, 1} {
			s := newStory(t)
			s.exec("INSERT INTO sqlite_sequence (name, seq) VALUES ('message', ?)", last-1)
			s.message("G1", "before", nil)
			s.wants("received G1 before")
			s.exec("DELETE FROM chat_message_join")
			s.exec("DELETE FROM message")
			s.exec("DELETE FROM sqlite_sequence WHERE name = 'message'")
			s.message("N1", "in the new database", nil)
			if running {
				s.o.combed = time.Time{}
			} else {
				s.restart()
			}
			s.wants("received N1 in the new database")
			s.message("N2", "and on", nil)
			s.wants("received N2 and on")
		}
	}
}

func TestCase24_GuidsOfBothKinds(t *testing.T) {
	s := newStory(t)
	const me = "+14155559876"
	s.row("G1", columns{"text": "old", "destination_caller_id": me})
	s.join("G1", "iMessage;-;"+alice)
	s.row("G2", columns{"text": "new", "service": "RCS", "destination_caller_id": me})
	s.join("G2", "any;-;"+alice)
	scan(t, s.o)
	for _, r := range s.reports() {
		if r.Inbound.From != alice || r.Inbound.To != me || r.Inbound.Group {
			t.Errorf("%+v", r.Inbound)
		}
	}
	if list := s.reports(); len(list) != 2 || list[1].Service != "RCS" {
		t.Errorf("%+v", list)
	}
}

func TestCase25_TapbacksAreNoText(t *testing.T) {
	s := newStory(t)
	s.message("G", "hello", nil)
	s.wants("received G hello")
	tap := func(guid string, kind int, more columns) {
		c := columns{"text": "Loved “hello”", "associated_message_type": kind, "associated_message_guid": "p:0/G"}
		maps.Copy(c, more)
		s.row(guid, c)
	}
	tap("T1", 2000, nil)
	tap("T2", 3000, nil)
	tap("T3", 2006, columns{"associated_message_emoji": "🎈"})
	tap("T4", 2007, columns{"is_from_me": 1})
	tap("T5", 4000, nil) // a vote
	s.message("S", "Liked “hello”", columns{"service": "SMS"})
	scan(t, s.o)
	var got []string
	for _, r := range s.reports() {
		if r.Kind == wire.Tapped {
			got = append(got, fmt.Sprint(r.GUID, " ", r.Tapback.Kind, " ", r.Tapback.Emoji, " ", r.Tapback.Removed, " ", r.Tapback.Own, " ", r.Tapback.Target))
			continue
		}
		got = append(got, string(r.Kind)+" "+r.Inbound.Text)
	}
	want := []string{"T1 love  false false G", "T2 love  true false G", "T3 emoji 🎈 false false G", "T4 sticker  false true G", "received Liked “hello”"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCase26_GroupEventsAreNoText(t *testing.T) {
	s := newStory(t)
	for item := range 8 {
		s.row(fmt.Sprint("E", item), columns{"item_type": item + 1, "group_title": "Friends"})
		s.join(fmt.Sprint("E", item), "any;+;chat7")
	}
	s.wants("group E0", "group E1", "group E2") // members, name, left; none of them a message
	s.impatient()
	s.wants()
}

func TestCase27_NoteToSelf(t *testing.T) {
	const me = "+14155559876"
	s := newStory(t)
	s.row("own", columns{"handle": me, "text": "milk", "is_from_me": 1, "is_sent": 1, "destination_caller_id": me})
	s.row("echo", columns{"handle": me, "text": "milk", "destination_caller_id": me})
	s.join("own", "any;-;"+me)
	s.join("echo", "any;-;"+me)
	s.row("alone", columns{"handle": me, "text": "bread", "is_from_me": 1, "is_sent": 1, "destination_caller_id": me})
	s.join("alone", "any;-;"+me)
	s.wants("typed own milk", "typed alone bread")
	// The echo may be there before the own row is.
	s.row("echo2", columns{"handle": me, "text": "eggs", "destination_caller_id": me})
	s.join("echo2", "any;-;"+me)
	s.wants()
	s.row("own2", columns{"handle": me, "text": "eggs", "is_from_me": 1, "is_sent": 1, "destination_caller_id": me})
	s.join("own2", "any;-;"+me)
	s.wants("typed own2 eggs")
	s.impatient()
	s.wants()
	if len(s.o.waiting) != 0 {
		t.Errorf("%d rows are waited for", len(s.o.waiting))
	}
}

func TestCase28_TypedOnThePhone(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "ours")
	s.own("P", "theirs", columns{"is_sent": 1})
	s.own("G", "ours", columns{"is_sent": 1})
	s.wants("sent msg_1") // what is typed waits while a send to the same person is on its way
	s.wants("typed P theirs")
	s.set("P", "is_delivered = 1, date_delivered = ?", apple(time.Now()))
	s.wants("delivered P")
	if s := sendIn(t, s.j, "msg_1"); s.guid != "G" {
		t.Errorf("msg_1 is bound to %q", s.guid)
	}
}

func TestCase29_JunkIsMarked(t *testing.T) {
	s := newStory(t)
	s.message("G", "you have won", columns{"is_spam": 1})
	if r := s.last(); !r.Inbound.Junk {
		t.Errorf("%+v", r.Inbound)
	}
	s.message("N", "not junk", nil)
	if r := s.last(); r.Inbound.Junk {
		t.Errorf("%+v", r.Inbound)
	}
	for _, column := range []string{"is_filtered", "is_blackholed"} {
		s.exec("UPDATE chat SET " + column + " = 1")
		s.message(column, "from somebody unknown", nil)
		if r := s.last(); !r.Inbound.Junk {
			t.Errorf("%s: %+v", column, r.Inbound)
		}
		s.exec("UPDATE chat SET " + column + " = 0")
	}
}
