package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person sits at a terminal of its own, in which a program runs.
type person struct {
	terminal *os.File
	cmd      *exec.Cmd
	done     chan struct{}
	out      *buffer
}

// atTerminal runs a program in a new terminal and ends it with the test.
func atTerminal(t testing.TB, program string, args ...string) *person {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{terminal: terminal, cmd: exec.Command(program, args...), done: make(chan struct{}), out: newBuffer()}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = inside, inside, inside
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inside.Close()
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(p.out, terminal) }() // it ends with an error when nobody has the terminal open
	go func() { defer close(p.done); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		<-read
		if t.Failed() {
			t.Logf("terminal of %s %s:\n%s", filepath.Base(program), strings.Join(args, " "), last(p.out.String(), 6000))
		}
	})
	return p
}

// types sends keys.
func (p *person) types(t testing.TB, keys string) {
	t.Helper()
	if _, err := io.WriteString(p.terminal, keys); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the end of the program and its exit code.
func (p *person) ended(t testing.TB, code int) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not end")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("it ended with %d, want %d", got, code)
	}
}
