package relay

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

// The stories that follow are told on the schema of every release of macOS, with Messages'
// own triggers. Those of all cases are told on the newest one.
func TestStoriesOnEverySchema(t *testing.T) {
	stories := map[string]func(*story){
		"receive": (*story).receives, "send": (*story).sendsAndFails, "edit": (*story).edits,
		"tapback": (*story).taps, "group": (*story).talksInAGroup, "attachment": (*story).getsFiles,
	}
	for name, schema := range schemas(t) {
		t.Run(name, func(t *testing.T) {
			for story, tell := range stories {
				t.Run(story, func(t *testing.T) {
					t.Parallel()
					tell(newStoryOn(t, schema))
				})
			}
		})
	}
}

const ownSchema = "../chatdb/testdata/schema-macos26.6.2.sql"

// schemas are the project's own one and, where the shared folder is, those of all releases
// with the tables that the relay reads.
func schemas(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"own": readSchema(t, ownSchema)}
	names, err := filepath.Glob("../../shared/testdata/schema/*.sql")
	if err != nil || len(names) == 0 && os.Getenv("CI") == "true" {
		t.Fatalf("no shared schemas: %v", err)
	}
	for _, name := range names {
		schema := readSchema(t, name)
		lacks := func(table string) bool {
			return !strings.Contains(schema, "CREATE TABLE "+table+" ") && !strings.Contains(schema, "CREATE TABLE "+table+"(")
		}
		whole := !slices.ContainsFunc([]string{"message", "chat", "handle", "attachment", "chat_message_join", "chat_handle_join", "message_attachment_join"}, lacks)
		if whole && !strings.Contains(name, "macos10.11") { // macOS 12 is the oldest that is promised
			all[strings.TrimSuffix(filepath.Base(name), ".sql")] = schema
		}
	}
	if len(names) > 0 && len(all) < 8 {
		t.Errorf("only %d schemas are whole", len(all))
	}
	return all
}

var (
	trigger      = regexp.MustCompile(`(?is)CREATE TRIGGER.*?\bEND\s*;`)
	sqliteTables = regexp.MustCompile(`(?i)CREATE TABLE sqlite_(sequence|stat1)\s*\([^;]*;`)
	// The functions that Messages registers for its triggers, and nobody else has.
	messagesOnly = regexp.MustCompile(`\b(before_delete_attachment_path|delete_attachment_path|after_delete_message_plugin|verify_chat|delete_chat_background_before_deleting_chat|is_mic_enabled|guid_for_chat)\s*\(`)
)

// plainTriggers are for dumps of tables alone what Messages' own do of the same names:
// whatever schema it is, a join sets what a reader sees of it in the message.
const plainTriggers = `
CREATE TRIGGER after_insert_on_chat_message_join AFTER INSERT ON chat_message_join BEGIN
	UPDATE message SET cache_roomnames = (SELECT group_concat(room_name) FROM chat JOIN chat_message_join j ON j.chat_id = chat.ROWID WHERE j.message_id = NEW.message_id)
	WHERE ROWID = NEW.message_id;
END;
CREATE TRIGGER after_insert_on_message_attachment_join AFTER INSERT ON message_attachment_join BEGIN
	UPDATE message SET cache_has_attachments = 1 WHERE ROWID = NEW.message_id;
END;
`

// readSchema leaves out SQLite's own tables and the triggers that only Messages can run.
func readSchema(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	schema := trigger.ReplaceAllStringFunc(sqliteTables.ReplaceAllString(string(data), ""), func(one string) string {
		if messagesOnly.MatchString(one) {
			return ""
		}
		return one
	})
	if !trigger.MatchString(schema) {
		schema += plainTriggers
	}
	return schema
}

func (s *story) receives() {
	s.row("G1", columns{"text": nil, "attributedBody": typedstream("hello")})
	s.wants() // its chat has not come
	s.join("G1", direct)
	if r := s.last(); r.Kind != wire.Received || r.Inbound.Text != "hello" || r.Inbound.From != alice || r.Inbound.Chat != direct || r.Inbound.Group {
		s.t.Errorf("%+v", r.Inbound)
	}
	s.message("G2", "again", nil)
	s.wants("received G2 again")
	s.restart()
	s.wants()
}

func (s *story) sendsAndFails() {
	s.bound("msg_1", "G", nil)
	s.set("G", "is_delivered = 1, date_delivered = ?", apple(time.Now()))
	s.wants("delivered msg_1")
	s.restart()
	s.set("G", "is_read = 1, date_read = ?", apple(time.Now()))
	s.wants("read msg_1")
	s.sends("msg_2", "no")
	s.own("F", "no", nil)
	s.wants()
	s.set("F", "error = 22, is_finished = 1")
	s.wants("failed msg_2")
	s.set("F", "error = 0, is_sent = 1")
	s.wants("sent msg_2")
	s.own("T", "typed elsewhere", columns{"is_sent": 1})
	s.impatient()
	s.wants("typed T typed elsewhere")
}

func (s *story) edits() {
	if !slices.Contains(s.names("message"), "date_edited") {
		s.t.Skip("nothing can be edited before macOS 13")
	}
	s.message("G", "helo", nil)
	s.wants("received G helo")
	s.set("G", "text = NULL, attributedBody = ?, date_edited = ?, message_summary_info = ?", typedstream("hello"), apple(time.Now()), madeSummary(s.t, []string{"helo", "hello"}, nil, 1))
	if r := s.last(); r.Kind != wire.Edited || r.Change.Text != "hello" || len(r.Change.Edits) != 2 {
		s.t.Errorf("%+v %+v", r, r.Change)
	}
	s.set("G", "attributedBody = NULL, is_empty = 1, message_summary_info = ?", madeSummary(s.t, []string{"helo", "hello"}, []int{0}, 1))
	if r := s.last(); r.Kind != wire.Unsent || !r.Change.Whole {
		s.t.Errorf("%+v %+v", r, r.Change)
	}
}

func (s *story) taps() {
	s.message("G", "hello", nil)
	s.wants("received G hello")
	for guid, kind := range map[string]int{"T1": 2000, "T2": 3000} {
		s.message(guid, "Loved “hello”", columns{"associated_message_type": kind, "associated_message_guid": "p:0/G"})
		if r := s.last(); r.Kind != wire.Tapped || r.Tapback.Target != "G" || r.Tapback.Kind != "love" || r.Tapback.Removed != (kind == 3000) {
			s.t.Errorf("%+v %+v", r, r.Tapback)
		}
	}
}

func (s *story) talksInAGroup() {
	s.row("G", columns{"text": "to all"})
	s.join("G", friends)
	if r := s.last(); r.Kind != wire.Received || !r.Inbound.Group || r.Inbound.Chat != friends || r.Inbound.From != alice {
		s.t.Errorf("%+v", r.Inbound)
	}
	s.row("O", columns{"text": "from me", "is_from_me": 1, "is_sent": 1, "handle": ""})
	s.join("O", friends)
	s.wants("typed O from me")
	s.set("O", "is_delivered = 1, is_read = 1, date_read = ?", apple(time.Now()))
	s.wants() // a group has no receipts
	s.event("E", 2, 0, columns{"group_title": "Friends"})
	s.join("E", friends)
	if r := s.last(); r.Kind != wire.Grouped || r.Group.Event != "renamed" || r.Group.Name != "Friends" {
		s.t.Errorf("%+v %+v", r, r.Group)
	}
	var room string
	if err := s.db.QueryRow("SELECT cache_roomnames FROM message WHERE guid = 'G'").Scan(&room); err != nil || room != "chat7" {
		s.t.Errorf("the triggers have not run: %q, %v", room, err)
	}
}

func (s *story) getsFiles() {
	s.message("G", "a picture", nil)
	s.attach("G", "at_0_G")
	if r := s.last(); r.Inbound.Attachments != 1 || len(r.Inbound.Media) != 1 || r.Inbound.Media[0].ID != "at_0_G" {
		s.t.Errorf("%+v", r.Inbound)
	}
	s.attach("G", "at_1_G") // another comes later
	s.wants()
	s.exec("UPDATE attachment SET transfer_state = 5, filename = '~/Library/Messages/Attachments/aa/at_0_G/a.png' WHERE guid = 'at_0_G'")
	s.wants()
	if got, want := uploadsIn(s.t, s.j), []string{"at_0_G waiting 0", "at_1_G waiting 0"}; !slices.Equal(got, want) {
		s.t.Errorf("uploads %q, want %q", got, want)
	}
}

// attach joins a file that is on its way to a message, as Messages does: what the message
// says of it is the trigger's.
func (s *story) attach(message, guid string) {
	s.t.Helper()
	s.exec("INSERT INTO attachment (guid, original_guid, transfer_name, total_bytes) VALUES (?, ?, ?, 9)", guid, guid, guid)
	s.exec("INSERT INTO message_attachment_join (message_id, attachment_id) SELECT message.ROWID, attachment.ROWID FROM message, attachment WHERE message.guid = ? AND attachment.guid = ?", message, guid)
}
