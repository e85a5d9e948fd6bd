package launchd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd"
	"bluerelay/launchd/launchdtest"
)

// childMode names the variable that turns the test binary into a daemon.
const childMode = "LAUNCHD_TEST_CHILD"

func TestMain(m *testing.M) {
	launchdtest.Main()
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(child(mode))
	}
	os.Exit(m.Run())
}

// child is a daemon as cmd/bluerelay is one: what Run returns becomes the exit status.
func child(mode string) int {
	if mode == "install" {
		return installChild(os.Getenv("LAUNCHD_TEST_HOME"), os.Getenv("LAUNCHD_TEST_PROGRAMS"))
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	run := map[string]func(context.Context) error{
		// drain stops only when it is told so on stdin, after the signal.
		"drain": func(ctx context.Context) error {
			fmt.Println("running")
			<-ctx.Done()
			fmt.Println("draining:", context.Cause(ctx))
			line, err := bufio.NewReader(os.Stdin).ReadString('\n')
			fmt.Print("drained: ", line)
			return err
		},
		"fail":   func(context.Context) error { return errors.New("database is gone") },
		"finish": func(context.Context) error { return nil },
		"caller": func(ctx context.Context) error {
			cancel(errors.New("caller has enough"))
			<-ctx.Done()
			return context.Cause(ctx)
		},
	}[mode]
	if err := launchd.Run(ctx, "dev.bluerelay.test", run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	return 0
}

// daemon is a running child.
type daemon struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors strings.Builder
}

func start(t *testing.T, mode string) *daemon {
	t.Helper()
	// A hung child is killed, and the test then fails on its exit status.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	d := &daemon{Cmd: exec.CommandContext(ctx, os.Args[0])}
	d.Env = append(os.Environ(), childMode+"="+mode)
	d.Stderr = &d.errors
	var err error
	if d.in, err = d.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.out = bufio.NewReader(out)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *daemon) wantLine(t *testing.T, want string) {
	t.Helper()
	got, err := d.out.ReadString('\n')
	if err != nil || got != want+"\n" {
		t.Fatalf("child printed %q, %v, want %q; stderr: %s", got, err, want, d.errors.String())
	}
}

func (d *daemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) wantExit(t *testing.T, status int, message string) {
	t.Helper()
	err := d.Wait()
	if got := d.ProcessState.ExitCode(); got != status {
		t.Errorf("child ended with %v, want status %d; stderr: %s", err, status, d.errors.String())
	}
	if got := strings.TrimSpace(d.errors.String()); got != message {
		t.Errorf("child complained %q, want %q", got, message)
	}
}

func TestRunDrainsOnSignal(t *testing.T) {
	for name, s := range map[string]os.Signal{"terminated": syscall.SIGTERM, "interrupt": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			d := start(t, "drain")
			d.wantLine(t, "running")
			d.signal(t, s)
			d.wantLine(t, "draining: "+name+" signal received")
			// The drain goes on under the second and third SIGTERM of an impatient parent.
			d.signal(t, syscall.SIGTERM)
			d.signal(t, syscall.SIGTERM)
			fmt.Fprintln(d.in, "go")
			d.wantLine(t, "drained: go")
			d.wantExit(t, 0, "")
		})
	}
}

func TestRunEndsAtSecondInterrupt(t *testing.T) {
	d := start(t, "drain")
	d.wantLine(t, "running")
	d.signal(t, os.Interrupt)
	d.wantLine(t, "draining: interrupt signal received")
	// The default action is restored a moment after run has seen the first interrupt.
	ended := make(chan error, 1)
	go func() { ended <- d.Wait() }()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ended:
			status, ok := d.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signal() != syscall.SIGINT {
				t.Errorf("child ended with %v, want the interrupt", d.ProcessState)
			}
			return
		case <-again.C:
			if err := d.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
}

func TestRunReturnsWhenRunDoes(t *testing.T) {
	t.Run("with an error", func(t *testing.T) { start(t, "fail").wantExit(t, 3, "database is gone") })
	t.Run("without", func(t *testing.T) { start(t, "finish").wantExit(t, 0, "") })
}

func TestRunStopsWithItsContext(t *testing.T) {
	start(t, "caller").wantExit(t, 3, "caller has enough")
}

func TestRunReturnsTheErrorItself(t *testing.T) {
	want := errors.New("as it is")
	got := launchd.Run(t.Context(), "dev.bluerelay.test", func(context.Context) error { return want })
	if got != want {
		t.Errorf("got %v, want the very error of run", got)
	}
}

func TestRunRefusesNoName(t *testing.T) {
	called := false
	err := launchd.Run(t.Context(), "", func(context.Context) error { called = true; return nil })
	if err == nil || called {
		t.Errorf("error is %v, called %v, want an error before run", err, called)
	}
}
