package launchd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// stateFiles are all that the daemon has in its state folder: a purge removes them and
// nothing else, and a folder without any of them is somebody else's.
var stateFiles = []string{
	recordFile, "signing", // of this package
	"lock", "credential.lock", "import.lock", "agent.sock",
	"credential.json", "chat_db.json", "import.json", "in_hand.json",
	"journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal",
	"sends", "copies",
	"update.json", "update.lock", "update",
}

// finderFile is what the Finder leaves in any folder that it has shown.
const finderFile = ".DS_Store"

// isState tells whether a name in the state folder is one of ours, or the remains of a crash
// while one of the .json files was written.
func isState(name string) bool {
	return slices.ContainsFunc(stateFiles, func(ours string) bool {
		return name == ours || strings.HasSuffix(ours, ".json") && strings.HasPrefix(strings.TrimPrefix(name, "."), ours+".")
	})
}

// isForeign tells whether dir holds something, and nothing of what is ours. A folder that is
// not there is not foreign.
func isForeign(dir string, ours func(string) bool) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("look into the folder: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == finderFile })
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return ours(e.Name()) }), nil
}

// privateFolder makes a folder that is its owner's alone, and takes others' rights from one
// that is there, unless that holds only what is not ours.
func privateFolder(dir string, ours func(string) bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("folder %s belongs to another user: give it back with `sudo chown -R $(id -un) '%s'`, or choose another one", dir, dir)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if foreign, err := isForeign(dir, ours); err != nil || foreign {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the folder to others: %w", err)
	}
	return nil
}

// removeState removes what is ours from the state folder, and the folder where nothing else
// is in it.
func removeState(dir string) error {
	// The folder itself, and not only a link that leads to it.
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	for _, e := range entries {
		if name := e.Name(); !isState(name) && name != finderFile || name == recordFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(real, e.Name())); err != nil {
			return fmt.Errorf("remove %s: %w", filepath.Join(dir, e.Name()), err)
		}
	}
	// Last, because it is what says that the folder is ours.
	if err := os.RemoveAll(filepath.Join(real, recordFile)); err != nil {
		return fmt.Errorf("remove %s: %w", filepath.Join(dir, recordFile), err)
	}
	// They stay where somebody else has put something there.
	if os.Remove(real) == nil && real != dir {
		_ = os.Remove(dir)
	}
	return nil
}
