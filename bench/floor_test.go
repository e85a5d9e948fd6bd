//go:build linux

package bench_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

// selectNew is the one statement of the floors: a message and its chat.
const selectNew = `SELECT m.ROWID, m.guid, m.text, m.attributedBody, m.handle_id, m.date, cm.chat_id
	FROM chat_message_join cm JOIN message m ON m.ROWID = cm.message_id WHERE cm.message_id > ? ORDER BY cm.message_id`

// readFloor is the least that a reader must do: one prepared SELECT after each event
// of the folder. The event of a commit comes before the commit can be seen, so that
// it looks again for a moment. It decodes nothing, follows nothing and would not
// survive a replaced file.
func readFloor(ctx context.Context, path string, messages int, ready func(), got func(rowid int64)) error {
	conn, err := (&sqlite3.SQLiteDriver{}).Open("file:" + path + "?mode=ro&_query_only=1")
	if err != nil {
		return err
	}
	defer conn.Close()
	stmt, err := conn.(*sqlite3.SQLiteConn).PrepareContext(ctx, selectNew)
	if err != nil {
		return err
	}
	defer stmt.Close()
	last, err := newest(ctx, conn.(*sqlite3.SQLiteConn))
	if err != nil {
		return err
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MODIFY); err != nil {
		return err
	}
	ready()
	events := make([]byte, 64<<10)
	for left := messages; left > 0; {
		// A second without an event, as any reader would have a net beneath them.
		if err := pause(fd, time.Second); err != nil {
			return err
		}
		for range 20 {
			if _, err := unix.Read(fd, events); err != nil && !errors.Is(err, unix.EAGAIN) {
				return err
			}
			n, err := selectAfter(ctx, stmt.(*sqlite3.SQLiteStmt), &last, got)
			if err != nil {
				return err
			}
			if left -= n; n > 0 {
				break
			}
			if err := pause(fd, 50*time.Microsecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// pause waits for an event.
func pause(fd int, d time.Duration) error {
	timeout := unix.NsecToTimespec(d.Nanoseconds())
	_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

func selectAfter(ctx context.Context, stmt *sqlite3.SQLiteStmt, last *int64, got func(int64)) (n int, err error) {
	rows, err := stmt.QueryContext(ctx, []driver.NamedValue{{Ordinal: 1, Value: *last}})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values := make([]driver.Value, 7)
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		*last = values[0].(int64)
		got(*last)
		n++
	}
}

func newest(ctx context.Context, conn *sqlite3.SQLiteConn) (rowid int64, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT MAX(ROWID) FROM message", nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values := make([]driver.Value, 1)
	if err := rows.Next(values); err != nil {
		return 0, err
	}
	return values[0].(int64), nil
}
