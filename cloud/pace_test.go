package cloud

import (
	"testing"
	"time"

	"bluerelay/cloud/store"
)

func TestPaceOfALine(t *testing.T) {
	free := pace{burst: 5, opening: -1}
	for _, c := range []struct {
		line store.Line
		os   string
		want pace
	}{
		{store.Line{}, "darwin", pace{time.Second, 5, 50}},
		{store.Line{}, "linux", free},
		{store.Line{Pace: "off"}, "darwin", pace{0, 5, 50}},
		{store.Line{Pace: "0.5"}, "darwin", pace{2 * time.Second, 5, 50}},
		{store.Line{Pace: "20"}, "linux", pace{50 * time.Millisecond, 5, -1}},
		{store.Line{Pace: "nonsense"}, "darwin", pace{time.Second, 5, 50}},
		{store.Line{Pace: "1", Burst: 2}, "linux", pace{time.Second, 2, -1}},
		{store.Line{NewConversations: "off"}, "darwin", pace{time.Second, 5, -1}},
		{store.Line{NewConversations: "7"}, "linux", pace{0, 5, 7}},
		{store.Line{NewConversations: "0"}, "darwin", pace{time.Second, 5, 0}},
		{store.Line{NewConversations: "nonsense"}, "darwin", pace{time.Second, 5, 50}},
	} {
		if got := paceOf(c.line, c.os); got != c.want {
			t.Errorf("%+v on %s: %+v", c.line, c.os, got)
		}
	}
	for _, bad := range []string{"0", "-1", "1001", "NaN", "Inf", "-Inf", "on", " 1", "1/s", "٣", "0.00001", "1e-10", "1e-300"} {
		if rate, err := parsePace(bad); err == nil {
			t.Errorf("%q is %v a second", bad, rate)
		}
	}
	for _, bad := range []string{"-1", "1.5", "on", " 1", "100001", "99999999999"} {
		if n, err := parseNewConversations(bad); err == nil {
			t.Errorf("%q is %d conversations", bad, n)
		}
	}
}

// A rested line gives its burst, then one each second and never more than the burst
// after a rest.
func TestPaceHoldsBack(t *testing.T) {
	start := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC)
	p := pace{interval: time.Second, burst: 5}
	var until int64
	for _, step := range []struct {
		after time.Duration // from the start
		room  int
		wait  time.Duration
		spend int
	}{
		{0, 5, 0, 4},
		{0, 1, 0, 1},
		{0, 0, time.Second, 0},
		{999 * time.Millisecond, 0, time.Millisecond, 0},
		{time.Second, 1, 0, 1},
		{1500 * time.Millisecond, 0, 500 * time.Millisecond, 0},
		{3 * time.Second, 2, 0, 1},
		{time.Hour, 5, 0, 5},
		{time.Hour, 0, time.Second, 0},
	} {
		now := start.Add(step.after)
		if n, wait := p.room(until, now); n != step.room || wait != step.wait {
			t.Errorf("after %s: room for %d, or in %s; want %d, %s", step.after, n, wait, step.room, step.wait)
		}
		if step.spend > 0 {
			until = p.spend(until, now, step.spend)
		}
	}
	// A clock that goes back, or another rate, must not stop the line for longer than
	// the burst it has had.
	if n, wait := p.room(until, start.Add(-time.Hour)); n != 0 || wait != time.Second {
		t.Errorf("after a step of the clock: room for %d, or in %s", n, wait)
	}
	fast := pace{interval: 10 * time.Millisecond, burst: 5}
	if n, wait := fast.room(until, start.Add(time.Hour)); n != 0 || wait != 10*time.Millisecond {
		t.Errorf("at a faster pace: room for %d, or in %s", n, wait)
	}
	if n, wait := (pace{burst: 5}).room(until, start); n == 0 || wait != 0 {
		t.Errorf("without a pace: room for %d, or in %s", n, wait)
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
