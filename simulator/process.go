package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyPoll is the pause between two looks for a child that is starting.
const readyPoll = 5 * time.Millisecond

// Process is a Messages process started by Start. Its methods may be called
// by several goroutines at once.
type Process struct {
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
	said  *tail
	done  chan struct{}
	err   error // of the child's end; read after done
	wg    sync.WaitGroup
}

// Start makes the link DIR/osascript to exe and runs Messages as a child:
//
//	exe simulate messages --dir DIR --speed N --seed N --number +N
//
// a hidden command that has to call RunMessages. The child ends when its
// standard input does: with Stop, and also when this process is killed. It
// has a process group of its own, so no signal from a terminal reaches it.
// Start returns when the child answers; ctx bounds that wait only. It fails
// with what the child said where it ends before.
func Start(ctx context.Context, exe, dir string, opts Options) (*Process, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	if dir, err = prepareFolder(dir); err != nil {
		return nil, err
	}
	if err := Link(exe, dir); err != nil {
		return nil, err
	}
	p := &Process{dir: dir, said: new(tail), done: make(chan struct{})}
	p.cmd = exec.Command(exe, "simulate", "messages", "--dir", dir,
		"--speed", strconv.FormatFloat(opts.Speed, 'g', -1, 64),
		"--seed", strconv.FormatUint(opts.Seed, 10),
		"--number", opts.Number)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = p.said
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start simulated Messages: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start simulated Messages: %w", err)
	}
	p.wg.Go(func() {
		p.err = p.cmd.Wait()
		close(p.done)
	})
	if err := p.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.kill())
	}
	return p, nil
}

// ChatDB is the path of the simulated chat.db.
func (p *Process) ChatDB() string { return filepath.Join(p.dir, chatDBName) }

// Osascript is the path of the program that answers as osascript.
func (p *Process) Osascript() string { return filepath.Join(p.dir, osascriptName) }

// Attachments is the path of the folder of attachments.
func (p *Process) Attachments() string { return filepath.Join(p.dir, attachmentsName) }

// Wait returns when the process has ended: nil after Stop, an error with what
// it last said where it ended by itself.
func (p *Process) Wait() error {
	p.wg.Wait()
	if p.err != nil {
		return fmt.Errorf("simulated Messages ended: %w%s", p.err, p.said.note())
	}
	return nil
}

// Stop ends the process in order and waits for it. When ctx ends first the
// process is killed; chat.db is then as Messages leaves it in a crash. It may
// be called again.
func (p *Process) Stop(ctx context.Context) error {
	// Closing twice only says that it is closed.
	_ = p.stdin.Close()
	select {
	case <-p.done:
		return p.Wait()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("stop simulated Messages: %w", context.Cause(ctx)), p.kill())
	}
}

func (p *Process) kill() error {
	err := p.cmd.Process.Kill()
	p.wg.Wait()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill simulated Messages: %w", err)
	}
	return nil
}

func (p *Process) awaitReady(ctx context.Context) error {
	look := time.NewTicker(readyPoll)
	defer look.Stop()
	for {
		if p.answers(ctx) {
			return nil
		}
		select {
		case <-look.C:
		case <-p.done:
			if err := p.Wait(); err != nil {
				return err
			}
			return errors.New("simulated Messages ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("wait for simulated Messages: %w", context.Cause(ctx))
		}
	}
}

// answers asks the child, not one that ran here before it.
func (p *Process) answers(ctx context.Context) bool {
	addr, err := readAddress(p.dir)
	if err != nil || addr.PID != p.cmd.Process.Pid {
		return false
	}
	app, err := reachFolder(ctx, p.dir)
	if err != nil {
		return false
	}
	defer app.close()
	_, err = app.get(pathHealth)
	return err == nil
}

// Link makes or refreshes the symbolic link DIR/osascript to exe, in one
// step: whoever starts it meanwhile gets the old program or the new one. exe's
// main must call Osascript first of all when its own name is osascript.
func Link(exe, dir string) error {
	exe, err := filepath.Abs(exe)
	if err != nil {
		return fmt.Errorf("find program for osascript: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, osascriptName+".*")
	if err != nil {
		return fmt.Errorf("link osascript: %w", err)
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, osascriptName)
	if err := os.Symlink(exe, link); err != nil {
		return fmt.Errorf("link osascript: %w", err)
	}
	if err := os.Rename(link, filepath.Join(dir, osascriptName)); err != nil {
		return fmt.Errorf("link osascript: %w", err)
	}
	return nil
}

// RunMessages is the body of the hidden command that Start runs: Serve until
// stdin ends, which says that the parent has stopped it or is gone. It
// ignores SIGINT, SIGTERM and SIGHUP for the rest of the process: the parent
// decides when Messages quits, after everything that uses it.
func RunMessages(ctx context.Context, dir string, stdin io.Reader, opts Options) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// This goroutine is not waited for: a read of standard input cannot be
	// ended from here, and the process ends right after.
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, stdin)
	}()
	return Serve(ctx, dir, opts)
}

// tail keeps the end of what a child writes.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 2048

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(b), nil
}

// note gives the last line written, set off for the end of an error.
func (t *tail) note() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return ""
	}
	return ": " + text[strings.LastIndexByte(text, '\n')+1:]
}
