package update

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long a new version has to count its first start, across launchd's pauses between two
// of them, and how often that is looked at.
const (
	guardFor   = 4 * time.Minute
	guardEvery = time.Second
)

// Guard looks after a version that was put in place until it counts its own starts: one that
// dies or hangs before it has could not take itself back. It is for a process of the former
// version, which Replace keeps. starts tells how often the system has started the program,
// and is false where it is to start it no more: a version that nobody runs is not judged.
// Guard returns true where it put the former one back; the program is to be started anew then.
//
// A restart of the machine ends it, and nobody takes its place.
func (u Updater) Guard(ctx context.Context, starts func(context.Context) (int, bool, error)) (bool, error) {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	first := -1
	for end := time.Now().Add(guardFor); ; {
		if s, err := ReadState(u.Dir); err != nil || !u.mustGuard(s) {
			return false, err
		}
		n, loaded, err := starts(ctx)
		if err == nil && !loaded {
			return false, nil
		}
		if err == nil && first < 0 {
			first = n
		}
		over := time.Now().After(end)
		switch {
		case over && err != nil:
			return false, err
		case over || err == nil && n > first+maxStarts: // the last one may be about to count
			return u.takeBack()
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-tick.C:
		}
	}
}

// mustGuard tells whether the version on trial has replaced this one and has not counted a
// start.
func (u Updater) mustGuard(s State) bool {
	return s.Trial != nil && s.Trial.From == u.Version && s.Trial.Starts == 0
}

// errCounts says that a version has counted a start at the last moment.
var errCounts = errors.New("the new version counts its starts")

// takeBack refuses the version on trial and puts this one back, unless the version has come to
// life meanwhile.
func (u Updater) takeBack() (bool, error) {
	err := change(u.Dir, func(s *State) error {
		if !u.mustGuard(*s) {
			return errCounts
		}
		s.refuse(s.Trial.To)
		return nil
	})
	if errors.Is(err, errCounts) {
		return false, nil
	}
	if err == nil {
		err = u.Place.Rollback()
	}
	if err != nil {
		return false, fmt.Errorf("put version %s back: %w", u.Version, err)
	}
	return true, nil
}
