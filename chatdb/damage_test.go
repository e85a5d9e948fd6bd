package chatdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"bluerelay/chatdb"
)

// A file that was cut off is no database any more, also under an open connection, and
// is one again when it is whole.
func TestCutOff(t *testing.T) {
	f := newFixture(t)
	for i := range 50 {
		f.message(fmt.Sprintf("m-%d", i), strings.Repeat("long ", 4000), nil)
	}
	f.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := f.db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, f.path)
	for _, size := range []int64{0, 50, 4096, int64(len(whole)) / 2} {
		if err := os.Truncate(f.path, size); err != nil {
			t.Fatal(err)
		}
		second, err := chatdb.Open(t.Context(), f.path)
		if err == nil {
			second.Close()
		}
		if !errors.Is(err, chatdb.ErrNotDatabase) && !errors.Is(err, chatdb.ErrNotMessages) {
			t.Errorf("%d bytes are opened: %v", size, err)
		}
		if got, err := db.After(t.Context(), 0, 0); !errors.Is(err, chatdb.ErrNotDatabase) {
			t.Errorf("%d bytes: %d rows, %v", size, len(got), err)
		}
		if err := os.WriteFile(f.path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, db := range []*chatdb.DB{db, open(t, f.path)} {
			if got, err := db.After(t.Context(), 0, 0); err != nil || len(got) != 50 {
				t.Errorf("whole again: %d rows, %v", len(got), err)
			}
		}
	}
}

// damage closes the database and lets change change each page but the first.
func (f *fixture) damage(change func(page []byte)) {
	f.t.Helper()
	f.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := f.db.Close(); err != nil {
		f.t.Fatal(err)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	const size = 4096
	for at := size; at < len(data); at += size {
		change(data[at : at+size])
	}
	if err := os.WriteFile(f.path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// damageLeaves damages the pages of rows that hold one of some texts.
func (f *fixture) damageLeaves(texts ...string) {
	f.t.Helper()
	const leaf = 0x0d
	f.damage(func(page []byte) {
		if page[0] == leaf && slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(page, []byte(text)) }) {
			page[0] = 0x7f
		}
	})
}

// Where a page of the table itself is damaged its rows are known by number alone.
func TestDamagedTable(t *testing.T) {
	f := newFixture(t)
	for i := range 50 {
		f.message(fmt.Sprintf("m-%d", i), strings.Repeat(fmt.Sprintf("<%03d>", i), 150), nil)
	}
	f.damageLeaves("<020>", "<049>")
	db := open(t, f.path)
	got, err := db.After(t.Context(), 0, 0)
	if err != nil || len(got) != 50 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	sound := 0
	for i, m := range got {
		if m.RowID != int64(i+1) || (m.Damage == nil) == (m.Text == "") {
			t.Errorf("%d: %q, damage %v", m.RowID, m.GUID, m.Damage)
		}
		if m.Damage == nil {
			sound++
		}
	}
	if got[20].Damage == nil || got[49].Damage == nil || sound < 30 {
		t.Errorf("%d rows are sound", sound)
	}
	// The newest row has no guid, and is a place all the same.
	if mark, err := db.Mark(t.Context()); err != nil || mark != (chatdb.Mark{RowID: 50, File: db.File()}) {
		t.Errorf("%+v, %v", mark, err)
	}
}

// A row on a damaged page is named and passed by; the others come as ever.
func TestDamagedPages(t *testing.T) {
	f := newFixture(t)
	f.exec("PRAGMA page_size=4096")
	f.exec("CREATE INDEX message_idx_date ON message(date)") // Apple's own
	for i := range 50 {
		f.message(fmt.Sprintf("m-%d", i), strings.Repeat(fmt.Sprintf("<%03d>", i), 4000), values{"is_from_me": (i + 1) % 2, "date": date(int64(i / 4))})
	}
	before := open(t, f.path)
	sound, err := before.States(t.Context(), []int64{20, 21, 22})
	if err != nil {
		t.Fatal(err)
	}
	before.Close()
	// Break the chain of row 20's long body: a page of overflow begins with the
	// number of the next.
	f.damage(func(page []byte) {
		if bytes.Equal(page[100:110], []byte("<020><020>")) || bytes.Contains(page[4:20], []byte("<020>")) && !bytes.Contains(page, []byte("m-")) {
			copy(page, []byte{0x7f, 0xff, 0xff, 0xff})
		}
	})
	db := open(t, f.path)
	got, err := db.After(t.Context(), 0, 0)
	if err != nil || len(got) != 50 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if m.GUID != fmt.Sprintf("m-%d", i) || (m.Damage != nil) != (i == 20) || i != 20 && len(m.Text) != 20000 {
			t.Errorf("%d: guid %q, %d bytes, damage %v", i, m.GUID, len(m.Text), m.Damage)
		}
	}
	states, err := db.States(t.Context(), []int64{20, 21, 22})
	if err != nil || !slices.Equal(states.Rows(), []int64{20, 21, 22}) || !slices.Equal(states.Moved(sound), []int64{21}) {
		t.Errorf("%+v, %v", states, err) // ROWID 21 is m-20
	}
	rows, err := db.Rows(t.Context(), []int64{20, 21, 22})
	if err != nil || len(rows) != 3 || rows[1].Damage == nil || rows[0].Damage != nil {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	named, err := db.FindGUIDs(t.Context(), []string{"m-19", "m-20", "m-21"})
	if err != nil || len(named) != 2 {
		t.Errorf("%d rows by guid, %v", len(named), err)
	}
	guids := func(list []chatdb.Message, err error) string {
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, m := range list {
			names = append(names, m.GUID)
		}
		return strings.Join(names, " ")
	}
	for _, one := range []struct{ what, got, want string }{
		{"before it", guids(db.Before(t.Context(), 21, 2)), "m-19 m-18"},
		{"before the next", guids(db.Before(t.Context(), 23, 3)), "m-21 m-19 m-18"},
		{"before the next, all", guids(db.Before(t.Context(), 4, 0)), "m-2 m-1 m-0"},
		{"of its date", guids(db.Dated(t.Context(), at(5), 0)), "m-21 m-22 m-23"},
		{"of its date, two", guids(db.Dated(t.Context(), at(5), 2)), "m-21 m-22"},
		{"own ones", guids(db.OwnSince(t.Context(), at(5), 3)), "m-22 m-24 m-26"},
	} {
		if one.got != one.want {
			t.Errorf("%s: %s, want %s", one.what, one.got, one.want)
		}
	}
}

// Where the newest message of a conversation lies on a damaged page the conversations are
// found all the same, in their order.
func TestDirectChatsOnDamagedPages(t *testing.T) {
	f := newFixture(t)
	f.exec("PRAGMA page_size=4096")
	const number = "+15551230001"
	old, young := f.chat("SMS;-;"+number, 45), f.chat("iMessage;-;"+number, 45)
	f.exec("UPDATE chat SET chat_identifier = ?", number)
	f.join(young, f.message("m-young", strings.Repeat("<020>", 300), values{"date": date(30), "service": "iMessage"}))
	for i := range 20 {
		f.message(fmt.Sprintf("m-%d", i), strings.Repeat("filler", 300), nil)
	}
	f.join(old, f.message("m-old", "x", values{"date": date(10), "service": "SMS"}))
	f.damageLeaves("<020>")
	db := open(t, f.path)
	got, err := db.DirectChats(t.Context(), number)
	if err != nil || len(got) != 2 || got[0].RowID != young || got[1].RowID != old {
		t.Errorf("%+v, %v", got, err)
	}
}
