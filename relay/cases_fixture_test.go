package relay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"howett.net/plist"

	"bluerelay/wire"
)

// The tests named TestCaseNN are the cases that users of other readers reported, by
// their numbers in docs/chatdb.md. Those here are decided by the relay: a real
// chat.db, a real journal, and the observer between them. The others are in package
// chatdb, and about files in this package's tests of uploads.

// story is a Mac with a relay that reads on demand.
type story struct {
	*messages
	j *journal
	o *observer
}

func newStory(t testing.TB) *story {
	t.Helper()
	return newStoryOn(t, readSchema(t, ownSchema))
}

func newStoryOn(t testing.TB, schema string) *story {
	t.Helper()
	s := &story{messages: newMessagesOn(t, schema), j: newJournal(t)}
	s.exec("CREATE INDEX IF NOT EXISTS chat_message_join_idx_message_id_only ON chat_message_join (message_id)") // Apple's own
	s.restart()
	return s
}

// restart is another daemon on the same journal.
func (s *story) restart() { s.t.Helper(); s.o = s.look(s.j, Credential{Scope: ScopeAll}) }

// columns of a row; handle and text stand for themselves.
type columns map[string]any

// row adds a message to or from alice, without its chat.
func (s *story) row(guid string, more columns) {
	s.t.Helper()
	c := columns{"guid": guid, "service": "iMessage", "date": apple(time.Now()), "handle": alice, "is_finished": 1}
	maps.Copy(c, more)
	if handle, _ := c["handle"].(string); handle != "" {
		s.exec("INSERT INTO handle (id, service) VALUES (?, 'iMessage') ON CONFLICT DO NOTHING", handle)
		if err := s.db.QueryRow("SELECT ROWID FROM handle WHERE id = ?", handle).Scan(new(int64)); err != nil {
			s.t.Fatal(err)
		}
	}
	var names, marks []string
	var values []any
	for _, name := range slices.Sorted(maps.Keys(c)) {
		mark := "?"
		if name == "handle" {
			name, mark = "handle_id", "COALESCE((SELECT MIN(ROWID) FROM handle WHERE id = ?), 0)"
			values = append(values, c["handle"])
		} else {
			values = append(values, c[name])
		}
		names, marks = append(names, name), append(marks, mark)
	}
	s.exec("INSERT INTO message ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", values...)
}

// join puts a message into a chat.
func (s *story) join(guid, chat string) {
	s.t.Helper()
	style, parts, room := 45, strings.Split(chat, ";"), any(nil)
	if parts[1] == "+" {
		style, room = 43, parts[2]
	}
	s.exec("INSERT INTO chat (guid, style, chat_identifier, room_name, service_name) VALUES (?, ?, ?, ?, 'iMessage') ON CONFLICT DO NOTHING", chat, style, parts[2], room)
	s.exec("INSERT INTO chat_message_join (chat_id, message_id, message_date) SELECT chat.ROWID, message.ROWID, date FROM chat, message WHERE chat.guid = ? AND message.guid = ?", chat, guid)
}

const direct = "any;-;" + alice

// message is a whole row in the chat with alice.
func (s *story) message(guid, text string, more columns) {
	s.t.Helper()
	c := columns{"text": text}
	maps.Copy(c, more)
	s.row(guid, c)
	s.join(guid, direct)
}

func (s *story) set(guid, assignments string, values ...any) {
	s.t.Helper()
	s.exec("UPDATE message SET "+assignments+" WHERE guid = ?", append(values, guid)...)
}

// sends arms a send of text to alice.
func (s *story) sends(message, text string) {
	s.t.Helper()
	mark, err := s.o.db.Mark(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	give(s.t, s.j, order(message, 1, alice, text))
	one := sendIn(s.t, s.j, message)
	if err := s.j.arm(s.t.Context(), &one, mark, participant, time.Now()); err != nil {
		s.t.Fatal(err)
	}
	clearOutbox(s.t, s.j)
}

// own is the row that Messages makes for a send.
func (s *story) own(guid, text string, more columns) {
	s.t.Helper()
	c := columns{"is_from_me": 1}
	maps.Copy(c, more)
	s.message(guid, text, c)
}

// impatient ends the grace of rows that are waited for.
func (s *story) impatient() { s.o.cfg.Grace = time.Nanosecond }

// wants reads chat.db and compares what is reported since the last look, as "kind
// guid text".
func (s *story) wants(want ...string) {
	s.t.Helper()
	scan(s.t, s.o)
	var got []string
	for _, r := range s.reports() {
		name := r.GUID
		if r.Message != "" {
			name = r.Message
		}
		line := fmt.Sprintf("%s %s", r.Kind, name)
		switch {
		case r.Inbound != nil:
			line += " " + r.Inbound.Text
		case r.Change != nil:
			line += " " + r.Change.Text
		}
		got = append(got, strings.TrimSpace(line))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("reported %q, want %q", got, want)
	}
	clearOutbox(s.t, s.j)
}

func (s *story) reports() []wire.Report { s.t.Helper(); return reportsOf(s.t, s.j) }

// last reads chat.db and gives the one report that there is.
func (s *story) last() wire.Report {
	s.t.Helper()
	scan(s.t, s.o)
	list := s.reports()
	if len(list) != 1 {
		s.t.Fatalf("%d reports, want one", len(list))
	}
	clearOutbox(s.t, s.j)
	return list[0]
}

func apple(t time.Time) int64 { return t.Sub(appleEpoch).Nanoseconds() }

// madeSummary is the property list of a message whose part 0 had these texts, and
// whose parts unsent, of so many, are gone.
func madeSummary(t testing.TB, texts []string, unsent []int, parts int) []byte {
	t.Helper()
	ranges := make(map[string]any)
	for i := range parts {
		ranges[fmt.Sprint(i)] = map[string]int{"lo": i, "le": 1}
	}
	list := map[string]any{"otr": ranges, "ust": true}
	var entries []map[string]any
	for i, text := range texts {
		entries = append(entries, map[string]any{"t": typedstream(text), "d": time.Since(appleEpoch).Seconds() + float64(i)})
	}
	if len(entries) > 0 {
		list["ec"], list["ep"] = map[string]any{"0": entries}, []int{0}
	}
	if len(unsent) > 0 {
		list["rp"] = unsent
	}
	data, err := plist.Marshal(list, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// typedstream is an attributed string without runs, of less than 128 bytes.
func typedstream(text string) []byte {
	const head = "\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+"
	return []byte(head + string(rune(len(text))) + text + "\x86\x86")
}

// fileBody is an attributed string of nothing but a file.
func fileBody(guid string) []byte {
	const head = "\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+\x03\uFFFC\x86\x84\x02iI\x01\x01\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x01"
	const name = "__kIMFileTransferGUIDAttributeName"
	text := func(s string) string { return "\x92\x84\x96\x96" + string(rune(len(s))) + s + "\x86" }
	return []byte(head + text(name) + text(guid) + "\x86\x86")
}
