package chatdb_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"bluerelay/chatdb"
)

// A row on a damaged page is named and passed by; the others come as ever.
func TestDamagedPages(t *testing.T) {
	f := newFixture(t)
	f.exec("PRAGMA page_size=4096")
	for i := range 50 {
		f.message(fmt.Sprintf("m-%d", i), strings.Repeat(fmt.Sprintf("<%03d>", i), 4000), nil)
	}
	f.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err := f.db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	// Break the chain of row 20's long body: a page of overflow begins with the
	// number of the next.
	const page = 4096
	for at := page; at < len(data); at += page {
		if bytes.Equal(data[at+100:at+110], []byte("<020><020>")) || bytes.Contains(data[at+4:at+20], []byte("<020>")) && !bytes.Contains(data[at:at+page], []byte("m-")) {
			copy(data[at:], []byte{0x7f, 0xff, 0xff, 0xff})
		}
	}
	if err := os.WriteFile(f.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
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
	if err != nil || len(states) != 3 || states[21] == states[20] || states[21] == states[22] || states[21] == (chatdb.State{}) {
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
}
