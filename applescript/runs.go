package applescript

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run names a run of which there are files.
type Run struct {
	ID      string
	Attempt int
	Began   time.Time // when the oldest of its files was written
	Changed time.Time // and the newest
}

// Runs lists the runs that were made, or begun, and not forgotten, in no order.
func (s *Sender) Runs() ([]Run, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	found := make(map[Run]Run) // by the name alone
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
		at, f := info.ModTime(), found[r]
		if f.ID == "" {
			f = Run{r.ID, r.Attempt, at, at}
		}
		if at.Before(f.Began) {
			f.Began = at
		}
		if at.After(f.Changed) {
			f.Changed = at
		}
		found[r] = f
	}
	return slices.Collect(maps.Values(found)), nil
}

// parseRun reads ID.ATTEMPT.EXTENSION.
func parseRun(name string) (Run, bool) {
	id, rest, _ := strings.Cut(name, ".")
	number, _, ok := strings.Cut(rest, ".")
	attempt, err := strconv.Atoi(number)
	return Run{ID: id, Attempt: attempt}, ok && err == nil && attempt > 0 && plain(id)
}
