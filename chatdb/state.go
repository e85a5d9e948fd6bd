package chatdb

import (
	"context"
	"slices"
)

// State is what later changes of a row move: receipts, error, edits, the length of
// its body, the number of its chats. Compare it with == to an earlier one of the
// same row; a difference says that the row is worth reading again.
type State struct {
	guid, service string
	numbers       [stateNumbers]int64
}

// stateNumbers are the values of a state behind ROWID, guid and service.
const stateNumbers = len(stateColumns) - 3 + 3

// States gives the state of the rows with these ROWIDs; those that do not exist, or
// lie on damaged pages, are left out. It reads no body and is much cheaper than
// reading the rows.
func (db *DB) States(ctx context.Context, rowids []int64) (map[int64]State, error) {
	all := make(map[int64]State, len(rowids))
	for part := range slices.Chunk(rowids, chunk) {
		err := db.addStates(ctx, all, part)
		if damaged(err) {
			err = db.addStatesOneByOne(ctx, all, part)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (db *DB) addStates(ctx context.Context, all map[int64]State, rowids []int64) error {
	return db.read(ctx, "look at messages", func(s *session) error {
		return s.query(ctx, queryStates, args(jsonList(rowids)), func(r row) {
			state := State{guid: r.text(1), service: r.text(2)}
			for i := range state.numbers {
				state.numbers[i] = r.int(i + 3)
			}
			all[r.int(0)] = state
		})
	})
}

func (db *DB) addStatesOneByOne(ctx context.Context, all map[int64]State, rowids []int64) error {
	for _, id := range rowids {
		if err := db.addStates(ctx, all, []int64{id}); err != nil && !damaged(err) {
			return err
		}
	}
	return nil
}
