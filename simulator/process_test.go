package simulator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bluerelay/simulator"
)

func TestFilesAreTheOwnersOnly(t *testing.T) {
	b := start(t, fast)
	b.send(t, "+14155550123", "x")
	for _, name := range []string{"chat.db", "chat.db-wal", "chat.db-shm", "simulator.db", "messages.json", "effects.jsonl"} {
		info, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	var mode string
	if err := b.db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
	b.stop(t)
	if _, err := os.Stat(filepath.Join(b.dir, "messages.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("messages.json after the end: %v", err)
	}
}

func TestSecondMessagesIsRefused(t *testing.T) {
	b := start(t, fast)
	if err := simulator.Serve(t.Context(), b.dir, fast); !errors.Is(err, simulator.ErrRunning) {
		t.Errorf("second Serve: %v", err)
	}
	_, err := simulator.Start(t.Context(), self(), b.dir, fast)
	if err == nil || !strings.Contains(err.Error(), "already running") {
		t.Errorf("second Start: %v", err)
	}
	b.send(t, "+14155550123", "the first one lives")
	b.await(t, "row", "+14155550123", func(row) bool { return true })
}

func TestServeInThisProcess(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := simulator.Serve(ctx, dir, simulator.Options{Speed: 1000}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "a reply is taken", func() bool {
		_, err := simulator.Receive(ctx, dir, simulator.Inbound{From: "+14155550123", Text: "x"})
		return err == nil
	})
	cancel()
	wg.Wait()
	if err := simulator.Serve(t.Context(), dir, simulator.Options{Speed: -1}); err == nil {
		t.Error("a negative speed was accepted")
	}
}

func TestRestartContinuesALife(t *testing.T) {
	b := start(t, simulator.Options{Speed: 0.2})
	b.send(t, "+14155550123", "receipts come after the restart")
	b.await(t, "row", "+14155550123", func(row) bool { return true })
	b.stop(t)
	if r := b.rows(t, "TRUE"); len(r) != 1 || r[0].delivered {
		t.Fatalf("rows %+v", r)
	}
	b.start(t, fast)
	b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered && r.chats == 1 })
}

func TestLateRowAfterCrash(t *testing.T) {
	b := start(t, simulator.Options{Speed: 4}) // three seconds for the crash
	b.send(t, "+15005550005", "late")
	b.kill(t)
	if r := b.rows(t, "TRUE"); len(r) != 0 {
		t.Fatalf("rows %+v", r)
	}
	b.start(t, simulator.Options{Speed: 10})
	b.await(t, "delivered", "+15005550005", func(r row) bool { return r.delivered })
	if rows, effects := b.rows(t, "TRUE"), b.effects(t); len(rows) != 1 || len(effects) != 1 {
		t.Errorf("%d rows, %d effects", len(rows), len(effects))
	}
}

// Whatever the instant of a crash: a hand-over that was answered makes one
// row and one line, one that was not makes at most that.
func TestCrashesMakeNothingTwice(t *testing.T) {
	b := start(t, simulator.Options{Speed: 5})
	accepted, program := make(map[string]bool), b.Osascript()
	for crash := range 8 {
		grown := len(b.effects(t))
		var wg sync.WaitGroup
		var mu sync.Mutex
		for i := range 4 {
			wg.Go(func() {
				text := fmt.Sprintf("message %d of life %d", i, crash)
				r, err := runScript(t.Context(), program, testScript,
					"-l", "AppleScript", "-", "send-text", "iMessage", "participant", "+14155550123", text)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				accepted[text] = r.code == 0
			})
		}
		eventually(t, "an effect", func() bool { return len(b.effects(t)) > grown })
		b.kill(t)
		wg.Wait()
		b.start(t, simulator.Options{Speed: 5, Seed: uint64(crash)})
	}
	b.send(t, "+14155550999", "last")
	b.await(t, "last delivered", "+14155550999", func(r row) bool { return r.delivered })
	b.await(t, "all delivered", "+14155550123", func(row) bool {
		return len(b.rows(t, "m.is_delivered = 0")) == 0
	})
	texts, guids := make(map[string]int), make(map[string]int)
	for _, r := range b.rows(t, "TRUE") {
		texts[r.text]++
		guids[r.guid]++
		if r.chats != 1 || texts[r.text] > 1 {
			t.Errorf("row %d: %d chats, %d of its text", r.id, r.chats, texts[r.text])
		}
	}
	for text, ok := range accepted {
		if ok && texts[text] != 1 {
			t.Errorf("%q was accepted and has %d rows", text, texts[text])
		}
	}
	effects := b.effects(t)
	for i, e := range effects {
		if guids[e.GUID] != 1 || i > 0 && effects[i-1].RowID >= e.RowID {
			t.Errorf("effect %d: %+v", i, e)
		}
		delete(guids, e.GUID)
	}
	if len(guids) > 0 {
		t.Errorf("%d rows without an effect", len(guids))
	}
}

func TestKilledOsascript(t *testing.T) {
	b := start(t, simulator.Options{Speed: 0.05})
	args := []string{"-l", "AppleScript", "-", "send-text", "iMessage", "participant", "+15005550007"}

	before := exec.CommandContext(t.Context(), b.Osascript(), append(args, "before")...)
	stdin, err := before.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	kill(t, before)
	stdin.Close()

	after := exec.CommandContext(t.Context(), b.Osascript(), append(args, "after")...)
	after.Stdin = strings.NewReader(testScript)
	stderr, err := after.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := after.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil || line != "bluerelay:dispatch\n" {
		t.Fatalf("marker %q, %v", line, err)
	}
	// It waits 20 s for its answer: the row shows that the hand-over is done.
	b.await(t, "row", "+15005550007", func(r row) bool { return r.text == "after" })
	kill(t, after)
	b.stop(t)
	b.start(t, fast)
	b.await(t, "delivered", "+15005550007", func(r row) bool { return r.delivered })
	if rows, effects := b.rows(t, "TRUE"), b.effects(t); len(rows) != 1 || len(effects) != 1 {
		t.Errorf("%d rows, %d effects, want those of the one handed over", len(rows), len(effects))
	}
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("a killed osascript ended well")
	}
}

// A Messages whose parent is killed ends by itself, although nothing tells it.
func TestNoOrphan(t *testing.T) {
	dir := t.TempDir()
	parent := exec.CommandContext(t.Context(), self(), "simulate", "parent", "--dir", dir)
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "started\n" {
		t.Fatalf("parent said %q, %v", line, err)
	}
	pid := (&box{dir: dir}).pid(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := simulator.Receive(t.Context(), dir, simulator.Inbound{From: "+14155550123", Text: "still there"}); err != nil {
		t.Errorf("after signals: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "messages.json is gone", func() bool {
		_, err := os.Stat(filepath.Join(dir, "messages.json"))
		return errors.Is(err, fs.ErrNotExist)
	})
}

func TestStartFailsWithWhatTheChildSaid(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(exe, []byte("#!/bin/sh\necho one >&2\necho no such command >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := simulator.Start(t.Context(), exe, t.TempDir(), fast)
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 3: no such command") {
		t.Errorf("Start: %v", err)
	}
}

func TestLinkIsRefreshed(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		exe := filepath.Join(dir, "program"+strconv.Itoa(i))
		if err := simulator.Link(exe, dir); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(dir, "osascript")); err != nil || got != exe {
			t.Errorf("link to %s, %v", got, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "osascript.*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// Throughput of the Messages process and the fake osascript's own cost are
// two things: the first is measured through its acts, the second by sending.
func BenchmarkReceive(b *testing.B) {
	dir := b.TempDir()
	p, err := simulator.Start(b.Context(), self(), dir, simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := simulator.Receive(b.Context(), dir, simulator.Inbound{From: "+14155550123", Text: "x"}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkSend(b *testing.B) {
	dir := b.TempDir()
	p, err := simulator.Start(b.Context(), self(), dir, simulator.Options{Speed: 100})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		cmd := exec.CommandContext(b.Context(), p.Osascript(), "-l", "AppleScript", "-",
			"send-text", "iMessage", "participant", "+14155550123", "text "+strconv.Itoa(i))
		cmd.Stdin = strings.NewReader(testScript)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		b.Fatal(err)
	}
}
