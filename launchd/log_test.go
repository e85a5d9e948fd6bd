package launchd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/launchd"
)

func TestLogTurnsOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	log, err := launchd.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	for range 68 {
		if _, err := log.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	wantOnly(t, dir, "bluerelay.log", "bluerelay.log.1", "bluerelay.log.2", "bluerelay.log.3", "bluerelay.log.4")
	for name, want := range map[string]int64{"bluerelay.log": 8 << 20, "bluerelay.log.1": 10 << 20, "bluerelay.log.4": 10 << 20} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes, mode %v, %v", name, info.Size(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
}

// A log that cannot be moved aside is gone on with: nothing of it or of those before is lost.
func TestLogCannotTurnOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	log, err := launchd.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	former, obstacle := filepath.Join(dir, "bluerelay.log.1"), filepath.Join(dir, ".bluerelay.log")
	if err := errors.Join(os.WriteFile(former, []byte("before\n"), 0o600), os.Mkdir(obstacle, 0o700)); err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	write := func(n int) {
		t.Helper()
		for range n {
			if _, err := log.Write(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(15)
	wantOnly(t, dir, ".bluerelay.log", "bluerelay.log", "bluerelay.log.1")
	if data, err := os.ReadFile(former); err != nil || string(data) != "before\n" {
		t.Errorf("%.20q %v", data, err)
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	write(6) // the 21st is beyond a further 10 MB
	for name, want := range map[string]int64{"bluerelay.log": 1 << 20, "bluerelay.log.1": 20 << 20, "bluerelay.log.2": 7} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() != want {
			t.Errorf("%s has %d bytes, want %d, %v", name, info.Size(), want, err)
		}
	}

	// Somebody has tidied up.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(10)
	if info, err := os.Stat(filepath.Join(dir, "bluerelay.log")); err != nil || info.Size() != 1<<20 {
		t.Errorf("%v", err)
	}
}

func TestLogGoesOn(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		log, err := launchd.OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(log, "start %d\n", i)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := launchd.Tail(t.Context(), &out, dir, 2, false); err != nil || out.String() != "start 1\nstart 2\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestTailGoesBackThroughFormerLogs(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"bluerelay.log": "e\nf\n", "bluerelay.log.1": "c\nd\n", "bluerelay.log.2": "a\nb\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int]string{0: "", 1: "f\n", 3: "d\ne\nf\n", 99: "a\nb\nc\nd\ne\nf\n"} {
		var out bytes.Buffer
		if err := launchd.Tail(t.Context(), &out, dir, n, false); err != nil || out.String() != want {
			t.Errorf("%d: %q %v", n, out.String(), err)
		}
	}
	if err := launchd.Tail(t.Context(), &bytes.Buffer{}, filepath.Join(dir, "none"), 1, false); err == nil || !strings.Contains(err.Error(), "no log") {
		t.Errorf("%v", err)
	}
}

// reader collects what Tail writes and lets the test wait for it.
type reader struct {
	mu   sync.Mutex
	data bytes.Buffer
	some chan struct{}
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data.Write(p)
	select {
	case r.some <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (r *reader) await(t *testing.T, want string) {
	t.Helper()
	end := time.After(patience)
	for {
		r.mu.Lock()
		got := r.data.String()
		r.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-r.some:
		case <-end:
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	}
}

// TestTailFollows reads through two turns of the log, from before there was one.
func TestTailFollows(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{some: make(chan struct{}, 1)}
	var tail sync.WaitGroup
	tail.Go(func() {
		if err := launchd.Tail(ctx, r, dir, 10, true); err != nil {
			t.Error(err)
		}
	})
	defer tail.Wait()
	defer cancel()
	log, err := launchd.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var all strings.Builder
	for i := range 3 {
		line := fmt.Sprintf("%d%s\n", i, strings.Repeat("x", 6<<20))
		all.WriteString(line)
		if _, err := log.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		r.await(t, all.String())
	}
}

func TestTrimCrashLogs(t *testing.T) {
	dir := t.TempDir()
	small, large := filepath.Join(dir, "l.out.log"), filepath.Join(dir, "l.err.log")
	for name, size := range map[string]int{small: 1 << 20, large: 1<<20 + 1} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := launchd.TrimCrashLogs(dir, "l"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{small: 1 << 20, large: 0} {
		if info, err := os.Stat(name); err != nil || info.Size() != want {
			t.Errorf("%s: %d, %v", name, info.Size(), err)
		}
	}
	if err := launchd.TrimCrashLogs(t.TempDir(), "l"); err != nil {
		t.Error(err)
	}
}
