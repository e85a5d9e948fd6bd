package cloud

import (
	"testing"
	"time"
)

func TestPaceOfALine(t *testing.T) {
	for _, c := range []struct {
		set, os string
		want    float64
	}{
		{"", "darwin", 1}, {"", "linux", 0}, {"off", "darwin", 0}, {"0.5", "darwin", 0.5}, {"20", "linux", 20}, {"nonsense", "darwin", 1},
	} {
		if got := rateOf(c.set, c.os); got != c.want {
			t.Errorf("%q on %s: %v", c.set, c.os, got)
		}
	}
	for _, bad := range []string{"0", "-1", "1001", "NaN", "Inf", "-Inf", "on", " 1", "1/s", "٣"} {
		if rate, err := parsePace(bad); err == nil {
			t.Errorf("%q is %v a second", bad, rate)
		}
	}
}

// A full bucket gives its burst, then one each second and never more than the burst
// after a rest.
func TestPaceHoldsBack(t *testing.T) {
	start := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC)
	var p pace
	for _, step := range []struct {
		after time.Duration // from the start
		limit int
		room  int
		spend int
		ready bool // a time is given at which to ask again
	}{
		{0, 4, 4, 4, false},
		{0, 4, 1, 1, false},
		{0, 4, 0, 0, true},
		{999 * time.Millisecond, 4, 0, 0, true},
		{1000 * time.Millisecond, 4, 1, 1, false},
		{1500 * time.Millisecond, 4, 0, 0, true},
		{3 * time.Second, 4, 2, 1, false},
		{time.Hour, 100, 5, 5, false},
		{time.Hour, 100, 0, 0, true},
	} {
		now := start.Add(step.after)
		if got := p.room(1, step.limit, now); got != step.room {
			t.Errorf("after %s: room for %d, want %d", step.after, got, step.room)
		}
		if got := p.ready() != nil; got != step.ready {
			t.Errorf("after %s: told to ask again: %t", step.after, got)
		}
		p.spend(step.spend)
	}
}

func TestPaceOffHoldsNothingBack(t *testing.T) {
	start := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC)
	var p pace
	for range 100 {
		if got := p.room(0, 4, start); got != 4 {
			t.Fatalf("room for %d", got)
		}
		p.spend(4)
	}
	// Switched on, it begins with a burst; switched off again, nothing is left of it.
	if got := p.room(0.1, 10, start); got != 5 {
		t.Errorf("room for %d", got)
	}
	p.spend(5)
	if got := p.room(0.1, 10, start); got != 0 || p.ready() == nil {
		t.Errorf("room for %d", got)
	}
	if got := p.room(0, 10, start); got != 10 || p.ready() != nil {
		t.Errorf("room for %d", got)
	}
}

func TestPaceChangesWithTheLine(t *testing.T) {
	start := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC)
	var p pace
	p.room(1, 5, start)
	p.spend(5)
	if got := p.room(10, 5, start.Add(100*time.Millisecond)); got != 0 && got != 1 {
		t.Errorf("room for %d", got)
	}
	if got := p.room(10, 5, start.Add(300*time.Millisecond)); got < 2 {
		t.Errorf("the faster pace gives %d", got)
	}
}

func TestRatesAreCountedByKeyAndMinute(t *testing.T) {
	start := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC)
	r := rates{windows: make(map[string]*window)}
	for _, step := range []struct {
		key   string
		after time.Duration
		used  int64
		wait  time.Duration
	}{
		{"a", 0, 1, 0}, {"a", 10 * time.Second, 2, 0}, {"a", 10 * time.Second, 2, 50 * time.Second}, {"b", 20 * time.Second, 1, 0},
		{"a", 59999 * time.Millisecond, 2, time.Millisecond}, {"a", time.Minute, 1, 0}, {"b", time.Minute, 2, 0}, {"b", 79 * time.Second, 2, time.Second}, {"b", 80 * time.Second, 1, 0},
	} {
		if used, wait := r.count(step.key, start.Add(step.after), 2); used != step.used || wait != step.wait {
			t.Errorf("%s after %s: used %d, wait %s", step.key, step.after, used, wait)
		}
	}
}
