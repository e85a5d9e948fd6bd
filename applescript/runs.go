package applescript

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Run names a run of which there are files.
type Run struct {
	ID      string
	Attempt int
	Changed time.Time // when the newest of its files was written
}

// Runs lists the runs that were made, or begun, and not forgotten, in no order.
func (s *Sender) Runs() ([]Run, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	found := make(map[Run]time.Time)
	for _, e := range entries {
		r, ok := parseRun(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a shim has just renamed it
		}
		if err != nil {
			return nil, fmt.Errorf("list the runs: %w", err)
		}
		if info.ModTime().After(found[r]) {
			found[r] = info.ModTime()
		}
	}
	list := make([]Run, 0, len(found))
	for r, changed := range found {
		r.Changed = changed
		list = append(list, r)
	}
	return list, nil
}

// parseRun reads ID.ATTEMPT.EXTENSION.
func parseRun(name string) (Run, bool) {
	id, rest, _ := strings.Cut(name, ".")
	number, _, ok := strings.Cut(rest, ".")
	attempt, err := strconv.Atoi(number)
	return Run{ID: id, Attempt: attempt}, ok && err == nil && attempt > 0 && plain(id)
}
