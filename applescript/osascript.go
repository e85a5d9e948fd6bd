package applescript

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// killDelay is how long a process group has between SIGTERM and SIGKILL, and how
// long its last words may take to arrive.
const killDelay = 2 * time.Second

// runOsascript runs osascript until its end or that of ctx and says what that
// proves. lock, where there is one, is inherited; started hears the number of the
// process group.
//
// Standard error comes by a pipe, not by way of a file: on a full disk a file would
// lose the marker, and what fails behind a lost marker looks as if it had done
// nothing.
func runOsascript(ctx context.Context, program string, req Request, lock *os.File, started func(group int)) Outcome {
	ear, mouth, err := os.Pipe()
	if err != nil {
		return Outcome{Effect: NoEffect, Reason: CannotStart}
	}
	defer ear.Close()
	cmd := command(ctx, program, req)
	cmd.Stderr = mouth
	if lock != nil {
		cmd.ExtraFiles = []*os.File{lock}
	}
	err = cmd.Start()
	mouth.Close()
	if err != nil {
		return Outcome{Effect: NoEffect, Reason: startReason(err)}
	}
	started(cmd.Process.Pid)
	heard := make(chan speech, 1)
	go func() { heard <- hear(ear) }()
	e := wait(ctx, cmd)
	// Everything of the group is dead. Who left it in time may hold the pipe open, and
	// has nothing to say that counts.
	_ = ear.SetReadDeadline(time.Now().Add(killDelay)) // a pipe has deadlines
	return classify(e, <-heard).of(req)
}

// hear listens to a running program to its end, so that it never waits for a reader.
// What was not heard to the end may have held the marker.
func hear(r io.Reader) speech {
	said, err := listen(r)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	said.dispatched = said.dispatched || err != nil
	return said
}

// command prepares osascript in a process group of its own, which is ended when
// ctx is. Standard output is not wanted and goes to the null device.
func command(ctx context.Context, program string, req Request) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, req.args()...)
	cmd.Stdin = strings.NewReader(script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killDelay
	return cmd
}

// wait waits for the end and makes sure that nothing of the group outlives it: a
// child that osascript left behind would hold the lock, and with it the queue.
func wait(ctx context.Context, cmd *exec.Cmd) exit {
	// The error adds nothing to the exit code: it can also come from writing the
	// script to a program that does not read it.
	_ = cmd.Wait()
	deadline := ctx.Err() != nil
	// Mostly the group is gone already, which is an error without a meaning.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return exit{code: cmd.ProcessState.ExitCode(), deadline: deadline}
}

func startReason(err error) Reason {
	if errors.Is(err, syscall.E2BIG) || errors.Is(err, syscall.EINVAL) {
		return BadRequest
	}
	return CannotStart
}
