// Package launchdtest is a Mac without a Mac, for tests: launchctl, codesign and security
// as real programs with the exit codes and texts that are documented for them, and a
// launchd that starts real daemons and keeps them alive.
//
// The test binary itself takes these parts, by the name under which it is started. It is
// not macOS: what it does is what reports say that macOS does, no more.
package launchdtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bluerelay/mac"
)

// roles are the programs that the test binary can be.
var roles = map[string]func(*world, []string) int{
	"launchctl": launchctl,
	"codesign":  codesign,
	"security":  security,
	"launchd":   supervise,
}

// Main ends the process if it was started as one of the programs. TestMain calls it first.
func Main() {
	role, ok := roles[filepath.Base(os.Args[0])]
	if !ok {
		// Children built with the race detector wait a second at their end otherwise.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
		return
	}
	w := &world{dir: filepath.Dir(os.Args[0])}
	os.Exit(role(w, os.Args[1:]))
}

// State is what this Mac remembers. A test sets it before and reads it after.
type State struct {
	Session  string // what managername says: Aqua, Background, System
	NoScreen bool   // nobody is logged in at the screen: there is no domain gui/UID
	Language string // of the texts: "" is English, "de" German
	Throttle time.Duration
	Sluggish bool // a job that is loaded starts only when it is asked to

	// Fail are answers that replace those of the program and verb, such as "launchctl
	// bootstrap", one after the other.
	Fail map[string][]Failure
	// KillAt ends the caller with SIGKILL at the start of the call of that number, from 1.
	KillAt int
	// InterruptAt sends it SIGINT there instead, and the call comes to nothing.
	InterruptAt int

	Jobs      map[string]*Job
	Disabled  map[string]bool
	Keychains []string        // the user's search list
	Unlocked  map[string]bool // by path
	Locked    bool            // a keychain that is not unlocked lists no identities
	Named     map[string]string
	Passwords map[string]string // of the login keychain, by service and account

	Calls []Call
}

// Failure is an answer of a program. Before it the program does what it was asked to,
// where Anyway says so.
type Failure struct {
	Code   int
	Text   string
	Anyway bool
}

// Job is a loaded agent.
type Job struct {
	Plist      string
	Supervisor int
	PID        int
	Runs       int
	LastExit   *int
	Signature  string // the requirement that launchd has pinned
	Killed     bool   // by the kernel, for its signature
	Leaving    bool
}

// Call is one run of a program.
type Call struct {
	Program string
	Args    []string
}

// Mac is one such machine.
type Mac struct{ Tools mac.Tools }

// New makes a machine with a person logged in at its screen. Any user may use it: root,
// whom a test may be run by, has no login session.
func New(t testing.TB) *Mac {
	t.Helper()
	dir, err := os.MkdirTemp("", "mac")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &Mac{mac.Tools{Dir: dir}}
	if err := m.fill(); err != nil {
		t.Fatal(err)
	}
	m.Change(t, func(s *State) {
		s.Session, s.Throttle = "Aqua", 20*time.Millisecond
		s.Keychains = []string{filepath.Join(dir, "login.keychain-db")}
	})
	t.Cleanup(m.shutDown)
	return m
}

// fill puts the programs into the folder: one copy of this one, under all names.
func (m *Mac) fill() error {
	if err := os.Chmod(m.Tools.Dir, 0o777); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		return err
	}
	first := filepath.Join(m.Tools.Dir, "launchd")
	if err := os.WriteFile(first, data, 0o755); err != nil {
		return err
	}
	for name := range roles {
		path := filepath.Join(m.Tools.Dir, name)
		if path == first {
			continue
		}
		if err := os.Link(first, path); err != nil {
			return err
		}
	}
	return nil
}

// Change reads the state, lets do change it, and writes it.
func (m *Mac) Change(t testing.TB, do func(*State)) {
	t.Helper()
	if err := (&world{dir: m.Tools.Dir}).change(do); err != nil {
		t.Fatal(err)
	}
}

// State returns the present state.
func (m *Mac) State(t testing.TB) State {
	t.Helper()
	var got State
	m.Change(t, func(s *State) { got = *s })
	return got
}

// shutDown ends what this Mac's launchd still runs.
func (m *Mac) shutDown() {
	w := &world{dir: m.Tools.Dir}
	_ = w.change(func(s *State) {
		for _, job := range s.Jobs {
			_ = syscall.Kill(job.Supervisor, syscall.SIGKILL)
			if job.PID > 0 {
				_ = syscall.Kill(job.PID, syscall.SIGKILL)
			}
		}
		s.Jobs = nil
	})
}

// world is the machine as its programs see it.
type world struct{ dir string }

// change is one step of one program: the state is locked meanwhile.
func (w *world) change(do func(*State)) error {
	lock, err := os.OpenFile(filepath.Join(w.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer lock.Close()
	_ = lock.Chmod(0o666) // only its owner can and need do it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	path := filepath.Join(w.dir, "state.json")
	s := State{Fail: map[string][]Failure{}, Jobs: map[string]*Job{}, Disabled: map[string]bool{}, Unlocked: map[string]bool{}, Named: map[string]string{}, Passwords: map[string]string{}}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.Jobs == nil {
		s.Jobs = map[string]*Job{}
	}
	do(&s)
	if data, err = json.Marshal(s); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// must is for the programs of the machine, which have nobody to tell.
func (w *world) must(do func(*State)) {
	if err := w.change(do); err != nil {
		fmt.Fprintln(os.Stderr, "the machine of the test is broken:", err)
		os.Exit(70)
	}
}

// begin notes a call and tells how it is to fail, if it is.
func (w *world) begin(program string, args []string) (fail Failure, ok bool) {
	kill, interrupt := false, false
	w.must(func(s *State) {
		s.Calls = append(s.Calls, Call{program, args})
		kill, interrupt = len(s.Calls) == s.KillAt, len(s.Calls) == s.InterruptAt
		verb := program
		if len(args) > 0 {
			verb += " " + args[0]
		}
		if list := s.Fail[verb]; len(list) > 0 {
			fail, ok = list[0], true
			s.Fail[verb] = list[1:]
		}
	})
	if kill {
		_ = syscall.Kill(os.Getppid(), syscall.SIGKILL)
	}
	if interrupt {
		_ = syscall.Kill(os.Getppid(), syscall.SIGINT)
		return Failure{Code: 130, Text: "interrupted"}, true
	}
	return fail, ok
}
