package applescript_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/applescript"
)

// TestOsascriptWithoutItsShim: nobody is left to end an osascript that hangs. Whoever
// recovers the run does it, some seconds after the deadline, and not before.
func TestOsascriptWithoutItsShim(t *testing.T) {
	t.Parallel()
	s := newStage(t, ignoreTerm, marker, heldBy, signalParent(), breed, touch("orphan"), hang)
	s.sender.Limit = later
	began := time.Now()
	if o := s.send(text("hello")); o != outcome(applescript.MayHave, applescript.Interrupted, 0) {
		t.Errorf("got %+v", o)
	}
	if took := time.Since(began); took < s.sender.Limit || took > lifetime/2 {
		t.Errorf("it took %v", took)
	}
	s.started(1)
}

// TestStrangerWithTheNumber: a process that has come to have the number which the lock
// file names, in another session, is not osascript and lives on.
func TestStrangerWithTheNumber(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command(exe)
	stranger.Args = []string{nameGrandchild}
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = stranger.Wait() }()
	s.write(".marker", "")
	s.write(".lock", fmt.Sprintf(`{"group":%d,"session":%d,"limit_ms":1}`, stranger.Process.Pid, os.Getpid()))
	lock, err := os.OpenFile(filepath.Join(s.sender.Dir, "msg_1.1.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sender.Recover(within(t, applescript.Overtime+time.Second), "msg_1", 1); !errors.Is(err, applescript.ErrRunning) {
		t.Errorf("got %v while the lock was held", err)
	}
	select {
	case <-ended:
		t.Error("the stranger was killed")
	default:
	}
	if err := stranger.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// TestResultCannotBeWritten: the daemon that waits is told all the same where nothing
// was sent; otherwise the marker speaks.
func TestResultCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		want  applescript.Outcome
	}{
		"no effect": {fault("Can’t get chat id \"x\". (-1728)"), outcome(applescript.NoEffect, applescript.DiskTrouble, 0)},
		"ambiguous": {after(marker, fault("AppleEvent timed out. (-1712)")), outcome(applescript.MayHave, applescript.Interrupted, 0)},
		"success":   {[]step{marker, ends(0)}, outcome(applescript.MayHave, applescript.Interrupted, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.steps...)
			if err := os.Mkdir(filepath.Join(s.sender.Dir, "msg_1.1.result.tmp"), 0o700); err != nil {
				t.Fatal(err)
			}
			if o := s.send(text("hello")); o != tt.want {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
			// Another daemon has only the files, and must not believe too much.
			if o := s.recover(); o != outcome(applescript.MayHave, applescript.Interrupted, 0) {
				t.Errorf("Recover gave %+v", o)
			}
			s.started(1)
		})
	}
}

// TestMarkerCannotBeWritten: no osascript without its marker, and the shim says so.
func TestMarkerCannotBeWritten(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the longest path differs")
	}
	s := newStage(t, marker, ends(0))
	const longest = 4095
	// The lock's path just fits, the marker's does not.
	for len(s.sender.Dir)+len("/msg_1.1.lock") < longest {
		s.sender.Dir += "/" + strings.Repeat("x", min(200, longest-len(s.sender.Dir)-len("//msg_1.1.lock")))
	}
	if err := os.MkdirAll(s.sender.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd, in := startShim(t, s)
	if _, err := in.Write(orderOf(t, s, text("hello"))); err != nil {
		t.Fatal(err)
	}
	in.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != applescript.ExitNothing {
		t.Errorf("the shim ended with %d, want %d", code, applescript.ExitNothing)
	}
	s.started(0)
}
