package applescript_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"bluerelay/applescript"
)

// A shim that was started ahead takes the next order, holds that run's lock, and is
// replaced by another.
func TestSpareShimTakesTheOrder(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	if err := s.sender.Warm(); err != nil {
		t.Fatal(err)
	}
	first := s.sender.Spare()
	if err := s.sender.Warm(); err != nil || s.sender.Spare() != first {
		t.Fatalf("a second spare was made, %v", err)
	}
	if o := s.send(text("hello")); o != (applescript.Outcome{Effect: applescript.Accepted}) {
		t.Errorf("got %+v", o)
	}
	if next := s.sender.Spare(); next == 0 || next == first {
		t.Errorf("the spare after it is %d, the one before was %d", next, first)
	}
	// The same attempt is not made again, spare or not.
	if o := s.send(text("hello")); o != (applescript.Outcome{Effect: applescript.Accepted}) {
		t.Errorf("got %+v", o)
	}
	if n := len(s.calls()); n != 1 {
		t.Errorf("osascript ran %d times", n)
	}
}

// A spare that was killed costs nothing but time.
func TestSpareShimKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	if err := s.sender.Warm(); err != nil {
		t.Fatal(err)
	}
	pid := s.sender.Spare()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := s.send(text("hello"))
	// Either the death was noticed while the order was written, or nothing was done.
	if o.Effect != applescript.Accepted && o != (applescript.Outcome{Effect: applescript.NoEffect, Reason: applescript.Interrupted}) {
		t.Errorf("got %+v", o)
	}
	want := 1
	if o.Effect == applescript.NoEffect {
		want = 0
	}
	if n := len(s.calls()); n != want {
		t.Errorf("osascript ran %d times, the outcome is %+v", n, o)
	}
}

// Close ends the spare, and leaves no file; a Sender without its folder has none.
func TestSpareShimEnds(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if err := s.sender.Warm(); err != nil {
		t.Fatal(err)
	}
	pid := s.sender.Spare()
	if err := s.sender.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the spare is still there: %v", err)
	}
	if files := s.files(); len(files) != 0 {
		t.Errorf("it left %q", files)
	}
	gone := applescript.Sender{Exe: s.sender.Exe, Dir: s.sender.Dir + ".gone"}
	if err := gone.Warm(); !errors.Is(err, os.ErrNotExist) || gone.Spare() != 0 {
		t.Errorf("without a folder: %v", err)
	}
}
