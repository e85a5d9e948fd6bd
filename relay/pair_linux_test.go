package relay

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestPairOnAFullDisk: what cannot be kept is not asked for, so that the setup URL can be used
// when there is room.
func TestPairOnAFullDisk(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]string{"not even a credential": "16k", "no journal": "80k"} {
		cloud := newPairingCloud(t)
		p := cloud.pairing(t)
		if err := os.Mkdir(p.StateDir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("none", p.StateDir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
			t.Skipf("no small disk can be made here: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(p.StateDir, syscall.MNT_DETACH) })
		_, err := p.Pair(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the disk is full: free some space and pair again") {
			t.Errorf("%s: %v", name, err)
		}
		if cloud.asked.Load() > 0 {
			t.Errorf("%s: the setup URL was used", name)
		}
		if _, err := LoadCredential(p.StateDir); !errors.Is(err, ErrNotPaired) {
			t.Errorf("%s: a credential was left: %v", name, err)
		}
		if err := syscall.Mount("none", p.StateDir, "tmpfs", syscall.MS_REMOUNT, "mode=0700,size=8m"); err != nil {
			t.Fatal(err)
		}
		pair(t, p)
	}
}
