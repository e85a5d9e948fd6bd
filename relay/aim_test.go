package relay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// chat adds a conversation whose last message went by a service; "" for one that has
// no message yet.
func (m *messages) chat(guid, service, last string, at time.Time) {
	m.t.Helper()
	style, name := 45, guid[strings.LastIndexByte(guid, ';')+1:]
	if strings.Contains(guid, ";+;") {
		style = 43
	}
	m.exec("INSERT INTO chat (guid, style, chat_identifier, service_name) VALUES (?, ?, ?, ?)", guid, style, name, service)
	if last == "" {
		return
	}
	message := "M-" + guid
	m.exec("INSERT INTO message (guid, text, service, date) VALUES (?, 'a', ?, ?)", message, last, apple(at))
	m.exec("INSERT INTO chat_message_join (chat_id, message_id, message_date) SELECT chat.ROWID, message.ROWID, date FROM chat, message WHERE chat.guid = ? AND message.guid = ?", guid, message)
}

// aimer is a sender over these messages.
func (m *messages) aimer() *sender {
	m.t.Helper()
	db, err := chatdb.Open(m.t.Context(), m.path)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { db.Close() })
	s := newSender(m.t, "exit 0")
	s.lendDB(db)
	return s
}

// TestRoutes goes through who is named how: the conversation that there is, or the
// person.
func TestRoutes(t *testing.T) {
	t.Parallel()
	const (
		merged = "any;-;" + alice
		blue   = "iMessage;-;" + alice
		green  = "SMS;-;" + alice
		group  = "any;+;chat1344"
		mail   = "any;-;alice@example.com"
	)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	tests := []struct {
		name    string
		chats   func(m *messages)
		to      string // a handle, or a guid with ";+;"
		service string
		noChat  bool
		want    string // SERVICE KIND TARGET, or the fault's code
		via     string
	}{
		{"nobody's yet", nil, alice, "auto", false, "iMessage participant " + alice, "iMessage"},
		{"nobody's yet, by SMS", nil, alice, "SMS", false, "SMS participant " + alice, "SMS"},
		{"nobody's yet, by RCS", nil, alice, "RCS", false, "RCS participant " + alice, "RCS"},
		{"an address", nil, "Alice@Example.com", "auto", false, "iMessage participant alice@example.com", "iMessage"},
		{"an address with a conversation", func(m *messages) { m.chat(mail, "iMessage", "iMessage", at(0)) }, "Alice@example.com", "auto", false, "any chat " + mail, "iMessage"},
		{"a conversation", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)) }, alice, "iMessage", false, "any chat " + blue, "iMessage"},
		{"a conversation without messages", func(m *messages) { m.chat(blue, "iMessage", "", at(0)) }, alice, "iMessage", false, "any chat " + blue, "iMessage"},
		{"one that Messages does not list", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)) }, alice, "auto", true, "iMessage participant " + alice, "iMessage"},
		{"a green one that Messages does not list", func(m *messages) { m.chat(green, "SMS", "SMS", at(0)) }, alice, "auto", true, "SMS participant " + alice, "SMS"},
		{"the one used last", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)); m.chat(green, "SMS", "SMS", at(1)) }, alice, "auto", false, "any chat " + green, "SMS"},
		{"the one of the service", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)); m.chat(green, "SMS", "SMS", at(1)) }, alice, "iMessage", false, "any chat " + blue, "iMessage"},
		{"none of the service", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)) }, alice, "SMS", false, "SMS participant " + alice, "SMS"},
		{"macOS 26, blue", func(m *messages) { m.chat(merged, "iMessage", "iMessage", at(0)) }, alice, "auto", false, "any chat " + merged, "iMessage"},
		{"macOS 26, green now", func(m *messages) { m.chat(merged, "iMessage", "SMS", at(0)) }, alice, "auto", false, "any chat " + merged, "SMS"},
		{"macOS 26, green now, blue wanted", func(m *messages) { m.chat(merged, "iMessage", "SMS", at(0)) }, alice, "iMessage", false, "iMessage participant " + alice, "iMessage"},
		{"macOS 26, RCS in small letters", func(m *messages) { m.chat(merged, "any", "rcs", at(0)) }, alice, "RCS", false, "any chat " + merged, "RCS"},
		{"by satellite", func(m *messages) { m.chat(merged, "any", "iMessageLite", at(0)) }, alice, "iMessage", false, "any chat " + merged, "iMessage"},
		{"a group", func(m *messages) { m.chat(group, "iMessage", "iMessage", at(0)) }, group, "auto", false, "any chat " + group, "iMessage"},
		{"a green group", func(m *messages) { m.chat("SMS;+;chat7", "SMS", "SMS", at(0)) }, "SMS;+;chat7", "auto", false, "any chat SMS;+;chat7", "SMS"},
		{"no such group", nil, group, "auto", false, "no_such_target", ""},
		{"a group in another spelling", func(m *messages) { m.chat(group, "iMessage", "iMessage", at(0)) }, "iMessage;+;chat1344", "auto", false, "no_such_target", ""},
		{"a person as a group", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)) }, blue, "auto", false, "no_such_target", ""},
		{"a group whose name is a number", func(m *messages) { m.chat("any;+;"+alice, "iMessage", "iMessage", at(0)) }, alice, "auto", false, "iMessage participant " + alice, "iMessage"},
		{"a number in another form", func(m *messages) { m.chat(blue, "iMessage", "iMessage", at(0)) }, strings.TrimPrefix(alice, "+"), "auto", false, "iMessage participant " + strings.TrimPrefix(alice, "+"), "iMessage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMessages(t)
			if tt.chats != nil {
				tt.chats(m)
			}
			s := m.aimer()
			o := wire.Send{Message: "msg_1", Attempt: 1, To: tt.to, Service: tt.service, Text: "a"}
			if strings.Contains(tt.to, ";") {
				o.To, o.Group = "", tt.to
			}
			give(t, s.journal, o)
			one := sendIn(t, s.journal, "msg_1")
			one.noChat = tt.noChat
			req := applescript.Request{Verb: applescript.SendText, Value: "a"}
			_, err := s.aim(t.Context(), &one, &req)
			got := fmt.Sprintf("%s %s %s", req.Service, req.Kind, req.Target)
			if r, ok := errors.AsType[*refused](err); ok {
				got = r.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || one.via != tt.via {
				t.Errorf("got %q by %q, want %q by %q", got, one.via, tt.want, tt.via)
			}
		})
	}
}

// TestNoSuchGroup: an order for a group that is not there ends at once.
func TestNoSuchGroup(t *testing.T) {
	t.Parallel()
	s := newMessages(t).aimer()
	s.welcome.Store(true)
	give(t, s.journal, wire.Send{Message: "msg_1", Attempt: 1, Group: "any;+;chat1", Service: "auto", Text: "a"})
	clearOutbox(t, s.journal)
	if busy, err := s.step(t.Context()); err != nil || !busy {
		t.Fatal(busy, err)
	}
	wantNoSend(t, s.journal, "msg_1", 1, "no_such_target", false)
}

// TestFallbackLooksAgain: where the failed row is no longer failed, nothing goes by
// SMS.
func TestFallbackLooksAgain(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]string{
		"sent after all": "error = 0, is_sent = 1", "tried again": "error = 0", "downgraded": "was_downgraded = 1, service = 'SMS'",
		"gone": "guid = 'another'", "damaged": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStory(t)
			st.sends("msg_1", "hello")
			st.own("G", "hello", columns{"error": 22, "subject": strings.Repeat("<BROKEN>", 3000)})
			st.wants("failed msg_1")
			s := st.aimer()
			s.journal = st.j
			s.welcome.Store(true)
			o := order("msg_1", 2, alice, "hello")
			o.Service = wire.ServiceSMS
			give(t, st.j, o)
			if now != "" {
				st.set("G", now)
			} else {
				st.breakRow("<BROKEN><BROKEN>")
			}
			clearOutbox(t, st.j)
			if _, err := s.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := kindsOf(t, st.j); len(got) != 1 || got[0] != "unknown msg_1 2" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestNothingBeforeTheWelcome: an old copy of a journal would send what has gone out
// long ago.
func TestNothingBeforeTheWelcome(t *testing.T) {
	t.Parallel()
	s := newMessages(t).aimer()
	give(t, s.journal, order("msg_1", 1, alice, "a"))
	if busy, err := s.step(t.Context()); err != nil || busy {
		t.Fatal(busy, err)
	}
	wantState(t, s.journal, "msg_1", stateReceived)
}

// TestRowsOfGroupsAndFiles goes through what tells their rows from others.
func TestRowsOfGroupsAndFiles(t *testing.T) {
	t.Parallel()
	group := func(guid string) *chatdb.Chat {
		return &chatdb.Chat{GUID: guid, Identifier: guid[strings.LastIndexByte(guid, ';')+1:], Style: 43}
	}
	toGroup := sent("msg_1", "a")
	toGroup.handle, toGroup.chat = "", "any;+;chat1"
	theFile := sent("msg_1", "")
	theFile.part, theFile.file, theFile.staged = partFile, &picture, "bluerelay/x7/cat.png"
	file := func(name, transfer string, size int64) func(*chatdb.Message) {
		return func(m *chatdb.Message) {
			m.Text = ""
			m.Attachments = []chatdb.Attachment{{Filename: name, TransferName: transfer, TotalBytes: size}}
		}
	}
	for _, tt := range []struct {
		name   string
		send   send
		change func(*chatdb.Message)
		want   match
	}{
		{"the group's", toGroup, func(m *chatdb.Message) { m.Handle, m.Chat = "", group("any;+;chat1") }, exactMatch},
		{"the group's, after an update", toGroup, func(m *chatdb.Message) { m.Handle, m.Chat = "", group("iMessage;+;chat1") }, exactMatch},
		{"the group's second chat", toGroup, func(m *chatdb.Message) {
			m.Handle, m.Chat, m.Chats = "", group("any;+;chat9"), []*chatdb.Chat{group("any;+;chat1")}
		}, exactMatch},
		{"the group's, by its room", toGroup, func(m *chatdb.Message) { m.Handle, m.RoomName = "", "chat1" }, exactMatch},
		{"another group's", toGroup, func(m *chatdb.Message) { m.Handle, m.Chat = "", group("any;+;chat10") }, noMatch},
		{"a person's", toGroup, func(m *chatdb.Message) {}, noMatch},
		{"a person's named like it", toGroup, func(m *chatdb.Message) { m.Chat = &chatdb.Chat{GUID: "any;-;chat1", Identifier: "chat1", Style: 45} }, noMatch},
		{"not joined yet", toGroup, func(m *chatdb.Message) { m.Handle = "" }, noMatch},

		{"the staged file", theFile, file("~/Library/Messages/Attachments/bluerelay/x7/cat.png", "cat.png", 3), exactMatch},
		{"the staged file in another size", theFile, file("/Users/a/Library/Messages/Attachments/bluerelay/x7/cat.png", "IMG.jpg", 9), exactMatch},
		{"a copy of it", theFile, file("~/Library/Messages/Attachments/aa/at_0/cat.png", "cat.png", 3), exactMatch},
		{"a copy before it has a place", theFile, file("", "cat.png", 3), exactMatch},
		{"a smaller copy", theFile, file("", "cat.png", 2), weakMatch},
		{"another file", theFile, file("", "dog.png", 3), noMatch},
		{"another staged file", theFile, file("~/Library/Messages/Attachments/bluerelay/x77/dog.png", "dog.png", 3), noMatch},
		{"no file yet", theFile, func(m *chatdb.Message) { m.Text = "" }, noMatch},
		{"the file with a text", theFile, func(m *chatdb.Message) { file("", "cat.png", 3)(m); m.Text = "look" }, noMatch},
		{"the file to another person", theFile, func(m *chatdb.Message) { file("", "cat.png", 3)(m); m.Handle = bob }, noMatch},
		{"the file below the mark", theFile, func(m *chatdb.Message) { file("", "cat.png", 3)(m); m.RowID = 9 }, noMatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := ownRow("G", 11, alice, "a", noon)
			tt.change(&m)
			if got := fits(tt.send, m, thisFile); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
