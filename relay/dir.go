package relay

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// makeDir makes a folder, and those above it that are missing, for their owner only.
// When it has returned nil their names survive a power cut: without its folder a file
// does not, however often it was synced. A folder above that may not be read is
// somebody else's and left alone.
func makeDir(dir string) error {
	top := existing(filepath.Dir(dir))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		if err := syncFolder(at); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		if at == top {
			return nil
		}
	}
}

// existing is the lowest folder of a path that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
