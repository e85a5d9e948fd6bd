package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// tally is what one change of a message does to the counts: n messages more of a class,
// which is 0 where it stays what it was, and times that the bounds of its day must hold.
type tally struct {
	accountID      string
	class, n       int64
	day            int64
	dated, updated int64
}

// count notes that there is one more, or one less, of a class. The tables are written
// once for all that share the commit. Hidden messages are not counted.
func (tx *Tx) count(m Message, class, n int64) {
	if class <= 0 {
		class, n = 0, 0
	}
	tx.job.tallies = append(tx.job.tallies, tally{m.AccountID, class, n, dayOf(m.CreatedAt), m.DatedAt, m.UpdatedAt})
}

// date notes the times that a message has now. Every change of one of them ends with it,
// or with settle.
func (tx *Tx) date(m Message) { tx.count(m, 0, 0) }

// accountDay is a day of an account.
type accountDay struct {
	accountID string
	day       int64
}

func (a accountDay) compare(b accountDay) int {
	return cmp.Or(cmp.Compare(a.accountID, b.accountID), cmp.Compare(a.day, b.day))
}

// classDay is a class on a day.
type classDay struct {
	accountDay
	class int64
}

// total adds what a group of writers has counted to the tables, in one order whoever
// writes.
func (w *writer) total(ctx context.Context, group []*job) error {
	classes := make(map[int64]classCount)
	days := make(map[classDay]int64)
	bounds := make(map[accountDay]dayBounds)
	for _, j := range group {
		if j.err != nil {
			continue
		}
		for _, t := range j.tallies {
			at := accountDay{t.accountID, t.day}
			bounds[at] = bounds[at].with(t)
			if t.class > 0 {
				classes[t.class] = classCount{t.accountID, t.class, classes[t.class].n + t.n}
				days[classDay{at, t.class}] += t.n
			}
		}
	}
	for _, c := range slices.SortedFunc(maps.Values(classes), func(a, b classCount) int { return cmp.Compare(a.class, b.class) }) {
		if c.n == 0 {
			continue
		}
		_, err := w.stmts.exec(ctx, "INSERT INTO message_totals (class, account_id, n) VALUES ($1, $2, $3) ON CONFLICT (class) DO UPDATE SET n = message_totals.n + excluded.n", c.class, c.accountID, c.n)
		if err != nil {
			return err
		}
	}
	for _, d := range slices.SortedFunc(maps.Keys(days), func(a, b classDay) int {
		return cmp.Or(a.compare(b.accountDay), cmp.Compare(a.class, b.class))
	}) {
		if days[d] == 0 {
			continue
		}
		_, err := w.stmts.exec(ctx, "INSERT INTO message_days (account_id, day, class, n) VALUES ($1, $2, $3, $4) ON CONFLICT (account_id, day, class) DO UPDATE SET n = message_days.n + excluded.n",
			d.accountID, d.day, d.class, days[d])
		if err != nil {
			return err
		}
	}
	for _, d := range slices.SortedFunc(maps.Keys(bounds), accountDay.compare) {
		b := bounds[d]
		if _, err := w.stmts.exec(ctx, widen, d.accountID, d.day, b.dated.From, b.dated.To, b.updated.From, b.updated.To); err != nil {
			return err
		}
	}
	return nil
}

// widen makes the bounds of a day hold other ones too. They are never narrowed.
const widen = `INSERT INTO day_bounds (account_id, day, dated_from, dated_to, updated_from, updated_to) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (account_id, day) DO UPDATE SET
	dated_from = CASE WHEN excluded.dated_from < day_bounds.dated_from THEN excluded.dated_from ELSE day_bounds.dated_from END,
	dated_to = CASE WHEN excluded.dated_to > day_bounds.dated_to THEN excluded.dated_to ELSE day_bounds.dated_to END,
	updated_from = CASE WHEN excluded.updated_from < day_bounds.updated_from THEN excluded.updated_from ELSE day_bounds.updated_from END,
	updated_to = CASE WHEN excluded.updated_to > day_bounds.updated_to THEN excluded.updated_to ELSE day_bounds.updated_to END
	WHERE excluded.dated_from < day_bounds.dated_from OR excluded.dated_to > day_bounds.dated_to
		OR excluded.updated_from < day_bounds.updated_from OR excluded.updated_to > day_bounds.updated_to`
