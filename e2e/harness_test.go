package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd/launchdtest"
	"bluerelay/simulator"
	"bluerelay/torture/loopback"
)

// The programs under test, built once.
var bluecloud, bluerelay string

func TestMain(m *testing.M) {
	launchdtest.Main()
	os.Exit(build(m))
}

func build(m *testing.M) int {
	// Children built with the race detector wait a second at their end otherwise.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-o", dir+"/", "bluerelay/cmd/bluecloud", "bluerelay/cmd/bluerelay")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return 1
	}
	bluecloud, bluerelay = filepath.Join(dir, "bluecloud"), filepath.Join(dir, "bluerelay")
	return m.Run()
}

// process is a running program of ours.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}
	out  *buffer
}

// buffer collects output and lets a test wait for a line of it.
type buffer struct {
	mu      sync.Mutex
	data    bytes.Buffer
	changed chan struct{}
}

func newBuffer() *buffer { return &buffer{changed: make(chan struct{})} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// await waits until the output holds want.
func (b *buffer) await(t testing.TB, want string, within time.Duration) {
	t.Helper()
	timeout := time.After(within)
	for {
		b.mu.Lock()
		changed, have := b.changed, b.data.String()
		b.mu.Unlock()
		if strings.Contains(have, want) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("no %q in the output within %s:\n%s", want, within, have)
		}
	}
}

// start runs a program and ends it with the test.
func start(t testing.TB, program string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, program, args...)
}

// startAs is start with the rights of another user, where one is given.
func startAs(t testing.TB, user *syscall.Credential, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), done: make(chan struct{}), out: newBuffer()}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// A process group of its own, so that the end of the test reaches it alone.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.done); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s %s:\n%s", filepath.Base(program), strings.Join(args, " "), last(p.out.String(), 6000))
		}
	})
	return p
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the process to end and returns its exit code.
func (p *process) stop(sig os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("the process did not end:\n%s", last(p.out.String(), 4000))
	}
	return p.cmd.ProcessState.ExitCode()
}

// run runs a program to its end and returns what it printed on stdout.
func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

// fails runs a program that must end with that exit code and returns its stderr.
func fails(t testing.TB, code int, program string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%s %s ended with %d (%v), want %d\n%s", filepath.Base(program), strings.Join(args, " "), cmd.ProcessState.ExitCode(), err, code, stderr.String())
	}
	return stderr.String()
}

// decode reads JSON that a command or a server gave.
func decode[T any](t testing.TB, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := loopback.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

const line = "+14155559876"

// world is the product as two programs, with a simulated Messages.
type world struct {
	t       testing.TB
	dir     string
	dsn     string // of the database, "" for a file in dir
	address string
	key     string
	account string
	mac     *simulator.Process
	cloud   *process
	relay   *process
}

// newWorld makes an account and a line and pairs a relay, by the commands of the
// README. speed is the simulated Messages'.
func newWorld(t testing.TB, speed float64) *world { return newWorldOn(t, speed, "") }

func newWorldOn(t testing.TB, speed float64, dsn string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), dsn: dsn, address: freeAddress(t)}
	w.startCloud()
	made := decode[struct {
		AccountID   string `json:"account_id"`
		TextingBlue struct {
			APIKey string `json:"api_key"`
		} `json:"texting_blue"`
	}](t, run(t, bluecloud, "account", "create", "Test", "--json", "--database", w.database()))
	w.account, w.key = made.AccountID, made.TextingBlue.APIKey
	run(t, bluecloud, "account", "set", w.account, "--requests-per-minute", "0", "--database", w.database())
	added := decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, run(t, bluecloud, "line", "add", line, "--account", w.account, "--json", "--database", w.database()))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	mac, err := simulator.Start(ctx, bluecloud, filepath.Join(w.dir, "mac"), simulator.Options{Speed: speed})
	if err != nil {
		t.Fatal(err)
	}
	w.mac = mac
	t.Cleanup(func() { _ = mac.Stop(context.Background()) })
	run(t, bluerelay, "pair", added.SetupURL, "--state", w.state(), "--chat-db", mac.ChatDB())
	return w
}

func (w *world) database() string { return cmp.Or(w.dsn, filepath.Join(w.dir, "cloud.db")) }
func (w *world) state() string    { return filepath.Join(w.dir, "relay") }
func (w *world) url() string      { return "http://" + w.address }

func (w *world) startCloud() {
	w.t.Helper()
	w.cloud = start(w.t, bluecloud, "serve", "--database", w.database(), "--data", w.dir, "--listen", w.address, "--webhook-allow", "127.0.0.0/8")
	w.cloud.out.await(w.t, "ready\n", 20*time.Second)
}

func (w *world) startRelay() {
	w.t.Helper()
	w.relay = start(w.t, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--osascript", w.mac.Osascript())
}

// message is what the API tells of one.
type message struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	From         string `json:"from"`
	To           string `json:"to"`
	Content      string `json:"content"`
	Direction    string `json:"direction"`
	ErrorCode    string `json:"error_code"`
	ErrorMessage string `json:"error_message"`
	CreatedAt    string `json:"created_at"`
	DeliveredAt  string `json:"delivered_at"`
	ReadAt       string `json:"read_at"`
}

// call makes one request and returns status and body.
func (w *world) call(method, path string, body any) (int, string, error) {
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, w.url()+path, r)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("x-api-key", w.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// send posts a message that must be accepted.
func (w *world) send(to, content string) message {
	w.t.Helper()
	status, body, err := w.call("POST", "/v1/messages/send", map[string]string{"to": to, "from": line, "content": content})
	if err != nil || status != http.StatusAccepted {
		w.t.Fatalf("send: %d %s %v", status, body, err)
	}
	return decode[message](w.t, body)
}

func (w *world) get(id string) message {
	w.t.Helper()
	status, body, err := w.call("GET", "/v1/messages/"+id, nil)
	if err != nil || status != http.StatusOK {
		w.t.Fatalf("get: %d %s %v", status, body, err)
	}
	return decode[message](w.t, body)
}

// all walks the whole list.
func (w *world) all(query string) []message {
	w.t.Helper()
	var list []message
	cursor := ""
	for {
		status, body, err := w.call("GET", "/v1/messages?limit=100&"+query+"&cursor="+cursor, nil)
		if err != nil || status != http.StatusOK {
			w.t.Fatalf("list: %d %s %v", status, body, err)
		}
		page := decode[struct {
			Messages []message `json:"messages"`
			Cursor   string    `json:"cursor"`
			HasMore  bool      `json:"has_more"`
		}](w.t, body)
		list = append(list, page.Messages...)
		if !page.HasMore {
			return list
		}
		cursor = page.Cursor
	}
}

// eventually asks again and again until ok says yes; the state is the server's and
// there is nothing to wait on but time.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
