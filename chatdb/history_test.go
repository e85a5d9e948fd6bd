package chatdb_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"howett.net/plist"

	"bluerelay/chatdb"
)

func summaryOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := plist.Marshal(v, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// edit is an entry of a part's history, at seconds as of at.
func edit(text string, seconds float64) map[string]any {
	return map[string]any{"t": plainBody(text), "d": 700_000_000 + seconds}
}

func TestHistory(t *testing.T) {
	f := newFixture(t)
	f.message("m", "two b", values{"date_edited": date(130), "message_summary_info": summaryOf(t, map[string]any{
		"ust": true, "ep": []int{0, 1}, "euh": []string{"x"},
		"ec":  map[string]any{"1": []any{edit("a", 100), edit("b", 130)}, "0": []any{edit("one", 100), edit("two", 110)}, "odd": []any{1}, "7": "odd"},
		"rp":  []int{3, 2, 2},
		"otr": map[string]any{"0": 1, "1": 1, "2": 1, "3": 1},
	})})
	m := one(t, f)
	want := []chatdb.Edit{{Part: 0, Text: "one", At: at(100)}, {Part: 0, Text: "two", At: at(110)}, {Part: 1, Text: "a", At: at(100)}, {Part: 1, Text: "b", At: at(130)}}
	if !reflect.DeepEqual(m.Edits, want) || m.Revision != 2 || !reflect.DeepEqual(m.Unsent, []int{2, 3}) || m.Retracted || m.Text != "two b" {
		t.Errorf("%+v", m)
	}
	changes, seen := chatdb.Diff(chatdb.First(chatdb.Message{HasBody: true}), m)
	if len(changes) != 2 || changes[0].Kind != chatdb.KindEdited || changes[0].Version != 2 || changes[1].Kind != chatdb.KindUnsent || changes[1].Version != 2 {
		t.Errorf("%+v", changes)
	}
	if again, _ := chatdb.Diff(seen, m); len(again) != 0 {
		t.Errorf("again %+v", again)
	}
	if none, _ := chatdb.Diff(chatdb.First(m), m); len(none) != 0 {
		t.Errorf("a row given as it is has changed: %+v", none)
	}
}

func TestTakenBackWhole(t *testing.T) {
	all := map[string]any{"rp": []int{0}, "otr": map[string]any{"0": 1}}
	for name, more := range map[string]values{
		"by its parts": {"message_summary_info": summaryOf(t, all)},
		"empty":        {"message_summary_info": summaryOf(t, map[string]any{"rp": []int{0}}), "is_empty": 1},
		"no parts":     {"message_summary_info": summaryOf(t, map[string]any{"rp": []int{0}}), "part_count": 0},
		"by its date":  {"date_retracted": date(120), "is_empty": 1},
	} {
		f := newFixture(t)
		row := values{"date_edited": date(120), "attributedBody": nil, "part_count": 1}
		maps.Copy(row, more)
		f.message("m", "", row)
		if m := one(t, f); !m.Retracted || m.Class(at(200)) != chatdb.ClassNothing {
			t.Errorf("%s: %+v", name, m)
		}
	}
	f := newFixture(t)
	f.message("m", "", values{"attributedBody": nil, "part_count": 0})
	if m := one(t, f); m.Retracted {
		t.Error("a row that is not filled yet is no message taken back")
	}
}

// An unreadable summary leaves the text, and each edit is still a change.
func TestUnreadableSummary(t *testing.T) {
	f := newFixture(t)
	for i, junk := range []any{nil, "text", 7, []byte("bplist00"), bytes.Repeat([]byte("bplist00\xd1"), 20)} {
		f.exec("DELETE FROM message")
		f.message("m", "hello", values{"date_edited": date(120), "message_summary_info": junk})
		m := one(t, f)
		changes, _ := chatdb.Diff(chatdb.First(chatdb.Message{HasBody: true}), m)
		if m.Text != "hello" || len(m.Edits) != 0 || len(changes) != 1 || changes[0].Kind != chatdb.KindEdited {
			t.Errorf("%d: %+v, %+v", i, m, changes)
		}
	}
}

func TestSharedSummaries(t *testing.T) {
	dir := shared(t, "plists")
	for name, want := range map[string]struct{ edits, revision, unsent int }{
		"Edited": {4, 3, 0}, "EditedAndDeleted": {2, 1, 0}, "EditedWithFormatting": {2, 1, 0}, "MultiPartOneDeleted": {0, 0, 1},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name+".plist"))
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if _, err := plist.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		f := newFixture(t)
		f.message("m", "now", values{"date_edited": date(120), "message_summary_info": summaryOf(t, tree)})
		m := one(t, f)
		if len(m.Edits) != want.edits || m.Revision != int64(want.revision) || len(m.Unsent) != want.unsent {
			t.Errorf("%s: %d edits, revision %d, %d unsent", name, len(m.Edits), m.Revision, len(m.Unsent))
		}
		for _, e := range m.Edits {
			if e.Text == "" || e.At.Year() < 2022 || e.At.Year() > 2026 {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

func TestTapbackAndOthers(t *testing.T) {
	f := newFixture(t)
	person := f.handle("+15551230001", "iMessage")
	other := f.handle("+15551230002", "iMessage")
	rows := []values{
		{"associated_message_type": 2006, "associated_message_guid": "p:2/target", "associated_message_emoji": "🎈"},
		{"associated_message_type": 3001, "associated_message_guid": "bp:target"},
		{"associated_message_type": 1000, "associated_message_guid": "target"},
		{"associated_message_type": 2999, "associated_message_guid": "p:x/target"},
		{"item_type": 1, "other_handle": other},
		{"item_type": 1, "group_action_type": 1, "other_handle": other},
		{"item_type": 2, "group_title": "Friends"},
		{"item_type": 3},
		{"item_type": 3, "group_action_type": 99},
		{"thread_originator_guid": "origin", "thread_originator_part": "1:0:5", "expressive_send_style_id": "com.apple.MobileSMS.expressivesend.loud"},
	}
	for i, row := range rows {
		row["handle_id"] = person
		f.message(string(rune('a'+i)), "x", row)
	}
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != len(rows) {
		t.Fatal(err)
	}
	for i, want := range []*chatdb.Tapback{
		{Kind: "emoji", Emoji: "🎈", Target: "target", Part: 2}, {Kind: "like", Removed: true, Target: "target", Part: -1}, {Kind: "sticker", Target: "target", Part: -1}, nil,
	} {
		if !reflect.DeepEqual(got[i].Tapback, want) {
			t.Errorf("%d: %+v", i, got[i].Tapback)
		}
	}
	for i, want := range []string{"joined", "removed", "renamed", "left", "other"} {
		e := got[4+i].Event
		if e == nil || e.Kind != want || e.Who != "+15551230001" || (i < 2) != (e.Other == "+15551230002") {
			t.Errorf("%d: %+v, want %s", i, e, want)
		}
	}
	if m := got[9]; m.Reply == nil || *m.Reply != (chatdb.Reply{GUID: "origin", Part: 1}) || !strings.HasSuffix(m.Effect, "loud") || m.Event != nil {
		t.Errorf("%+v", m)
	}
}

func FuzzSummary(f *testing.F) {
	f.Add(summaryOf(f, map[string]any{"ec": map[string]any{"0": []any{edit("a", 1), edit("b", 2)}}, "rp": []int{1}, "otr": map[string]any{"0": 1, "1": 2}}))
	f.Add(summaryOf(f, map[string]any{"rp": []any{uint64(1 << 63), -1, "x"}, "ec": []int{1}}))
	f.Add([]byte("bplist00\xa1\x00\x08\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		edits, unsent, _ := chatdb.ParseSummary(data)
		if d := time.Since(start); d > 10*time.Second { // a machine may stand still for a moment
			t.Errorf("%d bytes took %v", len(data), d)
		}
		size := 0
		for _, e := range edits {
			size += len(e.Text)
		}
		if size > 3*len(data) || len(unsent) > len(data) {
			t.Errorf("%d bytes became %d of texts, %d parts", len(data), size, len(unsent))
		}
	})
}
