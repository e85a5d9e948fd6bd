package applescript_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/applescript"
)

// The names under which the test binary plays other programs. As osascript it is
// steered by files beside the symbolic link it was called by, because a Sender
// hands no environment on.
const (
	nameOsascript  = "osascript"
	nameGrandchild = "grandchild"
	nameDaemon     = "daemon"
)

// lifetime bounds every child that is meant to hang, should a test forget it.
const lifetime = time.Minute

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case nameOsascript:
		os.Exit(playOsascript(filepath.Dir(os.Args[0]), os.Args[1:]))
	case nameGrandchild:
		signal.Ignore(syscall.SIGTERM)
		<-time.After(lifetime)
		os.Exit(0)
	case nameDaemon:
		os.Exit(playDaemon())
	}
	if len(os.Args) == 2 && os.Args[1] == applescript.ShimArg {
		os.Exit(applescript.Shim(os.Stdin))
	}
	// Children of a race build would wait a second before they end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// step is one thing that the fake osascript does.
type step struct {
	Do   string
	Text string
	N    int
}

func say(text string) step     { return step{Do: "say", Text: text} }
func rawSay(text string) step  { return step{Do: "raw", Text: text} }
func noise(bytes int) step     { return step{Do: "noise", N: bytes} }
func chatter(bytes int) step   { return step{Do: "stdout", N: bytes} }
func ends(code int) step       { return step{Do: "exit", N: code} }
func signalSelf(sig int) step  { return step{Do: "signal", N: sig} }
func signalParent() step       { return step{Do: "signal parent"} }
func touch(file string) step   { return step{Do: "touch", Text: file} }
func waitFor(file string) step { return step{Do: "wait", Text: file} }

var (
	marker     = say(applescript.Dispatch)
	hang       = step{Do: "hang"}
	ignoreTerm = step{Do: "ignore term"}
	breed      = step{Do: "grandchild"}
	heldBy     = step{Do: "held by"} // until the lock file names its holder
)

// fault is how osascript ends with an error.
func fault(text string) []step {
	return []step{say("1104:1188: execution error: " + text), ends(1)}
}

// call is one start of the fake osascript, as it saw it.
type call struct {
	Args   []string
	Script string
	Parent string // the argv of the process above it
}

const (
	sceneFile = "scene.json"
	callsFile = "calls"
)

func playOsascript(dir string, args []string) int {
	data, err := os.ReadFile(filepath.Join(dir, sceneFile))
	if err != nil {
		return 99
	}
	var steps []step
	if err := json.Unmarshal(data, &steps); err != nil {
		return 99
	}
	if err := recordCall(dir, args); err != nil {
		return 99
	}
	for _, s := range steps {
		if s.Do == "exit" {
			return s.N
		}
		if err := s.play(dir); err != nil {
			fmt.Fprintln(os.Stderr, "fake:", err)
			return 99
		}
	}
	return 0
}

func recordCall(dir string, args []string) error {
	script, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	line, err := json.Marshal(call{args, string(script), argvOf(os.Getppid())})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, callsFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

// argvOf is what every user of the machine can see of a process.
func argvOf(pid int) string {
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return string(bytes.ReplaceAll(data, []byte{0}, []byte{' '}))
	}
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func (s step) play(dir string) error {
	switch s.Do {
	case "say":
		_, err := fmt.Fprintln(os.Stderr, s.Text)
		return err
	case "raw":
		_, err := io.WriteString(os.Stderr, s.Text)
		return err
	case "noise":
		return babble(os.Stderr, s.N)
	case "stdout":
		return babble(os.Stdout, s.N)
	case "signal":
		return signalAndWait(os.Getpid(), syscall.Signal(s.N))
	case "signal parent":
		return syscall.Kill(os.Getppid(), syscall.SIGKILL)
	case "touch":
		return os.WriteFile(filepath.Join(dir, s.Text), nil, 0o600)
	case "wait":
		return awaitFile(filepath.Join(dir, s.Text))
	case "held by":
		return awaitHolder()
	case "hang":
		<-time.After(lifetime)
		return nil
	case "ignore term":
		signal.Ignore(syscall.SIGTERM)
		return nil
	case "grandchild":
		return startGrandchild()
	}
	return errors.New("unknown step " + s.Do)
}

// awaitHolder waits until the shim has written into the lock file, which osascript has as
// its fourth descriptor.
func awaitHolder() error {
	lock := os.NewFile(3, "lock")
	for end := time.Now().Add(lifetime); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if info, err := lock.Stat(); err != nil || info.Size() > 0 {
			return err
		}
	}
	return errors.New("nobody holds the lock")
}

func babble(w io.Writer, n int) error {
	line := "osascript[411:9042] malloc: nano zone abandoned due to inability to reserve vm space. (12)\n"
	_, err := io.WriteString(w, strings.Repeat(line, n/len(line)+1))
	return err
}

func signalAndWait(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil {
		return err
	}
	<-time.After(lifetime)
	return nil
}

func awaitFile(path string) error {
	deadline := time.After(lifetime)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return errors.New("waited in vain for " + path)
		}
	}
}

// startGrandchild leaves a process behind that has standard error and, under the
// shim, the lock.
func startGrandchild() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{nameGrandchild}
	cmd.Stderr = os.Stderr
	if lock := os.NewFile(3, "lock"); lock != nil {
		if info, err := lock.Stat(); err == nil && info.Mode().IsRegular() {
			cmd.ExtraFiles = []*os.File{lock}
		}
	}
	return cmd.Start()
}

// daemonOrder is what a daemon that is to be killed does.
type daemonOrder struct {
	Sender  *applescript.Sender
	ID      string
	Attempt int
	Request applescript.Request
}

func playDaemon() int {
	var o daemonOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return 1
	}
	if _, err := o.Sender.Send(context.Background(), o.ID, o.Attempt, o.Request); err != nil {
		return 1
	}
	return 0
}

// stage is a Sender with its folder and a fake osascript.
type stage struct {
	t      testing.TB
	dir    string // of the fake: scene, calls, touched files
	sender applescript.Sender
}

// newStage prepares a fake osascript that takes the steps at each start.
func newStage(t testing.TB, steps ...step) *stage {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, dir: t.TempDir()}
	data, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, sceneFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(s.dir, nameOsascript)
	if err := os.Symlink(exe, program); err != nil {
		t.Fatal(err)
	}
	s.sender = applescript.Sender{Osascript: program, Exe: exe, Dir: t.TempDir()}
	t.Cleanup(func() {
		if err := s.sender.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// send makes the first attempt at a message and fails on an error.
func (s *stage) send(req applescript.Request) applescript.Outcome {
	s.t.Helper()
	o, err := s.sender.Send(bounded(s.t), "msg_1", 1, req)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *stage) recover() applescript.Outcome {
	s.t.Helper()
	o, err := s.sender.Recover(bounded(s.t), "msg_1", 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// busy fails unless the run is seen to be going on.
func (s *stage) busy() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	if o, err := s.sender.Recover(ctx, "msg_1", 1); !errors.Is(err, applescript.ErrRunning) {
		s.t.Fatalf("Recover gave %+v, %v while the run goes on", o, err)
	}
}

// calls are the starts of the fake so far.
func (s *stage) calls() []call {
	s.t.Helper()
	f, err := os.Open(filepath.Join(s.dir, callsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	var list []call
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			s.t.Fatal(err)
		}
		var c call
		if err := json.Unmarshal(line, &c); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, c)
	}
}

// started fails unless the fake was started that often.
func (s *stage) started(want int) {
	s.t.Helper()
	if n := len(s.calls()); n != want {
		s.t.Errorf("osascript was started %d times, want %d", n, want)
	}
}

// await waits until the fake has touched a file.
func (s *stage) await(file string) {
	s.t.Helper()
	if err := awaitFile(filepath.Join(s.dir, file)); err != nil {
		s.t.Fatal(err)
	}
}

// allow lets the fake pass waitFor(file).
func (s *stage) allow(file string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, file), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// files are the names in the Sender's folder.
func (s *stage) files() []string {
	s.t.Helper()
	entries, err := os.ReadDir(s.sender.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// write puts a file of the first attempt there as a crash would have left it.
func (s *stage) write(ext, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.sender.Dir, "msg_1.1"+ext), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// bounded is a context that ends long before the test binary's own deadline.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func text(value string) applescript.Request {
	return applescript.Request{Verb: applescript.SendText, Service: "iMessage", Kind: applescript.Participant, Target: "+14155550123", Value: value}
}
