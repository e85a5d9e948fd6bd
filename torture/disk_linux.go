package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// mountsEnv says that the program runs in a mount namespace of its own.
const mountsEnv = "TORTURE_MOUNTS"

// ownMounts moves the program into a mount namespace of its own, so that what it
// mounts is gone with its last process. It needs the rights of root; it starts the
// program anew, and returns only in the second life or with an error.
func ownMounts() error {
	if os.Getenv(mountsEnv) != "" {
		return syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	// The namespace is the thread's; exec makes it the process's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(exe, os.Args, append(os.Environ(), mountsEnv+"=1"))
}

// mountDisk makes a small disk at a folder. It returns false where that cannot be had.
func mountDisk(dir string, bytes int64) bool {
	return os.Getenv(mountsEnv) != "" &&
		syscall.Mount("torture", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)) == nil
}

// unmountDisk takes it away, with all that is on it.
func unmountDisk(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
