//go:build linux

package bench_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// readPlain is the floor as one would write it in an afternoon, with the libraries
// that chatdb uses too: wait for fsnotify, run one prepared SELECT of the rows and
// their chats through database/sql, and look again for a moment, because the event of
// a commit comes before the commit can be seen. Like the floor it decodes nothing,
// follows nothing and would not survive a replaced file.
func readPlain(ctx context.Context, path string, messages int, ready func(), got func(rowid int64)) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_query_only=1")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	stmt, err := db.PrepareContext(ctx, selectNew)
	if err != nil {
		return err
	}
	defer stmt.Close()
	var last int64
	if err := db.QueryRowContext(ctx, "SELECT MAX(ROWID) FROM message").Scan(&last); err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(path)); err != nil {
		return err
	}
	ready()
	for left := messages; left > 0; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.Events:
		case <-time.After(time.Second):
		}
		for range 20 {
			n, err := queryAfter(ctx, stmt, &last, got)
			if err != nil {
				return err
			}
			if left -= n; n > 0 {
				break
			}
			select {
			case <-w.Events:
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

func queryAfter(ctx context.Context, stmt *sql.Stmt, last *int64, got func(int64)) (n int, err error) {
	rows, err := stmt.QueryContext(ctx, *last)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			guid               string
			text               sql.NullString
			body               []byte
			handle, date, chat int64
		)
		if err := rows.Scan(last, &guid, &text, &body, &handle, &date, &chat); err != nil {
			return n, err
		}
		got(*last)
		n++
	}
	return n, rows.Err()
}
