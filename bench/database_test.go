//go:build linux

package bench_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// databases are the generated chat.db files of this run, by their number of messages.
var databases struct {
	sync.Mutex
	dir  string
	made map[int]string
}

// database gives the path of a chat.db with that many messages, made once a run.
func database(b *testing.B, messages int) string {
	b.Helper()
	databases.Lock()
	defer databases.Unlock()
	if path := databases.made[messages]; path != "" {
		return path
	}
	path := filepath.Join(databases.dir, fmt.Sprintf("%d.db", messages))
	if err := generate(path, messages); err != nil {
		b.Fatal(err)
	}
	if databases.made == nil {
		databases.made = make(map[int]string)
	}
	databases.made[messages] = path
	return path
}

const (
	people = 200 // with one chat each
	spread = 600 // seconds between two messages
)

// indexes are those of Messages that a reader uses; the schema in testdata leaves them
// out.
const indexes = `
CREATE INDEX message_idx_date ON message (date);
CREATE INDEX message_idx_handle ON message (handle_id, date);
CREATE INDEX chat_message_join_idx_message_id_only ON chat_message_join (message_id);
CREATE INDEX chat_message_join_idx_message_date_id_chat_id ON chat_message_join (chat_id, message_date, message_id);
CREATE INDEX message_attachment_join_idx_message_id ON message_attachment_join (message_id);
`

// generate writes a third of own messages, with receipts, and the rest received. The
// pragmas make it fast and would lose everything in a crash.
func generate(path string, messages int) error {
	schema, err := os.ReadFile("../chatdb/testdata/schema-macos26.6.2.sql")
	if err != nil {
		return err
	}
	body, err := os.ReadFile("../chatdb/testdata/typedstream/made/ascii-len-110")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=OFF&_synchronous=OFF&_cache_size=-200000")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	first := apple(time.Now().Add(-time.Duration(messages) * spread * time.Second))
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{string(schema), nil},
		{"BEGIN", nil},
		{numbers + "INSERT INTO handle (ROWID, id, service) SELECT i, printf('+1415555%04d', i), 'iMessage' FROM k", []any{people}},
		{numbers + "INSERT INTO chat (ROWID, guid, style, chat_identifier, service_name) SELECT i, printf('any;-;+1415555%04d', i), 45, printf('+1415555%04d', i), 'iMessage' FROM k", []any{people}},
		{"INSERT INTO chat_handle_join (chat_id, handle_id) SELECT ROWID, ROWID FROM chat", nil},
		{numbers + `INSERT INTO message (ROWID, guid, attributedBody, handle_id, service, account, destination_caller_id, date, is_finished, is_from_me, is_sent, is_delivered, date_delivered, is_read, date_read)
			SELECT i, printf('%08X-0000-4000-8000-%012X', i, i), ?2, 1 + i % ?3, 'iMessage', 'P:+14155559876', '+14155559876', ?4 + i * ?5, 1, i % 3 = 0, i % 3 = 0,
			1, iif(i % 3 = 0, ?4 + i * ?5 + 1000000000, 0), i % 2 = 0, iif(i % 2 = 0, ?4 + i * ?5 + 2000000000, 0) FROM k`,
			[]any{messages, body, people, first, int64(spread * time.Second)}},
		{"INSERT INTO chat_message_join (chat_id, message_id, message_date) SELECT handle_id, ROWID, date FROM message", nil},
		{indexes, nil},
		{"COMMIT", nil},
		{"PRAGMA journal_mode = WAL", nil},
	} {
		if _, err := db.Exec(q.sql, q.args...); err != nil {
			return fmt.Errorf("%.60s: %w", q.sql, err)
		}
	}
	return nil
}

// numbers is a table k with i from 1 to the first argument.
const numbers = "WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < ?1) "

// apple is a date column.
func apple(t time.Time) int64 {
	return t.Sub(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).Nanoseconds()
}
