package relay

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"bluerelay/chatdb"
)

const thisFile = "file"

// sent is a send to alice that was armed at noon above row 10.
func sent(message, text string) send {
	return send{message: message, attempt: 1, state: stateArmed, handle: alice, service: "iMessage", text: text, armedAt: noon, mark: chatdb.Mark{RowID: 10, File: thisFile}}
}

// TestFits goes through what tells the row of a send from all others.
func TestFits(t *testing.T) {
	t.Parallel()
	direct := &chatdb.Chat{GUID: "any;-;" + alice, Identifier: alice, Style: 45}
	tests := []struct {
		name   string
		change func(*chatdb.Message)
		want   match
	}{
		{"its own row", func(*chatdb.Message) {}, exactMatch},
		{"joined to the conversation", func(m *chatdb.Message) { m.Chat = direct }, exactMatch},
		{"known by the conversation alone", func(m *chatdb.Message) { m.Handle, m.Chat = "", direct }, exactMatch},
		{"another address of the same conversation", func(m *chatdb.Message) { m.Handle, m.Chat = "alice@example.com", direct }, exactMatch},
		{"without handle and conversation", func(m *chatdb.Message) { m.Handle = "" }, noMatch},
		{"inbound", func(m *chatdb.Message) { m.FromMe = false }, noMatch},

		{"at the mark", func(m *chatdb.Message) { m.RowID = 10 }, noMatch},
		{"below the mark", func(m *chatdb.Message) { m.RowID = 3 }, noMatch},
		{"far above the mark", func(m *chatdb.Message) { m.RowID = 1 << 40 }, exactMatch},

		{"a second before the arming", func(m *chatdb.Message) { m.Date = noon.Add(-time.Second) }, exactMatch},
		{"at the edge of the window", func(m *chatdb.Message) { m.Date = noon.Add(-clockSlack) }, exactMatch},
		{"beyond the window", func(m *chatdb.Message) { m.Date = noon.Add(-clockSlack - time.Millisecond) }, noMatch},
		{"without a date", func(m *chatdb.Message) { m.Date = time.Time{} }, noMatch},
		{"90 seconds late", func(m *chatdb.Message) { m.Date = noon.Add(90 * time.Second) }, exactMatch},
		{"days late", func(m *chatdb.Message) { m.Date = noon.Add(72 * time.Hour) }, exactMatch},

		{"to another person", func(m *chatdb.Message) { m.Handle = bob }, noMatch},
		{"in another conversation", func(m *chatdb.Message) {
			m.Handle, m.Chat = bob, &chatdb.Chat{GUID: "any;-;" + bob, Identifier: bob, Style: 45}
		}, noMatch},
		{"in a group", func(m *chatdb.Message) {
			m.Handle, m.Chat = "", &chatdb.Chat{GUID: "any;+;chat1", Identifier: "chat1", Style: 43}
		}, noMatch},
		{"in a group, with a handle", func(m *chatdb.Message) { m.Chat = &chatdb.Chat{GUID: "any;+;chat1", Identifier: "chat1", Style: 43} }, noMatch},
		{"in a group named like the person", func(m *chatdb.Message) {
			m.Handle, m.Chat = "", &chatdb.Chat{GUID: "any;+;" + alice, Identifier: alice}
		}, noMatch},
		{"in a room that is not joined yet", func(m *chatdb.Message) { m.RoomName = "chat1" }, noMatch},

		{"a ghost without text", func(m *chatdb.Message) { m.Text, m.HasBody = "", false }, noMatch},
		{"a file", func(m *chatdb.Message) { m.Text = "" }, noMatch},
		{"another text", func(m *chatdb.Message) { m.Text = "it's someone else" }, noMatch},
		{"more text", func(m *chatdb.Message) { m.Text += " really" }, noMatch},
		{"another case", func(m *chatdb.Message) { m.Text = "IT'S ME..." }, noMatch},
		{"curled quotes", func(m *chatdb.Message) { m.Text = "it’s me..." }, exactMatch},
		{"smart punctuation", func(m *chatdb.Message) { m.Text = "it’s me…" }, weakMatch},
		{"lost punctuation", func(m *chatdb.Message) { m.Text = "its me" }, weakMatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := ownRow("G", 11, alice, "it's me...", noon)
			tt.change(&m)
			if got := fits(sent("msg_1", "it's me..."), m, thisFile); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestFitsUnknown: once nobody knows of a send, what looks like its row is most likely the
// owner's, who has written himself what did not go.
func TestFitsUnknown(t *testing.T) {
	t.Parallel()
	text := sent("msg_1", "it's me...")
	text.state, text.endedAt, text.settled = stateUnknown, noon.Add(time.Second), noon.Add(31*time.Second)
	file := text
	file.part, file.text, file.file, file.staged = partFile, "", &picture, "bluerelay/x7/cat.png"
	at := func(d time.Duration) func(*chatdb.Message) {
		return func(m *chatdb.Message) { m.Date = noon.Add(d) }
	}
	words := func(s string) func(*chatdb.Message) { return func(m *chatdb.Message) { m.Text = s } }
	carries := func(name string, size int64) func(*chatdb.Message) {
		return func(m *chatdb.Message) {
			m.Text = ""
			m.Attachments = []chatdb.Attachment{{Filename: name, TransferName: "cat.png", TotalBytes: size}}
		}
	}
	const staged = "~/Library/Messages/Attachments/bluerelay/x7/cat.png"
	for _, tt := range []struct {
		name    string
		send    send
		changes []func(*chatdb.Message)
		want    match
	}{
		{"90 seconds late", text, []func(*chatdb.Message){at(90 * time.Second)}, exactMatch},
		{"at the end of its time", text, []func(*chatdb.Message){at(31*time.Second + lateRow)}, exactMatch},
		{"after it", text, []func(*chatdb.Message){at(32*time.Second + lateRow)}, noMatch},
		{"curled quotes", text, []func(*chatdb.Message){words("it’s me...")}, exactMatch},
		{"the same letters, while osascript ran", text, []func(*chatdb.Message){words("its me")}, weakMatch},
		{"the same letters", text, []func(*chatdb.Message){words("its me"), at(4 * time.Second)}, noMatch},
		{"the staged file", file, []func(*chatdb.Message){carries(staged, 3)}, exactMatch},
		{"the staged file, days late", file, []func(*chatdb.Message){carries(staged, 9), at(72 * time.Hour)}, exactMatch},
		{"a copy of it", file, []func(*chatdb.Message){carries("", 3)}, exactMatch},
		{"a copy of it, days late", file, []func(*chatdb.Message){carries("", 3), at(72 * time.Hour)}, noMatch},
		{"a file of its name", file, []func(*chatdb.Message){carries("", 9)}, noMatch},
	} {
		m := ownRow("G", 11, alice, "it's me...", noon)
		for _, change := range tt.changes {
			change(&m)
		}
		if got := fits(tt.send, m, thisFile); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The owner writes himself what did not go: the message was not sent by that.
func TestOwnersTextAfterAnUnknown(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.sends("msg_1", "hello")
	hand(t, s.j, "msg_1", time.Now(), time.Now())
	if n, err := s.j.settle(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.wants("unknown msg_1")
	const query = "UPDATE sends SET armed_at = armed_at - ?1, ended_at = ended_at - ?1, settle_at = settle_at - ?1"
	if _, err := s.j.db.Exec(query, (lateRow + time.Minute).Milliseconds()); err != nil {
		t.Fatal(err)
	}
	s.own("G", "hello", columns{"is_sent": 1})
	s.wants("typed G hello")
	s.own("H", "hello", columns{"is_sent": 1, "date": apple(time.Now().Add(-2 * time.Minute))})
	s.wants("sent msg_1")
}

func TestFitsHandlesInAnyCase(t *testing.T) {
	t.Parallel()
	s := sent("msg_1", "a")
	s.handle = "alice@example.com"
	if fits(s, ownRow("G", 11, "Alice@Example.com", "a", noon), thisFile) != exactMatch {
		t.Error("the case of an address was counted")
	}
}

// TestFitsWithoutLetters: where there is nothing but signs, only the same signs
// will do.
func TestFitsWithoutLetters(t *testing.T) {
	t.Parallel()
	s := sent("msg_1", "👍")
	for text, want := range map[string]match{"👍": exactMatch, "👎": noMatch, "?": noMatch, "": noMatch} {
		if got := fits(s, ownRow("G", 11, alice, text, noon), thisFile); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// TestFitsInAReplacedFile: the mark of another file says nothing; the date has to
// do.
func TestFitsInAReplacedFile(t *testing.T) {
	t.Parallel()
	s := sent("msg_1", "a")
	if fits(s, ownRow("G", 3, alice, "a", noon), "another file") != exactMatch {
		t.Error("a low ROWID in a new file was refused")
	}
	if fits(s, ownRow("G", 11, alice, "a", noon.Add(-time.Minute)), "another file") != noMatch {
		t.Error("an old row was taken")
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	ran := func(s send, from, to time.Duration) send {
		s.armedAt = noon.Add(from)
		if to != 0 {
			s.endedAt = noon.Add(to)
		}
		return s
	}
	to := func(s send, handle string) send { s.handle = handle; return s }
	first, second := ran(sent("msg_1", "a"), 0, time.Second), ran(sent("msg_2", "a"), 5*time.Second, 6*time.Second)
	tests := []struct {
		name  string
		sends []send
		row   chatdb.Message
		want  string
	}{
		{"nothing open", nil, ownRow("G", 11, alice, "a", noon), ""},
		{"one that fits", []send{first}, ownRow("G", 11, alice, "a", noon), "msg_1"},
		{"none that fits", []send{first}, ownRow("G", 11, alice, "b", noon), ""},
		{"the first of equal texts", []send{first, second}, ownRow("G", 11, alice, "a", noon.Add(500*time.Millisecond)), "msg_1"},
		{"the one that ran at the time", []send{first, second}, ownRow("G", 11, alice, "a", noon.Add(5500*time.Millisecond)), "msg_2"},
		{"the oldest, where none ran at the time", []send{first, second}, ownRow("G", 11, alice, "a", noon.Add(time.Hour)), "msg_1"},
		{"the oldest, where both ran at the time", []send{ran(sent("msg_1", "a"), 0, 0), ran(sent("msg_2", "a"), 0, 0)}, ownRow("G", 11, alice, "a", noon.Add(time.Hour)), "msg_1"},
		{"one that still runs", []send{first, ran(sent("msg_2", "a"), 5*time.Second, 0)}, ownRow("G", 11, alice, "a", noon.Add(30*time.Second)), "msg_2"},
		{"the other person's", []send{to(first, bob), second}, ownRow("G", 11, alice, "a", noon.Add(500*time.Millisecond)), "msg_2"},
		{"an exact text before a weak one", []send{ran(sent("msg_1", "a!"), 0, time.Second), second}, ownRow("G", 11, alice, "a", noon), "msg_2"},
		{"a weak one where there is no exact", []send{ran(sent("msg_1", "b"), 0, time.Second), ran(sent("msg_2", "a!"), 0, time.Second)}, ownRow("G", 11, alice, "a", noon), "msg_2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := choose(tt.sends, tt.row, thisFile)
			if got.message != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", got.message, ok, tt.want)
			}
		})
	}
}

// FuzzChoose builds sends and rows from bytes and binds as the observer does: a row
// to at most one send, a send to at most one row, and never what does not fit.
func FuzzChoose(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0})
	f.Add([]byte("any bytes will do for sends and rows alike, the more the better"))
	f.Add([]byte{5, 200, 3, 7, 5, 200, 3, 7, 5, 200, 3, 7, 133, 200, 3, 7, 133, 200, 3, 7})
	texts := []string{"a", "a", "a!", "b", "", "👍"}
	handles := []string{alice, bob, "", alice}
	f.Fuzz(func(t *testing.T, data []byte) {
		var open []send
		var rows []chatdb.Message
		for chunk := range slices.Chunk(data, 4) {
			if len(chunk) < 4 {
				break
			}
			at := noon.Add(time.Duration(int(chunk[1])-128) * time.Second)
			text, handle := texts[int(chunk[2])%len(texts)], handles[int(chunk[3])%len(handles)]
			if chunk[0] < 128 {
				s := sent(fmt.Sprintf("msg_%d", len(open)), text)
				s.handle, s.armedAt, s.mark.RowID = handle, at, int64(chunk[0]%32)
				if chunk[0]%2 == 0 {
					s.endedAt = at.Add(time.Second)
				}
				switch chunk[3] % 8 {
				case 5:
					s.handle, s.chat = "", "any;+;"+handle
				case 6:
					s.part, s.file, s.staged, s.text = partFile, &picture, "bluerelay/x/cat.png", ""
				}
				open = append(open, s)
				continue
			}
			m := ownRow(fmt.Sprintf("G-%d", len(rows)), int64(chunk[0]%32), handle, text, at)
			m.FromMe = chunk[0]%16 != 0
			switch chunk[3] % 8 {
			case 6:
				m.Attachments = []chatdb.Attachment{{TransferName: "cat.png", TotalBytes: int64(chunk[2])}}
			case 7:
				m.Chat = &chatdb.Chat{Identifier: handle, Style: 43}
			}
			rows = append(rows, m)
		}
		slices.SortStableFunc(open, func(a, b send) int { return a.armedAt.Compare(b.armedAt) })
		bound := make(map[string]string)
		for _, m := range rows {
			fitting := slices.ContainsFunc(open, func(s send) bool { return fits(s, m, thisFile) != noMatch })
			s, ok := choose(open, m, thisFile)
			if ok != fitting {
				t.Fatalf("a row that fits %t was bound %t", fitting, ok)
			}
			if !ok {
				continue
			}
			if fits(s, m, thisFile) == noMatch {
				t.Fatalf("%+v was chosen for %+v", s, m)
			}
			if other, taken := bound[s.message]; taken {
				t.Fatalf("%s is bound to %s and %s", s.message, other, m.GUID)
			}
			if !m.FromMe || m.Chat != nil && m.Chat.Group() != (s.chat != "") || s.part == partFile && len(m.Attachments) == 0 || m.Date.Before(s.armedAt.Add(-clockSlack)) {
				t.Fatalf("%+v can never be ours", m)
			}
			bound[s.message] = m.GUID
			open = slices.DeleteFunc(open, func(o send) bool { return o.message == s.message })
		}
	})
}

// TestRowsAreBoundOnce has the observer read equal texts: each row goes to one
// message, in order, and rows that nobody ordered go to none.
func TestRowsAreBoundOnce(t *testing.T) {
	t.Parallel()
	j, m := newJournal(t), newMessages(t)
	m.say("G-old", alice, "a", true, time.Now())
	o := m.look(j, Credential{Scope: ScopeAll})
	mark, err := o.db.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 3 {
		message := fmt.Sprintf("msg_%d", i)
		give(t, j, order(message, 1, alice, "a"))
		s := sendIn(t, j, message)
		if err := j.arm(t.Context(), &s, mark, participant, now.Add(time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	clearOutbox(t, j)
	for i := range 2 {
		m.say(fmt.Sprintf("G-%d", i), alice, "a", true, now)
	}
	m.say("G-bob", bob, "a", true, now)
	m.say("G-in", alice, "b", false, now)
	scan(t, o)
	scan(t, m.look(j, Credential{Scope: ScopeAll})) // another daemon finds nothing new
	// The one to bob may yet turn out to be what msg_2 was to be.
	wantReports(t, j, "sent msg_0 1", "sent msg_1 1", "received  0")
	m.say("G-2", alice, "a", true, now)
	m.say("G-phone", alice, "a", true, now)
	scan(t, o)
	o.cfg.Grace = time.Nanosecond
	scan(t, o)
	wantReports(t, j, "sent msg_0 1", "sent msg_1 1", "received  0", "sent msg_2 1", "typed  0", "alarm msg_2 1", "typed  0")
	for i := range 3 {
		if s := sendIn(t, j, fmt.Sprintf("msg_%d", i)); s.guid != fmt.Sprintf("G-%d", i) {
			t.Errorf("%s is bound to %q", s.message, s.guid)
		}
	}
	for _, guid := range []string{"G-old", "G-bob", "G-in", "G-phone"} {
		if taken, err := j.bound(t.Context(), guid); err != nil || taken {
			t.Errorf("%s is somebody's: %t, %v", guid, taken, err)
		}
	}
}

// A row that was edited before the relay saw it is known by its first text, and one that
// was taken back by its time alone.
func TestChangedBeforeItIsSeen(t *testing.T) {
	t.Parallel()
	now := apple(time.Now())
	edited := func(texts ...string) columns {
		return columns{"is_sent": 1, "date_edited": now, "message_summary_info": madeSummary(t, texts, nil, 1)}
	}
	takenBack := func(more columns) columns {
		c := columns{"text": nil, "is_empty": 1, "part_count": 0, "is_sent": 1, "date_edited": now, "message_summary_info": madeSummary(t, nil, []int{0}, 1)}
		maps.Copy(c, more)
		return c
	}
	for name, tt := range map[string]struct {
		text string
		row  columns
		want []string
	}{
		"edited":                      {"hello", edited("helo", "hello"), []string{"sent msg_1", "edited msg_1 hello"}},
		"edited into it":              {"helo", edited("something", "helo"), []string{"typed G helo"}},
		"taken back":                  {"", takenBack(nil), []string{"sent msg_1", "unsent msg_1"}},
		"taken back, of another":      {"", takenBack(columns{"handle": bob}), nil},
		"taken back, of a minute ago": {"", takenBack(columns{"date": apple(time.Now().Add(-time.Minute))}), nil},
		"taken back, of later":        {"", takenBack(columns{"date": apple(time.Now().Add(time.Minute))}), nil},
		"taken back after an edit":    {"", takenBack(columns{"message_summary_info": madeSummary(t, []string{"helo", "hello"}, []int{0}, 1)}), []string{"sent msg_1", "edited msg_1", "unsent msg_1"}},
		"another's, after an edit":    {"", takenBack(columns{"message_summary_info": madeSummary(t, []string{"something", "else"}, []int{0}, 1)}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			s.sends("msg_1", "helo")
			s.ends("msg_1")
			c := columns{"is_from_me": 1, "text": tt.text}
			maps.Copy(c, tt.row)
			s.row("G", c)
			if c["handle"] == nil {
				s.join("G", direct)
			}
			scan(t, s.o)
			s.impatient()
			s.wants(tt.want...)
			s.restart()
			s.wants()
		})
	}
	// Which of two it was nobody can tell.
	s := newStory(t)
	s.sends("msg_1", "one")
	s.sends("msg_2", "two")
	s.own("G", "", takenBack(nil))
	s.wants()
}
