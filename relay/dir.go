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

// replaceFile puts a file of the owner only, mode 0600, in the place of one of that name. It
// is the old one or the new one, whole, whatever happens, and when replaceFile has returned
// nil it survives a power cut. ready is called when only the name is left to change.
func replaceFile(dir, name string, data []byte, ready func()) error {
	f, err := os.CreateTemp(dir, name+".*") // 0600 by its nature
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		ready()
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err == nil {
		err = syncFolder(dir)
	}
	return err
}
