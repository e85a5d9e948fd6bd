package launchd

import "golang.org/x/sys/unix"

// exchange gives two paths each other's folder or file in one step.
func exchange(a, b string) error { return unix.RenamexNp(a, b, unix.RENAME_SWAP) }
