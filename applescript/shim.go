package applescript

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ShimArg is the first argument that makes the program a shim. A main function
// calls Shim before anything else when it finds it: start-up is paid on each send.
const ShimArg = "__osascript"

// order is what the daemon tells the shim, on standard input.
type order struct {
	Dir       string  `json:"dir"`
	ID        string  `json:"id"`
	Attempt   int     `json:"attempt"`
	Osascript string  `json:"osascript"`
	Request   Request `json:"request"`
	LimitMS   int64   `json:"limit_ms"`
	// Whole is last: its absence means that the daemon died while writing.
	Whole bool `json:"whole"`
}

// inheritedLock is the number of the lock's descriptor in the shim and in
// osascript, the first after the standard three.
const inheritedLock = 3

// Shim reads its order from stdin, runs osascript and leaves marker and result. It
// returns the exit code for the process: 0 whenever a result was written. Whatever
// it returns, the files alone say what happened.
func Shim(stdin io.Reader) int {
	data, err := io.ReadAll(io.LimitReader(stdin, 8*maxValue))
	if err != nil {
		return 1
	}
	var o order
	if json.Unmarshal(data, &o) != nil || !o.Whole {
		return 1
	}
	r, err := newRun(o.Dir, o.ID, o.Attempt)
	if err != nil {
		return 1
	}
	lock := os.NewFile(inheritedLock, "lock")
	defer lock.Close()
	if !r.locks(lock) {
		return 1 // started without a lock: nobody could tell that we run
	}
	stderr, err := os.OpenFile(r.path(stderrExt), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return 1
	}
	defer stderr.Close()
	if err := r.mark(); err != nil {
		return 1
	}
	outcome := o.runOsascript(lock, stderr)
	result, err := json.Marshal(outcome)
	if err != nil {
		return 1
	}
	if err := r.writeDurable(resultExt, result); err != nil {
		return 1
	}
	return 0
}

func (o order) runOsascript(lock, stderr *os.File) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(o.LimitMS)*time.Millisecond)
	defer cancel()
	cmd := command(ctx, o.Osascript, o.Request)
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{lock}
	if err := cmd.Start(); err != nil {
		return Outcome{Effect: NoEffect, Reason: startReason(err)}
	}
	e := wait(ctx, cmd)
	if _, err := stderr.Seek(0, io.SeekStart); err != nil {
		return Outcome{Effect: MayHave, Reason: DiskTrouble}
	}
	said, err := listen(stderr)
	if err != nil {
		return Outcome{Effect: MayHave, Reason: DiskTrouble}
	}
	return classify(e, said)
}

// killDelay is how long a process group has between SIGTERM and SIGKILL.
const killDelay = 2 * time.Second

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
