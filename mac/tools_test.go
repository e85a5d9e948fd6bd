package mac

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// standIn writes an executable script under the name of one of macOS's programs.
func standIn(t testing.TB, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	standIn(t, dir, "sw_vers", `cat; echo "said $1"; echo odd >&2; exit 3`)
	got, err := Tools{Dir: dir}.Run(t.Context(), time.Minute, []byte("in "), "sw_vers", "$(id) ;")
	if err != nil || got.Code != 3 || string(got.Out) != "in said $(id) ;\n" || string(got.Errors) != "odd\n" {
		t.Errorf("%+v %q %q %v", got, got.Out, got.Errors, err)
	}
	if _, err := (Tools{Dir: dir}).Run(t.Context(), time.Minute, nil, "open"); !errors.Is(err, ErrNoTool) {
		t.Errorf("a program that is not there: %v", err)
	}
}

// Another system's program of the same name says nothing about a Mac.
func TestRunKnowsNoMac(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("this is a Mac")
	}
	if _, err := (Tools{}).Run(t.Context(), time.Minute, nil, "pgrep"); !errors.Is(err, ErrNoTool) {
		t.Errorf("%v", err)
	}
}

// Noise is read to its end and only its beginning kept; input that nobody reads is no failure.
func TestRunBoundsNoise(t *testing.T) {
	dir := t.TempDir()
	standIn(t, dir, "pmset", `yes | head -c 3000000; yes | head -c 3000000 >&2`)
	got, err := Tools{Dir: dir}.Run(t.Context(), time.Minute, []byte(strings.Repeat("x", 1<<20)), "pmset")
	if err != nil || got.Code != 0 || len(got.Out) != maxOutput || len(got.Errors) != maxOutput {
		t.Errorf("%d %d %d %v", got.Code, len(got.Out), len(got.Errors), err)
	}
}

// A program that hangs is killed with its children, which would hold the pipes open.
func TestRunEndsWhatHangs(t *testing.T) {
	dir := t.TempDir()
	standIn(t, dir, "launchctl", `sleep 600 & sleep 600`)
	got, err := Tools{Dir: dir}.Run(t.Context(), 50*time.Millisecond, nil, "launchctl")
	if !errors.Is(err, context.DeadlineExceeded) || got.Code != -1 {
		t.Errorf("%+v %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Tools{Dir: dir}).Run(ctx, time.Minute, nil, "launchctl"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
