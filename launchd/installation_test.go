package launchd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd"
	"bluerelay/launchd/launchdtest"
	"bluerelay/mac"
)

// installationIn is what the command line puts together, in a home folder of a test.
func installationIn(dir string, tools mac.Tools) launchd.Installation {
	b := launchd.Bundle{
		Path: filepath.Join(dir, "Applications", "bluerelay.app"), Version: "1.2.3",
		Signer: launchd.Signer{Tools: tools, Dir: filepath.Join(dir, "state", "signing")},
	}
	return launchd.Installation{
		Job:  quick(&launchdtest.Mac{Tools: tools}),
		Path: filepath.Join(dir, "LaunchAgents", launchd.BundleID+".plist"),
		Agent: launchd.Agent{
			Label: launchd.BundleID, BundleID: launchd.BundleID, Program: b.Program(), Arguments: []string{"run"},
			StateDir: filepath.Join(dir, "state"), LogDir: filepath.Join(dir, "logs"),
		},
		Bundle: b,
	}
}

func (h home) installation() launchd.Installation { return installationIn(h.dir, h.mac.Tools) }

// wantRunning fails unless launchd runs the installed program.
func (h home) wantRunning(t *testing.T, want bool) {
	t.Helper()
	s, err := h.installation().Job.Status(t.Context())
	if err != nil || s.Running() != want {
		t.Errorf("%+v %v, want running %v", s, err, want)
	}
}

func TestInstallUpgradeUninstall(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	if err := os.MkdirAll(i.Agent.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	first, record, err := i.Install(t.Context(), h.program)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Running() || record.Requirement == "" || record.Changed != nil {
		t.Errorf("%+v %+v", first, record)
	}
	for _, dir := range []string{i.Agent.StateDir, i.Agent.LogDir} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v", dir, info.Mode(), err)
		}
	}
	if got, err := launchd.ReadAgent(i.Path); err != nil || got.Program != i.Agent.Program || got.BundleID != launchd.BundleID || got.LogDir != i.Agent.LogDir {
		t.Errorf("%+v %v", got, err)
	}

	h.download(t, "2")
	second, record, err := i.Install(t.Context(), h.program)
	if err != nil || second.PID == first.PID || record.Changed != nil {
		t.Fatalf("%+v after %+v, %+v, %v", second, first, record, err)
	}
	h.wantVersion(t, "2")
	wantOnly(t, filepath.Join(h.dir, "Applications", ".bluerelay"), "lock")

	report, err := i.Report(t.Context())
	if err != nil || !report.Installed || !report.Running || report.PID != second.PID || report.GrantsLost != "" || report.Identity != "bluerelay code signing" || report.Version != "1.2.3" {
		t.Errorf("%+v %v", report, err)
	}

	if err := i.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantRunning(t, false)
	third, err := i.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if same, err := i.Start(t.Context()); err != nil || same.PID != third.PID {
		t.Errorf("start of what runs: %+v %v", same, err)
	}
	if fourth, err := i.Restart(t.Context()); err != nil || fourth.PID == third.PID {
		t.Errorf("restart: %+v after %+v, %v", fourth, third, err)
	}

	if err := i.Uninstall(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	h.wantVersion(t, "")
	wantOnly(t, filepath.Join(h.dir, "Applications"))
	wantOnly(t, filepath.Dir(i.Path))
	if _, err := i.Start(t.Context()); !errors.Is(err, launchd.ErrNotInstalled) {
		t.Errorf("started what is not there: %v", err)
	}
	// The certificate has stayed, and with it the identity.
	_, record, err = i.Install(t.Context(), h.program)
	if err != nil || record.Changed != nil {
		t.Errorf("%+v %v", record, err)
	}
	if err := i.Uninstall(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{i.Agent.StateDir, i.Agent.LogDir} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stays: %v", dir, err)
		}
	}
}

func TestIdentityChanges(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	h.mac.Change(t, func(s *launchdtest.State) { s.Named["Developer ID Application: Zoë"] = "ab12" })
	i.Bundle.Signer.Name = "Developer ID Application: Zoë"
	_, record, err := i.Install(t.Context(), h.program)
	if err != nil || record.Changed == nil || !strings.Contains(record.Changed.Advice(), "add it again") {
		t.Fatalf("%+v %v", record, err)
	}

	// Somebody signs by hand, and launchd still has the former signature.
	if r, err := h.mac.Tools.Run(t.Context(), patience, nil, "codesign", "--force", "--sign", "-", "--identifier", "x", i.Bundle.Path); err != nil || r.Code != 0 {
		t.Fatalf("%s %v", r.Errors, err)
	}
	report, err := i.Report(t.Context())
	if err != nil || !strings.Contains(report.GrantsLost, "something other than `bluerelay install`") {
		t.Errorf("%+v %v", report, err)
	}
	s, err := i.Restart(t.Context())
	if err != nil || !s.Running() {
		t.Errorf("a program that was signed anew: %+v %v", s, err)
	}
	if err := os.RemoveAll(filepath.Join(i.Bundle.Path, "Contents", "_CodeSignature")); err != nil {
		t.Fatal(err)
	}
	if report, err := i.Report(t.Context()); err != nil || !strings.Contains(report.GrantsLost, "gone or broken") {
		t.Errorf("%+v %v", report, err)
	}
}

// A version that does not stay up, or that launchd does not take, is taken back.
func TestInstallTakesBack(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	wantBack := func(why string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "the former one runs again") || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
		h.wantVersion(t, "1")
		h.wantRunning(t, true)
		if _, err := launchd.ReadAgent(i.Path); err != nil {
			t.Error(err)
		}
		wantOnly(t, filepath.Join(h.dir, "Applications", ".bluerelay"), "lock")
	}
	if err := os.WriteFile(h.program, []byte("#!/bin/sh\nexit 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	short := i
	short.Job.Up, short.Job.Steady = 10*time.Second, time.Second
	_, _, err := short.Install(t.Context(), h.program)
	wantBack("status 7", err)

	h.download(t, "2")
	five := launchdtest.Failure{Code: 5, Text: "Start fehlgeschlagen: 5: Ein-/Ausgabefehler"}
	h.mac.Change(t, func(s *launchdtest.State) { s.Fail["launchctl bootstrap"] = []launchdtest.Failure{five, five, five} })
	_, _, err = i.Install(t.Context(), h.program)
	wantBack("Login Items", err)

	// One that says no and does it all the same was met too.
	h.mac.Change(t, func(s *launchdtest.State) {
		s.Fail["launchctl bootstrap"] = []launchdtest.Failure{{Code: 37, Text: "x", Anyway: true}}
	})
	if _, _, err = i.Install(t.Context(), h.program); err != nil {
		t.Error(err)
	}
	h.wantVersion(t, "2")
}

// A launchd that loads a job without starting it is helped along, once; a job that still does
// not start is said to be loaded and not to run.
func TestInstallHelpsAlong(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	i.Job.Up = 2 * time.Second
	h.mac.Change(t, func(s *launchdtest.State) {
		s.Sluggish = true
		s.Fail["launchctl kickstart"] = []launchdtest.Failure{{}} // says yes and does nothing
	})
	_, _, err := i.Install(t.Context(), h.program)
	if !errors.Is(err, launchd.ErrNotRunning) || !strings.Contains(err.Error(), "bluerelay restart") {
		t.Errorf("%v", err)
	}
	// A first install that does not come up stays: at the next login it may.
	h.wantVersion(t, "1")
	i.Job.Up = patience / 4
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Error(err)
	}
	h.wantRunning(t, true)
}

// What somebody else has put where the agent belongs is found before anything is stopped, and
// an agent that is there as it was need not be written to start the former version again.
func TestInstallTakesBackWithoutWriting(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	first, _, err := i.Install(t.Context(), h.program)
	if err != nil {
		t.Fatal(err)
	}
	h.download(t, "2")
	agents := filepath.Dir(i.Path)
	i.Say = func(what string) {
		if strings.HasPrefix(what, "Stopping") {
			_ = os.Chmod(agents, 0o777)
		}
	}
	_, _, err = i.Install(t.Context(), h.program)
	if err == nil || !strings.Contains(err.Error(), "the former one runs again") || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "1")
	h.wantRunning(t, true)
	if err := os.Chmod(agents, 0o700); err != nil {
		t.Fatal(err)
	}

	i.Say = nil
	before, err := i.Job.Status(t.Context())
	if err != nil || before.PID == first.PID {
		t.Fatal(before, err)
	}
	elsewhere := filepath.Join(h.dir, "agent.plist")
	if err := errors.Join(os.Rename(i.Path, elsewhere), os.Symlink(elsewhere, i.Path)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Install(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "remove it first") {
		t.Errorf("%v", err)
	}
	if after, err := i.Job.Status(t.Context()); err != nil || after.PID != before.PID {
		t.Errorf("%+v after %+v, %v", after, before, err)
	}
}

// A folder with files of something else becomes no state folder, and stays as open as it was.
func TestInstallRefusesAForeignFolder(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	foreign := filepath.Join(h.dir, "Documents")
	mine := filepath.Join(foreign, "thesis.txt")
	err := errors.Join(os.Mkdir(foreign, 0o755), os.Chmod(foreign, 0o755), os.WriteFile(mine, nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	wantOpen := func() {
		t.Helper()
		if info, err := os.Stat(foreign); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
	i.Agent.StateDir = foreign
	if _, _, err := i.Install(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "holds files of something else") {
		t.Errorf("%v", err)
	}
	wantOpen()
	h.wantVersion(t, "")

	// Logs may lie beside what is there; one file of ours makes a folder ours.
	i = h.installation()
	i.Agent.LogDir = foreign
	if err := errors.Join(os.Mkdir(i.Agent.StateDir, 0o700), os.WriteFile(filepath.Join(i.Agent.StateDir, "credential.json"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	wantOpen()
	if err := i.Uninstall(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, foreign, "thesis.txt")
}

func TestInstallRefuses(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	agents := filepath.Dir(i.Path)
	if err := os.Mkdir(agents, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(agents, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Install(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("an agents' folder of everybody: %v", err)
	}
	h.wantVersion(t, "")
	if err := os.Chmod(agents, 0o700); err != nil {
		t.Fatal(err)
	}
	h.mac.Change(t, func(s *launchdtest.State) { s.Session, s.NoScreen, s.Language = "Background", true, "de" })
	if _, _, err := i.Install(t.Context(), h.program); !errors.Is(err, launchd.ErrNoSession) {
		t.Errorf("over the network only: %v", err)
	}
	if report, err := i.Report(t.Context()); err != nil || report.Loaded || !strings.Contains(report.NoSession, "Log in at the Mac's screen") {
		t.Errorf("%+v %v", report, err)
	}
	i.Job.UID = 0
	if _, _, err := i.Install(t.Context(), h.program); !errors.Is(err, launchd.ErrRoot) {
		t.Errorf("with sudo: %v", err)
	}
	if err := i.Stop(t.Context()); !errors.Is(err, launchd.ErrRoot) {
		t.Errorf("with sudo: %v", err)
	}
	h.wantVersion(t, "")
	wantOnly(t, agents)
}

func TestPurgeSparesWhatIsNotOurs(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	if err := i.Uninstall(t.Context(), true); err == nil || !strings.Contains(err.Error(), "does not look like") {
		t.Errorf("%v", err)
	}
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	above := i
	above.Agent.StateDir = h.dir
	if err := os.WriteFile(filepath.Join(h.dir, "install.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := above.Uninstall(t.Context(), true); err == nil || !strings.Contains(err.Error(), "more than bluerelay's own") {
		t.Errorf("%v", err)
	}
	mine := filepath.Join(i.Agent.LogDir, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// What is not ours in the state folder stays too, and a link is followed to what is.
	state := i.Agent.StateDir
	kept := filepath.Join(state, "photos")
	for _, name := range []string{"journal.db", "journal.db-wal", "credential.json.123", ".install.json.ABC", ".DS_Store"} {
		if err := os.WriteFile(filepath.Join(state, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(h.dir, "link")
	if err := errors.Join(os.Mkdir(kept, 0o700), os.Symlink(state, link)); err != nil {
		t.Fatal(err)
	}
	i.Agent.StateDir = link
	if err := i.Uninstall(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, i.Agent.LogDir, "mine")
	wantOnly(t, state, "photos")
}

// A state folder that a link leads to goes, and not the link alone.
func TestPurgeFollowsALink(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	folder, link := filepath.Join(h.dir, "disk", "state"), filepath.Join(h.dir, "link")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.Symlink(folder, link)); err != nil {
		t.Fatal(err)
	}
	i.Agent.StateDir, i.Bundle.Signer.Dir = link, filepath.Join(link, "signing")
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	if err := i.Uninstall(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, link} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stays: %v", path, err)
		}
	}
}

// installChild installs in a process of its own, which may be killed or interrupted.
func installChild(dir, programs string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	_, _, err := installationIn(dir, mac.Tools{Dir: programs}).Install(ctx, filepath.Join(dir, "Downloads", "bluerelay"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// installer is a process of its own that installs the download.
func (h home) installer() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=install", "LAUNCHD_TEST_HOME="+h.dir, "LAUNCHD_TEST_PROGRAMS="+h.mac.Tools.Dir)
	return cmd
}

// TestInstallIsKilled kills an upgrade at each of its steps, and upgrades what that left:
// the former version or the new one is there, whole.
func TestInstallIsKilled(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	h.download(t, "0")
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	installed := 0
	for step := 1; ; step++ {
		h.download(t, fmt.Sprint(step))
		h.mac.Change(t, func(s *launchdtest.State) { s.Calls, s.KillAt = nil, step })
		cmd := h.installer()
		out, err := cmd.CombinedOutput()
		h.mac.Change(t, func(s *launchdtest.State) { s.KillAt = 0 })
		if err == nil {
			h.wantVersion(t, fmt.Sprint(step))
			h.wantRunning(t, true)
			if step < 12 {
				t.Errorf("an install takes %d steps: the test kills too few", step)
			}
			return
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		data, err := os.ReadFile(i.Bundle.Program())
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if strings.Contains(string(data), fmt.Sprintf("# version %d\n", step)) {
			installed = step
		}
		h.wantVersion(t, fmt.Sprint(installed))
		if _, err := launchd.ReadAgent(i.Path); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
	}
}

// TestInstallIsInterrupted presses Ctrl-C at each step of an upgrade: the former version or
// the new one runs, whole.
func TestInstallIsInterrupted(t *testing.T) {
	h := newHome(t)
	i := h.installation()
	h.download(t, "0")
	if _, _, err := i.Install(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	installed := 0
	for step := 1; ; step++ {
		h.download(t, fmt.Sprint(step))
		h.mac.Change(t, func(s *launchdtest.State) { s.Calls, s.InterruptAt = nil, step })
		cmd := h.installer()
		out, err := cmd.CombinedOutput()
		calls := len(h.mac.State(t).Calls)
		h.mac.Change(t, func(s *launchdtest.State) { s.InterruptAt = 0 })
		if err == nil {
			installed = step
		}
		h.wantRunning(t, true)
		h.wantVersion(t, fmt.Sprint(installed))
		if _, err := launchd.ReadAgent(i.Path); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if t.Failed() {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		if calls < step {
			if step < 12 {
				t.Errorf("an install takes %d steps: the test interrupts too few", step)
			}
			return
		}
	}
}
