package store

import "context"

// classCount is how many messages there are of a class, or how many more by one commit.
type classCount struct {
	accountID string
	class     int64
	n         int64
}

// totals returns the counts of an account's classes of which there is any message.
func (r reader) totals(ctx context.Context, accountID string) ([]classCount, error) {
	return collect(ctx, r, func(row scanner) (c classCount, err error) {
		c.accountID = accountID
		err = row.Scan(&c.class, &c.n)
		return c, err
	}, "SELECT class, n FROM message_totals WHERE account_id = $1 AND n > 0 ORDER BY class", accountID)
}

// Total counts what a list holds, whatever its page is.
func (r reader) Total(ctx context.Context, f MessageFilter) (int64, error) {
	l, err := r.listing(ctx, f)
	if err != nil {
		return 0, err
	}
	return r.sum(ctx, l)
}

// sum counts what branches hold: from the counts of their classes, of all days or of some,
// where those say it all, else in an index.
func (r reader) sum(ctx context.Context, l listing) (total int64, err error) {
	f := l.filter
	for _, b := range l.branches {
		n := b.size()
		switch {
		case b.party != "" || f.Group != "" || f.Text != "":
			n, err = r.countIn(ctx, l, b, f.Created)
		case l.calendar != nil:
			n, err = r.sumDays(ctx, l, b)
		}
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// sumDays counts a branch day by day: whole ones from their counts, what is in part of the
// list in an index.
func (r reader) sumDays(ctx context.Context, l listing, b branch) (total int64, err error) {
	for _, d := range l.calendar.whole {
		n, err := r.sumRange(ctx, l.filter, b, d)
		if err != nil {
			return 0, err
		}
		total += n
	}
	for _, d := range l.calendar.part {
		n, err := r.countIn(ctx, l, b, l.filter.Created.and(d.span()))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// sumRange counts what of a branch was created on some days.
func (r reader) sumRange(ctx context.Context, f MessageFilter, b branch, d dayRange) (int64, error) {
	q := query{filter: f}
	return scanInt(r.stmts.row(ctx, "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM message_days WHERE account_id = "+q.place(f.AccountID)+
		" AND day BETWEEN "+q.place(d.first)+" AND "+q.place(d.last)+q.classes(b), q.args...))
}

// countIn counts what of a branch was created in a span.
func (r reader) countIn(ctx context.Context, l listing, b branch, created Span) (int64, error) {
	f := l.filter
	f.Order, f.Created = ByCreated, created
	q := query{filter: f, calendar: l.calendar}
	if err := r.found(ctx, &q); err != nil {
		return 0, err
	}
	where := q.conditions(b)
	return scanInt(r.stmts.row(ctx, "SELECT COUNT(*) FROM "+q.from()+" WHERE "+where, q.args...))
}
