package launchd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// recordFile lies in the state folder, and marks it as one of ours.
const recordFile = "install.json"

// Record is what the last install did that a later one, or a person, wants to know.
type Record struct {
	Identity    string `json:"identity"`    // name of the certificate; empty is this Mac's own
	Requirement string `json:"requirement"` // by which macOS knows the program

	// Changed is set where an install changed the requirement: then macOS took the program
	// for another one, and the permissions of the former do not hold.
	Changed *Change `json:"changed,omitempty"`
}

// Change is the step from one identity to another.
type Change struct {
	At   time.Time `json:"at"`
	From string    `json:"from"` // requirements
	To   string    `json:"to"`
}

// ReadRecord reads the record of a state folder; where there is none it is empty.
func ReadRecord(stateDir string) (Record, error) {
	var r Record
	data, err := os.ReadFile(filepath.Join(stateDir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read what the last install noted: %w", err)
	}
	return r, nil
}

// next is the record after an install under another, or the same, requirement.
func (r Record) next(identity, requirement string, now time.Time) Record {
	if r.Requirement != "" && r.Requirement != requirement {
		r.Changed = &Change{At: now.UTC().Truncate(time.Second), From: r.Requirement, To: requirement}
	}
	r.Identity, r.Requirement = identity, requirement
	return r
}

func (r Record) write(stateDir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		var root *os.Root
		if root, err = os.OpenRoot(stateDir); err == nil {
			defer root.Close()
			err = replace(root, recordFile, append(data, '\n'))
		}
	}
	if err != nil {
		return fmt.Errorf("note what was installed: %w", err)
	}
	return nil
}
