package e2e_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd/launchdtest"
	"bluerelay/simulator"
)

// granted is the group whose members may read chat.db in this story, and the user is one
// who has no rights of root: a test that root runs has the program run as somebody else.
const (
	granted = 4242
	nobody  = 4243
)

// macUser is a person with a home folder and a program that was downloaded into it.
type macUser struct {
	t       testing.TB
	base    string
	program string // the downloaded one
	mac     *launchdtest.Mac
}

func newMacUser(t testing.TB) *macUser {
	t.Helper()
	base, err := os.MkdirTemp("", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(base, "Library/Logs/bluerelay/bluerelay.log")); err == nil && t.Failed() {
			t.Logf("the daemon's log:\n%s", log)
		}
		os.RemoveAll(base)
	})
	u := &macUser{t: t, base: base, program: filepath.Join(base, "Downloads", "bluerelay"), mac: launchdtest.New(t)}
	for _, dir := range []string{"", "Downloads", "Library", "Library/Logs"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	u.download("")
	u.own(base)
	return u
}

// download puts the program into the home folder, with some bytes more.
func (u *macUser) download(more string) {
	u.t.Helper()
	data, err := os.ReadFile(bluerelay)
	if err == nil {
		err = os.WriteFile(u.program+".part", append(data, more...), 0o755)
	}
	if err == nil {
		err = os.Rename(u.program+".part", u.program)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// own gives a tree to the user, where root runs the test.
func (u *macUser) own(dir string) {
	u.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		u.t.Fatal(err)
	}
}

// run runs the downloaded program as the user and returns what it says.
func (u *macUser) run(args ...string) (stdout, stderr string, code int) {
	u.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(u.program, args...)
	cmd.Dir = u.base
	cmd.Env = []string{"HOME=" + u.base, "PATH=/usr/bin:/bin", "BLUERELAY_PROGRAMS=" + u.mac.Tools.Dir, "GORACE=atexit_sleep_ms=0"}
	cmd.Stdout, cmd.Stderr = &out, &errs
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		u.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for a command that has to succeed.
func (u *macUser) must(args ...string) string {
	u.t.Helper()
	out, errs, code := u.run(args...)
	if code != 0 {
		u.t.Fatalf("bluerelay %s ended with %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// daemonStatus is what `status --json` says.
type daemonStatus struct {
	Installed  bool   `json:"installed"`
	Running    bool   `json:"running"`
	PID        int    `json:"pid"`
	Runs       int    `json:"runs"`
	LastExit   *int   `json:"last_exit"`
	Program    string `json:"program"`
	Identity   string `json:"identity"`
	GrantsLost string `json:"grants_lost"`
	ChatDB     *struct {
		State string `json:"state"`
	} `json:"chat_db"`
}

func (u *macUser) status() daemonStatus {
	u.t.Helper()
	return decode[daemonStatus](u.t, u.must("status", "--json"))
}

// logged waits for a line of the daemon's log.
func (u *macUser) logged(want string) {
	u.t.Helper()
	eventually(u.t, time.Minute, want+" in the log", func() bool {
		out, _, _ := u.run("logs", "-n", "1000")
		return strings.Contains(out, want)
	})
}

// newOwner is a server with an account and a line, the simulated Messages of a user's Mac, and
// the setup URL of the line.
func newOwner(t *testing.T, u *macUser) (w *world, mac *simulator.Process, setup string) {
	t.Helper()
	w = &world{t: t, dir: t.TempDir(), address: freeAddress(t)}
	w.startCloud()
	account := decode[struct {
		AccountID string `json:"account_id"`
	}](t, run(t, bluecloud, "account", "create", "Test", "--json", "--database", w.database())).AccountID
	setup = decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, run(t, bluecloud, "line", "add", line, "--account", account, "--json", "--database", w.database())).SetupURL
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	mac, err := simulator.Start(ctx, bluecloud, filepath.Join(u.base, "mac"), simulator.Options{Speed: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mac.Stop(context.Background()) })
	return w, mac, setup
}

// TestInstallStory is the life of an installed daemon, from the download to its removal, in
// real processes under a launchd of the test.
func TestInstallStory(t *testing.T) {
	u := newMacUser(t)
	_, mac, setup := newOwner(t, u)
	withhold(t, filepath.Dir(mac.ChatDB()))

	if out, _, code := u.run("status"); code != 0 || !strings.Contains(out, "bluerelay install") {
		t.Errorf("status before: %d %s", code, out)
	}
	if _, errs, code := u.run("install", "--", "--chat-bd", "x"); code != 2 || !strings.Contains(errs, "would not understand") {
		t.Errorf("a flag that run does not have: %d %s", code, errs)
	}
	said := u.must("install", "--", "--chat-db", mac.ChatDB(), "--osascript", mac.Osascript(), "--keep-awake=false")
	for _, want := range []string{"Privacy_AllFiles", "Privacy_Automation", "bluerelay pair"} {
		if !strings.Contains(said, want) {
			t.Errorf("install does not say %q:\n%s", want, said)
		}
	}
	before := u.status()
	if !before.Running || before.Identity != "bluerelay code signing" || before.Program != filepath.Join(u.base, "Applications/bluerelay.app/Contents/MacOS/bluerelay") {
		t.Errorf("%+v", before)
	}
	u.logged("relay.waits")

	// It goes on by itself once it is paired.
	u.must("pair", setup, "--chat-db", mac.ChatDB())
	u.logged("relay.started")
	if s := u.status(); s.PID != before.PID || s.Runs != 1 {
		t.Errorf("it was started again for the pairing: %+v after %+v", s, before)
	}
	if _, errs, code := u.run("run", "--chat-db", mac.ChatDB()); code != 1 || !strings.Contains(errs, "already running") {
		t.Errorf("a second daemon: %d %s", code, errs)
	}
	if os.Geteuid() == 0 {
		u.grant(before)
	}

	// An upgrade keeps settings and identity.
	u.download("a newer version")
	former := u.status()
	u.must("install")
	after := u.status()
	if !after.Running || after.PID == former.PID || after.GrantsLost != "" {
		t.Errorf("%+v after %+v", after, former)
	}
	if data, err := os.ReadFile(after.Program); err != nil || !bytes.HasSuffix(data, []byte("a newer version")) {
		t.Errorf("the program was not replaced: %v", err)
	}
	agent, err := os.ReadFile(filepath.Join(u.base, "Library/LaunchAgents/com.bluerelay.agent.plist"))
	if err != nil || !bytes.Contains(agent, []byte("--keep-awake=false")) {
		t.Errorf("the settings are lost: %s %v", agent, err)
	}

	// Even over a property list that somebody has broken.
	plist := filepath.Join(u.base, "Library/LaunchAgents/com.bluerelay.agent.plist")
	if err := os.WriteFile(plist, []byte("<plist>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := u.run("start"); code != 1 || !strings.Contains(errs, "bluerelay install") {
		t.Errorf("start of a damaged one: %d %s", code, errs)
	}
	u.must("install", "--", "--chat-db", mac.ChatDB())
	after = u.status()

	u.must("restart")
	if s := u.status(); !s.Running || s.PID == after.PID {
		t.Errorf("restart: %+v", s)
	}
	u.must("stop")
	if s := u.status(); s.Running || !s.Installed {
		t.Errorf("stop: %+v", s)
	}
	u.must("start")
	// Launchd's file is for crashes: a restart on purpose leaves nothing in it.
	if said, err := os.ReadFile(filepath.Join(u.base, "Library/Logs/bluerelay/com.bluerelay.agent.err.log")); err != nil || len(said) > 0 {
		t.Errorf("%s %v", said, err)
	}
	if out := u.must("uninstall", "--purge"); !strings.Contains(out, "only you can delete") {
		t.Errorf("%s", out)
	}
	left, err := filepath.Glob(filepath.Join(u.base, "*/*luerelay*"))
	more, merr := filepath.Glob(filepath.Join(u.base, "Library/*/*luerelay*"))
	left = slices.DeleteFunc(append(left, more...), func(path string) bool { return path == u.program })
	if err != nil || merr != nil || len(left) > 0 {
		t.Errorf("still there: %q %v %v", left, err, merr)
	}
	if len(u.mac.State(t).Jobs) > 0 {
		t.Error("launchd still has the job")
	}
}

// withhold keeps chat.db from everybody but the granted group, if root runs the test.
func withhold(t testing.TB, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// The folders stay open: access(2), by which SQLite looks for files, asks for the
		// rights of the user alone.
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		if !strings.HasPrefix(d.Name(), "chat.db") {
			return nil
		}
		if err := os.Chown(path, 0, granted); err != nil {
			return err
		}
		return os.Chmod(path, 0o640)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// grant lets new processes of the installed program read chat.db, and not the one that
// runs, as macOS does with Full Disk Access: the group's bit on a file counts from exec on.
func (u *macUser) grant(before daemonStatus) {
	u.t.Helper()
	eventually(u.t, time.Minute, "chat.db refused", func() bool {
		s := u.status()
		return s.ChatDB != nil && s.ChatDB.State == "refused"
	})
	if err := os.Chown(before.Program, nobody, granted); err != nil {
		u.t.Fatal(err)
	}
	if err := os.Chmod(before.Program, 0o755|fs.ModeSetgid); err != nil {
		u.t.Fatal(err)
	}
	eventually(u.t, time.Minute, "chat.db readable", func() bool {
		s := u.status()
		return s.ChatDB != nil && s.ChatDB.State == "readable"
	})
	if s := u.status(); s.Runs != 2 || s.PID == before.PID || s.LastExit == nil || *s.LastExit != 1 {
		u.t.Errorf("not one restart for the grant: %+v after %+v", s, before)
	}
	u.logged("chatdb.granted")
	u.logged("chatdb.reading")
}
