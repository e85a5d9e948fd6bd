package applescript

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"bluerelay/fault"
)

// run names the files of one attempt at one message in the Sender's folder.
type run struct {
	dir  string
	base string // ID.ATTEMPT
}

// maxID is the length of an id in bytes.
const maxID = 64

// plain tells whether an id is fit for a file's name. No regular expression: they
// would be compiled at each start of the shim.
func plain(id string) bool {
	return id != "" && len(id) <= maxID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// newRun refuses ids that are not plain file names: they come over the network.
func newRun(dir, id string, attempt int) (run, error) {
	if !plain(id) || attempt < 1 {
		return run{}, fmt.Errorf("%q, attempt %d, cannot name a file", id, attempt)
	}
	return run{dir: dir, base: fmt.Sprintf("%s.%d", id, attempt)}, nil
}

func (r run) path(ext string) string { return filepath.Join(r.dir, r.base+ext) }

const (
	lockExt   = ".lock"
	markerExt = ".marker"
	resultExt = ".result"
	tmpExt    = ".tmp" // after the extension of a file that is being written
)

// exists tells whether the file with that extension is there.
func (r run) exists(ext string) (bool, error) {
	_, err := os.Lstat(r.path(ext))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// remove deletes all files of the run.
func (r run) remove() error {
	fault.Before(fault.ShimForget)
	var errs []error
	for _, ext := range []string{resultExt + tmpExt, resultExt, markerExt, lockExt} {
		if err := os.Remove(r.path(ext)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	fault.After(fault.ShimForget)
	return errors.Join(errs...)
}

// lock opens the lock file and takes it, or reports busy. The lock belongs to the
// open file, so a child that inherits the file holds it as long as it lives,
// whatever becomes of its parent.
func (r run) lock() (f *os.File, busy bool, err error) { return lockPath(r.path(lockExt)) }

func lockPath(path string) (f *os.File, busy bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, false, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("lock %s: %w", path, err)
}

// release gives a lock back that no child is to hold. Closing the file alone would
// not do: a process that is being started this instant has it too, until its exec.
func release(lock *os.File) {
	_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_UN) // the close below does it too, later
	lock.Close()
}

// locks tells whether f is this run's lock file.
func (r run) locks(f *os.File) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(r.path(lockExt))
	return err == nil && os.SameFile(held, named)
}

// writeDurable puts data under the name such that after a power cut the file is
// either whole or absent, and present once the call has returned.
func (r run) writeDurable(ext string, data []byte) error {
	tmp := r.path(ext + tmpExt)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync() // on macOS Go's Sync is F_FULLFSYNC
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		fault.Before(fault.ShimResult)
		err = os.Rename(tmp, r.path(ext))
	}
	if err == nil {
		err = syncDir(r.dir)
	}
	return err
}

// mark puts the marker there. It is empty, so the folder's entry is all that has to
// reach the disk: one wait instead of two on the way of a message.
func (r run) mark() error {
	f, err := os.OpenFile(r.path(markerExt), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	fault.Before(fault.ShimMark)
	if err := syncDir(r.dir); err != nil {
		// Nothing has begun: where the marker stays all the same, it only costs a doubt.
		return errors.Join(err, os.Remove(r.path(markerExt)))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
