package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// classCount is how many messages there are of a class, or how many more by one
// transaction.
type classCount struct {
	accountID string
	class     int64
	n         int64
}

// count notes that there is one more, or one less, of a class. The table is written once
// for all that share the commit. Hidden messages are not counted.
func (tx *Tx) count(accountID string, class, n int64) {
	if class > 0 {
		tx.job.counts = append(tx.job.counts, classCount{accountID, class, n})
	}
}

// total adds what a group of writers has counted to the table, in one order whoever
// writes.
func (w *writer) total(ctx context.Context, group []*job) error {
	sums := make(map[int64]classCount)
	for _, j := range group {
		if j.err != nil {
			continue
		}
		for _, c := range j.counts {
			c.n += sums[c.class].n
			sums[c.class] = c
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(sums), func(a, b classCount) int { return cmp.Compare(a.class, b.class) }) {
		if c.n == 0 {
			continue
		}
		_, err := w.stmts.exec(ctx, "INSERT INTO message_totals (class, account_id, n) VALUES ($1, $2, $3) ON CONFLICT (class) DO UPDATE SET n = message_totals.n + excluded.n", c.class, c.accountID, c.n)
		if err != nil {
			return err
		}
	}
	return nil
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
	branches, _, err := r.branches(ctx, f)
	if err != nil {
		return 0, err
	}
	return r.sum(ctx, f, branches)
}

// sum counts what branches hold: from the counts of their classes where those say it
// all, else in an index.
func (r reader) sum(ctx context.Context, f MessageFilter, branches []branch) (total int64, err error) {
	f.Order = f.countedBy()
	for _, b := range branches {
		n := b.size()
		if b.party != "" || f.Group != "" || f.Created != (Span{}) || f.Sent != (Span{}) || f.Updated != (Span{}) || f.Text != "" {
			q := query{filter: f}
			if err := r.found(ctx, &q); err != nil {
				return 0, err
			}
			where := q.conditions(b)
			if err := r.stmts.row(ctx, "SELECT COUNT(*) FROM "+q.from()+" WHERE "+where, q.args...).Scan(&n); err != nil {
				return 0, err
			}
		}
		total += n
	}
	return total, nil
}

// countedBy is the order in whose index a list is counted: that of its one span.
func (f MessageFilter) countedBy() Order {
	switch {
	case f.Created != (Span{}):
		return ByCreated
	case f.Sent != (Span{}) && f.Updated == (Span{}):
		return BySent
	case f.Updated != (Span{}) && f.Sent == (Span{}):
		return ByUpdated
	}
	return ByCreated
}
