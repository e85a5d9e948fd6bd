package applescript_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bluerelay/applescript"
)

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// orderOf is what the daemon writes to the shim.
func orderOf(t testing.TB, s *stage, req applescript.Request) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"dir": s.sender.Dir, "id": "msg_1", "attempt": 1, "osascript": s.sender.Osascript, "request": req, "limit_ms": 30_000, "whole": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// startShim starts a shim that holds the lock and waits for its order.
func startShim(t testing.TB, s *stage) (*exec.Cmd, io.WriteCloser) {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(s.sender.Dir, "msg_1.1.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(s.sender.Exe, applescript.ShimArg)
	cmd.ExtraFiles = []*os.File{lock}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in
}

// TestShimWithACutOrder: the daemon died while it was writing.
func TestShimWithACutOrder(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	order := orderOf(t, s, text("hello"))
	for n := range len(order) {
		if code := applescript.Shim(bytes.NewReader(order[:n])); code == 0 {
			t.Fatalf("an order of %d bytes out of %d was carried out", n, len(order))
		}
	}
	for _, part := range []int{0, 1, len(order) / 2, len(order) - 1} {
		cmd, in := startShim(t, s)
		if _, err := in.Write(order[:part]); err != nil {
			t.Fatal(err)
		}
		s.busy()
		in.Close()
		if err := cmd.Wait(); err == nil {
			t.Errorf("the shim took %d bytes out of %d for an order", part, len(order))
		}
		if o := s.recover(); o != outcome(applescript.NoEffect, applescript.Interrupted, 0) {
			t.Errorf("got %+v", o)
		}
	}
	s.started(0)
}

func TestShimWithoutTheMemberWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	order := bytes.Replace(orderOf(t, s, text("hello")), []byte(`"whole":true`), []byte(`"whole":false`), 1)
	cmd, in := startShim(t, s)
	if _, err := in.Write(order); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("the shim took it for an order")
	}
	s.started(0)
}

// TestShimWithoutTheLock: nobody could tell that it runs, so it must not.
func TestShimWithoutTheLock(t *testing.T) {
	t.Parallel()
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, files := range map[string][]*os.File{"none": nil, "another file": {other}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, marker, ends(0))
			cmd := exec.Command(s.sender.Exe, applescript.ShimArg)
			cmd.Stdin = bytes.NewReader(orderOf(t, s, text("hello")))
			cmd.ExtraFiles = files
			if err := cmd.Run(); err == nil {
				t.Error("the shim worked without its lock")
			}
			s.started(0)
			if files := s.files(); len(files) > 0 {
				t.Errorf("it left %q behind", files)
			}
		})
	}
}

func TestShimKilledBeforeTheMarker(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	cmd, in := startShim(t, s)
	defer in.Close()
	if _, err := in.Write(orderOf(t, s, text("hello"))[:20]); err != nil {
		t.Fatal(err)
	}
	s.busy()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if o := s.recover(); o != outcome(applescript.NoEffect, applescript.Interrupted, 0) {
		t.Errorf("got %+v", o)
	}
	s.started(0)
}

// TestShimKilledWhileOsascriptRuns: the orphan holds the lock, and until it ends
// nobody may believe that the attempt is over.
func TestShimKilledWhileOsascriptRuns(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"before the script's marker": {signalParent(), touch("orphan"), waitFor("go"), marker, ends(0)},
		"after the script's marker":  {marker, signalParent(), touch("orphan"), waitFor("go"), ends(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, steps...)
			ctx, got := bounded(t), make(chan applescript.Outcome, 1)
			var sending sync.WaitGroup
			sending.Go(func() {
				o, err := s.sender.Send(ctx, "msg_1", 1, text("hello"))
				if err != nil {
					t.Error(err)
				}
				got <- o
			})
			s.await("orphan")
			s.busy()
			if o, err := s.sender.Send(ctx, "msg_1", 1, text("hello")); !errors.Is(err, applescript.ErrRunning) {
				t.Errorf("a second Send gave %+v, %v", o, err)
			}
			s.allow("go")
			sending.Wait()
			want := outcome(applescript.MayHave, applescript.Interrupted, 0)
			if o := <-got; o != want {
				t.Errorf("Send gave %+v, want %+v", o, want)
			}
			if o := s.recover(); o != want {
				t.Errorf("Recover gave %+v, want %+v", o, want)
			}
			s.started(1)
		})
	}
}

// TestSendGivenUp: the daemon stops waiting, the run goes on, and its true outcome
// is told to whoever asks later.
func TestSendGivenUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  []step
		want applescript.Outcome
	}{
		"success":   {[]step{marker, ends(0)}, applescript.Outcome{Effect: applescript.Accepted}},
		"no effect": {fault("Can’t get chat id \"x\". (-1728)"), outcome(applescript.NoEffect, applescript.NoTarget, -1728)},
		"ambiguous": {after(marker, fault("AppleEvent timed out. (-1712)")), outcome(applescript.MayHave, applescript.TimedOut, -1712)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, append([]step{touch("runs"), waitFor("go")}, tt.end...)...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var sending sync.WaitGroup
			sending.Go(func() {
				if o, err := s.sender.Send(ctx, "msg_1", 1, text("hello")); !errors.Is(err, applescript.ErrRunning) {
					t.Errorf("Send gave %+v, %v", o, err)
				}
			})
			s.await("runs")
			cancel()
			sending.Wait()
			s.busy()
			s.allow("go")
			if err := s.sender.Close(); err != nil { // its spare shim ends with a daemon
				t.Fatal(err)
			}
			s.sender = applescript.Sender{Dir: s.sender.Dir} // another daemon, which needs nothing but the files
			if o := s.recover(); o != tt.want {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
			s.started(1)
		})
	}
}

// TestDaemonKilled: kill -9 of the process that called Send does not reach the
// shim.
func TestDaemonKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, touch("runs"), waitFor("go"), ends(0))
	order, err := json.Marshal(daemonOrder{&s.sender, "msg_1", 1, text("hello")})
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(s.sender.Exe)
	daemon.Args = []string{nameDaemon}
	daemon.Stdin = bytes.NewReader(order)
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	s.await("runs")
	if err := syscall.Kill(-daemon.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()
	s.busy()
	s.allow("go")
	if o := s.recover(); o.Effect != applescript.Accepted {
		t.Errorf("got %+v", o)
	}
	s.started(1)
}

// TestRecoverFromFiles gives Recover what crashes and power cuts leave behind.
func TestRecoverFromFiles(t *testing.T) {
	t.Parallel()
	unclear := outcome(applescript.MayHave, applescript.Interrupted, 0)
	unmade := outcome(applescript.NoEffect, applescript.Interrupted, 0)
	tests := map[string]struct {
		files map[string]string
		want  applescript.Outcome
	}{
		"nothing":                  {nil, unmade},
		"a lock":                   {map[string]string{".lock": ""}, unmade},
		"a marker":                 {map[string]string{".lock": "", ".marker": ""}, unclear},
		"a result half written":    {map[string]string{".marker": "", ".result.tmp": `{"effect":"none"}`}, unclear},
		"an empty result":          {map[string]string{".marker": "", ".result": ""}, unclear},
		"a torn result":            {map[string]string{".marker": "", ".result": `{"effect":"none","rea`}, unclear},
		"a result of zeros":        {map[string]string{".marker": "", ".result": strings.Repeat("\x00", 40)}, unclear},
		"a result without effect":  {map[string]string{".marker": "", ".result": `{"reason":"interrupted"}`}, unclear},
		"a result of another kind": {map[string]string{".marker": "", ".result": `["none"]`}, unclear},
		"accepted":                 {map[string]string{".marker": "", ".result": `{"effect":"accepted"}`}, applescript.Outcome{Effect: applescript.Accepted}},
		"no effect":                {map[string]string{".marker": "", ".result": `{"effect":"none","reason":"automation_denied","number":-1743}`}, outcome(applescript.NoEffect, applescript.Denied, -1743)},
		"ambiguous":                {map[string]string{".marker": "", ".result": `{"effect":"may_have","reason":"messages_timeout"}`}, outcome(applescript.MayHave, applescript.TimedOut, 0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, marker, ends(0))
			for ext, content := range tt.files {
				s.write(ext, content)
			}
			if o := s.recover(); o != tt.want {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
			s.started(0)
			if tt.want == unmade {
				return
			}
			if o := s.send(text("hello")); o != tt.want {
				t.Errorf("Send gave %+v, want %+v", o, tt.want)
			}
			s.started(0)
		})
	}
}

func TestRecoverRefusesWhatCannotBeAFile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if _, err := s.sender.Recover(bounded(t), "../x", 1); err == nil {
		t.Error("an id with a path was taken")
	}
	s.sender.Dir += ".gone"
	if _, err := s.sender.Recover(bounded(t), "msg_1", 1); err == nil || errors.Is(err, applescript.ErrRunning) {
		t.Errorf("without its folder Recover gave %v", err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	s.send(text("hello"))
	if err := s.sender.Close(); err != nil {
		t.Fatal(err)
	}
	if files := s.files(); len(files) != 3 {
		t.Errorf("a run left %q", files)
	}
	for _, ext := range []string{".result.tmp"} {
		s.write(ext, "")
	}
	if _, err := s.sender.Recover(bounded(t), "msg_1", 2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.sender.Forget("msg_1", 1); err != nil {
			t.Fatal(err)
		}
	}
	if files := s.files(); len(files) != 1 || files[0] != "msg_1.2.lock" {
		t.Errorf("Forget left %q, want the other attempt's lock alone", files)
	}
	if err := s.sender.Forget("../x", 1); err != nil {
		t.Error(err)
	}
}

// TestOneAttemptRunsOnce has many senders at one attempt.
func TestOneAttemptRunsOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, touch("runs"), waitFor("go"), ends(0))
	ctx := bounded(t)
	var group sync.WaitGroup
	send := func() {
		o, err := s.sender.Send(ctx, "msg_1", 1, text("hello"))
		if !errors.Is(err, applescript.ErrRunning) && (err != nil || o.Effect != applescript.Accepted) {
			t.Errorf("got %+v, %v", o, err)
		}
	}
	for range 8 {
		group.Go(send)
	}
	s.await("runs")
	for range 8 {
		group.Go(send)
	}
	s.busy()
	s.allow("go")
	group.Wait()
	if o := s.send(text("hello")); o.Effect != applescript.Accepted {
		t.Errorf("a Send after the end gave %+v", o)
	}
	s.started(1)

	if o, err := s.sender.Send(ctx, "msg_1", 2, text("hello")); err != nil || o.Effect != applescript.Accepted {
		t.Errorf("the next attempt gave %+v, %v", o, err)
	}
	s.started(2)
}

// TestRecoverWaits: Recover returns when the lock falls free, not before.
func TestRecoverWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.write(".marker", "")
	lock, err := os.OpenFile(filepath.Join(s.sender.Dir, "msg_1.1.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	done := make(chan applescript.Outcome, 1)
	ctx := bounded(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		o, err := s.sender.Recover(ctx, "msg_1", 1)
		if err != nil {
			t.Error(err)
		}
		done <- o
	})
	select {
	case o := <-done:
		t.Errorf("Recover gave %+v while the lock was held", o)
	case <-time.After(20 * time.Millisecond):
	}
	s.write(".result", `{"effect":"accepted"}`)
	lock.Close()
	waiting.Wait()
	if o := <-done; o.Effect != applescript.Accepted {
		t.Errorf("got %+v", o)
	}
}
