package launchd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"howett.net/plist"
)

var (
	// ErrNotInstalled says that the user has no agent of that label.
	ErrNotInstalled = errors.New("bluerelay is not installed for this user: run `bluerelay install`")
	// ErrDamaged says that the agent's property list is not one that Write has written.
	ErrDamaged = errors.New("the launch agent's property list is damaged: run `bluerelay install` again")
)

// ReadAgent reads what Write has written. The error is ErrNotInstalled where there is no
// such file, and ErrDamaged for one that no Agent describes.
func ReadAgent(path string) (Agent, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Agent{}, ErrNotInstalled
	}
	if err != nil {
		return Agent{}, fmt.Errorf("read launch agent: %w", err)
	}
	a, err := parseAgent(data)
	if err != nil {
		return Agent{}, fmt.Errorf("%w (%s: %w)", ErrDamaged, path, err)
	}
	return a, nil
}

func parseAgent(data []byte) (Agent, error) {
	var p properties
	if _, err := plist.Unmarshal(data, &p); err != nil {
		return Agent{}, err
	}
	if len(p.ProgramArguments) == 0 {
		return Agent{}, errors.New("it names no program")
	}
	a := Agent{
		Label: p.Label, Program: p.ProgramArguments[0], Arguments: p.ProgramArguments[1:],
		StateDir: p.WorkingDirectory, LogDir: filepath.Dir(p.StandardErrorPath), Environment: p.EnvironmentVariables,
	}
	if len(p.AssociatedBundleIdentifiers) > 0 {
		a.BundleID = p.AssociatedBundleIdentifiers[0]
	}
	return a, a.validate()
}
