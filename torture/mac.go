package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	_ "github.com/mattn/go-sqlite3" // to renumber chat.db, and to check databases

	"bluerelay/simulator"
)

// mac is one simulated Messages.
type mac struct {
	dir      string
	messages *keeper
}

// speed is how much faster than a real Mac the simulated one is.
const speed = 20

func newMac(ctx context.Context, bin programs, dir, number string, seed uint64, s shape) (*mac, error) {
	if err := os.MkdirAll(filepath.Join(dir, "Attachments"), 0o700); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := simulator.Link(self, dir); err != nil {
		return nil, err
	}
	if s.queued {
		if err := os.WriteFile(filepath.Join(dir, longName), nil, 0o600); err != nil {
			return nil, err
		}
	}
	m := &mac{dir: dir}
	m.messages, err = keep(dir+".log", func() *exec.Cmd {
		return exec.Command(bin.bluecloud, "simulate", "messages", "--dir", dir, "--number", number,
			"--speed", strconv.Itoa(speed), "--seed", strconv.FormatUint(seed, 10))
	}, nil)
	if err != nil {
		return nil, err
	}
	if err := m.ready(ctx); err != nil {
		return m, err
	}
	return m, simulator.SetTrouble(ctx, dir, s.trouble())
}

// trouble is what goes wrong in Messages itself.
func (s shape) trouble() simulator.Trouble {
	t := simulator.Trouble{NotListed: 0.02, Denied: 0.01, Drop: 0.01, Late: 0.01, TimeOut: 0.02, TimeOutDrop: 0.005, Ghost: 0.005, Duplicate: 0.005, Alter: 0.02}
	if s.slow {
		t.TimeOut = 0.4
	}
	return t
}

func (m *mac) chatDB() string { return filepath.Join(m.dir, "chat.db") }

// ready waits until Messages takes calls.
func (m *mac) ready(ctx context.Context) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		data, err := os.ReadFile(filepath.Join(m.dir, "messages.json"))
		var address struct{ PID int }
		if err == nil && json.Unmarshal(data, &address) == nil && m.messages.is(address.PID) {
			return nil
		}
	}
	return errors.New("the simulated Messages does not start")
}

// replaceDB puts another file in chat.db's place, with the same rows under other
// numbers, as Messages does after a repair or a restore. Half of the time the numbers
// begin anew, so that new rows lie below old ones.
func (m *mac) replaceDB(ctx context.Context, low bool) error {
	m.messages.hold()
	defer m.messages.release()
	db, err := sql.Open("sqlite3", "file:"+m.chatDB())
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	other := m.chatDB() + ".new"
	move := "+ 100000"
	if low {
		move = "- (SELECT MIN(ROWID) FROM message) + 1"
	}
	for _, q := range []string{
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"VACUUM INTO '" + other + "'",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("copy chat.db: %w", err)
		}
	}
	if err := renumber(ctx, other, move); err != nil {
		return fmt.Errorf("renumber chat.db: %w", err)
	}
	if err := db.Close(); err != nil {
		return err
	}
	for _, ext := range []string{"-wal", "-shm"} {
		if err := os.Remove(m.chatDB() + ext); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.Rename(other, m.chatDB())
}

// renumber gives all messages of a copy other ROWIDs, and leaves it in WAL mode.
func renumber(ctx context.Context, path, move string) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_foreign_keys=0")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{
		"CREATE TEMP TABLE moved AS SELECT ROWID AS old, ROWID " + move + " AS new FROM message",
		// In two steps, because the ranges may overlap.
		"UPDATE message SET ROWID = -(SELECT new FROM moved WHERE old = message.ROWID)",
		"UPDATE message SET ROWID = -ROWID",
		"UPDATE chat_message_join SET message_id = (SELECT new FROM moved WHERE old = message_id)",
		"UPDATE message_attachment_join SET message_id = (SELECT new FROM moved WHERE old = message_id)",
		"UPDATE sqlite_sequence SET seq = (SELECT MAX(ROWID) FROM message) WHERE name = 'message'",
		"DROP TABLE moved",
		"PRAGMA journal_mode = WAL",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
