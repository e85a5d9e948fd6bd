package chatdb_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// Every schema gives the same rows the same meaning.
func TestCase55_Schemas(t *testing.T) {
	for _, name := range []string{projectSchema, "testdata/schema-odd.sql"} {
		t.Run(filepath.Base(name), func(t *testing.T) { testSchema(t, readSchema(t, name)) })
	}
}

func TestSharedSchemas(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(shared(t, "schema"), "*.sql"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	ran := 0
	for _, name := range names {
		if strings.Contains(name, "macos10.11") {
			continue // without the own number of a message; macOS 12 is the oldest that is promised
		}
		schema := readSchema(t, name)
		if !slices.ContainsFunc([]string{"message", "chat", "handle", "attachment", "chat_message_join", "chat_handle_join", "message_attachment_join"},
			func(table string) bool { return !hasTable(schema, table) }) {
			ran++
			t.Run(filepath.Base(name), func(t *testing.T) { testSchema(t, schema) })
			continue
		}
		// A partial dump: what it lacks is taken from the newest schema.
		for line := range strings.Lines(readSchema(t, projectSchema)) {
			fields := strings.Fields(line)
			if len(fields) > 2 && fields[0] == "CREATE" && !hasTable(schema, fields[2]) {
				schema += line
			}
		}
		t.Run(filepath.Base(name)+" completed", func(t *testing.T) { testSchema(t, schema) })
	}
	if ran < 5 {
		t.Errorf("only %d schemas are whole", ran)
	}
}

func hasTable(schema, table string) bool {
	return strings.Contains(schema, "CREATE TABLE "+table+" ") || strings.Contains(schema, "CREATE TABLE "+table+"(")
}

func testSchema(t *testing.T, schema string) {
	f := newFixtureAt(t, filepath.Join(t.TempDir(), "chat.db"), schema)
	person := f.handle("+15551230001", "iMessage")
	direct := f.chat("iMessage;-;+15551230001", 45)
	group := f.chat("any;+;chat42", 43)
	f.exec("UPDATE chat SET display_name = 'Friends', room_name = 'chat42' WHERE ROWID = ?", group)
	f.exec("INSERT INTO chat_handle_join (chat_id, handle_id) VALUES (?, ?), (?, ?)", direct, person, group, person)

	inbound := f.message("in", "hello", values{"handle_id": person, "is_delivered": 1, "is_finished": 1, "account": "E:me@example.com", "destination_caller_id": "+15559990000"})
	f.join(direct, inbound)
	own := f.message("own", "reply", values{"handle_id": person, "is_from_me": 1, "is_sent": 1, "is_delivered": 1, "is_read": 1, "is_finished": 1,
		"date": date(200), "date_delivered": date(202), "date_read": date(203), "subject": "re", "attributedBody": plainBody("reply")})
	f.join(direct, own)
	picture := f.message("pic", "", values{"handle_id": person, "attributedBody": fileBody("at_0_pic"), "cache_has_attachments": 1, "cache_roomnames": "chat42", "text": "\uFFFC"})
	f.join(group, picture)
	file := f.attachment("at_0_pic", values{"filename": "~/Library/Messages/Attachments/a.heic", "uti": "public.heic", "mime_type": "image/heic", "transfer_name": "a.heic", "transfer_state": 5, "total_bytes": 1234})
	f.exec("INSERT INTO message_attachment_join (message_id, attachment_id) VALUES (?, ?)", picture, file)
	f.insert("message", values{"guid": "old", "text": "from long ago", "service": "SMS", "date": 400_000_000, "error": 22, "is_from_me": 1, "was_downgraded": 1})

	db := f.open()
	got, err := db.After(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 {
		t.Fatalf("%d messages, want 4", len(got))
	}
	if m := got[0]; m.GUID != "in" || m.Text != "hello" || !m.HasBody || m.Handle != "+15551230001" || m.Service != "iMessage" || m.Account != "E:me@example.com" ||
		m.Caller != "+15559990000" || m.FromMe || !m.Delivered || !m.Finished || !m.Date.Equal(at(100)) || m.Chat == nil || m.Chat.Group() ||
		m.Chat.GUID != "iMessage;-;+15551230001" || m.Chat.Identifier != "+15551230001" || len(m.Body.Runs) != 1 {
		t.Errorf("inbound: %+v", m)
	}
	if m := got[1]; m.Text != "reply" || !m.FromMe || !m.Sent || !m.Read || m.Subject != "re" || !m.DateDelivered.Equal(at(202)) || !m.DateRead.Equal(at(203)) || m.Chat != got[0].Chat {
		t.Errorf("own: %+v", m)
	}
	if m := got[2]; m.Text != "" || !m.HasBody || !m.HasAttachments || m.RoomName != "chat42" || m.Chat == nil || !m.Chat.Group() || m.Chat.DisplayName != "Friends" ||
		!slices.Equal(m.Attachments, []chatdb.Attachment{{RowID: file, GUID: "at_0_pic", Filename: "~/Library/Messages/Attachments/a.heic", UTI: "public.heic", MIME: "image/heic", TransferName: "a.heic", TransferState: 5, TotalBytes: 1234}}) {
		t.Errorf("picture: %+v", m)
	}
	if m := got[3]; m.Text != "from long ago" || m.Error != 22 || !m.Downgraded || m.Chat != nil || m.Handle != "" || !m.DateEdited.IsZero() ||
		!m.Date.Equal(time.Date(2001, 1, 1, 0, 0, 400_000_000, 0, time.UTC)) {
		t.Errorf("old: %+v", m)
	}
	testLookUps(t, f, db, got)
	chats, err := db.DirectChats(t.Context(), "+15551230001")
	if err != nil || len(chats) != 1 || chats[0].RowID != direct || chats[0].LastService != "iMessage" {
		t.Errorf("chats %+v, %v", chats, err)
	}
	mark, err := db.Mark(t.Context())
	if err != nil || mark != (chatdb.Mark{RowID: 4, GUID: "old", File: db.File()}) {
		t.Errorf("mark %+v, %v", mark, err)
	}
	if since, err := db.OwnSince(t.Context(), at(150), 0); err != nil || len(since) != 1 || since[0].GUID != "own" {
		t.Errorf("own since: %+v, %v", since, err)
	}
}

// testLookUps holds every other way to a row against the first one, has all states move,
// and reads what newer columns say where there are such.
func testLookUps(t *testing.T, f *fixture, db *chatdb.DB, all []chatdb.Message) {
	t.Helper()
	ids, guids := []int64{1, 2, 3, 4}, []string{"in", "own", "pic", "old"}
	byID, err := db.Rows(t.Context(), ids)
	if err != nil || !reflect.DeepEqual(byID, all) {
		t.Errorf("by ROWID: %+v, %v", byID, err)
	}
	if byGUID, err := db.FindGUIDs(t.Context(), guids); err != nil || !reflect.DeepEqual(byGUID, all) {
		t.Errorf("by guid: %+v, %v", byGUID, err)
	}
	if dated, err := db.Dated(t.Context(), at(200), 0); err != nil || len(dated) != 1 || dated[0].GUID != "own" {
		t.Errorf("by date: %+v, %v", dated, err)
	}
	if before, err := db.Before(t.Context(), 3, 0); err != nil || len(before) != 2 || before[0].GUID != "own" {
		t.Errorf("before: %+v, %v", before, err)
	}
	if first, err := db.FirstSince(t.Context(), at(150)); err != nil || first != 2 {
		t.Errorf("since: %d, %v", first, err)
	}
	then, err := db.States(t.Context(), ids)
	if err != nil || len(then.Rows()) != 4 {
		t.Fatalf("%v, %v", then, err)
	}
	f.exec("UPDATE message SET is_read = 1 WHERE guid = 'in'")
	f.exec("UPDATE message SET attributedBody = ? WHERE guid = 'own'", plainBody("another reply"))
	f.exec("UPDATE attachment SET transfer_state = 6")
	f.exec("UPDATE message SET error = 0 WHERE guid = 'old'")
	now, err := db.States(t.Context(), ids)
	if moved := now.Moved(then); err != nil || !slices.Equal(moved, slices.Sorted(slices.Values(ids))) {
		t.Errorf("of %v, %v have moved, %v", ids, moved, err)
	}
	has := func(column string) bool { return slices.Contains(f.columnsOf("message"), column) }
	rows := []int64{
		f.message("tapback", "Loved", values{"associated_message_type": 2000, "associated_message_guid": "p:0/in", "is_from_me": 1}),
		f.message("renamed", "", values{"item_type": 2, "attributedBody": nil}),
		f.message("edited", "new", values{"date_edited": date(130), "message_summary_info": summaryOf(t, map[string]any{"ec": map[string]any{"0": []any{edit("old", 100), edit("new", 130)}}})}),
		f.message("later", "hello", values{"is_from_me": 1, "schedule_type": 2, "date": date(300)}),
	}
	m, err := db.Rows(t.Context(), rows)
	if err != nil || len(m) != len(rows) {
		t.Fatalf("%d rows, %v", len(m), err)
	}
	if m[0].Tapback == nil || m[0].Tapback.Target != "in" || m[1].Event == nil || m[1].Event.Kind != "renamed" {
		t.Errorf("%+v, %+v", m[0], m[1])
	}
	if want := map[bool]int64{true: 1}[has("date_edited")]; m[2].Revision != want || m[2].Text != "new" {
		t.Errorf("edited %d times: %+v", m[2].Revision, m[2])
	}
	if got, want := m[3].Class(at(200)), map[bool]chatdb.Class{true: chatdb.ClassPending, false: chatdb.ClassMessage}[has("schedule_type")]; got != want {
		t.Errorf("a scheduled row is %s, want %s", got, want)
	}
	f.exec("DELETE FROM message WHERE ROWID > 4")
}

// The join comes after the row, and others may have passed in between.
func TestLateJoin(t *testing.T) {
	f := newFixture(t)
	chat := f.chat("iMessage;-;+15551230001", 45)
	late := f.message("late", "hello", nil)
	db := f.open()
	got, err := db.After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 || got[0].Chat != nil {
		t.Fatalf("got %+v, %v; want it without a chat", got, err)
	}
	f.join(chat, f.message("next", "passed", nil))
	f.join(chat, late)
	if got, err = db.Rows(t.Context(), []int64{late}); err != nil || len(got) != 1 || got[0].Chat == nil || got[0].Chat.RowID != chat {
		t.Errorf("got %+v, %v; want it with its chat", got, err)
	}
}

func TestLateBody(t *testing.T) {
	f := newFixture(t)
	id := f.insert("message", values{"guid": "late", "date": date(1)})
	db := f.open()
	got, err := db.After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 || got[0].HasBody || got[0].Text != "" {
		t.Fatalf("got %+v, %v; want no body yet", got, err)
	}
	f.exec("UPDATE message SET attributedBody = ? WHERE ROWID = ?", plainBody("here it is"), id)
	if got, err = db.Rows(t.Context(), []int64{id}); err != nil || len(got) != 1 || !got[0].HasBody || got[0].Text != "here it is" {
		t.Errorf("got %+v, %v; want the body", got, err)
	}
}

func TestMessageInSeveralChats(t *testing.T) {
	f := newFixture(t)
	first, second, third := f.chat("SMS;-;+15551230001", 45), f.chat("iMessage;-;+15551230001", 45), f.chat("any;-;+15551230001", 45)
	id := f.message("m", "hello", nil)
	for _, chat := range []int64{third, first, second} {
		f.join(chat, id)
	}
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d, %v; want it once", len(got), err)
	}
	if got[0].Chat.RowID != first || len(got[0].Chats) != 2 || got[0].Chats[0].RowID != second || got[0].Chats[1].RowID != third {
		t.Errorf("chat %+v, others %+v", got[0].Chat, got[0].Chats)
	}
}

// A limit counts messages, not their chats, and cuts none short.
func TestLimitCountsMessages(t *testing.T) {
	f := newFixture(t)
	chats := []int64{f.chat("SMS;-;+15551230001", 45), f.chat("iMessage;-;+15551230001", 45)}
	for i := range 3 {
		id := f.message(fmt.Sprint(i), "hello", nil)
		for _, chat := range chats {
			f.join(chat, id)
		}
	}
	db := f.open()
	for limit, want := range map[int]int{0: 3, 1: 1, 2: 2, 3: 3, 4: 3, chatdb.MaxBatch + 1: 3} {
		got, err := db.After(t.Context(), 0, limit)
		if err != nil || len(got) != want {
			t.Fatalf("a limit of %d gives %d, %v; want %d", limit, len(got), err, want)
		}
		for _, m := range got {
			if len(m.Chats) != 1 {
				t.Errorf("a limit of %d gives %s with %d other chats", limit, m.GUID, len(m.Chats))
			}
		}
	}
}

func TestRecentlyDeleted(t *testing.T) {
	f := newFixture(t)
	chat := f.chat("any;-;+15551230001", 45)
	id := f.message("m", "hello", nil)
	f.exec("INSERT INTO chat_recoverable_message_join (chat_id, message_id, delete_date) VALUES (?, ?, 5)", chat, id)
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 || !got[0].Deleted || got[0].Chat == nil || got[0].Chat.RowID != chat {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Columns may hold anything: no row stops another.
func TestOddRows(t *testing.T) {
	f := newFixture(t)
	f.insert("message", values{"guid": "first", "text": "one"})
	f.insert("message", values{"guid": []byte("blob\xff"), "text": 42, "attributedBody": "no blob", "date": "junk", "date_read": int64(1<<63 - 1),
		"date_delivered": -5, "error": "22", "is_from_me": 1.5, "is_sent": "1", "service": 7, "handle_id": "x", "item_type": []byte("3"), "is_read": 1e300})
	f.insert("message", values{"guid": "cut", "text": "the column", "attributedBody": plainBody("x")[:60]})
	f.insert("message", values{"guid": "bad text", "text": "a\xffb", "date": int64(9e18), "is_from_me": nil, "is_sent": nil})
	f.insert("message", values{"guid": "last", "text": "five", "date": nil, "date_read": 0})
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != 5 {
		t.Fatalf("got %d, %v", len(got), err)
	}
	if m := got[1]; m.GUID != "blob\uFFFD" || m.Text != "42" || m.BodyErr == nil || m.Error != 22 || !m.FromMe || !m.Sent || m.Service != "7" || m.ItemType != 3 ||
		!m.Date.IsZero() || !m.DateRead.IsZero() || !m.DateDelivered.IsZero() || m.Read {
		t.Errorf("odd: %+v", m)
	}
	if m := got[2]; m.Text != "the column" || m.BodyErr == nil || !m.HasBody {
		t.Errorf("cut: %+v", m)
	}
	if m := got[3]; m.Text != "a\uFFFDb" || !m.Date.IsZero() {
		t.Errorf("bad text: %+v", m)
	}
}

func TestText(t *testing.T) {
	file := tsString("__kIMFileTransferGUIDAttributeName")
	for _, tt := range []struct {
		name string
		row  values
		want string
	}{
		{"body before column", values{"text": "old", "attributedBody": plainBody("new")}, "new"},
		{"column alone", values{"text": "old", "attributedBody": nil}, "old"},
		{"empty body", values{"text": "old", "attributedBody": []byte{}}, "old"},
		{"placeholders", values{"attributedBody": attributed("a\uFFFCb\uFFFC", run{1, part(0)}, run{1, part(1, file, tsString("g1"))}, run{1, part(2)}, run{1, part(3, file, tsString("g2"))})}, "ab"},
		{"placeholder in the column", values{"text": "\uFFFC hello", "attributedBody": nil}, " hello"},
		{"genuine replacement character", values{"text": "a\uFFFDb", "attributedBody": nil}, "a\uFFFDb"},
		{"nothing", values{"attributedBody": nil}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.message("m", "", tt.row)
			got, err := f.open().After(t.Context(), 0, 0)
			if err != nil || len(got) != 1 || got[0].Text != tt.want || got[0].BodyErr != nil {
				t.Errorf("got %+v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// Group images were met without a join: the body alone names them.
func TestCase31_AttachmentWithoutJoin(t *testing.T) {
	f := newFixture(t)
	file := tsString("__kIMFileTransferGUIDAttributeName")
	id := f.message("m", "", values{"attributedBody": attributed("\uFFFC\uFFFC",
		run{1, part(0, file, tsString("second"))}, run{1, part(1, file, tsString("first"))})})
	hidden := f.attachment("payload", values{"hide_attachment": 1})
	first := f.attachment("first", nil)
	f.attachment("second", nil)
	f.attachment("someone else's", nil)
	f.exec("INSERT INTO message_attachment_join (message_id, attachment_id) VALUES (?, ?), (?, ?)", id, hidden, id, first)
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 {
		t.Fatal(err)
	}
	var guids []string
	for _, a := range got[0].Attachments {
		guids = append(guids, a.GUID)
	}
	if want := []string{"second", "first", "payload"}; !slices.Equal(guids, want) {
		t.Errorf("attachments %q, want %q", guids, want)
	}
}

func TestLookUps(t *testing.T) {
	f := newFixture(t)
	tx, err := f.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	const n = 1201
	for i := range n {
		if _, err := tx.Exec("INSERT INTO message (guid, text) VALUES (?, ?)", fmt.Sprintf("g%04d", i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	f.exec("DELETE FROM message WHERE ROWID IN (700, ?)", n)
	db := f.open()

	var all []int64
	for last := int64(0); ; {
		got, err := db.After(t.Context(), last, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		for _, m := range got {
			all, last = append(all, m.RowID), m.RowID
		}
	}
	if len(all) != n-2 || !slices.IsSorted(all) {
		t.Errorf("%d rows in pages", len(all))
	}
	if got, err := db.After(t.Context(), 0, 99999); err != nil || len(got) != chatdb.MaxBatch {
		t.Errorf("%d rows at once, %v", len(got), err)
	}
	rowids := []int64{9999, 700, -1}
	var guids []string
	for i := int64(n); i > 0; i-- {
		rowids = append(rowids, i, i)
		guids = append(guids, fmt.Sprintf("g%04d", i-1), "none")
	}
	got, err := db.Rows(t.Context(), rowids)
	if err != nil || len(got) != n-2 || got[0].RowID != 1 {
		t.Errorf("%d rows, %v", len(got), err)
	}
	if got, err = db.FindGUIDs(t.Context(), guids); err != nil || len(got) != n-2 || got[0].RowID != 1 {
		t.Errorf("%d guids, %v", len(got), err)
	}
	if got, err = db.Rows(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("%d of none, %v", len(got), err)
	}
	if guid, ok, err := db.GUIDAt(t.Context(), 5); err != nil || !ok || guid != "g0004" {
		t.Errorf("guid %q, %v, %v", guid, ok, err)
	}
	if guid, ok, err := db.GUIDAt(t.Context(), 700); err != nil || ok {
		t.Errorf("deleted guid %q, %v, %v", guid, ok, err)
	}
	mark, err := db.Mark(t.Context())
	if err != nil || mark.RowID != n-1 {
		t.Errorf("mark %+v, %v", mark, err)
	}
	if seq, err := db.Sequence(t.Context()); err != nil || seq != n {
		t.Errorf("sequence %d, %v; want the deleted row counted", seq, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.After(ctx, 0, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if _, err := db.After(t.Context(), 0, 1); err != nil {
		t.Errorf("the next read: %v", err)
	}
}

func TestOwnSince(t *testing.T) {
	f := newFixture(t)
	for i, row := range []values{
		{"date": date(300), "is_from_me": 1}, {"date": date(100), "is_from_me": 1}, {"date": date(200), "is_from_me": 0}, {"date": date(50), "is_from_me": 1}, {"date": date(100), "is_from_me": 1},
	} {
		f.message(fmt.Sprint(i), "x", row)
	}
	db := f.open()
	guids := func(since time.Time, limit int) (guids []string) {
		got, err := db.OwnSince(t.Context(), since, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			guids = append(guids, m.GUID)
		}
		return guids
	}
	if got, want := guids(at(100), 0), []string{"1", "4", "0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := guids(time.Time{}, 2), []string{"3", "1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFirstSince(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	check := func(since time.Time, want int64) {
		t.Helper()
		if got, err := db.FirstSince(t.Context(), since); err != nil || got != want {
			t.Errorf("since %v: row %d, %v; want %d", since, got, err, want)
		}
	}
	check(at(0), 1) // the first that will ever be
	for i, seconds := range []int64{100, 300, 200, 50} {
		f.message(fmt.Sprint(i), "x", values{"date": date(seconds)})
	}
	check(time.Time{}, 1)
	check(at(200), 2) // by row, not by date
	check(at(300), 2)
	check(at(301), 5)
	f.message("seconds", "of before macOS 10.13", values{"date": 400_000_000})
	check(time.Unix(978307200+400_000_001, 0), 1)
	f.exec("DELETE FROM message WHERE guid != 'seconds'")
	check(time.Unix(978307200+400_000_000, 0), 5)
	check(time.Unix(978307200+400_000_001, 0), 6)
}

func TestDirectChats(t *testing.T) {
	f := newFixture(t)
	const number = "+15551230001"
	imessage, sms := f.handle(number, "iMessage"), f.handle(number, "SMS")
	other := f.handle("+15551239999", "iMessage")
	mail := f.handle("someone@example.com", "iMessage")
	byIdentifier := f.chat("any;-;"+number, 45)
	byHandle := f.chat("SMS;-;555-123-0001", 45)
	group := f.chat("iMessage;+;chat1", 43)
	unstyled := f.chat("any;+;chat2", 0)
	stranger := f.chat("iMessage;-;+15551239999", 45)
	mailChat := f.chat("iMessage;-;someone@example.com", 45)
	for _, j := range [][2]int64{{byHandle, sms}, {byIdentifier, imessage}, {group, imessage}, {unstyled, imessage}, {stranger, other}, {mailChat, mail}} {
		f.exec("INSERT INTO chat_handle_join (chat_id, handle_id) VALUES (?, ?)", j[0], j[1])
	}
	f.join(byIdentifier, f.message("a", "x", values{"date": date(10), "service": "iMessage"}))
	f.join(byHandle, f.message("b", "x", values{"date": date(30), "service": "RCS"}))
	f.join(byHandle, f.message("c", "x", values{"date": date(20), "service": "SMS"})) // came late
	db := f.open()
	got, err := db.DirectChats(t.Context(), number)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if got[0].RowID != byHandle || got[0].LastService != "RCS" || got[1].RowID != byIdentifier || got[1].LastService != "iMessage" {
		t.Errorf("got %+v", got)
	}
	if got, err = db.DirectChats(t.Context(), "Someone@Example.com"); err != nil || len(got) != 1 || got[0].RowID != mailChat || got[0].LastService != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = db.DirectChats(t.Context(), "+15550000000"); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func BenchmarkAfterNothingNew(b *testing.B) {
	f := newFixture(b)
	last := f.message("m", "hello", nil)
	db := f.open()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if got, err := db.After(ctx, last, 100); err != nil || len(got) != 0 {
			b.Fatal(len(got), err)
		}
	}
}

// Rows of real Macs (macOS 12 and 13) mean what their owners saw.
func TestSharedRows(t *testing.T) {
	dir := shared(t, "rows")
	for name, want := range map[string]struct {
		text   string
		runs   int
		unsent []int
		edits  []string
		told   string // of an own row
	}{
		"beeper-fixture1":                                {"12", 4, nil, nil, "sent delivered"},
		"beeper-fixture2":                                {"part 0part 2part 4", 5, nil, nil, ""},
		"beeper-partial_leading_unsends":                 {"a", 1, []int{0, 1}, nil, "sent delivered read unsent"},
		"beeper-partial_multiple_middle_adjacent_unsend": {"begin middle multiple adjacent unsendend middle multiple adjacent unsend", 2, []int{1, 2}, nil, "sent delivered read unsent"},
		"beeper-partial_trailing_unsends":                {"a", 1, []int{1, 2}, []string{"trailing attachments", "a"}, "sent delivered read edited unsent"},
	} {
		f := newFixture(t)
		row := sharedRow(t, filepath.Join(dir, name+".json"))
		f.insert("handle", values{"ROWID": row["handle_id"], "id": row["participantID"], "service": "iMessage"})
		f.insert("message", row)
		m := one(t, f)
		var edits, told []string
		for _, e := range m.Edits {
			edits = append(edits, e.Text)
		}
		changes, _ := chatdb.Diff(chatdb.Seen{Body: true}, m)
		for _, c := range changes {
			told = append(told, string(c.Kind))
		}
		if m.Text != want.text || len(m.Body.Runs) != want.runs || !slices.Equal(m.Unsent, want.unsent) || !slices.Equal(edits, want.edits) ||
			m.Retracted || m.BodyErr != nil || strings.Join(told, " ") != want.told {
			t.Errorf("%s: %q in %d runs, unsent %v, edits %q, told %q, %v", name, m.Text, len(m.Body.Runs), m.Unsent, edits, told, m.BodyErr)
		}
	}
}

// sharedRow reads a row of the table message that was kept as JSON.
func sharedRow(t *testing.T, path string) values {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatal(err)
	}
	var row values
	if err := json.Unmarshal(parts[0], &row); err != nil {
		t.Fatal(err)
	}
	for column, v := range row {
		text, _ := v.(string)
		blob, ok := strings.CutPrefix(text, "data:;base64,")
		if !ok {
			continue
		}
		if row[column], err = base64.StdEncoding.DecodeString(blob); err != nil {
			t.Fatal(err)
		}
	}
	return row
}
