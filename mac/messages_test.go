package mac

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		want   []int
		fails  bool
	}{
		"one":        {"echo 4711", []int{4711}, false},
		"two":        {"echo 4711; echo 4712", []int{4711, 4712}, false},
		"none":       {"exit 1", nil, false},
		"misuse":     {"exit 2", nil, true},
		"killed":     {"kill -9 $$", nil, true},
		"no numbers": {"echo Messages", nil, true},
		"everybody":  {"echo 0", nil, true},
		"launchd":    {"echo 1", nil, true},
		"a group":    {"echo -5", nil, true},
	} {
		dir := t.TempDir()
		standIn(t, dir, "pgrep", `test "$*" = "-x -u $(id -u) Messages" || exit 3`+"\n"+tt.script)
		got, err := Tools{Dir: dir}.Messages(t.Context())
		if !slices.Equal(got, tt.want) || (err != nil) != tt.fails {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestLaunchMessages(t *testing.T) {
	dir := t.TempDir()
	if err := (Tools{Dir: dir}).LaunchMessages(t.Context()); !errors.Is(err, ErrNoTool) {
		t.Errorf("without open: %v", err)
	}
	said := filepath.Join(dir, "said")
	standIn(t, dir, "open", `echo "$@" > `+said)
	if err := (Tools{Dir: dir}).LaunchMessages(t.Context()); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(said); err != nil || strings.TrimSpace(string(data)) != "-gj -b com.apple.MobileSMS" {
		t.Errorf("open %s%v", data, err)
	}
	standIn(t, dir, "open", `exit 1`)
	if err := (Tools{Dir: dir}).LaunchMessages(t.Context()); err == nil {
		t.Error("a failure was passed over")
	}
}

// stubborn is a real process that does as script says and that pgrep finds in dir.
func stubborn(t *testing.T, dir, script string) (ended <-chan error) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	in, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Read(make([]byte, 1)); err != nil { // it is ready
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	standIn(t, dir, "pgrep", fmt.Sprintf("kill -0 %d 2>/dev/null && echo %d", cmd.Process.Pid, cmd.Process.Pid))
	return done
}

func TestEndMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		by     syscall.Signal
	}{
		"ends":  {"echo; exec sleep 600", syscall.SIGTERM},
		"hangs": {"trap '' TERM; echo; while :; do sleep 0.01; done", syscall.SIGKILL},
	} {
		dir := t.TempDir()
		ended := stubborn(t, dir, tt.script)
		if err := (Tools{Dir: dir}).EndMessages(t.Context(), time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		exit, ok := errors.AsType[*exec.ExitError](<-ended)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != tt.by {
			t.Errorf("%s: it ended with %v", name, exit)
		}
	}
	dir := t.TempDir()
	standIn(t, dir, "pgrep", "exit 1")
	if err := (Tools{Dir: dir}).EndMessages(t.Context(), time.Second); err != nil {
		t.Errorf("where none runs: %v", err)
	}
	standIn(t, dir, "pgrep", "exit 2")
	if err := (Tools{Dir: dir}).EndMessages(t.Context(), time.Second); err == nil {
		t.Error("it ended nobody knows what")
	}
}

func TestEndMessagesStops(t *testing.T) {
	dir := t.TempDir()
	ended := stubborn(t, dir, "trap '' TERM; echo; while :; do sleep 0.01; done")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := (Tools{Dir: dir}).EndMessages(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := (Tools{Dir: dir}).EndMessages(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	<-ended
}
