package store

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// A day is a stretch of created_at: the number of whole days of UTC since 1970, as
// migration 00020 computes it. Before 1970 it is cut towards zero, so that day 0 has two.
const dayLength = 24 * 60 * 60 * 1000 // ms

func dayOf(at int64) int64 { return at / dayLength }

// dayBounds are the earliest and the latest time that messages of a day have. Unlike other
// spans these have no open end; there are none of a day without messages.
type dayBounds struct {
	day            int64
	dated, updated Span
	known          bool
}

func (b dayBounds) with(t tally) dayBounds {
	if !b.known {
		return dayBounds{t.day, Span{t.dated, t.dated}, Span{t.updated, t.updated}, true}
	}
	b.dated = Span{min(b.dated.From, t.dated), max(b.dated.To, t.dated)}
	b.updated = Span{min(b.updated.From, t.updated), max(b.updated.To, t.updated)}
	return b
}

// share is how much of a day's messages a span of time holds.
type share int

const (
	nothing share = iota
	part
	everything
)

// holds tells how much of what lies between two times is in a span.
func (s Span) holds(from, to int64) share {
	switch {
	case s.From != 0 && to < s.From, s.To != 0 && from > s.To:
		return nothing
	case s.From != 0 && from < s.From, s.To != 0 && to > s.To:
		return part
	}
	return everything
}

// and is what two spans have in common.
func (s Span) and(t Span) Span {
	if s.From == 0 || t.From != 0 && t.From > s.From {
		s.From = t.From
	}
	if s.To == 0 || t.To != 0 && t.To < s.To {
		s.To = t.To
	}
	return s
}

// calendar says of a list with spans of time which days its messages were created on.
type calendar struct {
	whole []dayRange // all messages created then fulfil the spans
	part  []dayRange // some may
	// created, sent and updated are spans that hold every message of those days.
	created, sent, updated Span
}

// dayRange is a row of days, both included, with no day of messages in between that is
// not of it.
type dayRange struct{ first, last int64 }

// begin is the day with which they begin in the order of a list.
func (d dayRange) begin(ascending bool) int64 {
	if ascending {
		return d.first
	}
	return d.last
}

// times are the first and the last moment of its days.
func (d dayRange) times() (from, to int64) {
	const most = math.MaxInt64 / dayLength
	from, to = math.MinInt64, math.MaxInt64
	if d.first > 0 {
		from = d.first * dayLength
	} else if d.first > -most {
		from = (d.first-1)*dayLength + 1
	}
	if d.last < 0 {
		to = d.last * dayLength
	} else if d.last < most {
		to = (d.last+1)*dayLength - 1
	}
	return from, to
}

// days are those that a span has times of.
func (s Span) days() dayRange {
	d := dayRange{math.MinInt64, math.MaxInt64}
	if s.From != 0 {
		d.first = dayOf(s.From)
	}
	if s.To != 0 {
		d.last = dayOf(s.To)
	}
	return d
}

// holdsDay tells how much of a day is in a span.
func (s Span) holdsDay(day int64) share { return s.holds(dayRange{day, day}.times()) }

// span holds the times of its days, and has no end where they have none.
func (d dayRange) span() Span {
	from, to := d.times()
	if to == math.MaxInt64 {
		to = 0
	}
	return Span{max(from, 0), max(to, 0)}
}

// maxRanges is how many rows of days are counted one by one. Where there are more, they
// lie close together.
const maxRanges = 16

func (c *calendar) days() int { return len(c.whole) + len(c.part) }

// stretch is a row of days of which all, or a part, is in a list.
type stretch struct {
	dayRange
	held share
}

// stretches are those of a list, in its order.
func (c *calendar) stretches(ascending bool) (list []stretch) {
	if c == nil {
		return []stretch{{Span{}.days(), everything}}
	}
	for _, d := range c.whole {
		list = append(list, stretch{d, everything})
	}
	for _, d := range c.part {
		list = append(list, stretch{d, part})
	}
	slices.SortFunc(list, func(a, b stretch) int {
		if !ascending {
			a, b = b, a
		}
		return cmp.Compare(a.first, b.first)
	})
	return list
}

// calendar reads which days a list is of. It is nil for a list without spans.
func (r reader) calendar(ctx context.Context, f MessageFilter) (*calendar, error) {
	if f.Created == (Span{}) && f.Sent == (Span{}) && f.Updated == (Span{}) {
		return nil, nil
	}
	if f.Sent == (Span{}) && f.Updated == (Span{}) && f.Order == ByCreated {
		return plainCalendar(f.Created), nil
	}
	within := f.Created.days()
	days, err := collect(ctx, r, func(row scanner) (b dayBounds, err error) {
		err = row.Scan(&b.day, &b.dated.From, &b.dated.To, &b.updated.From, &b.updated.To)
		return b, err
	}, "SELECT day, dated_from, dated_to, updated_from, updated_to FROM day_bounds WHERE account_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day", f.AccountID, within.first, within.last)
	if err != nil {
		return nil, err
	}
	c := new(calendar)
	c.read(f, days)
	return c, nil
}

// plainCalendar is that of a list with no other span than that of created_at, for which
// nothing needs to be read.
func plainCalendar(created Span) *calendar {
	d := created.days()
	c := &calendar{created: d.span()}
	if d.first > d.last {
		return c
	}
	if created.From != 0 && created.holdsDay(d.first) != everything {
		c.part = append(c.part, dayRange{d.first, d.first})
		d.first++
	}
	if created.To != 0 && d.first <= d.last && created.holdsDay(d.last) != everything {
		c.part = append(c.part, dayRange{d.last, d.last})
		d.last--
	}
	if d.first <= d.last {
		c.whole = []dayRange{d}
	}
	return c
}

// read sorts the days by how much of them is in the list.
func (c *calendar) read(f MessageFilter, days []dayBounds) {
	before := nothing
	begin, end := int64(math.MaxInt64), int64(math.MinInt64)
	var all dayBounds
	for _, d := range days {
		held := min(f.Created.holdsDay(d.day), f.Sent.holds(d.dated.From, d.dated.To), f.Updated.holds(d.updated.From, d.updated.To))
		list := &c.part
		switch {
		case held == everything:
			list = &c.whole
		case held == nothing:
			before = nothing
			continue
		}
		if held == before {
			(*list)[len(*list)-1].last = d.day
		} else {
			*list = append(*list, dayRange{d.day, d.day})
		}
		before = held
		begin, end = min(begin, d.day), max(end, d.day)
		all = all.with(tally{dated: d.dated.From, updated: d.updated.From}).with(tally{dated: d.dated.To, updated: d.updated.To})
	}
	if c.days() > maxRanges {
		c.whole, c.part = nil, []dayRange{{begin, end}}
	}
	if c.days() > 0 {
		c.created, c.sent, c.updated = dayRange{begin, end}.span(), all.dated, all.updated
	}
}

// bound is the span that holds every message of the list in the column of an order.
func (c *calendar) bound(o Order) Span {
	switch {
	case c == nil:
		return Span{}
	case o == BySent:
		return c.sent
	case o == ByUpdated:
		return c.updated
	}
	return c.created
}
