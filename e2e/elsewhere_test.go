package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallElsewhere is a daemon whose state is in a folder of the person's choice, and its
// secret in the keychain: the other commands find it, and its end takes what is its own.
func TestInstallElsewhere(t *testing.T) {
	t.Parallel()
	u := newMacUser(t)
	_, mac, setup := newOwner(t, u)
	u.own(filepath.Join(u.base, "mac"))
	state := filepath.Join(u.base, "elsewhere")
	u.must("install", "--state", state, "--", "--chat-db", mac.ChatDB(), "--osascript", mac.Osascript(), "--keep-awake=false", "--programs", u.mac.Tools.Dir)
	u.logged("relay.waits")
	another := filepath.Join(u.base, "another")
	if _, errs, code := u.run("setup", setup, "--state", another, "--chat-db", mac.ChatDB()); code != 1 || !strings.Contains(errs, "the installed daemon has its state in "+state) {
		t.Errorf("set-up of a folder in which nobody waits: %d %s", code, errs)
	}
	u.must("pair", setup, "--keychain", "--chat-db", mac.ChatDB()) // with the URL that was not used
	u.logged("relay.started")
	if n := len(u.mac.State(t).Passwords); n != 1 {
		t.Errorf("%d secrets are in the keychain", n)
	}
	if out, _, _ := u.run("doctor"); strings.Contains(out, "No agent is running") {
		t.Errorf("doctor asks another folder: %s", out)
	}

	// What does not look like the daemon's is said before the daemon is stopped.
	record := filepath.Join(state, "install.json")
	if err := os.Rename(record, record+".away"); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := u.run("uninstall", "--purge"); code != 1 || !strings.Contains(errs, "does not look like") {
		t.Errorf("%d %s", code, errs)
	}
	if s := u.status(); !s.Running {
		t.Errorf("%+v", s)
	}
	mine := filepath.Join(state, "mine")
	if err := os.Rename(record+".away", record); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u.must("uninstall", "--purge")
	if left, err := filepath.Glob(filepath.Join(state, "*")); err != nil || len(left) != 1 || left[0] != mine {
		t.Errorf("left are %q, %v", left, err)
	}
	if got := u.mac.State(t).Passwords; len(got) > 0 {
		t.Errorf("%d secrets stay in the keychain", len(got))
	}
	if _, errs, code := u.run("install", "--state", state); code != 1 || !strings.Contains(errs, "holds files of something else") {
		t.Errorf("%d %s", code, errs)
	}
}
