package chatdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"time"
)

const (
	// MaxBatch is the most messages that one call of After or OwnSince gives,
	// so that its read transaction stays short. A smaller limit is kept; zero
	// and less mean MaxBatch.
	MaxBatch = 1000

	// chunk is how many rows are looked up by key in one read transaction.
	chunk = 500
)

// After gives the messages above rowid in the order of ROWID, at most limit of
// them, each complete with chats and attachments. Rows, handles and chats are those of
// one instant; attachments may be a moment younger.
//
// It sees new rows only. What happens to a row later is found by reading it
// again (Rows) and comparing (Diff). Nor is a ROWID a time: iCloud inserts
// messages of years ago with new ROWIDs, thousands at once.
func (db *DB) After(ctx context.Context, rowid int64, limit int) ([]Message, error) {
	found, err := db.messages(ctx, "read new messages", queryAfter, batch(limit), args(rowid))
	if damaged(err) {
		return db.afterDamage(ctx, rowid, int64(batch(limit)))
	}
	return found, err
}

// Rows gives the messages with these ROWIDs in that order; those that do not
// exist are left out and repeats are given once. Long lists are read in
// several short transactions.
func (db *DB) Rows(ctx context.Context, rowids []int64) ([]Message, error) {
	rowids = slices.Compact(slices.Sorted(slices.Values(rowids)))
	var all []Message
	for part := range slices.Chunk(rowids, chunk) {
		found, err := db.messages(ctx, "read messages", queryRow, 0, each(part)...)
		if damaged(err) {
			found, err = db.oneByOne(ctx, part)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Before gives the last messages below rowid, newest first, at most limit of them; those
// on damaged pages are left out.
func (db *DB) Before(ctx context.Context, rowid int64, limit int) ([]Message, error) {
	found, err := db.messages(ctx, "read messages before a row", queryBefore, batch(limit), args(rowid))
	if damaged(err) {
		return db.beforeDamage(ctx, rowid, batch(limit))
	}
	return found, err
}

// Dated gives messages of exactly that date, to the nanosecond, in the order of
// ROWID, at most limit of them; those on damaged pages are left out. Two rows of one
// date are, but for chance, two copies of one message. It does not find rows of before
// macOS 10.13.
func (db *DB) Dated(ctx context.Context, date time.Time, limit int) ([]Message, error) {
	const op = "read messages of a date"
	found, err := db.messages(ctx, op, queryDated, batch(limit), args(appleDate(date)))
	if damaged(err) {
		found, err = db.datedDamage(ctx, op, queryDatedIDs, date)
	}
	return found[:min(len(found), batch(limit))], err
}

// FindGUIDs gives the messages with these guids in the order of ROWID; those
// that do not exist, or lie on damaged pages, are left out.
func (db *DB) FindGUIDs(ctx context.Context, guids []string) ([]Message, error) {
	guids = slices.Compact(slices.Sorted(slices.Values(guids)))
	var all []Message
	for part := range slices.Chunk(guids, chunk) {
		found, err := db.messages(ctx, "find messages", queryGUID, 0, each(part)...)
		if damaged(err) {
			found, err = db.sound(ctx, "find a message", queryGUID, 0, each(part))
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Message) int { return cmp.Compare(a.RowID, b.RowID) })
	return all, nil
}

// OwnSince gives own messages dated at or after since, oldest first, at most
// limit of them: the candidates for a match where no ROWID can be trusted. Those on
// damaged pages are left out. It does not find rows of before macOS 10.13, which are
// dated in seconds.
func (db *DB) OwnSince(ctx context.Context, since time.Time, limit int) ([]Message, error) {
	const op = "read own messages"
	found, err := db.messages(ctx, op, queryOwnSince, batch(limit), args(appleDate(since)))
	if damaged(err) {
		found, err = db.datedDamage(ctx, op, querySinceIDs, since)
		found = slices.DeleteFunc(found, func(m Message) bool { return !m.FromMe })
	}
	return found[:min(len(found), batch(limit))], err
}

func batch(limit int) int {
	if limit <= 0 {
		return MaxBatch
	}
	return min(limit, MaxBatch)
}

// messages runs one statement once for each list of its values; several see one
// snapshot. A limit of zero is none.
func (db *DB) messages(ctx context.Context, op string, q query, limit int, values ...[]driver.NamedValue) (found []Message, err error) {
	read := db.read
	if len(values) == 1 {
		read = db.readOnce
	}
	err = read(ctx, op, func(s *session) error {
		j := joiner{session: s, limit: limit}
		for _, one := range values {
			if err := s.queryUntil(ctx, q, one, j.add); err != nil {
				return err
			}
		}
		found = j.found
		return j.complete(ctx)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// DirectChats gives the one-to-one chats with a handle that Messages knows
// already, most recently used first. A handle is an E.164 number or an address
// in lower case, as Messages writes them. Where a newest message lies on damaged pages
// no LastService is known.
func (db *DB) DirectChats(ctx context.Context, handle string) ([]Chat, error) {
	if strings.Contains(handle, "@") {
		handle = strings.ToLower(handle)
	}
	chats, err := db.directChats(ctx, queryDirectChats, handle)
	if damaged(err) {
		chats, err = db.directChats(ctx, queryBareChats, handle)
	}
	return chats, err
}

func (db *DB) directChats(ctx context.Context, q query, handle string) (chats []Chat, err error) {
	err = db.read(ctx, "find chats", func(s *session) error {
		chats = nil
		return s.query(ctx, q, args(handle), func(r row) {
			c := chatOf(r)
			c.LastService = r.name(len(chatColumns))
			if !c.Group() && c.GUID != "" {
				chats = append(chats, *c)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return chats, nil
}

// each makes a list of values of each key.
func each[T int64 | string](keys []T) [][]driver.NamedValue {
	list := make([][]driver.NamedValue, len(keys))
	for i, key := range keys {
		list[i] = args(key)
	}
	return list
}
