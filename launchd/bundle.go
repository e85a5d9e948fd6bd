package launchd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bluerelay/mac"
)

// Bundle is the small signed application in which the daemon lives on a Mac. macOS binds
// the person's permissions to its identifier and its signature: both stay the same from one
// version to the next, so that an update asks for nothing.
//
// Beside the bundle, in the hidden folder .bluerelay, the next version is made, and the former
// one is kept for a while. Versions change places in a single step, so that there is a whole
// bundle at Path at any instant, and a program that runs is never written into: the kernel
// would kill it for its signature.
type Bundle struct {
	Path    string // absolute, ending in .app: ~/Applications/bluerelay.app
	Version string // of the program that is put in
	Signer  Signer

	// Requirement is the one by which macOS must go on knowing the program, or Replace refuses
	// with ErrIdentity; empty is any.
	Requirement string
}

var (
	// ErrBusy says that an install or update of the same bundle is under way.
	ErrBusy = errors.New("another install or update is under way: wait until it has ended")
	// ErrIdentity says that the new version would be another program to macOS.
	ErrIdentity = errors.New("signed on this Mac now, the new version would be another program to macOS, which would forget the permissions: run `bluerelay install` from it, and give them again")
	// ErrNoFormer says that there is no former version to go back to.
	ErrNoFormer = errors.New("there is no former version to go back to")
)

// DefaultBundlePath returns where the bundle belongs for the present user:
// ~/Applications/bluerelay.app. It creates nothing.
func DefaultBundlePath() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return filepath.Join(home, "Applications", "bluerelay.app"), nil
}

// Program is the path of the binary in the bundle, the one that launchd starts.
func (b Bundle) Program() string { return programIn(b.Path) }

// FormerProgram is the path of the binary that Replace took away, until Rollback or Keep.
func (b Bundle) FormerProgram() string { return programIn(b.former()) }

func programIn(bundle string) string { return filepath.Join(bundle, "Contents", "MacOS", "bluerelay") }

// Replace makes a signed bundle of the program at binary and puts it in the place of the
// one at Path, if there is one, which is kept for Rollback. A running daemon goes on with
// the old program until it is started again. After an error, ErrBusy among them, or a
// crash at any point, Path holds what it held or the new version, whole.
func (b Bundle) Replace(ctx context.Context, binary string) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := b.stage(ctx, binary); err != nil {
		return err
	}
	if err := b.judge(ctx); err != nil {
		return errors.Join(err, drop(b.next()))
	}
	return b.swap()
}

// startLimit is for a program that says its version.
const startLimit = 20 * time.Second

// judge tells why the next version, as it is signed now, must not take the place of the
// present one. One that macOS does not even start could not take itself back afterwards.
func (b Bundle) judge(ctx context.Context) error {
	if b.Requirement != "" {
		requirement, err := b.Signer.Requirement(ctx, b.next())
		if err != nil {
			return err
		}
		if requirement != b.Requirement {
			return ErrIdentity
		}
	}
	r, err := mac.Start(ctx, startLimit, programIn(b.next()), "--version")
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("it ended with %d", r.Code)
	}
	if err != nil {
		return fmt.Errorf("the new version does not start on this Mac once it is signed, and was not put in place: %w", err)
	}
	return nil
}

// Rollback puts the version that Replace took away back to Path and removes the other. It is
// for who knows that Replace has done its work: the new version itself, or the caller of
// Replace. The error is ErrNoFormer where there is no former version.
func (b Bundle) Rollback() error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return b.rollback()
}

func (b Bundle) rollback() error {
	if _, err := os.Stat(b.former()); errors.Is(err, fs.ErrNotExist) {
		return ErrNoFormer
	}
	if err := b.exchange(); err != nil {
		return err
	}
	return drop(b.former())
}

// Keep ends an update that went well: the former version is removed.
func (b Bundle) Keep() error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return drop(b.former())
}

func (b Bundle) workshop() string { return filepath.Join(filepath.Dir(b.Path), ".bluerelay") }
func (b Bundle) next() string     { return filepath.Join(b.workshop(), "next.app") }
func (b Bundle) former() string   { return filepath.Join(b.workshop(), "former.app") }

func drop(version string) error {
	if err := os.RemoveAll(version); err != nil {
		return fmt.Errorf("remove another version of the application: %w", err)
	}
	return nil
}

// lock takes the bundle for one install or update, and makes the folders it needs.
func (b Bundle) lock() (unlock func(), err error) {
	dir := filepath.Dir(b.Path)
	if err := ownFolder(dir); err != nil {
		return nil, fmt.Errorf("prepare the application's folder: %w", err)
	}
	if err := os.Mkdir(b.workshop(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("prepare the application's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(b.workshop(), "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the application's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock the application's folder: %w", err)
	}
	return func() { f.Close() }, nil
}

// ownFolder makes a folder where only it is missing, and refuses one that others own or may
// write to: who can put another program there would get the person's permissions.
func ownFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return checkFolder(root, dir)
}

// stage makes the next version beside the present one, signed, checked and on disk.
func (b Bundle) stage(ctx context.Context, binary string) error {
	err := drop(b.next())
	if err == nil {
		err = b.assemble(binary)
	}
	if err == nil {
		err = b.Signer.Sign(ctx, b.next())
	}
	if err == nil {
		err = syncTree(b.next())
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("the disk is full, free some space and try again (what is installed was not changed): %w", err)
	}
	return errors.Join(fmt.Errorf("make the application: %w", err), drop(b.next()))
}

func (b Bundle) assemble(binary string) error {
	contents := filepath.Join(b.next(), "Contents")
	if err := os.MkdirAll(filepath.Join(contents, "MacOS"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(contents, "Info.plist"), InfoPlist(b.Version), 0o644); err != nil {
		return err
	}
	return copyProgram(binary, programIn(b.next()))
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("%s is no program", from)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// swap puts the next version to Path. What was there becomes the former one, in the same step:
// until then the next version lies in its place.
func (b Bundle) swap() error {
	err := drop(b.former())
	if err == nil {
		err = os.Rename(b.next(), b.former())
	}
	if err != nil {
		return err
	}
	if err := b.change(); err != nil {
		return errors.Join(err, drop(b.former())) // the next version, which nobody may go back to
	}
	return b.syncPlaces()
}

// exchange has the former version and the one at Path change places, also on the disk.
func (b Bundle) exchange() error {
	if err := b.change(); err != nil {
		return err
	}
	return b.syncPlaces()
}

// change is exchange as far as running programs see it.
func (b Bundle) change() error {
	_, err := os.Lstat(b.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(b.former(), b.Path)
	case err == nil:
		err = exchange(b.former(), b.Path)
	}
	if errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("the volume of %s cannot exchange two folders in one step: it must be APFS", b.Path)
	}
	if err != nil {
		return fmt.Errorf("put the application in its place: %w", err)
	}
	return nil
}

func (b Bundle) syncPlaces() error {
	if err := errors.Join(syncPath(b.workshop()), syncPath(filepath.Dir(b.Path))); err != nil {
		return fmt.Errorf("have the application in its place on disk: %w", err)
	}
	return nil
}

// syncTree makes a folder and all in it durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&^fs.ModeDir != 0 {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
