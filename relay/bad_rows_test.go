package relay

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

// Whatever a row holds, those around it are told at once and in order, it holds up
// nothing, and what of it cannot be read is named by its guid.
func TestBadRows(t *testing.T) {
	s := newStory(t)
	var log bytes.Buffer
	s.o.log = slog.New(slog.NewTextHandler(&log, nil))
	s.message("G0", "first", nil)
	s.row("NULL", s.all(nil, "handle_id"))
	s.join("NULL", direct)
	s.row("WORDS", s.all("words", "handle_id"))
	s.row("BYTES", s.all([]byte{0xff, 0, 0x84, 0x86}, "handle_id"))
	s.row("HUGE", s.all(int64(1<<63-1), "handle_id", "text", "attributedBody"))
	s.row("LEAST", s.all(int64(-1<<63), "handle_id"))
	s.row("FLOAT", s.all(1e300, "handle_id"))
	whole := typedstream("cut off here")
	s.message("CUT", "", columns{"text": nil, "attributedBody": whole[:len(whole)-8]})
	// The dictionary of the run, object 5, holds itself.
	cycle := bytes.Replace(fileBody("at_0_G"), []byte("\x84\x01i\x01\x92\x84\x96\x96"), []byte("\x84\x01i\x02\x92\x97\x92\x97\x92\x84\x96\x96"), 1)
	s.message("CYCLE", "", columns{"text": nil, "attributedBody": cycle})
	s.message("LARGE", "", columns{"text": nil, "attributedBody": append(bytes.Clone(whole[:len(whole)-15]), largeText(10<<20)...)})
	s.message("TOO-LARGE", "the column", columns{"attributedBody": make([]byte, 17<<20)})
	s.message("DATES", "dates", columns{"date": int64(1<<63 - 1), "date_read": int64(1<<63 - 1), "date_edited": int64(1<<63 - 1), "date_recovered": 0})
	s.message("G1", "last", nil)
	scan(t, s.o)
	list := s.reports()
	var got []string
	for _, r := range list {
		got = append(got, r.GUID)
		if data := r.Inbound; data != nil && r.GUID == "LARGE" && len(data.Text) < 1000 {
			t.Errorf("%d bytes are left of it", len(data.Text))
		}
	}
	for _, guid := range []string{"G0", "CUT", "CYCLE", "LARGE", "TOO-LARGE", "DATES", "G1"} {
		if !slices.Contains(got, guid) {
			t.Errorf("%s is not among %q", guid, got)
		}
	}
	if got[0] != "G0" || got[len(got)-1] != "G1" {
		t.Errorf("told in the order %q", got)
	}
	if i := slices.Index(got, "TOO-LARGE"); i >= 0 && list[i].Inbound.Text != "the column" {
		t.Errorf("%+v", list[i].Inbound)
	}
	for _, guid := range []string{"CUT", "TOO-LARGE"} {
		if !strings.Contains(log.String(), "chatdb.body_unreadable guid="+guid) {
			t.Errorf("nobody is told of %s", guid)
		}
	}
	clearOutbox(t, s.j)
	// None of them comes again, and none stays for ever.
	s.restart()
	s.message("G2", "and on", nil)
	s.wants("received G2 and on")
	s.impatient()
	if _, err := s.j.db.Exec("UPDATE waiting SET first_seen = first_seen - ?", 2*s.o.cfg.Observe.Milliseconds()); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.impatient()
	scan(t, s.o)
	clearOutbox(t, s.j)
	if len(s.o.waiting) > 1 { // a satellite's row may be sent at any time
		t.Errorf("%d rows are waited for", len(s.o.waiting))
	}
	s.message("G3", "the end", nil)
	s.wants("received G3 the end")
}

// A column that holds more than any report has room for stops nothing either, whichever
// it is, of whatever kind the row is.
func TestBadRowsOfEndlessNames(t *testing.T) {
	s := newStory(t)
	endless := strings.Repeat("<", 300<<10) // six times that in JSON
	kinds := map[string]columns{
		"text":    {},
		"typed":   {"is_from_me": 1, "is_sent": 1},
		"tapback": {"associated_message_type": 2006, "associated_message_emoji": "🎈", "associated_message_guid": "p:0/X"},
		"event":   {"item_type": 1, "other_handle": 1, "group_action_type": 1},
		"reply":   {"thread_originator_guid": "X", "thread_originator_part": "0:0:1"},
		"file":    {"attributedBody": fileBody("at_0_F"), "cache_has_attachments": 1},
		"edited":  {"date_edited": apple(time.Now()), "message_summary_info": madeSummary(t, []string{"a", "b"}, nil, 1)},
	}
	telling := []string{"guid", "service", "account", "destination_caller_id", "balloon_bundle_id", "associated_message_guid", "associated_message_emoji", "thread_originator_guid", "group_title"}
	s.message("AFTER0", "the chat is there", nil)
	s.exec("BEGIN")
	n := 0
	for kind, more := range kinds {
		columnsOf := telling
		if kind == "text" {
			columnsOf = slices.DeleteFunc(s.names("message"), func(name string) bool { return name == "handle_id" })
		}
		for _, column := range columnsOf {
			n++
			row := columns{"text": "hello"}
			maps.Copy(row, more)
			row[column] = endless
			guid := fmt.Sprint("R", n)
			if column == "guid" {
				row[column] = endless + guid
			}
			s.row(guid, row)
			s.exec("INSERT INTO chat_message_join (chat_id, message_id) SELECT 1, MAX(ROWID) FROM message")
			s.message(fmt.Sprint("AFTER", n), kind+" with "+column, nil)
		}
	}
	// What a message is joined to.
	for table, join := range map[string]string{"handle": "UPDATE message SET handle_id = ? WHERE guid = ?",
		"chat":       "INSERT INTO chat_message_join (message_id, chat_id) SELECT ROWID, ? FROM message WHERE guid = ?",
		"attachment": "INSERT INTO message_attachment_join (message_id, attachment_id) SELECT ROWID, ? FROM message WHERE guid = ?"} {
		for _, column := range s.names(table) {
			n++
			guid := fmt.Sprint("R", n)
			s.row(guid, columns{"text": "hello", "cache_has_attachments": 1})
			made := columns{"guid": guid, "original_guid": guid, "id": guid, "service": "iMessage", "style": 43, "chat_identifier": guid}
			made[column] = endless + guid
			s.exec(join, s.insert(table, made), guid)
			s.message(fmt.Sprint("AFTER", n), table+" with "+column, nil)
		}
	}
	s.exec("COMMIT")
	scan(t, s.o)
	s.impatient()
	scan(t, s.o)
	told := make(map[string]bool)
	for _, r := range s.reports() {
		told[r.GUID] = true
		if _, err := wire.Encode(wire.Frame{Type: wire.TypeReport, Report: &r}); err != nil {
			t.Errorf("the report of %.20s: %v", r.GUID, err)
		}
	}
	for i := range n + 1 {
		if guid := fmt.Sprint("AFTER", i); !told[guid] {
			t.Fatalf("%s is not told", guid)
		}
	}
	s.restart()
	clearOutbox(t, s.j)
	s.message("LAST", "the end", nil)
	s.wants("received LAST the end")
}

// A report whose names are as long as they may be fits a frame, with a hundred files.
func TestReportOfLongNames(t *testing.T) {
	name := strings.Repeat("\x00", 1<<10)
	in := wire.Inbound{GUID: name, From: name, To: name, Chat: name, Service: name, ReplyTo: name, Text: name}
	for range wire.MaxMedia {
		in.Media = append(in.Media, wire.Media{ID: name[:wire.MaxMediaID], Name: name[:wire.MaxMediaName], MIME: name})
	}
	for _, r := range []wire.Report{
		{Kind: wire.Received, GUID: name, Service: name, Inbound: &in},
		{Kind: wire.Tapped, GUID: name, Service: name, Tapback: &wire.Tapback{Target: name, From: name, Emoji: name}},
		{Kind: wire.Grouped, GUID: name, Service: name, Group: &wire.Group{Chat: name, Who: name, Other: name, Name: name}},
	} {
		if data, err := encodeReport(r); err != nil || len(data) > maxReport {
			t.Errorf("%s: %d bytes, %v", r.Kind, len(data), err)
		}
	}
}

// insert adds a row of any table, without the columns that it does not have, and gives
// its ROWID.
func (s *story) insert(table string, c columns) int64 {
	s.t.Helper()
	var names []string
	var values []any
	for _, name := range s.names(table) {
		if v, ok := c[name]; ok {
			names, values = append(names, name), append(values, v)
		}
	}
	result, err := s.db.Exec("INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES (?"+strings.Repeat(", ?", len(names)-1)+")", values...)
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// names are the columns of a table but its ROWID.
func (s *story) names(table string) (list []string) {
	s.t.Helper()
	rows, err := s.db.Query("SELECT name FROM pragma_table_info(?) WHERE name <> 'ROWID'", table)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// all is one value in each column of a message but guid and those.
func (s *story) all(value any, but ...string) columns {
	s.t.Helper()
	c := columns{"handle": alice}
	for _, name := range s.names("message") {
		if name != "guid" && !slices.Contains(but, name) {
			c[name] = value
		}
	}
	return c
}

// largeText is the string of an archive from its length on, and the end of it.
func largeText(n int) []byte {
	b := []byte{0x82, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	return append(append(b, bytes.Repeat([]byte("word "), n/5+1)[:n]...), 0x86, 0x86)
}
