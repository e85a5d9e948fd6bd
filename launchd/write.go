package launchd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// DefaultPath returns where macOS looks for the agent of that label for the present user:
// ~/Library/LaunchAgents/LABEL.plist. It creates nothing.
func DefaultPath(label string) (string, error) {
	if err := validateLabel(label); err != nil {
		return "", fmt.Errorf("find launch agent: %w", err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find launch agent: %w", err)
	}
	return filepath.Join(home, "Library", "LaunchAgents", label+".plist"), nil
}

// Write renders the agent and puts it at path, which must be called LABEL.plist, with mode
// 0600. It replaces an older file in one step: after a crash either the old or the new one is
// there, whole. The folder is created with mode 0700 where only it is missing.
//
// launchd starts whatever the file says, so Write refuses a folder that another user owns or
// may write to, and anything at path that is not a regular file, such as a symbolic link.
// It does not tell launchd: the job runs after launchctl bootstrap or the next login.
func (a Agent) Write(path string) error {
	data, err := a.Plist()
	if err != nil {
		return err
	}
	if err := a.write(path, data); err != nil {
		return fmt.Errorf("write launch agent: %w", err)
	}
	return nil
}

func (a Agent) write(path string, data []byte) error {
	dir, name := filepath.Split(path)
	if name != a.Label+".plist" {
		return fmt.Errorf("%s must be called %s.plist, after its label", path, a.Label)
	}
	dir = filepath.Clean(dir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The checks and the write go through one handle, so that the folder cannot be
	// exchanged between them.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := checkFolder(root, dir); err != nil {
		return err
	}
	if info, err := root.Lstat(name); err == nil {
		if err := checkFile(info, path); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := replace(root, name, data); err != nil {
		return err
	}
	return syncFolder(root)
}

func checkFolder(root *os.Root, dir string) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("folder %s can be written by others (mode %o): chmod go-w it", dir, info.Mode().Perm())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("folder %s belongs to another user: run as the user who is signed in to Messages, without sudo", dir)
	}
	return nil
}

// checkFile refuses what somebody else has put where the agent belongs.
func checkFile(info fs.FileInfo, path string) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file (%v): remove it first", path, info.Mode().Type())
	}
	return nil
}

// replace writes a new file beside name and moves it there. launchd reads only *.plist, so it
// never sees the half of one.
func replace(root *os.Root, name string, data []byte) (err error) {
	temporary := "." + name + "." + rand.Text()
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(temporary))
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

// syncFolder makes the rename itself durable.
func syncFolder(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
