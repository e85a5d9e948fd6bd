package chatdb

import "context"

// ChatNamed gives the chat with that guid, letter by letter as Messages wrote it; nil
// where there is none.
func (db *DB) ChatNamed(ctx context.Context, guid string) (found *Chat, err error) {
	err = db.readOnce(ctx, "find a chat", func(s *session) error {
		found = nil
		return s.query(ctx, queryChatGUID, args(guid), func(r row) { found = chatOf(r) })
	})
	return found, err
}

// RowIDOf gives the ROWID of the message with that guid, also where the row itself cannot
// be read; ok is false where there is none.
func (db *DB) RowIDOf(ctx context.Context, guid string) (rowid int64, ok bool, err error) {
	err = db.readOnce(ctx, "find a row", func(s *session) error {
		rowid, ok = 0, false
		return s.query(ctx, queryRowIDOf, args(guid), func(r row) { rowid, ok = r.int(0), true })
	})
	return rowid, ok, err
}
