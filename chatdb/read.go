package chatdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	// MaxBatch is the most messages that one call of After or OwnSince gives,
	// so that its read transaction stays short. A smaller limit is kept; zero
	// and less mean MaxBatch.
	MaxBatch = 1000

	// maxNamed bounds the attachments that are looked up for one message by the
	// names in its body, which another person wrote.
	maxNamed = 256

	// chunk is how many rows are looked up by key in one read transaction.
	chunk = 500
)

// After gives the messages above rowid in the order of ROWID, at most limit of
// them, each complete with chats and attachments as they stand at this moment.
// All of it is one read transaction.
//
// It sees new rows only. What happens to a row later is found by reading it
// again (Rows) and comparing (Diff). Nor is a ROWID a time: iCloud inserts
// messages of years ago with new ROWIDs, thousands at once.
func (db *DB) After(ctx context.Context, rowid int64, limit int) ([]Message, error) {
	found, err := db.messages(ctx, "read new messages", queryAfter, args(rowid, batch(limit)))
	if damaged(err) {
		return db.afterDamage(ctx, rowid, batch(limit))
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
		found, err := db.messages(ctx, "read messages", queryRows, args(jsonList(part)))
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

// Before gives the last messages below rowid, newest first, at most limit of them.
func (db *DB) Before(ctx context.Context, rowid int64, limit int) ([]Message, error) {
	return db.messages(ctx, "read messages before a row", queryBefore, args(rowid, batch(limit)))
}

// Dated gives messages of exactly that date, to the nanosecond, in the order of
// ROWID, at most limit of them. Two rows of one date are, but for chance, two copies
// of one message. It does not find rows of before macOS 10.13.
func (db *DB) Dated(ctx context.Context, date time.Time, limit int) ([]Message, error) {
	return db.messages(ctx, "read messages of a date", queryDated, args(appleDate(date), batch(limit)))
}

// FindGUIDs gives the messages with these guids in the order of ROWID; those
// that do not exist, or lie on damaged pages, are left out.
func (db *DB) FindGUIDs(ctx context.Context, guids []string) ([]Message, error) {
	guids = slices.Compact(slices.Sorted(slices.Values(guids)))
	var all []Message
	for part := range slices.Chunk(guids, chunk) {
		found, err := db.messages(ctx, "find messages", queryGUIDs, args(jsonList(part)))
		if damaged(err) {
			found, err = db.findEach(ctx, part)
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
// limit of them: the candidates for a match where no ROWID can be trusted. It
// does not find rows of before macOS 10.13, which are dated in seconds.
func (db *DB) OwnSince(ctx context.Context, since time.Time, limit int) ([]Message, error) {
	return db.messages(ctx, "read own messages", queryOwnSince, args(appleDate(since), batch(limit)))
}

func batch(limit int) int64 {
	if limit <= 0 || limit > MaxBatch {
		limit = MaxBatch
	}
	return int64(limit)
}

func (db *DB) messages(ctx context.Context, op string, q query, args []driver.NamedValue) (found []Message, err error) {
	err = db.read(ctx, op, func(s *session) error {
		found = nil
		if err := s.query(ctx, q, args, func(r row) { found = append(found, messageOf(r)) }); err != nil {
			return err
		}
		return complete(ctx, s, found)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// complete adds what is joined to the messages.
func complete(ctx context.Context, s *session, found []Message) error {
	if len(found) == 0 {
		return nil
	}
	byRow := make(map[int64]*Message, len(found))
	ids := make([]int64, len(found))
	for i := range found {
		byRow[found[i].RowID], ids[i] = &found[i], found[i].RowID
	}
	if err := addChats(ctx, s, byRow, ids); err != nil {
		return err
	}
	return addAttachments(ctx, s, found, byRow, ids)
}

func addChats(ctx context.Context, s *session, byRow map[int64]*Message, ids []int64) error {
	chats := make(map[int64]*Chat)
	join := func(r row) *Message {
		m, id := byRow[r.int(0)], r.int(1)
		if chats[id] == nil {
			chats[id] = chatOf(r, 1)
		}
		m.join(chats[id])
		return m
	}
	if err := s.query(ctx, queryChats, args(jsonList(ids)), func(r row) { join(r) }); err != nil {
		return err
	}
	// Deleting moves the join of a message to another table, so a row without
	// a chat is either too young or in Recently Deleted.
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return byRow[id].Chat != nil })
	if len(ids) == 0 {
		return nil
	}
	return s.query(ctx, queryTrash, args(jsonList(ids)), func(r row) { join(r).Deleted = true })
}

func addAttachments(ctx context.Context, s *session, found []Message, byRow map[int64]*Message, ids []int64) error {
	err := s.query(ctx, queryAttachments, args(jsonList(ids)), func(r row) {
		m := byRow[r.int(0)]
		m.Attachments = append(m.Attachments, attachmentOf(r, 1))
	})
	if err != nil {
		return err
	}
	// Images of groups were met without join rows (macOS 15.7.7): the body
	// alone names them.
	unjoined := make(map[string][]*Message)
	for i := range found {
		for _, guid := range found[i].Body.attachments() {
			if !slices.ContainsFunc(found[i].Attachments, func(a Attachment) bool { return a.GUID == guid }) {
				unjoined[guid] = append(unjoined[guid], &found[i])
			}
		}
	}
	if len(unjoined) > 0 {
		guids := make([]string, 0, len(unjoined))
		for guid := range unjoined {
			guids = append(guids, guid)
		}
		err := s.query(ctx, queryAttachmentGUIDs, args(jsonList(guids)), func(r row) {
			for _, m := range unjoined[r.text(0)] {
				m.Attachments = append(m.Attachments, attachmentOf(r, 1))
			}
		})
		if err != nil {
			return err
		}
	}
	for i := range found {
		found[i].orderAttachments()
	}
	return nil
}

// attachments lists the attachments that the body names, in order.
func (b Body) attachments() (guids []string) {
	for _, run := range b.Runs {
		if len(guids) == maxNamed {
			break
		}
		if run.Attachment != "" && !slices.Contains(guids, run.Attachment) {
			guids = append(guids, run.Attachment)
		}
	}
	return guids
}

func (m *Message) orderAttachments() {
	if len(m.Attachments) < 2 {
		return
	}
	named := m.Body.attachments()
	place := func(a Attachment) int {
		if i := slices.Index(named, a.GUID); i >= 0 {
			return i
		}
		return len(named)
	}
	slices.SortFunc(m.Attachments, func(a, b Attachment) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.RowID, b.RowID))
	})
}

// DirectChats gives the one-to-one chats with a handle that Messages knows
// already, most recently used first. A handle is an E.164 number or an address
// in lower case, as Messages writes them.
func (db *DB) DirectChats(ctx context.Context, handle string) (chats []Chat, err error) {
	if strings.Contains(handle, "@") {
		handle = strings.ToLower(handle)
	}
	err = db.read(ctx, "find chats", func(s *session) error {
		chats = nil
		return s.query(ctx, queryDirectChats, args(handle), func(r row) {
			c := chatOf(r, 0)
			c.LastService = r.text(len(chatColumns))
			if !c.Group() {
				chats = append(chats, *c)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return chats, nil
}

// jsonList writes a list for json_each. Numbers and strings cannot fail to be
// written.
func jsonList[T int64 | string](list []T) string {
	b, _ := json.Marshal(list)
	return string(b)
}
