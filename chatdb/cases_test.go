package chatdb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"bluerelay/chatdb"
)

// The tests named TestCaseNN are the cases that users of other readers reported, by
// their numbers in docs/chatdb.md; most are in package relay.

// one gives the only message of a fixture.
func one(t *testing.T, f *fixture) chatdb.Message {
	t.Helper()
	got, err := f.open().After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	return got[0]
}

func TestCase01_TextInTheBodyAlone(t *testing.T) {
	for _, own := range []int{0, 1} {
		f := newFixture(t)
		f.message("m", "hello", values{"is_from_me": own, "text": nil})
		if m := one(t, f); m.Text != "hello" || !m.HasBody || m.FromMe != (own == 1) {
			t.Errorf("%+v", m)
		}
	}
}

func TestCase02_NoStrayLengthCharacter(t *testing.T) {
	for _, n := range []int{1, 2, 31, 92, 110, 127, 128, 145, 255, 256, 8191, 8192, 32767, 32768, 65535, 65536, 100_000} {
		want := strings.Repeat("a", n)
		if body, err := chatdb.DecodeBody(plainBody(want)); err != nil || body.Text != want {
			t.Errorf("%d bytes: got %d, %v", n, len(body.Text), err)
		}
	}
}

func TestCase05_NothingButAttachments(t *testing.T) {
	f := newFixture(t)
	f.message("m", "", values{"attributedBody": fileBody("at_0_m"), "cache_has_attachments": 1})
	if m := one(t, f); m.Text != "" || !m.HasBody || !m.HasAttachments || m.Class(at(200)) != chatdb.ClassMessage {
		t.Errorf("%+v", m)
	}
}

func TestCase06_BodyInUTF16(t *testing.T) {
	raw := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune("grüße 🎈")) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	f := newFixture(t)
	f.message("m", "", values{"attributedBody": raw})
	if m := one(t, f); m.Text != "grüße 🎈" || m.BodyErr != nil {
		t.Errorf("%q, %v", m.Text, m.BodyErr)
	}
}

func TestCase33_AttachmentsOfOthersAreLeftAlone(t *testing.T) {
	f := newFixture(t)
	f.message("m", "see the picture", values{"cache_has_attachments": 1})
	f.attachment("at_0_other", values{"created_date": 700_000_100, "transfer_state": 5})
	if m := one(t, f); len(m.Attachments) != 0 {
		t.Errorf("%+v", m.Attachments)
	}
}

func TestCase34_AttachmentThatWasTakenBack(t *testing.T) {
	f := newFixture(t)
	f.message("m", "what is left", values{"cache_has_attachments": 1, "part_count": 1, "date_edited": date(110),
		"message_summary_info": summaryOf(t, map[string]any{"rp": []int{1}, "otr": map[string]any{"0": 1, "1": 1}})})
	if m := one(t, f); len(m.Attachments) != 0 || m.Text != "what is left" || m.Retracted || len(m.Unsent) != 1 || m.Unsent[0] != 1 {
		t.Errorf("%+v", m)
	}
}

// Without the newer columns what they tell is simply not known.
func TestCase56_MissingColumns(t *testing.T) {
	schema := "CREATE TABLE message (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, text TEXT, handle_id INTEGER, is_from_me INTEGER);" +
		"CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid TEXT);" +
		"CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT, service TEXT);" +
		"CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);"
	f := newFixtureAt(t, filepath.Join(t.TempDir(), "chat.db"), schema)
	id := f.insert("message", values{"guid": "m", "text": "hello", "handle_id": f.handle("+15551230001", "SMS")})
	f.join(f.insert("chat", values{"guid": "SMS;-;+15551230001"}), id)
	m := one(t, f)
	if m.Text != "hello" || m.Handle != "+15551230001" || m.Chat == nil || m.Event != nil || m.Tapback != nil || m.Class(at(0)) != chatdb.ClassMessage {
		t.Errorf("%+v", m)
	}
	db := f.open()
	if states, err := db.States(t.Context(), []int64{id}); err != nil || !slices.Equal(states.Rows(), []int64{id}) {
		t.Errorf("%v, %v", states, err)
	}
	if list, err := db.Before(t.Context(), id+1, 5); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// No statement that runs on the way of a message looks at more rows than it gives.
func TestCase59_NothingIsScanned(t *testing.T) {
	f := newFixture(t)
	for table, columns := range map[string]string{ // Apple's own
		"message": "date", "chat": "chat_identifier, service_name", "chat_message_join": "message_id",
		"message_attachment_join": "message_id", "chat_handle_join": "handle_id", "chat_recoverable_message_join": "message_id",
	} {
		f.exec("CREATE INDEX index_" + table + " ON " + table + " (" + columns + ")")
	}
	for _, plan := range chatdb.Plans(t.Context(), f.open()) {
		if strings.Contains(plan, "SCAN") && !strings.Contains(plan, "SCAN j VIRTUAL TABLE") && !strings.Contains(plan, "SCAN k") &&
			!strings.Contains(plan, "CONSTANT ROW") && !strings.Contains(plan, "SCAN sqlite_sequence") && !strings.Contains(plan, "_SqliteDatabaseProperties") {
			t.Error(plan)
		}
	}
}

// A reader leaves no transaction open: Messages can always write its whole log back.
func TestCase60_MessagesIsNeverHeldUp(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	for i := range 200 {
		id := f.message(fmt.Sprint(i), "hello", nil)
		if _, err := db.After(t.Context(), id-1, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := db.States(t.Context(), []int64{id}); err != nil {
			t.Fatal(err)
		}
		var busy, log, moved int
		if err := f.db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil || busy != 0 {
			t.Fatalf("checkpoint: busy %d, %v", busy, err)
		}
	}
	if info, err := os.Stat(f.path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log has %d bytes, %v", info.Size(), err)
	}
}

func TestClass(t *testing.T) {
	now := at(1000)
	link := func(more chatdb.Message) chatdb.Message {
		more.Balloon, more.Text = "com.apple.messages.URLBalloonProvider", "https://example.com"
		return more
	}
	for name, tt := range map[string]struct {
		m    chatdb.Message
		want chatdb.Class
	}{
		"text":                    {chatdb.Message{Text: "hello"}, chatdb.ClassMessage},
		"app heading":             {chatdb.Message{AssociatedType: 3}, chatdb.ClassMessage},
		"vote":                    {chatdb.Message{AssociatedType: 4000}, chatdb.ClassNothing},
		"tapback":                 {chatdb.Message{AssociatedType: 2000, Tapback: &chatdb.Tapback{}}, chatdb.ClassTapback},
		"event":                   {chatdb.Message{ItemType: 1, Event: &chatdb.GroupEvent{}}, chatdb.ClassGroup},
		"system":                  {chatdb.Message{System: true}, chatdb.ClassNothing},
		"taken back":              {chatdb.Message{Retracted: true}, chatdb.ClassNothing},
		"scheduled":               {chatdb.Message{FromMe: true, ScheduleType: 2, Date: at(2000)}, chatdb.ClassPending},
		"scheduled and due":       {chatdb.Message{FromMe: true, ScheduleType: 2, Date: at(900)}, chatdb.ClassPending},
		"scheduled and sent":      {chatdb.Message{FromMe: true, ScheduleType: 2, Date: at(900), Sent: true}, chatdb.ClassMessage},
		"scheduled and failed":    {chatdb.Message{FromMe: true, ScheduleType: 2, Date: at(900), Error: 22}, chatdb.ClassMessage},
		"failed by satellite":     {chatdb.Message{FromMe: true, PendingSatellite: true, Error: 3}, chatdb.ClassMessage},
		"waiting for a satellite": {chatdb.Message{PendingSatellite: true}, chatdb.ClassPending},
		"link":                    {link(chatdb.Message{}), chatdb.ClassPreview},
	} {
		if got := tt.m.Class(now); got != tt.want {
			t.Errorf("%s is %s, want %s", name, got, tt.want)
		}
	}
	text := chatdb.Message{RowID: 1, Handle: "a", Text: "see https://example.com", Date: now}
	for name, tt := range map[string]struct {
		m    chatdb.Message
		want bool
	}{
		"soon after":       {link(chatdb.Message{RowID: 2, Handle: "a", Date: now.Add(2 * time.Second)}), true},
		"long after":       {link(chatdb.Message{RowID: 2, Handle: "a", Date: now.Add(2 * time.Minute)}), false},
		"of somebody else": {link(chatdb.Message{RowID: 2, Handle: "b", Date: now}), false},
		"before it":        {link(chatdb.Message{RowID: 0, Handle: "a", Date: now}), false},
	} {
		if got := tt.m.Repeats(text); got != tt.want {
			t.Errorf("a preview %s repeats: %t", name, got)
		}
	}
}

// A preview repeats a text that has its very address, not one that merely begins like it.
func TestPreviewRepeatsAddress(t *testing.T) {
	const shown = "https://shop.example/item/1"
	for text, want := range map[string]bool{
		shown: true, "look: " + shown + ", or not": true, "(" + shown + ").": true, "“" + shown + "”": true, shown + "/ is it": true, "schau:" + shown + "!": true,
		"both https://shop.example/item/12 and\n" + shown: true,
		"https://shop.example/item/12":                    false,
		shown + "?x=2":                                    false,
		shown + "/reviews":                                false,
		"https://shop.example/item/":                      false,
		"https://shop.example/ITEM/1":                     false,
		"https://out.example/?to=" + shown:                false,
		"shop.example/item/1":                             false,
		"":                                                false,
	} {
		earlier := chatdb.Message{RowID: 1, Handle: "a", Text: text, Date: at(0)}
		for _, own := range []string{shown, shown + "/"} {
			m := chatdb.Message{RowID: 2, Handle: "a", Text: own, Date: at(1)}
			if got := m.MayRepeat(earlier); got != want {
				t.Errorf("%s after %q may repeat it: %t", own, text, got)
			}
			m.Balloon = "com.apple.messages.URLBalloonProvider"
			if got := m.Repeats(earlier); got != want {
				t.Errorf("%s after %q repeats it: %t", own, text, got)
			}
		}
	}
}
