package relay

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"bluerelay/wire"
)

// A row of ours may say inbound when it appears.
func TestFlippedRow(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.message("G", "hello", nil)
	s.wants()
	s.set("G", "is_from_me = 1, is_sent = 1")
	s.wants("sent msg_1")
	s.sends("msg_2", "hello again")
	s.message("H", "hello again", nil)
	s.wants()
	s.impatient()
	s.wants("received H hello again") // it was somebody else after all
	s.set("H", "is_from_me = 1, is_sent = 1")
	s.wants("sent msg_2") // or Messages was very slow
	s.restart()
	s.wants()
}

// Also where Messages has changed the text.
func TestFlippedRowOfAnotherText(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "it's \"so\" -- isn't it...")
	s.message("G", "it’s “so” — isn’t it…", nil)
	s.wants()
	s.set("G", "is_from_me = 1, is_sent = 1")
	s.wants("sent msg_1")
	s.sends("msg_2", "one thing")
	s.message("H", "another", nil) // nothing that could be ours waits
	s.wants("received H another")
	// And where nobody knows any more.
	s.sends("msg_3", "so -- it goes")
	s.message("I", "so — it goes", nil)
	s.wants()
	hand(t, s.j, "msg_3", time.Now(), time.Now().Add(-time.Second))
	if n, err := s.j.settle(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.impatient()
	s.wants("unknown msg_3", "received I so — it goes")
	s.set("I", "is_from_me = 1, is_sent = 1")
	s.wants("sent msg_3")
}

// The row of a file that goes before a text may say inbound too, until after it was told.
// The message has it then: at once, and also where the message is over by its own word.
func TestFlippedRowOfAFile(t *testing.T) {
	for name, tt := range map[string]struct {
		unknown bool // nobody knew of the file any more
		want    []string
	}{"waited for": {false, []string{"sending msg_1 1"}}, "given up": {true, []string{"sending msg_1 1", "failed msg_1 1"}}} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			mark, err := s.o.db.Mark(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			give(t, s.j, withFile("msg_1", "look"))
			stageFor(t, s.j, "msg_1")
			one := partOf(t, s.j, "msg_1", partFile)
			if err := s.j.arm(t.Context(), &one, mark, participant, time.Now()); err != nil {
				t.Fatal(err)
			}
			clearOutbox(t, s.j)
			s.message("G", "\ufffc", nil)
			s.file("G", "at_0_G", "~/Library/Messages/Attachments/bluerelay/x/cat.png", 5)
			s.wants()
			if tt.unknown {
				handPart(t, s.j, "msg_1", partFile)
				settleAll(t, s.j)
				s.wants("unknown msg_1")
			}
			s.impatient()
			s.wants("received G")
			s.set("G", "is_from_me = 1, is_sent = 1")
			scan(t, s.o)
			wantReports(t, s.j, tt.want...)
			if list := s.reports(); !slices.Equal(list[0].Rows, []string{"G"}) {
				t.Errorf("%+v", list)
			}
			clearOutbox(t, s.j)
			s.restart()
			s.wants()
		})
	}
}

// So may one that the owner typed; it names nobody then. Where it stays so, the chat
// names who wrote it.
func TestFlippedRowOfTheOwner(t *testing.T) {
	s := newStory(t)
	s.message("G", "typed on the phone", columns{"handle": ""})
	s.wants()
	s.set("G", "is_from_me = 1, is_sent = 1, handle_id = 1")
	s.wants("typed G typed on the phone")
	s.message("H", "of somebody without a handle", columns{"handle": ""})
	s.wants()
	s.impatient()
	if r := s.last(); r.Kind != wire.Received || r.Inbound.From != alice {
		t.Errorf("%+v", r.Inbound)
	}
}

// So may a tapback of the owner's.
func TestFlippedTapbacks(t *testing.T) {
	s := newStory(t)
	s.message("G", "hello", nil)
	s.wants("received G hello")
	tap := func(guid, handle string) {
		t.Helper()
		s.row(guid, columns{"handle": handle, "associated_message_type": 2000, "associated_message_guid": "p:0/G"})
	}
	is := func(from string, own bool) {
		t.Helper()
		if r := s.last(); r.Kind != wire.Tapped || r.Tapback.From != from || r.Tapback.Own != own {
			t.Errorf("%+v %+v", r, r.Tapback)
		}
	}
	tap("T1", "")
	s.wants()
	s.set("T1", "is_from_me = 1")
	is("", true)
	tap("T2", alice)
	is(alice, false)
	s.join("T2", direct)
	s.wants() // that is no news
	s.restart()
	s.set("T2", "is_from_me = 1")
	is("", true)
	s.restart()
	s.wants()
	tap("T3", "") // of somebody without a handle: the chat names him
	s.join("T3", direct)
	s.wants()
	s.impatient()
	is(alice, false)
	tap("T4", "")
	s.wants() // nobody knows whose
}

// What happens to messages while the Mac sleeps, or no daemon runs, is told after it.
func TestEditsWhileAsleep(t *testing.T) {
	for name, restart := range map[string]bool{"asleep": false, "no daemon": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.message("G", "helo", nil)
			s.wants("received G helo")
			s.bound("msg_1", "O", nil)
			s.set("O", "is_read = 1")
			s.wants("delivered msg_1", "read msg_1")
			// Two hours pass, of which the relay sees nothing.
			const slept = 2 * time.Hour
			s.o.cursor.Seen -= slept.Milliseconds()
			if err := s.j.setCursor(t.Context(), s.o.cursor); err != nil {
				t.Fatal(err)
			}
			for _, query := range []string{"UPDATE watched SET until = until - ?", "UPDATE sends SET armed_at = armed_at - ?"} {
				if _, err := s.j.db.Exec(query, slept.Milliseconds()); err != nil {
					t.Fatal(err)
				}
			}
			for id, w := range s.o.watched {
				w.until = w.until.Add(-slept)
				s.o.watched[id] = w
			}
			for id, one := range s.o.followed {
				one.armedAt = one.armedAt.Add(-slept)
				s.o.followed[id] = one
			}
			if restart {
				s.restart()
			}
			s.message("N", "the first news", nil)
			s.wants("received N the first news")
			at := apple(time.Now())
			s.set("G", "text = 'hello', date_edited = ?, message_summary_info = ?", at, madeSummary(t, []string{"helo", "hello"}, nil, 1))
			s.set("O", "text = 'better', date_edited = ?, message_summary_info = ?", at, madeSummary(t, []string{"hello O", "better"}, nil, 1))
			s.restart()
			scan(t, s.o)
			var got []string
			for _, r := range s.reports() {
				got = append(got, fmt.Sprint(r.Kind, " ", r.GUID, " ", r.Change.Text))
			}
			slices.Sort(got)
			if want := []string{"edited G hello", "edited O better"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			// Not for ever: a window after that, all of it is over.
			c := s.o.cursor
			if end := c.present(time.Now().Add(changeWindow)); end.Before(time.Now()) {
				t.Errorf("rows are watched since %v", end)
			}
		})
	}
}

// What is new neither waits for news of what was told, nor overtakes what waits.
func TestOrderWithinALook(t *testing.T) {
	s := newStory(t)
	s.bound("msg_1", "O", nil)
	s.row("W", columns{"text": "first"})
	s.wants()
	s.set("O", "is_delivered = 1")
	s.join("W", direct)
	s.message("N", "second", nil)
	s.wants("received W first", "received N second", "delivered msg_1")
}

func TestWatchedRowsAreFew(t *testing.T) {
	s := newStory(t)
	s.exec("BEGIN")
	for i := range maxWatched + 100 {
		s.message(fmt.Sprint("G", i), "x", nil)
	}
	s.exec("COMMIT")
	scan(t, s.o)
	list, err := s.j.watched(t.Context(), time.Now())
	if err != nil || len(list) != maxWatched || len(s.o.watched) != maxWatched || list[0].guid != "G100" {
		t.Errorf("%d rows in the journal, %d in memory, %v", len(list), len(s.o.watched), err)
	}
	if gone, err := s.j.watched(t.Context(), time.Now().Add(time.Hour)); err != nil || len(gone) != 0 {
		t.Errorf("%d rows are watched for ever, %v", len(gone), err)
	}
}

// A text that no frame can hold must not hold up what comes after it.
func TestReportThatIsTooLarge(t *testing.T) {
	s := newStory(t)
	data, err := os.ReadFile("scan.go")
	if err != nil {
		t.Fatal(err)
	}
	text := "x"
	for len(text) < wire.MaxFrame {
		text += string(data) + "\x00\u2028"
	}
	s.message("G", text, nil)
	r := s.last()
	if _, err := wire.Encode(wire.Frame{Type: wire.TypeReport, Report: &r}); err != nil || len(r.Inbound.Text) < 1000 {
		t.Errorf("%d bytes are left, %v", len(r.Inbound.Text), err)
	}
}

func TestDownTime(t *testing.T) {
	c := cursor{Floor: noon.Add(-100 * 24 * time.Hour).UnixMilli(), Seen: noon.UnixMilli()}
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	check := func(now, want time.Time) {
		t.Helper()
		c.look(now)
		if got := c.news(now); !got.Equal(want) {
			t.Errorf("at %v news begins at %v, want %v", now, got, want)
		}
	}
	check(at(time.Minute), at(time.Minute-late))
	slept := 3 * 24 * time.Hour
	check(at(slept), at(time.Minute-late))
	check(at(slept+time.Minute), at(time.Minute-late))
	for d := slept; d < slept+2*time.Hour; d += time.Minute {
		c.look(at(d))
	}
	check(at(slept+2*time.Hour), at(slept+2*time.Hour-late))
	c.Floor = at(slept).UnixMilli()
	check(at(slept+2*time.Hour), at(slept-skew))
}

// Ten thousand rows in one commit are told in their order, each once.
func TestBurst(t *testing.T) {
	const n = 10_000
	s := newStory(t)
	s.message("G0", "0", nil)
	s.exec("BEGIN")
	s.exec(`WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ?)
		INSERT INTO message (guid, text, service, handle_id, date, is_finished) SELECT 'G' || n, n, 'iMessage', 1, ?, 1 FROM i`, n, apple(time.Now()))
	s.exec("INSERT INTO chat_message_join (chat_id, message_id) SELECT 1, ROWID FROM message WHERE guid <> 'G0'")
	s.exec("COMMIT")
	scan(t, s.o)
	list := s.reports()
	if len(list) != n+1 {
		t.Fatalf("%d reports", len(list))
	}
	for i, r := range list {
		if r.GUID != fmt.Sprint("G", i) {
			t.Fatalf("report %d is about %s", i, r.GUID)
		}
	}
}

// A clean-up may take the handle of somebody who has left. What he wrote in a group comes
// all the same, from nobody.
func TestGroupMessageWithoutHandle(t *testing.T) {
	s := newStory(t)
	s.row("G", columns{"text": "of somebody who has left", "handle": ""})
	s.join("G", "iMessage;+;chat77")
	s.wants()
	s.impatient()
	if r := s.last(); r.Kind != wire.Received || r.Inbound.Text != "of somebody who has left" || r.Inbound.From != "" || !r.Inbound.Group || r.Inbound.Chat != "iMessage;+;chat77" {
		t.Errorf("%+v", r.Inbound)
	}
}
