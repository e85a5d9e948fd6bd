package mac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// maxOutput bounds what is kept of a program's standard output and of its standard error,
// in bytes each. The rest is read and dropped, so that no program waits for us.
const maxOutput = 256 << 10

// ErrNoTool says that this machine lacks a program that macOS has.
var ErrNoTool = errors.New("this machine has no such program of macOS")

// places are where macOS has the programs that we use.
var places = map[string]string{
	"caffeinate": "/usr/bin/caffeinate",
	"codesign":   "/usr/bin/codesign",
	"defaults":   "/usr/bin/defaults",
	"ioreg":      "/usr/sbin/ioreg",
	"launchctl":  "/bin/launchctl",
	"open":       "/usr/bin/open",
	"osascript":  "/usr/bin/osascript",
	"pgrep":      "/usr/bin/pgrep",
	"pmset":      "/usr/bin/pmset",
	"security":   "/usr/bin/security",
	"sw_vers":    "/usr/bin/sw_vers",
	"tmutil":     "/usr/bin/tmutil",
	"xattr":      "/usr/bin/xattr",
}

// Tools finds and runs the programs of macOS.
type Tools struct {
	// Dir holds stand-ins under the same names; only they are used then. Empty means the
	// places where macOS has them.
	Dir string
}

// Path returns where the program of that name is, whether or not it exists there. A name
// that is not in the list of this package is a mistake in the program and panics.
func (t Tools) Path(name string) string {
	place, ok := places[name]
	if !ok {
		panic("mac: no place for " + name)
	}
	if t.Dir != "" {
		return filepath.Join(t.Dir, name)
	}
	return place
}

// Result is what a program did: its exit code, or -1 where a signal ended it, and the
// beginning of what it said.
type Result struct {
	Code   int
	Out    []byte
	Errors []byte
}

// Run starts a program with the given standard input (nil for none) and waits for it. It has
// a process group of its own, which is killed when ctx ends or limit is over. A program that
// ran and failed is no error: see Result.Code. The errors are ErrNoTool, that of ctx, and
// context.DeadlineExceeded after limit. On a machine that is no Mac there are only stand-ins:
// what has the same name there is another program.
func (t Tools) Run(ctx context.Context, limit time.Duration, stdin []byte, name string, args ...string) (Result, error) {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return t.run(within, stdin, name, args...)
}

// run is Run for as long as ctx lasts.
func (t Tools) run(ctx context.Context, stdin []byte, name string, args ...string) (Result, error) {
	if t.Dir == "" && runtime.GOOS != "darwin" {
		return Result{Code: -1}, fmt.Errorf("run %s: %w", name, ErrNoTool)
	}
	return start(ctx, stdin, t.Path(name), args...)
}

// Start runs any program as Tools.Run does those of macOS, without standard input.
func Start(ctx context.Context, limit time.Duration, path string, args ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return start(ctx, nil, path, args...)
}

func start(ctx context.Context, stdin []byte, path string, args ...string) (Result, error) {
	name := filepath.Base(path)
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bounded
	cmd.Stdout, cmd.Stderr = &out, &errs
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	result := Result{Code: -1, Out: out.Bytes(), Errors: errs.Bytes()}
	if cmd.ProcessState != nil {
		result.Code = cmd.ProcessState.ExitCode()
	}
	if ctx.Err() != nil {
		return result, fmt.Errorf("run %s: %w", name, ctx.Err())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return result, fmt.Errorf("run %s: %w", name, ErrNoTool)
	}
	// A program that does not read all of its input has not failed by that.
	if _, exited := errors.AsType[*exec.ExitError](err); exited || errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	if err != nil {
		return result, fmt.Errorf("run %s: %w", name, err)
	}
	return result, nil
}

// bounded keeps the first maxOutput bytes and takes the rest without keeping it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// ReadFrom would otherwise be the buffer's own, which has no bound.
func (b *bounded) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}
