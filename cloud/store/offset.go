package store

import (
	"context"
	"slices"
)

// fewPassed is how many messages are passed over one by one at most: it takes less than to
// read the counts of the days that hold them, of rare ones above all.
const fewPassed = 1000

// passesMany tells whether there is more to pass over than that.
func (l listing) passesMany() bool {
	var most int64
	for _, b := range l.branches {
		most += b.size()
	}
	return min(int64(l.filter.Offset), most) > fewPassed
}

// skipDays narrows a list to where its page begins: days that lie whole within the offset
// are counted instead of read, and what is left of the offset is passed over from there on.
// It is as exact as a total. A list that is not in the order of days, or asks for what the
// days do not count, stays what it is.
func (r reader) skipDays(ctx context.Context, l listing) (MessageFilter, error) {
	f := l.filter
	counted := slices.IndexFunc(l.branches, func(b branch) bool { return b.party == "" })
	if f.Offset == 0 || counted < 0 || f.Order != ByCreated || f.Before != nil || f.Group != "" || f.Text != "" {
		return f, nil
	}
	p, err := r.pass(ctx, l, l.branches[counted])
	if err != nil || p.passed <= 0 || p.day <= 0 { // a span cannot begin or end before 1970
		return f, err
	}
	from, to := dayRange{p.day, p.day}.times()
	ahead, rest := Span{From: to + 1}, Span{To: to}
	if f.Ascending {
		ahead, rest = Span{To: from - 1}, Span{From: from}
	}
	for i, b := range l.branches {
		if i == counted { // the others are what lines wrote to each other: little, and not told by a class
			continue
		}
		n, err := r.countIn(ctx, l, b, f.Created.and(ahead))
		if err != nil {
			return f, err
		}
		p.passed += n
	}
	if p.passed <= int64(f.Offset) {
		f.Created, f.Offset = f.Created.and(rest), f.Offset-int(p.passed)
	}
	return f, nil
}

// passage is how far an offset has come through the days of a list.
type passage struct {
	day    int64 // that it has come to
	passed int64 // messages on days before it
	next   int64 // with those of that day
}

func (p *passage) enter(day, n int64) {
	p.day, p.passed, p.next = day, p.next, p.next+n
}

// pass goes through the days of a list to that on which the offset ends among the messages
// of a branch, or to the last one. It stops before days of which only a part is in the
// list, where to count it would take more than to pass over the messages.
func (r reader) pass(ctx context.Context, l listing, b branch) (p passage, err error) {
	f := l.filter
	if n, offset := b.size(), int64(f.Offset); l.calendar == nil && offset < n && n < 2*offset {
		f.Ascending, f.Offset = !f.Ascending, int(n-offset)-1 // from the end, which is nearer
		err = r.passWhole(ctx, f, b, Span{}.days(), &p)
		p.passed = n - p.next
		return p, err
	}
	for _, s := range l.calendar.stretches(f.Ascending) {
		if s.held == everything {
			err = r.passWhole(ctx, f, b, s.dayRange, &p)
		} else {
			err = r.passPart(ctx, l, b, s.dayRange, &p)
		}
		if err != nil || p.next > int64(f.Offset) {
			break
		}
	}
	return p, err
}

// passPart goes past a row of days as one, or comes to it where it is too much to count.
func (r reader) passPart(ctx context.Context, l listing, b branch, d dayRange, p *passage) error {
	f := l.filter
	n, err := r.sumRange(ctx, f, branch{every: true}, d)
	if err == nil && n <= int64(f.Offset) {
		n, err = r.countIn(ctx, l, b, f.Created.and(d.span()))
	}
	p.enter(d.begin(f.Ascending), n)
	return err
}

// firstDays is how many days are read at first. Where these are not enough, it is twice as
// many each time: a server reads all that it is asked for.
const firstDays = 8

// passWhole goes through days that are in the list whole.
func (r reader) passWhole(ctx context.Context, f MessageFilter, b branch, d dayRange, p *passage) error {
	for most := firstDays; p.next <= int64(f.Offset); most *= 2 {
		n, err := r.passDays(ctx, f, b, d, most, p)
		if err != nil || n < most {
			return err
		}
		if f.Ascending {
			d.first = p.day + 1
		} else {
			d.last = p.day - 1
		}
	}
	return nil
}

// passDays goes through some days, and returns how many there were.
func (r reader) passDays(ctx context.Context, f MessageFilter, b branch, d dayRange, most int, p *passage) (n int, err error) {
	q := query{filter: f}
	rows, err := r.stmts.query(ctx, "SELECT day, CAST(SUM(n) AS BIGINT) FROM message_days WHERE account_id = "+q.place(f.AccountID)+
		" AND day BETWEEN "+q.place(d.first)+" AND "+q.place(d.last)+q.classes(b)+" GROUP BY day ORDER BY day "+f.way()+" LIMIT "+q.place(most), q.args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for p.next <= int64(f.Offset) && rows.Next() {
		var day, on int64
		if err := rows.Scan(&day, &on); err != nil {
			return n, err
		}
		p.enter(day, on)
		n++
	}
	return n, explain(rows.Err())
}
