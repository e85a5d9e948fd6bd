package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// schedule is the durable list of what Messages will do: one row per message
// whose life goes on, with the time of its next step. Times are Unix
// microseconds, so that a sped-up simulator still keeps its order.
type schedule struct {
	file *sqlFile
}

const scheduleTables = `
CREATE TABLE IF NOT EXISTS lives (
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	due  INTEGER NOT NULL,
	step INTEGER NOT NULL,
	life BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS lives_by_due ON lives (due, id);
CREATE TABLE IF NOT EXISTS denied (
	recipient TEXT NOT NULL,
	value     TEXT NOT NULL,
	PRIMARY KEY (recipient, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trouble (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	shares BLOB NOT NULL
);`

func openSchedule(ctx context.Context, dir string) (*schedule, error) {
	file, err := openSQLFile(ctx, filepath.Join(dir, scheduleName))
	if err != nil {
		return nil, fmt.Errorf("open schedule: %w", err)
	}
	if err := file.script(ctx, scheduleTables); err != nil {
		return nil, errors.Join(fmt.Errorf("make schedule: %w", err), file.close())
	}
	return &schedule{file: file}, nil
}

func (s *schedule) close() error { return s.file.close() }

// add is durable against the end of this process when it returns.
func (s *schedule) add(ctx context.Context, l *life, due time.Time) error {
	blob, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	_, err = s.file.exec(ctx, "INSERT INTO lives (due, step, life) VALUES (?, 0, ?)", due.UnixMicro(), blob)
	if err != nil {
		return fmt.Errorf("schedule message: %w", err)
	}
	return nil
}

// next is when the earliest step is due; false where nothing is waiting.
func (s *schedule) next(ctx context.Context) (due time.Time, ok bool, err error) {
	var micros int64
	ok, err = s.file.find(ctx, []any{&micros}, "SELECT due FROM lives ORDER BY due, id LIMIT 1")
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read schedule: %w", err)
	}
	return time.UnixMicro(micros), ok, nil
}

// first is the message whose step is the earliest, with that step's number.
func (s *schedule) first(ctx context.Context) (id int64, number int, l *life, err error) {
	var blob []byte
	ok, err := s.file.find(ctx, []any{&id, &number, &blob},
		"SELECT id, step, life FROM lives ORDER BY due, id LIMIT 1")
	if err != nil {
		return 0, 0, nil, fmt.Errorf("read schedule: %w", err)
	}
	if !ok {
		return 0, 0, nil, nil
	}
	l = new(life)
	if err := json.Unmarshal(blob, l); err != nil {
		return 0, 0, nil, fmt.Errorf("decode scheduled message %d: %w", id, err)
	}
	if number >= len(l.Steps) {
		return 0, 0, nil, fmt.Errorf("scheduled message %d has no step %d", id, number)
	}
	return id, number, l, nil
}

// advance moves a message to its next step, or ends its life where due is
// zero, and adds what its step has brought about, as one commit.
func (s *schedule) advance(ctx context.Context, id int64, number int, due time.Time, born *life, bornDue time.Time) error {
	return s.file.commit(ctx, func() error {
		if born != nil {
			if err := s.add(ctx, born, bornDue); err != nil {
				return err
			}
		}
		var err error
		if due.IsZero() {
			_, err = s.file.exec(ctx, "DELETE FROM lives WHERE id = ?", id)
		} else {
			_, err = s.file.exec(ctx, "UPDATE lives SET step = ?, due = ? WHERE id = ?", number, due.UnixMicro(), id)
		}
		if err != nil {
			return fmt.Errorf("advance message %d: %w", id, err)
		}
		return nil
	})
}

// deny says whether this is the first attempt of value to recipient, and
// remembers it.
func (s *schedule) deny(ctx context.Context, recipient, value string) (bool, error) {
	res, err := s.file.exec(ctx, "INSERT OR IGNORE INTO denied (recipient, value) VALUES (?, ?)",
		recipient, digest(value))
	if err != nil {
		return false, fmt.Errorf("remember denial: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("remember denial: %w", err)
	}
	return n == 1, nil
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
