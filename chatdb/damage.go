package chatdb

import (
	"context"
	"errors"

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

// afterDamage is After in a file with damaged pages: it tries each ROWID that was
// ever given out, up to limit of them, and goes on where none of these is there.
func (db *DB) afterDamage(ctx context.Context, rowid, limit int64) ([]Message, error) {
	last, err := db.Sequence(ctx)
	if err != nil {
		return nil, err
	}
	for rowid < last {
		ids := make([]int64, min(limit, last-rowid))
		for i := range ids {
			rowid++
			ids[i] = rowid
		}
		found, err := db.oneByOne(ctx, ids)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// findEach finds messages one by one and leaves out those that cannot be read.
func (db *DB) findEach(ctx context.Context, guids []string) ([]Message, error) {
	var all []Message
	for _, guid := range guids {
		found, err := db.messages(ctx, "find messages", queryGUID, 0, args(guid))
		if err != nil && !damaged(err) {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
