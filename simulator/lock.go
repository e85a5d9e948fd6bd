package simulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrRunning is returned by Serve where another Messages holds the folder.
var ErrRunning = errors.New("a simulated Messages is already running here")

// lockFolder takes the folder for this process. The lock is the kernel's, so
// a killed Messages leaves none behind; the file itself stays.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of simulated Messages: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("start simulated Messages in %s: %w", dir, ErrRunning)
		}
		return nil, fmt.Errorf("lock folder of simulated Messages: %w", err)
	}
	return func() { f.Close() }, nil
}
