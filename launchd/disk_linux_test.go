package launchd_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bluerelay/launchd"
)

// TestReplaceOnAFullDisk runs out of space in the middle of the next version.
func TestReplaceOnAFullDisk(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	folder := filepath.Dir(b.Path)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", folder, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.program, make([]byte, 1<<20), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace(t.Context(), h.program); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "1")
	wantOnly(t, filepath.Join(folder, ".bluerelay"), "lock")
}

// A version that cannot change places with the present one is none to go back to.
func TestReplaceThatCannotExchange(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(b.Path, b.Path, "", syscall.MS_BIND, ""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no folder can be mounted here: %v", err)
	}
	unmount := func() { _ = syscall.Unmount(b.Path, syscall.MNT_DETACH) }
	t.Cleanup(unmount)
	h.download(t, "2")
	if err := b.Replace(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "put the application in its place") {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "1")
	wantOnly(t, filepath.Join(filepath.Dir(b.Path), ".bluerelay"), "lock")
	unmount()
	if err := b.Rollback(); !errors.Is(err, launchd.ErrNoFormer) {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "1")
}
