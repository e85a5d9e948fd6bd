package chatdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/mattn/go-sqlite3"
)

// damaged tells an error that is about some pages of the file, so that the rows on
// other pages can be read all the same.
func damaged(err error) bool {
	cause, ok := errors.AsType[sqlite3.Error](err)
	return ok && cause.Code == sqlite3.ErrCorrupt
}

// oneByOne reads rows by their ROWIDs, each in a transaction of its own. One that
// cannot be read is given with its ROWID, its guid if that much can be read, and
// Damage.
func (db *DB) oneByOne(ctx context.Context, rowids []int64) (all []Message, err error) {
	for _, id := range rowids {
		found, err := db.messages(ctx, "read a message", queryRow, 0, args(id))
		if damaged(err) {
			guid, _, _ := db.GUIDAt(ctx, id) // the row may have lost that too
			found, err = []Message{{RowID: id, GUID: guid, Damage: err}}, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// sound looks messages up key by key, at most limit of them unless that is 0, and leaves
// out those that cannot be read.
func (db *DB) sound(ctx context.Context, op string, q query, limit int, keys [][]driver.NamedValue) (all []Message, err error) {
	for _, key := range keys {
		found, err := db.messages(ctx, op, q, 0, key)
		if err != nil && !damaged(err) {
			return nil, err
		}
		if all = append(all, found...); limit > 0 && len(all) >= limit {
			break
		}
	}
	return all, nil
}

// beforeDamage is Before in a file with damaged pages: it tries one ROWID after the
// other, and no more than a chunk of them, as many may never have been given out.
func (db *DB) beforeDamage(ctx context.Context, rowid int64, limit int) ([]Message, error) {
	var ids []int64
	for id := rowid - 1; id > 0 && len(ids) < chunk; id-- {
		ids = append(ids, id)
	}
	return db.sound(ctx, "read a message before a row", queryRow, limit, each(ids))
}

// datedDamage finds messages by their dates in a file with damaged pages, at most
// MaxBatch of them. Their ROWIDs are in the index of dates, which has pages of its own;
// where those are damaged too, no message is found by its date.
func (db *DB) datedDamage(ctx context.Context, op string, which query, date time.Time) ([]Message, error) {
	var ids []int64
	err := db.readOnce(ctx, op, func(s *session) error {
		ids = nil
		return s.queryUntil(ctx, which, args(appleDate(date)), func(r row) bool {
			ids = append(ids, r.int(0))
			return len(ids) == MaxBatch
		})
	})
	if damaged(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return db.sound(ctx, op, queryRow, 0, each(ids))
}

// afterDamage is After in a file with damaged pages: it tries each ROWID that was
// ever given out, and goes on where there is nothing, until it has limit of them.
func (db *DB) afterDamage(ctx context.Context, rowid, limit int64) (all []Message, err error) {
	last, err := db.Sequence(ctx)
	if err != nil {
		return nil, err
	}
	for rowid < last && int64(len(all)) < limit {
		ids := make([]int64, min(limit-int64(len(all)), last-rowid))
		for i := range ids {
			rowid++
			ids[i] = rowid
		}
		found, err := db.oneByOne(ctx, ids)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
