package applescript

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"bluerelay/fault"
)

// spare is a shim that was started ahead: it waits on its standard input for an
// order, so that a message need not wait for the start of a process. It holds the
// lock that the order's run will have, under a name that is changed when the order
// is given. Without an order it ends when its input does, also when the daemon is
// killed, and has done nothing.
type spare struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lock  *os.File
}

const spareLock = "spare" + lockExt

// Warm starts a spare shim unless there is one. It takes a millisecond or two; an
// error only means that the next Send starts its shim itself.
func (s *Sender) Warm() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spare != nil {
		return nil
	}
	lock, busy, err := lockPath(filepath.Join(s.Dir, spareLock))
	if busy {
		return errors.New("an earlier spare shim has not ended yet")
	}
	if err != nil {
		return err
	}
	cmd := s.shim(lock)
	input, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		release(lock)
		return err
	}
	s.spare = &spare{cmd: cmd, input: input, lock: lock}
	fault.Hit(fault.ShimWarm)
	return nil
}

// Close ends the spare shim. Runs go on by themselves.
func (s *Sender) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.spare
	if one == nil {
		return nil
	}
	s.spare = nil
	one.input.Close()
	_ = one.cmd.Wait() // without an order it fails, as it should
	release(one.lock)
	return os.Remove(filepath.Join(s.Dir, spareLock))
}

// startSpare gives the order to the spare shim. It returns nil where there is none,
// where it has died, and where the attempt may have been made before: then the
// ordinary way decides.
func (s *Sender) startSpare(r run, o order) *exec.Cmd {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.spare
	if one == nil {
		return nil
	}
	for _, ext := range []string{lockExt, markerExt} {
		if there, err := r.exists(ext); there || err != nil {
			return nil
		}
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	s.spare = nil
	// The lock belongs to the file, not to its name: whoever looks for this run's
	// lock finds it held from here on.
	fault.Before(fault.ShimLock)
	if err := os.Rename(filepath.Join(s.Dir, spareLock), r.path(lockExt)); err == nil {
		fault.After(fault.ShimLock)
		_, err = one.input.Write(data)
		one.input.Close()
		if err == nil {
			fault.Hit(fault.ShimStart)
			one.lock.Close() // the shim holds it now
			return one.cmd
		}
	} else {
		one.input.Close()
	}
	// It has not got its whole order and does nothing.
	_ = one.cmd.Wait()
	release(one.lock)
	return nil
}

// shim prepares a child that runs Shim with the lock inherited.
func (s *Sender) shim(lock *os.File) *exec.Cmd {
	cmd := exec.Command(s.Exe, ShimArg)
	cmd.ExtraFiles = []*os.File{lock}
	// A session of its own: neither a Ctrl-C at the terminal nor launchd's clean-up
	// of the daemon's process group may end a send in the middle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}
