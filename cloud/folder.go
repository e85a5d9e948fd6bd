package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bluerelay/cloud/store"
	"bluerelay/fault"
)

// folder holds the bytes of media: one file for each, named by its id, readable by
// nobody else. While it is on its way the name ends in .part. A file under its plain
// name was whole, checked and on disk before it got that name.
//
// Its methods may be called concurrently for different ids.
type folder struct{ dir string }

const partExt = ".part"

func (f folder) path(id string) string { return filepath.Join(f.dir, id) }

// open opens a stored file for reading.
func (f folder) open(id string) (*os.File, error) { return os.Open(f.path(id)) }

// size is how much of a file is there, 0 where nothing is. A file whose upload had
// ended when the server was killed, before the database knew, becomes a part again.
func (f folder) size(id string) (int64, error) {
	part := f.path(id) + partExt
	err := os.Rename(f.path(id), part)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	info, err := os.Stat(part)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// part opens a file that is on its way, to go on at its end.
func (f folder) part(id string) (*os.File, error) {
	if err := store.MakeDir(f.dir); err != nil {
		return nil, err
	}
	return os.OpenFile(f.path(id)+partExt, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
}

// errOtherBytes says that what came is not what was announced.
var errOtherBytes = errors.New("the bytes are not those of the digest")

// finish checks a part against size and hash and gives it its name. When it has
// returned nil the file survives a power cut; with errOtherBytes it is gone.
func (f folder) finish(id string, part *os.File, size int64, hash string) error {
	// What is hashed below must be what is on disk.
	if err := part.Sync(); err != nil {
		return err
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, part)
	if err != nil {
		return err
	}
	if n != size || hex.EncodeToString(sum.Sum(nil)) != hash {
		return errors.Join(errOtherBytes, f.remove(id))
	}
	fault.Before(fault.CloudUploadFile)
	if err := os.Rename(f.path(id)+partExt, f.path(id)); err != nil {
		return err
	}
	defer fault.After(fault.CloudUploadFile)
	return store.SyncDir(f.dir)
}

// remove deletes a file, whole or not. One that is not there is no error.
func (f folder) remove(id string) error {
	for _, name := range []string{f.path(id), f.path(id) + partExt} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a file: %w", err)
		}
	}
	return nil
}
