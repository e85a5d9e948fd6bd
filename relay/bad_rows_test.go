package relay

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
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

// all is one value in each column of a message but guid and those.
func (s *story) all(value any, but ...string) columns {
	s.t.Helper()
	rows, err := s.db.Query("SELECT name FROM pragma_table_info('message')")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	c := columns{"handle": alice}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		if name != "guid" && name != "ROWID" && !slices.Contains(but, name) {
			c[name] = value
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// largeText is the string of an archive from its length on, and the end of it.
func largeText(n int) []byte {
	b := []byte{0x82, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	return append(append(b, bytes.Repeat([]byte("word "), n/5+1)[:n]...), 0x86, 0x86)
}
