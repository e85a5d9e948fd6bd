package store

import (
	"fmt"
	"math/bits"
	"strings"
)

// query is the statement of a list while it is written. A plus before a column keeps
// SQLite from looking for it by an index, where another one is better.
type query struct {
	filter   MessageFilter
	calendar *calendar // nil without spans of time
	args     []any
	// texts is the SELECT of the numbers of messages with the filter's words, "" without
	// any; manyTexts tells that these are more than are looked up one by one.
	texts     string
	manyTexts bool
	// sorted tells that what is found is sorted, not found in the order of the list.
	sorted bool
}

// place adds an argument and returns its placeholder.
func (q *query) place(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// few is how many messages are sorted rather than looked for in a longer list.
const few = 5000

// maxMerged is how many classes are read side by side.
const maxMerged = 256

// places are SELECTs of a branch's messages, as k_at and k_seq. Those of few classes are
// read class by class, each in its order; what is not much is taken whole and sorted;
// and all else is found among the others in the order of the list.
func (q *query) places(b branch, all int64, fewOfParty bool) []string {
	f := q.filter
	q.sorted = fewOfParty
	columns := "SELECT " + q.column(f.Order) + " AS k_at, seq AS k_seq FROM " + q.from() + " WHERE "
	if b.party == "" && f.Group == "" && !b.every && f.Text == "" {
		n := b.size()
		switch {
		case f.Order == ByCreated && q.datedByDay() && len(b.classes) <= maxMerged && q.merging(len(b.classes)) < q.scanning(n, all):
			var parts []string
			for _, class := range padded(b.classes) {
				parts = append(parts, columns+"class = "+q.place(class)+q.spans(false)+q.before())
			}
			return parts
		case n <= few:
			return []string{columns + "class IN (" + q.list(padded(b.classes)) + ")" + q.spans(false) + q.before()}
		}
	}
	return []string{columns + q.conditions(b) + q.before()}
}

// merging is about how many steps through an index it takes to read a page from that
// many classes at once.
func (q *query) merging(classes int) int64 {
	return int64(q.filter.Offset+q.filter.Limit)*2*int64(bits.Len(uint(classes))) + 20*int64(classes)
}

// scanning is about how many it takes to find a page of n messages among all.
func (q *query) scanning(n, all int64) int64 {
	return min(all, int64(q.filter.Offset+q.filter.Limit)*all/max(n, 1))
}

// from is where messages are looked for: few texts lead to theirs, one by one.
func (q *query) from() string {
	if q.texts != "" && !q.manyTexts {
		return "(" + q.texts + ") AS found CROSS JOIN messages"
	}
	return "messages"
}

// conditions are those of a branch, but for where the page begins.
func (q *query) conditions(b branch) string {
	where := "account_id = " + q.place(q.filter.AccountID)
	switch {
	case q.manyTexts:
		where += " AND +seq IN (" + q.texts + ")"
	case q.texts != "":
		where += " AND seq = hit"
	}
	if b.party != "" {
		where += " AND party = " + q.place(b.party)
	}
	if q.filter.Group != "" {
		where += " AND peer = " + q.place(q.filter.Group)
	}
	return where + q.classes(b) + q.spans(b.party != "" || q.filter.Group != "")
}

// classes is the condition of a branch's classes.
func (q *query) classes(b branch) string {
	if b.every {
		return " AND class > 0"
	}
	return " AND +class IN (" + q.list(padded(b.classes)) + ")"
}

// column is one that an order sorts by. Only that of the list's own order is one to find
// messages by, and where they are sorted not even that.
func (q *query) column(o Order) string {
	if o != q.filter.Order || q.sorted {
		return "+" + o.column()
	}
	return o.column()
}

// spans are the conditions of time: those that are asked for, and in the order of the
// list what follows from them. Of one person or group all is few enough to be looked at in
// its own index, instead of which SQLite takes that of all times where it is told two ends
// of a span.
func (q *query) spans(ofParty bool) string {
	var where, byTimes strings.Builder
	for _, one := range []struct {
		order Order
		span  Span
	}{{ByCreated, q.filter.Created}, {BySent, q.filter.Sent}, {ByUpdated, q.filter.Updated}} {
		column := q.column(one.order)
		if one.order == q.filter.Order {
			one.span = one.span.and(q.calendar.bound(one.order)).and(q.rest())
		}
		if ofParty && one.order == ByCreated {
			column = "+created_at"
		}
		to := &where
		if q.filter.Order == ByCreated && one.order != ByCreated {
			to = &byTimes
		}
		if one.span.From != 0 {
			to.WriteString(" AND " + column + " >= " + q.place(one.span.From))
		}
		if one.span.To != 0 {
			to.WriteString(" AND " + column + " <= " + q.place(one.span.To))
		}
	}
	return where.String() + q.orByDay(byTimes.String())
}

// rest is where the page can be, by the message after which it begins: before alone would
// have SQLite begin at the end of a span.
func (q *query) rest() Span {
	switch m := q.filter.Before; {
	case m == nil:
		return Span{}
	case q.filter.Ascending:
		return Span{From: q.filter.Order.of(*m)}
	default:
		return Span{To: q.filter.Order.of(*m)}
	}
}

// datedByDay tells whether the times of most of a list's messages need not be looked at:
// their days are in it.
func (q *query) datedByDay() bool {
	return q.filter.Sent == (Span{}) && q.filter.Updated == (Span{}) || len(q.calendar.whole) > 0
}

// orByDay puts the days that are in a list whole before conditions of other times, which
// an index by class or party does not have.
func (q *query) orByDay(conditions string) string {
	if conditions == "" || len(q.calendar.whole) == 0 {
		return conditions
	}
	var days strings.Builder
	for _, d := range q.calendar.whole {
		from, to := d.times()
		days.WriteString("+created_at BETWEEN " + q.place(from) + " AND " + q.place(to) + " OR ")
	}
	return " AND (" + days.String() + strings.TrimPrefix(conditions, " AND ") + ")"
}

// before is the condition of what follows the message after which the page begins.
func (q *query) before() string {
	m := q.filter.Before
	if m == nil {
		return ""
	}
	beyond := " < "
	if q.filter.Ascending {
		beyond = " > "
	}
	return " AND (" + q.column(q.filter.Order) + ", seq)" + beyond + "(" + q.place(q.filter.Order.of(*m)) + ", " + q.place(m.Seq) + ")"
}

func (q *query) list(classes []int64) string {
	places := make([]string, len(classes))
	for i, c := range classes {
		places[i] = q.place(c)
	}
	return strings.Join(places, ", ")
}

// padded are the numbers of classes, filled up to a power of two with one that there is
// not: so that statements are few.
func padded(classes []classCount) []int64 {
	list := make([]int64, 1<<bits.Len(uint(len(classes)-1)))
	for i, c := range classes {
		list[i] = c.class
	}
	return list
}
