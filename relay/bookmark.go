package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"bluerelay/chatdb"
)

const importFile = "import.json"

// bookmark is how far an import has come. It is a file of its own, because the
// journal belongs to the daemon; to lose it costs a repetition and nothing else, so
// that it does not wait for the disk.
type bookmark struct {
	path  string
	Relay string      `json:"relay"` // another pairing is another cloud, or another scope
	Since time.Time   `json:"since"`
	Mark  chatdb.Mark `json:"mark"` // all rows dated Since or later, up to this one, are done
}

// find gives the first ROWID that is left to do.
func (b bookmark) find(ctx context.Context, db *chatdb.DB) (int64, error) {
	first, err := db.FirstSince(ctx, b.Since)
	if err != nil {
		return 0, err
	}
	data, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return first, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read how far the import came: %w", err)
	}
	var old bookmark
	if json.Unmarshal(data, &old) != nil || old.Relay != b.Relay || b.Since.Before(old.Since) {
		return first, nil
	}
	same, err := sameFile(ctx, db, old.Mark)
	if err != nil || !same {
		return first, err
	}
	return max(first, old.Mark.RowID+1), nil
}

// move notes the last row that is done.
func (b bookmark) move(mark chatdb.Mark) error {
	b.Mark = mark
	data, err := json.Marshal(b)
	if err == nil {
		err = os.WriteFile(b.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(b.path+".new", b.path)
	}
	if err != nil {
		return fmt.Errorf("note how far the import came: %w", err)
	}
	return nil
}

// remove ends an import that is complete: the next one looks at everything again, for
// what was withheld by a scope or lost with a restored cloud.
func (b bookmark) remove() error {
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("note that the import is done: %w", err)
	}
	return nil
}
