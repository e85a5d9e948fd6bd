package chatdb_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bluerelay/chatdb"
)

// dice makes values of every type out of the bytes of a fuzzer.
type dice struct{ data []byte }

func (d *dice) byte() byte {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *dice) bytes(n int) []byte {
	n = min(n, len(d.data))
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *dice) value() any {
	switch d.byte() % 12 {
	case 0:
		return int64(d.byte())
	case 1:
		return -int64(d.byte())
	case 2:
		return int64(binary.LittleEndian.Uint64(append(d.bytes(8), make([]byte, 8)...)))
	case 3:
		return []int64{math.MaxInt64, math.MinInt64, 1 << 53, 2000, 3007, 1000}[d.byte()%6]
	case 4:
		return math.Float64frombits(binary.LittleEndian.Uint64(append(d.bytes(8), make([]byte, 8)...)))
	case 5:
		return []float64{math.Inf(1), math.Inf(-1), 1e300, -0.5}[d.byte()%4]
	case 6:
		return string(d.bytes(int(d.byte())))
	case 7:
		return d.bytes(int(d.byte()))
	case 8:
		return []string{"p:0/x", "p:99999999999/", "bp:", "0:1:2", "at_0_x", "\xff\xfe", "iMessage", "\uFFFC"}[d.byte()%8]
	case 9:
		return plainBody("words")
	}
	return nil
}

// oddDatabase has the tables of Messages without any type or constraint, so that
// every column takes every value.
func oddDatabase(t testing.TB) *fixture {
	newest := newFixture(t)
	var schema strings.Builder
	for _, table := range oddTables {
		var columns []string
		for _, name := range newest.columnsOf(table) {
			if name == "ROWID" {
				name = "ROWID INTEGER PRIMARY KEY AUTOINCREMENT"
			}
			columns = append(columns, name)
		}
		fmt.Fprintf(&schema, "CREATE TABLE %s (%s);\n", table, strings.Join(columns, ", "))
	}
	return newFixtureAt(t, filepath.Join(t.TempDir(), "chat.db"), schema.String())
}

var oddTables = []string{
	"message", "chat", "handle", "attachment", "chat_message_join", "chat_handle_join", "message_attachment_join", "chat_recoverable_message_join",
}

// odd adds a row of a table with a value of the dice in each column but those given.
func (f *fixture) odd(d *dice, table string, fixed values) {
	f.t.Helper()
	row := values{}
	for _, name := range f.columnsOf(table) {
		if name == "ROWID" {
			continue
		}
		row[name] = d.value()
	}
	maps.Copy(row, fixed)
	query, args := f.insertion(table, row)
	if _, err := f.db.Exec(query, args...); err != nil && !strings.Contains(err.Error(), "too big") {
		f.t.Fatal(err)
	}
}

// FuzzRow: whatever stands in the columns of a row and of all that is joined to it,
// the row is given, the ones before and after it are as ever, and the cursor goes on.
func FuzzRow(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\x0b", 200)))
	for kind := range byte(12) {
		f.Add([]byte(strings.Repeat(string([]byte{kind, 3, 'a', ',', '1'}), 120)))
	}
	odd := oddDatabase(f)
	odd.exec("PRAGMA synchronous=OFF")
	db := odd.open()
	f.Fuzz(func(t *testing.T, data []byte) {
		x := &fixture{t: t, path: odd.path, db: odd.db, columns: odd.columns}
		x.exec("BEGIN")
		for _, table := range oddTables {
			x.exec("DELETE FROM " + table)
		}
		x.exec("DELETE FROM sqlite_sequence")
		d := &dice{data}
		x.message("before", "before", nil)
		x.odd(d, "message", values{"handle_id": 1, "other_handle": 1})
		x.message("after", "after", nil)
		x.odd(d, "handle", nil)
		for range 2 {
			x.odd(d, "chat", nil)
			x.odd(d, "attachment", nil)
		}
		x.exec("INSERT INTO chat_message_join (chat_id, message_id, message_date) VALUES (1, 2, ?), (2, 2, ?), (?, 2, 0), (1, 1, 0)", d.value(), d.value(), d.value())
		x.exec("INSERT INTO message_attachment_join (message_id, attachment_id) VALUES (2, 1), (2, 2), (2, ?)", d.value())
		x.exec("INSERT INTO chat_recoverable_message_join (chat_id, message_id) VALUES (1, 3), (?, 3)", d.value())
		x.exec("COMMIT")
		checkOdd(t, db)
	})
}

func checkOdd(t *testing.T, db *chatdb.DB) {
	t.Helper()
	ctx := t.Context()
	got, err := db.After(ctx, 0, 0)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	if got[0].Text != "before" || got[2].Text != "after" || got[0].GUID != "before" || got[2].GUID != "after" {
		t.Errorf("its neighbours are %+v and %+v", got[0], got[2])
	}
	m := got[1]
	if m.RowID != 2 || !utf8.ValidString(m.GUID+m.Text+m.Handle+m.Service+m.Effect+m.Subject) {
		t.Errorf("row %d: %q", m.RowID, m.Text)
	}
	for _, date := range []time.Time{m.Date, m.DateRead, m.DateDelivered, m.DateEdited, m.DateRecovered} {
		if !date.IsZero() && (date.Year() < 2001 || date.Year() > 2126) {
			t.Errorf("a date is %v", date)
		}
	}
	if next, err := db.After(ctx, m.RowID, 1); err != nil || len(next) != 1 || next[0].RowID != 3 {
		t.Errorf("behind it: %+v, %v", next, err)
	}
	if again, err := db.Rows(ctx, []int64{1, 2, 3}); err != nil || len(again) != 3 || again[1].GUID != m.GUID {
		t.Errorf("by key: %d, %v", len(again), err)
	}
	if states, err := db.States(ctx, []int64{1, 2, 3}); err != nil || !slices.Equal(states.Rows(), []int64{1, 2, 3}) {
		t.Errorf("states: %v, %v", states, err)
	}
	checkMeaning(t, m)
	_, _ = db.DirectChats(ctx, m.Handle)
}

// checkMeaning asks of a message what its readers ask.
func checkMeaning(t *testing.T, m chatdb.Message) {
	t.Helper()
	if (m.Event != nil) != (m.ItemType != 0) {
		t.Errorf("item type %d is %+v", m.ItemType, m.Event)
	}
	if m.Tapback != nil && (m.Tapback.Part < -1 || m.Tapback.Kind == "" || m.Tapback.Kind != "emoji" && m.Tapback.Emoji != "") {
		t.Errorf("%+v", m.Tapback)
	}
	if m.Reply != nil && (m.Reply.Part < 0 || m.Reply.GUID == "") {
		t.Errorf("%+v", m.Reply)
	}
	if m.Class(time.Now()) == "" {
		t.Error("it has no class")
	}
	m.Repeats(m)
	m.Junk()
	changes, seen := chatdb.Diff(chatdb.Seen{}, m)
	if again, same := chatdb.Diff(seen, m); len(again) != 0 || same != seen {
		t.Errorf("%+v, and once more %+v", changes, again)
	}
	for i, a := range m.Chats {
		if a.RowID <= m.Chat.RowID || i > 0 && a.RowID <= m.Chats[i-1].RowID {
			t.Errorf("chat %d is behind %d", a.RowID, m.Chat.RowID)
		}
	}
}

// FuzzMeaning: the columns of tapbacks, replies and events of a group.
func FuzzMeaning(f *testing.F) {
	f.Add(0, 0, 2000, "", "", "", "p:0/GUID", "", "")
	f.Add(0, 0, 3006, "", "", "", "bp:GUID", "", "🎈")
	f.Add(0, 0, 1000, "", "", "", "p:/", "0:0:5", "")
	f.Add(1, 0, 0, "+15551230001", "+15551230001", "", "", "", "")
	f.Add(2, 0, 0, "+15551230001", "", "Friends", "", "", "")
	f.Add(3, 6, 4000, "", "", "", "p:1", "99999999999999999999:0:0", "")
	f.Fuzz(func(t *testing.T, item, action, associated int, who, other, title, guid, part, emoji string) {
		checkMeaning(t, chatdb.Meaning(item, action, associated, who, other, title, guid, part, emoji))
	})
}

// A database that is all oddity does not stop a reader either.
func TestNothingButOddRows(t *testing.T) {
	f := oddDatabase(t)
	for i := range 50 {
		d := &dice{[]byte(strings.Repeat(fmt.Sprintf("%c%d", i, i*i), 300))}
		f.odd(d, "message", nil)
		f.odd(d, "chat_message_join", nil)
		f.odd(d, "message_attachment_join", nil)
	}
	list, err := f.open().After(context.Background(), 0, 0)
	if err != nil || len(list) != 50 {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	for i, m := range list {
		if m.RowID != int64(i+1) {
			t.Errorf("row %d comes as number %d", m.RowID, i+1)
		}
		checkMeaning(t, m)
	}
}
