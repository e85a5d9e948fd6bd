package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// disk is a folder that can become full, where the system lets us make one.
type disk struct {
	dir   string
	small bool
	// room is held while the disk is full, and by whoever needs room on it.
	room sync.Mutex
}

// diskSize is enough for the databases of one round.
const diskSize = 256 << 20

func newDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &disk{dir: dir, small: mountDisk(dir, diskSize)}, nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no room until empty. It returns false where that is not possible here
// and now.
func (d *disk) fill() bool {
	if !d.small || !d.room.TryLock() {
		return false
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		d.room.Unlock()
		return false
	}
	defer f.Close()
	_, _ = io.Copy(f, endless{}) // until there is no room
	return true
}

func (d *disk) empty() error {
	defer d.room.Unlock()
	err := os.Remove(d.ballast())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (d *disk) remove() {
	if d.small {
		_ = unmountDisk(d.dir) // gone with the program at the latest
	}
}

// endless gives zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
