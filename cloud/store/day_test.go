package store

import (
	"math"
	"reflect"
	"testing"
)

// A calendar takes whole those days of which all is in the list, and looks into those of
// which some is.
func TestCalendar(t *testing.T) {
	const d = dayLength
	day := func(n int64, sentFrom, sentTo, updatedFrom, updatedTo int64) dayBounds {
		return dayBounds{n, Span{sentFrom, sentTo}, Span{updatedFrom, updatedTo}, true}
	}
	days := []dayBounds{
		day(1, 1*d, 2*d-1, 1*d, 9*d), // one of its messages was read a week later
		day(2, 2*d, 3*d-1, 2*d, 3*d),
		day(3, 3*d-5, 4*d-1, 3*d, 4*d), // one was sent before it was known
		day(4, 4*d, 5*d-1, 4*d, 5*d),
		day(7, 7*d, 8*d-1, 7*d, 8*d),
	}
	for name, c := range map[string]struct {
		filter      MessageFilter
		whole, part []dayRange
	}{
		"sent since":                 {MessageFilter{Sent: Span{From: 3 * d}}, []dayRange{{4, 7}}, []dayRange{{3, 3}}},
		"sent until":                 {MessageFilter{Sent: Span{To: 3*d - 1}}, []dayRange{{1, 2}}, []dayRange{{3, 3}}},
		"updated since":              {MessageFilter{Updated: Span{From: 6 * d}}, []dayRange{{7, 7}}, []dayRange{{1, 1}}},
		"updated until":              {MessageFilter{Updated: Span{To: 4 * d}}, []dayRange{{2, 3}}, []dayRange{{1, 1}, {4, 4}}},
		"sent and updated":           {MessageFilter{Sent: Span{To: 2*d - 1}, Updated: Span{From: 8*d + 1}}, nil, []dayRange{{1, 1}}},
		"sent before, changed after": {MessageFilter{Sent: Span{From: 2 * d, To: 3*d - 10}, Updated: Span{From: 8*d + 1}}, nil, nil},
		"created, in its order":      {MessageFilter{Created: Span{2*d + 1, 7 * d}}, []dayRange{{3, 6}}, []dayRange{{2, 2}, {7, 7}}},
		"created on one day":         {MessageFilter{Created: Span{2*d + 1, 2*d + 9}}, nil, []dayRange{{2, 2}}},
		"created the wrong way":      {MessageFilter{Created: Span{3 * d, 2 * d}}, nil, nil},
		"created, in another":        {MessageFilter{Created: Span{2 * d, 7 * d}, Order: BySent}, []dayRange{{2, 4}}, []dayRange{{7, 7}}},
		"created on whole days":      {MessageFilter{Created: Span{2 * d, 5*d - 1}}, []dayRange{{2, 4}}, nil},
	} {
		f := c.filter
		got := new(calendar)
		if f.Sent == (Span{}) && f.Updated == (Span{}) && f.Order == ByCreated {
			got = plainCalendar(f.Created)
		} else {
			var within []dayBounds
			for _, d := range days {
				if in := f.Created.days(); d.day >= in.first && d.day <= in.last {
					within = append(within, d)
				}
			}
			got.read(f, within)
		}
		if !reflect.DeepEqual(got.whole, c.whole) || !reflect.DeepEqual(got.part, c.part) {
			t.Errorf("%s: whole %v, in part %v; want %v, %v", name, got.whole, got.part, c.whole, c.part)
		}
	}
}

// Every moment is within the times of its day, and its neighbours are not.
func TestTimesOfDays(t *testing.T) {
	for _, at := range []int64{math.MinInt64, math.MinInt64 + 1, -3*dayLength - 1, -3 * dayLength, -dayLength, -1, 0, 1, dayLength - 1, dayLength, 20_000 * dayLength, math.MaxInt64 - 1, math.MaxInt64} {
		day := dayOf(at)
		from, to := dayRange{day, day}.times()
		if at < from || at > to || dayOf(from) != day || dayOf(to) != day {
			t.Errorf("%d is on day %d, from %d to %d", at, day, from, to)
		}
		if from > math.MinInt64 && dayOf(from-1) == day || to < math.MaxInt64 && dayOf(to+1) == day {
			t.Errorf("day %d is longer than from %d to %d", day, from, to)
		}
	}
}
