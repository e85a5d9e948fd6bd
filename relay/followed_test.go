package relay

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// The memory of a daemon that runs keeps no more rows than one that starts.
func TestFollowedRowsAreFew(t *testing.T) {
	s := newStory(t)
	for i := range int64(maxFollowed + 100) {
		s.o.followed[1000+i] = send{message: fmt.Sprint("msg_", i), guid: fmt.Sprint("G", i), armedAt: time.Now()}
	}
	s.message("N", "news", nil)
	s.wants("received N news")
	if _, oldest := s.o.followed[1100]; len(s.o.followed) != maxFollowed || !oldest {
		t.Errorf("%d rows are followed", len(s.o.followed))
	}
}

// A row of which no receipt can come is followed for as long as it may fail, in memory
// and across a restart alike.
func TestRowsWithoutReceipts(t *testing.T) {
	for name, tt := range map[string]struct {
		row     columns
		age     time.Duration
		follows bool
	}{
		"SMS":                      {columns{"service": "SMS"}, failWindow - time.Minute, true},
		"SMS, later":               {columns{"service": "SMS"}, failWindow + time.Minute, false},
		"downgraded, later":        {columns{"was_downgraded": 1}, failWindow + time.Minute, false},
		"SMS that failed, later":   {columns{"service": "SMS", "is_sent": 0, "error": 3}, failWindow + time.Minute, true},
		"iMessage, later":          {nil, failWindow + time.Minute, true},
		"iMessage, a week later":   {nil, 8 * 24 * time.Hour, false},
		"iMessage and read":        {columns{"is_read": 1}, changeWindow - time.Minute, true},
		"iMessage and read, later": {columns{"is_read": 1}, changeWindow + time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.sends("msg_1", "hello")
			row := columns{"is_sent": 1}
			maps.Copy(row, tt.row)
			s.own("G", "hello", row)
			scan(t, s.o)
			if len(s.o.followed) != 1 {
				t.Fatalf("%d rows are followed", len(s.o.followed))
			}
			for id, one := range s.o.followed {
				one.armedAt = one.armedAt.Add(-tt.age)
				s.o.followed[id] = one
			}
			if _, err := s.j.db.Exec("UPDATE sends SET armed_at = armed_at - ?", tt.age.Milliseconds()); err != nil {
				t.Fatal(err)
			}
			s.message("N", "news", nil)
			scan(t, s.o)
			kept := len(s.o.followed) == 1
			s.restart()
			if again := len(s.o.followed) == 1; kept != tt.follows || again != tt.follows {
				t.Errorf("followed: %t, after a restart %t", kept, again)
			}
		})
	}
}
