package power_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/torture/loopback"
)

// machine is a shell under strace: what it is told to run is recorded, one program
// after another and all that they start.
type machine struct {
	t     testing.TB
	dir   string // what is recorded of files
	trace string
	out   string
	cmd   *exec.Cmd
	in    io.WriteCloser
	said  *os.File // where the shell says that a program has ended
	ended chan struct{}
}

func newMachine(t testing.TB, name string) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, dir: filepath.Join(dir, name), trace: filepath.Join(dir, "trace"), out: filepath.Join(dir, "out"), ended: make(chan struct{})}
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	heard, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	out, err := os.Create(m.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	m.cmd = exec.Command("strace", "-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-s", "4194304", "-e", "signal=none",
		"-e", "trace="+strings.Join(recorded, ","), "-o", m.trace, "sh", "-s")
	m.cmd.Stdout, m.cmd.Stderr = out, out
	m.cmd.ExtraFiles = []*os.File{said}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	m.said = heard
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(m.ended); _ = m.cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
		<-m.ended
		m.said.Close()
		if t.Failed() {
			data, _ := os.ReadFile(m.out)
			t.Logf("output of the %s:\n%s", name, data[max(0, len(data)-800):])
		}
	})
	return m
}

// quote makes a command line of arguments that hold no quotes.
func quote(args []string) string { return "'" + strings.Join(args, "' '") + "'" }

// run runs a program to its end, and returns what it printed.
func (m *machine) run(args ...string) []byte {
	m.t.Helper()
	path := filepath.Join(filepath.Dir(m.dir), "answer")
	fmt.Fprintf(m.in, "%s >'%s' </dev/null; printf '%%03d' $? >&3\n", quote(args), path)
	if code := m.hear(); code != "000" {
		m.t.Fatalf("%s ended with %s", strings.Join(args, " "), code)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

// hear waits for the three letters by which the shell says that something has ended.
func (m *machine) hear() string {
	m.t.Helper()
	said := make([]byte, 3)
	if err := m.said.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	if _, err := io.ReadFull(m.said, said); err != nil {
		m.t.Fatal(err)
	}
	return string(said)
}

// start starts a program that goes on.
func (m *machine) start(args ...string) { fmt.Fprintf(m.in, "%s </dev/null & last=$!\n", quote(args)) }

// restart ends what was started by a signal and starts it again.
func (m *machine) restart(signal string, args ...string) {
	m.t.Helper()
	fmt.Fprintf(m.in, "kill -%s $last; wait $last; printf end >&3\n", signal)
	if said := m.hear(); said != "end" {
		m.t.Fatalf("the shell says %q", said)
	}
	m.start(args...)
}

// stop kills what was started and returns the record, when all has ended.
func (m *machine) stop() []call {
	m.t.Helper()
	// In the middle of a call nobody could tell whether it was done.
	m.rest()
	fmt.Fprint(m.in, "kill -9 $last; wait\n")
	m.in.Close()
	select {
	case <-m.ended:
	case <-time.After(time.Minute):
		m.t.Fatal("what was started does not end")
	}
	calls, err := readTrace(m.trace)
	if err != nil {
		m.t.Fatal(err)
	}
	return calls
}

// rest waits until nothing has been recorded for a while.
func (m *machine) rest() {
	var size int64
	since := time.Now()
	until(20*time.Second, func() bool {
		info, err := os.Stat(m.trace)
		if err == nil && info.Size() != size {
			size, since = info.Size(), time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}

// client speaks to a server's public API.
type client struct{ url, key string }

func (c client) call(method, path string, body any) (int, []byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("x-api-key", c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// message is what the API tells of one.
type message struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Content   string `json:"content"`
	Direction string `json:"direction"`
	MediaURL  string `json:"media_url"`
}

// all walks the whole list.
func (c client) all() (map[string]message, error) {
	byID := make(map[string]message)
	cursor := ""
	for {
		status, body, err := c.call("GET", "/v1/messages?limit=100&cursor="+cursor, nil)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("list: %d %s", status, body)
		}
		var page struct {
			Messages []message `json:"messages"`
			Cursor   string    `json:"cursor"`
			HasMore  bool      `json:"has_more"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			byID[m.ID] = m
		}
		if !page.HasMore {
			return byID, nil
		}
		cursor = page.Cursor
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := loopback.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// until asks again and again; there is nothing to wait on but time.
func until(within time.Duration, ok func() bool) bool {
	deadline := time.After(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}
