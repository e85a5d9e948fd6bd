package relay

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// breakRows damages the very pages of the table that hold a text.
func (s *story) breakRows(text string) {
	s.t.Helper()
	s.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { f.Close() }) // closing drops the locks of this process
	data, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	const page, leaf = 4096, 0x0d
	for at := page; at < len(data); at += page {
		if data[at] == leaf && bytes.Contains(data[at:at+page], []byte(text)) {
			if _, err := f.WriteAt([]byte{0x7f}, int64(at)); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatal("the text is on no page of the table")
}

// breakRow damages the pages of a long text in the file of chat.db and gives what
// mends them.
func (s *story) breakRow(text string) (mend func()) {
	s.t.Helper()
	s.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	// Not closed before the end: that would drop the locks of this process.
	s.t.Cleanup(func() { f.Close() })
	data, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	const page = 4096
	pages := make(map[int64][]byte)
	for at := page; at < len(data); at += page {
		if bytes.Contains(data[at+4:at+4+2*len(text)], []byte(text)) {
			pages[int64(at)] = bytes.Clone(data[at : at+4])
		}
	}
	if len(pages) == 0 {
		s.t.Fatal("the text is on no page of its own")
	}
	// A page of overflow begins with the number of the next.
	write := func(at int64, b []byte) {
		if _, err := f.WriteAt(b, at); err != nil {
			s.t.Fatal(err)
		}
	}
	for at := range pages {
		write(at, []byte{0x7f, 0xff, 0xff, 0xff})
	}
	return func() {
		for at, b := range pages {
			write(at, b)
		}
	}
}

// A row on damaged pages is waited for as long as any other, and told if they are
// whole again by then.
func TestDamagedRowIsLookedAtAgain(t *testing.T) {
	for name, mended := range map[string]bool{"mended": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			text := strings.Repeat("<BROKEN>", 3000)
			s.message("G1", text, nil)
			mend := s.breakRow("<BROKEN><BROKEN>")
			s.message("G2", "whole", nil)
			s.wants("received G2 whole")
			if len(s.o.waiting) != 1 {
				t.Fatalf("%d rows are waited for", len(s.o.waiting))
			}
			s.restart()
			s.message("G3", "whole too", nil)
			s.wants("received G3 whole too")
			if mended {
				mend()
			} else {
				s.impatient()
			}
			s.message("G4", "and on", nil)
			if mended {
				s.wants("received G1 "+text, "received G4 and on")
			} else {
				s.wants("received G4 and on")
			}
			if len(s.o.waiting) != 0 {
				t.Errorf("%d rows are waited for", len(s.o.waiting))
			}
			mend()
			s.message("G5", "the end", nil)
			s.wants("received G5 the end")
			s.restart()
			s.wants()
		})
	}
}

// Links, what the owner types, notes to himself and old copies have the rows around them
// asked for, of which one lies on damaged pages for good.
func TestRowsBesideADamagedOne(t *testing.T) {
	s := newStory(t)
	s.exec("CREATE INDEX message_idx_date ON message (date)") // Apple's own
	s.o.cursor.Floor -= (24 * time.Hour).Milliseconds()
	old := apple(time.Now().Add(-time.Hour))
	s.message("G1", strings.Repeat("<BROKEN>", 3000), columns{"date": old})
	s.breakRow("<BROKEN><BROKEN>")
	s.wants()
	s.message("G2", "https://example.com/a", nil)
	s.wants("received G2 https://example.com/a")
	s.own("O1", "https://example.com/b", columns{"is_sent": 1})
	s.wants("typed O1 https://example.com/b")
	s.own("O2", "https://example.com/b", columns{"is_sent": 1, "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	s.wants()
	s.message("G0", "of its moment", columns{"date": old})
	s.wants("received G0 of its moment")
	s.message("C0", "of its moment", columns{"date": old})
	s.message("C1", "of the same moment", columns{"date": old})
	s.wants("received C1 of the same moment") // C0 is G0 once more
	note := columns{"handle": ownNumber, "destination_caller_id": ownNumber, "date": old}
	s.own("N1", "milk", columns{"is_sent": 1, "handle": ownNumber, "date": old})
	s.message("N2", "milk", note)
	s.wants("typed N1 milk")
	s.message("N3", "bread", note)
	s.wants()
	s.impatient()
	s.wants("received N3 bread")
	s.restart()
	s.message("G3", "https://example.com/c", nil)
	s.wants("received G3 https://example.com/c")
}

// The newest row lies on a damaged page: the daemon goes on after a restart, and so
// does a first one.
func TestDamagedRowAtTheCursor(t *testing.T) {
	s := newStory(t)
	filler := strings.Repeat("<BROKEN>", 300) // too short for pages of its own: the row's own page breaks
	s.message("G1", "sound", nil)
	s.wants("received G1 sound")
	s.message("G2", filler, nil)
	s.breakRows(filler)
	s.wants()
	s.impatient()
	s.wants()
	for _, j := range []*journal{s.j, newJournal(t)} {
		s.j = j
		s.restart()
		s.wants()
		if s.o.cursor.RowID != 2 {
			t.Errorf("the cursor is at %d", s.o.cursor.RowID)
		}
	}
}

// What cannot be seen of a damaged row is not said to be missing.
func TestInspectDamagedRow(t *testing.T) {
	s := newStory(t)
	s.message("G1", strings.Repeat("<BROKEN>", 3000), nil)
	s.message("G2", "sound", nil)
	s.breakRow("<BROKEN><BROKEN>")
	for guid, want := range map[string]string{"G1": "damaged pages of chat.db and cannot be read (ROWID 1)", "G2": "", "G3": "there is no message"} {
		sight, err := Inspect(t.Context(), s.path, guid, false)
		if want == "" && (err != nil || sight.GUID != guid) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", guid, sight, err)
		}
	}
}

// Gaps between the ROWIDs of a damaged file are not its end.
func TestGapsInADamagedFile(t *testing.T) {
	s := newStory(t)
	s.message("BROKEN", strings.Repeat("<BROKEN>", 3000), nil)
	var want []string
	for i := range 3 * batch {
		guid := fmt.Sprint("G", i)
		s.message(guid, "x", nil)
		if i%2 == 0 {
			s.exec("DELETE FROM message WHERE guid = ?", guid)
		} else {
			want = append(want, "received "+guid+" x")
		}
	}
	s.breakRow("<BROKEN><BROKEN>")
	s.wants(want...)
}

func TestGapsGrow(t *testing.T) {
	first := time.Now()
	at := again(first, 30*time.Second)
	if len(at) != 5 || !at[0].Equal(first.Add(30*time.Second)) || at[4].Sub(first) > 2*time.Second {
		t.Errorf("%v after %v", at, first)
	}
	if at := again(first, time.Nanosecond); len(at) != 1 {
		t.Errorf("%v", at)
	}
}
