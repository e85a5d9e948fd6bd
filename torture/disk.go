package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// disk is a folder that can become full, where the system lets us make one.
type disk struct {
	dir   string
	small bool
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

// fill leaves no room. It returns false where that is not possible here.
func (d *disk) fill() bool {
	if !d.small {
		return false
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(f, endless{}) // until there is no room
	return err != nil
}

func (d *disk) empty() error {
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
