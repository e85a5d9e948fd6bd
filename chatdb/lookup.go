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
