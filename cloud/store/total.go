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
