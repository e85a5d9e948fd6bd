package update

import (
	"errors"
	"fmt"
	"slices"
)

// maxStarts is how often a new version may be started without showing that it works.
const maxStarts = 3

// Begin is called by each daemon at its start, before anything else. A version on trial
// counts its starts by it; after the third that came to nothing the former one is put back,
// and again tells that the process should end and be started anew. The sentence is for the
// log, "" where there is nothing to say.
func (u Updater) Begin() (again bool, sentence string, err error) {
	s, err := ReadState(u.Dir)
	if err != nil || s.Trial == nil {
		return false, "", err
	}
	t := *s.Trial
	switch {
	case t.To != u.Version && slices.Contains(s.Refused, t.To):
		return false, fmt.Sprintf("version %s did not come up and was taken back: %s runs again", t.To, u.Version), errors.Join(u.setTrial(nil), u.Place.Keep())
	case t.To != u.Version: // the new one never got to its place
		return false, "", u.setTrial(nil)
	case t.Starts < maxStarts:
		t.Starts++
		return false, fmt.Sprintf("version %s is on trial, start %d of %d: %s is kept until it has reached the cloud", t.To, t.Starts, maxStarts, t.From), u.setTrial(&t)
	}
	if err := change(u.Dir, func(s *State) error { s.refuse(t.To); return nil }); err != nil {
		return false, "", err
	}
	if err := u.Place.Rollback(); err != nil {
		err = fmt.Errorf("put version %s back: %w", t.From, err)
		if errors.Is(err, ErrNoFormer) {
			// There is nothing to go back to: this one goes on, whatever it is.
			err = errors.Join(err, u.setTrial(nil))
		}
		return false, "", err // anything else is tried again at the next start
	}
	return true, fmt.Sprintf("version %s was started %d times and did not get as far as the cloud: %s is put back", t.To, maxStarts, t.From), nil
}

// Good ends the trial of the version that runs: it has reached the cloud, or has been up for
// long enough. It tells whether there was one.
func (u Updater) Good() (bool, error) {
	s, err := ReadState(u.Dir)
	if err != nil || s.Trial == nil || s.Trial.To != u.Version {
		return false, err
	}
	if err := u.setTrial(nil); err != nil {
		return false, err
	}
	return true, u.Place.Keep()
}
