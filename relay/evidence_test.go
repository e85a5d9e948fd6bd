package relay

import (
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"bluerelay/wire"
)

// group makes a group in chat.db and arms a send of text to it.
func (s *story) toGroup(message, guid, text string) {
	s.t.Helper()
	s.exec("INSERT INTO chat (guid, style, chat_identifier, service_name) VALUES (?, 43, ?, 'iMessage') ON CONFLICT DO NOTHING", guid, guid[len("any;+;"):])
	mark, err := s.o.db.Mark(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	o := order(message, 1, "", text)
	o.Group = guid
	give(s.t, s.j, o)
	one := sendIn(s.t, s.j, message)
	if err := s.j.arm(s.t.Context(), &one, mark, participant, time.Now()); err != nil {
		s.t.Fatal(err)
	}
	clearOutbox(s.t, s.j)
}

// ends notes that osascript has ended for a send, and leaves its window open. It has a few
// seconds for the rows that are dated now, while the disk may be slow.
func (s *story) ends(message string) {
	s.t.Helper()
	hand(s.t, s.j, message, time.Now().Add(5*time.Second), time.Now().Add(time.Hour))
}

// TestGhosts: what Messages leaves where it could not route what it took, by the names
// it gives to such rows, and what only looks like it.
func TestGhosts(t *testing.T) {
	const room = "any;+;chat1344"
	for name, tt := range map[string]struct {
		group bool
		row   columns
		want  bool
	}{
		"of a person":               {false, columns{}, true},
		"of a group, by its name":   {true, columns{"handle": "chat1344", "service": "SMS"}, true},
		"of a group, by its guid":   {true, columns{"handle": room, "service": "SMS"}, true},
		"with the other sign":       {true, columns{"handle": "any;-;chat1344", "service": "SMS"}, true},
		"to another person":         {false, columns{"handle": bob}, false},
		"of another group":          {true, columns{"handle": "chat1345"}, false},
		"to nobody":                 {false, columns{"handle": ""}, false},
		"inbound":                   {false, columns{"is_from_me": 0}, false},
		"long before":               {false, columns{"date": apple(time.Now().Add(-time.Minute))}, false},
		"long after osascript":      {false, columns{"date": apple(time.Now().Add(time.Minute))}, false},
		"with an attachment":        {false, columns{"cache_has_attachments": 1}, false},
		"with a text after all":     {false, columns{"text": "hello"}, false},
		"failed besides, by itself": {false, columns{"error": 3}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			if tt.group {
				s.toGroup("msg_1", room, "hello")
			} else {
				s.sends("msg_1", "hello")
			}
			s.ends("msg_1")
			row := columns{"is_from_me": 1}
			maps.Copy(row, tt.row)
			s.row("ghost", row)
			s.impatient()
			scan(t, s.o)
			one := sendIn(t, s.j, "msg_1")
			if got := one.ghost() && one.guid == "ghost"; got != tt.want {
				t.Errorf("a ghost %t, want %t: %+v", got, tt.want, one)
			}
		})
	}
}

// A ghost that is sent after all corrects itself, and an order that comes once more is
// told that it has failed.
func TestGhostIsRemembered(t *testing.T) {
	s := newStory(t)
	s.sends("msg_1", "hello")
	s.ends("msg_1")
	s.row("ghost", columns{"is_from_me": 1})
	s.impatient()
	s.wants("failed msg_1")
	s.restart()
	give(t, s.j, order("msg_1", 1, alice, "hello"))
	if r := s.last(); r.Kind != wire.Failed || r.Fault.Code != faultGhost || r.GUID != "ghost" {
		t.Errorf("%+v", r)
	}
	s.set("ghost", "is_sent = 1, text = 'hello'")
	s.wants("sent msg_1")
	s.restart()
	s.wants()
}

// The text of a send in another conversation raises the alarm once, and only where the
// send's own row does not come; it is never a success.
func TestMisroutedRow(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		s := newStory(t)
		s.sends("msg_1", "see you at 7")
		s.elsewhere("G", "see you at 7", time.Now())
		s.ends("msg_1")
		s.wants() // its own may still come
		s.impatient()
		scan(t, s.o)
		list := s.reports()
		if len(list) != 2 || list[0].Kind != wire.Typed || list[1].Kind != wire.Alarm || list[1].Message != "msg_1" || list[1].GUID != "G" || list[1].Fault.Code != wire.FaultMisrouted {
			t.Errorf("%+v", list)
		}
		clearOutbox(t, s.j)
		s.wants()
		s.restart()
		s.wants()
		if one := sendIn(t, s.j, "msg_1"); one.guid != "" || one.state != stateHanded {
			t.Errorf("%+v", one)
		}
		// Later evidence still counts.
		s.own("OWN", "see you at 7", columns{"is_sent": 1})
		s.wants("sent msg_1")
	})
	t.Run("beside its own", func(t *testing.T) {
		s := newStory(t)
		s.sends("msg_1", "see you at 7")
		s.elsewhere("G", "see you at 7", time.Now())
		s.wants()
		s.own("OWN", "see you at 7", columns{"is_sent": 1})
		s.wants("sent msg_1")
		s.impatient()
		s.wants("typed G see you at 7")
	})
	for name, tt := range map[string]struct {
		text string
		at   time.Duration
	}{
		"another text":                {"see you at 8", 0},
		"long after osascript":        {"see you at 7", time.Minute},
		"before it":                   {"see you at 7", -time.Minute},
		"nothing but an emoji":        {"👍", 0},
		"the same letters, no more":   {"See you, at 7!", 0},
		"the same words and one more": {"see you at 7 ok", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			text := "see you at 7"
			if tt.text == "👍" {
				text = tt.text
			}
			s.sends("msg_1", text)
			s.ends("msg_1")
			s.elsewhere("G", tt.text, time.Now().Add(tt.at))
			s.impatient()
			s.wants("typed G " + tt.text)
		})
	}
}

// elsewhere is an own row in the conversation with bob.
func (s *story) elsewhere(guid, text string, at time.Time) {
	s.t.Helper()
	s.row(guid, columns{"text": text, "is_from_me": 1, "is_sent": 1, "handle": bob, "date": apple(at)})
	s.join(guid, "any;-;"+bob)
}

// One row more than a send asked for raises the alarm once. What the owner writes later
// in the same words, or to another person, does not.
func TestDuplicateRow(t *testing.T) {
	alarm := func(t *testing.T, s *story, want bool) {
		t.Helper()
		alarms := 0
		for _, r := range s.reports() {
			if r.Kind == wire.Alarm {
				alarms++
				if r.Message != "msg_1" || r.GUID != "TWO" || r.Fault.Code != wire.FaultDuplicate {
					t.Errorf("%+v %+v", r, r.Fault)
				}
			}
		}
		if alarms != 0 != want || alarms > 1 {
			t.Errorf("%d alarms, want one: %t", alarms, want)
		}
	}
	for name, tt := range map[string]struct {
		row  columns
		text string
		want bool
	}{
		"at once":          {columns{}, "hello", true},
		"curled":           {columns{}, "hello ", true},
		"a minute later":   {columns{"date": apple(time.Now().Add(time.Minute))}, "hello", false},
		"before":           {columns{"date": apple(time.Now().Add(-time.Minute))}, "hello", false},
		"another text":     {columns{}, "hello you", false},
		"a balloon":        {columns{"balloon_bundle_id": "com.apple.messages.URLBalloonProvider"}, "hello", false},
		"from the other":   {columns{"is_from_me": 0}, "hello", false},
		"in the same look": {nil, "hello", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.sends("msg_1", "hello")
			s.own("ONE", "hello", columns{"is_sent": 1})
			row := columns{"is_sent": 1}
			maps.Copy(row, tt.row)
			if tt.row != nil {
				s.ends("msg_1")
				s.wants("sent msg_1")
			}
			s.own("TWO", tt.text, row)
			s.impatient()
			scan(t, s.o)
			alarm(t, s, tt.want)
			clearOutbox(t, s.j)
			scan(t, s.o)
			s.restart()
			s.wants()
		})
	}
	t.Run("two sends, two rows", func(t *testing.T) {
		s := newStory(t)
		s.sends("msg_1", "ok")
		s.own("ONE", "ok", columns{"is_sent": 1})
		s.wants("sent msg_1")
		s.sends("msg_2", "ok")
		s.own("OTHER", "ok", columns{"is_sent": 1})
		s.wants("sent msg_2")
	})
}

// TestUndated: of sends that a set-back clock has put into the future only those are
// matched without their date whose mark is in this file.
func TestUndated(t *testing.T) {
	t.Parallel()
	row := ownRow("G", 11, alice, "hello", noon)
	for name, tt := range map[string]struct {
		armed time.Duration
		file  string
		rowid int64
		want  match
	}{
		"armed an hour ahead":             {time.Hour, thisFile, 11, exactMatch},
		"armed an hour ahead, below mark": {time.Hour, thisFile, 10, noMatch},
		"in another file":                 {time.Hour, "other", 11, noMatch},
		"armed in time":                   {-time.Second, thisFile, 11, exactMatch},
	} {
		s := sent("msg_1", "hello")
		s.armedAt, s.mark.File = noon.Add(tt.armed), tt.file
		m := row
		m.RowID = tt.rowid
		if got := fits(undated([]send{s}, thisFile, noon)[0], m, thisFile); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// A clock that is set back while a row is awaited hides it neither from the observer
// nor from the end of its window.
func TestClockIsSetBack(t *testing.T) {
	s := newStory(t)
	const back = time.Hour
	s.sends("msg_1", "hello")
	s.ends("msg_1")
	if err := s.j.leap(t.Context(), -back); err != nil {
		t.Fatal(err)
	}
	s.own("G", "hello", columns{"is_sent": 1, "date": apple(time.Now().Add(-back))})
	s.wants("sent msg_1")

	s.sends("msg_2", "nothing comes")
	hand(t, s.j, "msg_2", time.Now(), time.Now().Add(time.Minute))
	if n, err := s.j.settle(t.Context(), time.Now().Add(-back)); n != 1 || err != nil {
		t.Errorf("%d settled after a step that nobody saw, %v", n, err)
	}
	s.wants("unknown msg_2")
}

// A leap forward, as a sleep looks, gives a row the time that it has not had.
func TestClockGoesForward(t *testing.T) {
	j := newJournal(t)
	inState(t, j, stateHanded)
	before := sendIn(t, j, "msg_1")
	wake, err := j.nextDue(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.leap(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	later, err := j.nextDue(t.Context(), noon)
	if err != nil || !later.Equal(wake.Add(time.Hour)) {
		t.Errorf("the window ends at %v, before at %v, %v", later, wake, err)
	}
	if after := sendIn(t, j, "msg_1"); !after.armedAt.Equal(before.armedAt) || !after.endedAt.Equal(before.endedAt) {
		t.Errorf("%+v became %+v", before, after)
	}
	// So it does where nobody knows any more, and the row may come yet.
	if _, err := j.settle(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if err := j.leap(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if after := sendIn(t, j, "msg_1"); !after.settled.Equal(later.Add(time.Hour)) {
		t.Errorf("the row may come until %v", after.settled)
	}
}

// A leap that could not be written down is not forgotten, and whoever compares times
// meanwhile waits for it.
func TestLeapIsNotLost(t *testing.T) {
	t.Parallel()
	s := newSender(t, "")
	inState(t, s.journal, stateHanded)
	before := sendIn(t, s.journal, "msg_1").armedAt
	now := time.Now()
	s.clock.last, s.clock.wall = now.Add(-time.Second), now.Round(0).Add(time.Hour-time.Second) // and set back since
	writable(t, s.journal, false)
	for range 2 {
		if err := s.heedClock(t.Context(), now); !errors.Is(err, errUnwritten) {
			t.Fatalf("%v", err)
		}
	}
	writable(t, s.journal, true)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := s.heedClock(t.Context(), now); err != nil {
				t.Error(err)
			}
			if after := sendIn(t, s.journal, "msg_1").armedAt; !after.Equal(before.Add(-time.Hour)) {
				t.Errorf("armed at %v, want %v", after, before.Add(-time.Hour))
			}
		})
	}
	both.Wait()
}

func TestLeapt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ wall, mono, want time.Duration }{
		{time.Second, time.Second, 0},
		{time.Hour, time.Hour - time.Second, 0},
		{-time.Hour, time.Second, -time.Hour - time.Second},
		{time.Hour, time.Second, time.Hour - time.Second},
		{0, 10 * time.Second, -10 * time.Second},
		{9 * time.Second, 0, 0},
	} {
		if got := leapt(tt.wall, tt.mono); got != tt.want {
			t.Errorf("%v by the wall in %v: %v, want %v", tt.wall, tt.mono, got, tt.want)
		}
	}
	var c clock
	if leap := c.look(time.Now()); leap != 0 {
		t.Errorf("the first look gives %v", leap)
	}
	if leap := c.look(time.Now()); leap != 0 {
		t.Errorf("nothing happened, and it gives %v", leap)
	}
}
