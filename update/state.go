package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// stateFile, in the daemon's state folder, is what survives the processes of an update. It
// is changed in one step, and on disk before anything follows from it.
const stateFile = "update.json"

// State is how far an update has come.
type State struct {
	Seen    string   `json:"seen,omitempty"`    // the newest version that was ever offered with a good signature
	Refused []string `json:"refused,omitempty"` // versions that did not come up here
	Ready   *Ready   `json:"ready,omitempty"`   // a program that is checked and waits to be put in place
	Trial   *Trial   `json:"trial,omitempty"`   // a version that has to show that it works
	Failed  *Failed  `json:"failed,omitempty"`  // the last version that could not be put in place
}

// Ready is a program that waits for the daemon to have nothing in hand.
type Ready struct {
	Version string `json:"version"`
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// Trial is a version in its first minutes.
type Trial struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Starts int    `json:"starts"` // how often it was begun without having shown that it works
}

// Failed is a version that could not be put in place, and when. The daemon that looks for
// updates by itself leaves it for a while: each try has it drain and start anew.
type Failed struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"` // UTC
}

// ReadState reads the state of a folder; where there is none it is empty. A file that cannot
// be understood is an empty one too: an update begins anew then.
func ReadState(dir string) (State, error) {
	var s State
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read how far an update has come: %w", err)
	}
	if json.Unmarshal(data, &s) != nil {
		return State{}, nil
	}
	return s, nil
}

// change reads the state, lets edit change it, and writes it, while no other process does.
// What edit answers is returned as it is, and then nothing is written.
func change(dir string, edit func(*State) error) error {
	lock, err := os.OpenFile(filepath.Join(dir, "update.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the update: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the update: %w", err)
	}
	s, err := ReadState(dir)
	if err != nil {
		return err
	}
	if err := edit(&s); err != nil {
		return err
	}
	if err := s.replace(dir); err != nil {
		return fmt.Errorf("note how far the update has come: %w", err)
	}
	return nil
}

func (s State) replace(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, stateFile))
	}
	if err != nil {
		return err
	}
	return syncFolder(dir)
}

// onTrial tells whether a version has yet to show that it works.
func (s State) onTrial(version string) bool { return s.Trial != nil && s.Trial.To == version }

// maxRefused bounds the list of versions that did not work.
const maxRefused = 20

func (s *State) refuse(version string) {
	if !slices.Contains(s.Refused, version) {
		s.Refused = append(s.Refused, version)
	}
	s.Refused = s.Refused[max(0, len(s.Refused)-maxRefused):]
}
