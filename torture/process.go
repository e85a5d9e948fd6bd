package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// keeper starts a program again whenever it has ended, until it is told to stop or to
// hold. Its methods may be called concurrently.
type keeper struct {
	// make prepares the next process.
	make func() *exec.Cmd
	// hear gets each line that the process writes; nil for nobody.
	hear func(line string)
	log  *os.File

	gate    chan struct{} // holds one token, which who starts the program must have
	stopped chan struct{}
	once    sync.Once
	wg      sync.WaitGroup

	mu    sync.Mutex
	cmd   *exec.Cmd // nil while it does not run
	stdin io.Closer
}

// restartPause keeps a program that ends at once from eating the machine.
const restartPause = 2 * time.Millisecond

// keep begins.
func keep(logPath string, prepare func() *exec.Cmd, hear func(string)) (*keeper, error) {
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	k := &keeper{make: prepare, hear: hear, log: log, gate: make(chan struct{}, 1), stopped: make(chan struct{})}
	k.gate <- struct{}{}
	k.wg.Go(k.loop)
	return k, nil
}

func (k *keeper) loop() {
	defer k.log.Close()
	for {
		select {
		case <-k.stopped:
			return
		case <-k.gate:
		}
		wait, err := k.begin()
		if err == nil {
			wait()
		}
		k.gate <- struct{}{}
		time.Sleep(restartPause)
	}
}

// begin starts the program and returns what waits for its end.
func (k *keeper) begin() (wait func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cmd := k.make()
	// A process group of its own, so that no signal from a terminal reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	k.cmd, k.stdin = cmd, stdin
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		k.listen(out)
	}()
	return func() {
		_ = cmd.Wait() // it is meant to be killed
		k.mu.Lock()
		k.cmd = nil
		k.mu.Unlock()
		// A shim that was left behind may have the pipe; it does not keep us waiting.
		out.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		<-heard
		out.Close()
	}, nil
}

func (k *keeper) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		k.log.Write(append(lines.Bytes(), '\n'))
		if k.hear != nil {
			k.hear(lines.Text())
		}
	}
}

// signal sends a signal to the process, if there is one, and returns its id or 0.
func (k *keeper) signal(sig syscall.Signal) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd == nil {
		return 0
	}
	if syscall.Kill(k.cmd.Process.Pid, sig) != nil {
		return 0
	}
	return k.cmd.Process.Pid
}

// hold ends the process and keeps it from being started until release.
func (k *keeper) hold() {
	for {
		k.signal(syscall.SIGKILL)
		select {
		case <-k.gate:
			return
		case <-k.stopped:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// release lets the program be started again.
func (k *keeper) release() {
	select {
	case k.gate <- struct{}{}:
	case <-k.stopped:
	}
}

// stop ends the process for good.
func (k *keeper) stop() {
	k.once.Do(func() { close(k.stopped) })
	done := make(chan struct{})
	go func() { k.wg.Wait(); close(done) }()
	for {
		k.signal(syscall.SIGKILL)
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// is tells whether the process that runs now has that id.
func (k *keeper) is(pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cmd != nil && k.cmd.Process.Pid == pid
}
