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
	type name struct {
		id      string
		attempt int
	}
	found := make(map[name]Run)
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
		at := info.ModTime()
		r.Began, r.Changed = at, at
		if f, ok := found[name{r.ID, r.Attempt}]; ok {
			if f.Began.Before(at) {
				r.Began = f.Began
			}
			if f.Changed.After(at) {
				r.Changed = f.Changed
			}
		}
		found[name{r.ID, r.Attempt}] = r
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
