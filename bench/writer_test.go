//go:build linux

package bench_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// load is what the writing process does.
type load struct {
	Messages int           `json:"messages"`
	Pace     time.Duration `json:"pace"` // from one message to the next; 0 is all at once
	Gap      time.Duration `json:"gap"`  // between the commit of the row and that of its join
	Split    bool          `json:"split"`
}

// runWriter plays Messages: it commits rows and prints, for each, its ROWID and when
// its last commit returned.
func runWriter(path string, l load) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_synchronous=NORMAL&_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	body, err := os.ReadFile("../chatdb/testdata/typedstream/made/ascii-len-110")
	if err != nil {
		return err
	}
	row, err := conn.PrepareContext(ctx, `INSERT INTO message (guid, attributedBody, handle_id, service, account, destination_caller_id, date, is_finished)
		VALUES (?, ?, ?, 'iMessage', 'P:+14155559876', '+14155559876', ?, 1)`)
	if err != nil {
		return err
	}
	join, err := conn.PrepareContext(ctx, "INSERT INTO chat_message_join (chat_id, message_id, message_date) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	type commit struct{ rowid, at int64 }
	commits := make([]commit, 0, l.Messages)
	next := time.Now()
	for i := range l.Messages {
		time.Sleep(time.Until(next))
		next = next.Add(l.Pace)
		date := apple(time.Now())
		var id int64
		insert := func() error {
			res, err := row.ExecContext(ctx, fmt.Sprintf("NEW-%d-%d", os.Getpid(), i), body, 1+i%people, date)
			if err == nil {
				id, err = res.LastInsertId()
			}
			return err
		}
		link := func() error { _, err := join.ExecContext(ctx, 1+i%people, id, date); return err }
		if l.Split {
			// Outside of a transaction each statement is a commit of its own.
			if err := insert(); err != nil {
				return err
			}
			time.Sleep(l.Gap)
			if err := link(); err != nil {
				return err
			}
		} else if err := inOne(ctx, conn, insert, link); err != nil {
			return err
		}
		commits = append(commits, commit{id, time.Now().UnixNano()})
	}
	out := bufio.NewWriter(os.Stdout)
	for _, c := range commits {
		fmt.Fprintln(out, c.rowid, c.at)
	}
	return out.Flush()
}

func inOne(ctx context.Context, conn *sql.Conn, steps ...func() error) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}
