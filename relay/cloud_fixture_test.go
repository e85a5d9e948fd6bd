package relay

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// TestMain lets the test binary be the shim.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == applescript.ShimArg {
		os.Exit(applescript.Shim(os.Stdin))
	}
	// Children of a race build would wait a second before they end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// heaven is a cloud that says what a test tells it to, and remembers what it hears.
type heaven struct {
	*httptest.Server
	t     testing.TB
	files map[string][]byte // by id

	mu      sync.Mutex
	greet   func(wire.Hello) (wire.Welcome, int) // or the code to close with
	deaf    bool                                 // hears no report
	conn    *websocket.Conn
	reports []wire.Report
	health  wire.Health
	checkup *wire.Checkup // the last one that came
	changed chan struct{}
}

func newHeaven(t testing.TB) *heaven {
	h := &heaven{t: t, files: make(map[string][]byte), changed: make(chan struct{}, 1)}
	h.welcome(wire.Welcome{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /relay/v1/socket", h.socket)
	mux.HandleFunc("GET /relay/v1/files/{id}", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		data, ok := h.files[r.PathValue("id")]
		h.mu.Unlock()
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(data)
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

// welcome answers every hello from now on.
func (h *heaven) welcome(w wire.Welcome) {
	h.greeting(func(wire.Hello) (wire.Welcome, int) { return w, 0 })
}

// greeting decides about every hello from now on.
func (h *heaven) greeting(g func(wire.Hello) (wire.Welcome, int)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.greet = g
}

func (h *heaven) socket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		f, err := wire.Decode(data)
		if err != nil {
			h.t.Errorf("the relay said %q: %v", data, err)
			return
		}
		if !h.hear(conn, f) {
			return
		}
	}
}

// hear takes one frame. It returns false to end the connection.
func (h *heaven) hear(conn *websocket.Conn, f wire.Frame) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer ring(h.changed)
	switch f.Type {
	case wire.TypeHello:
		answer, code := h.greet(*f.Hello)
		h.health = f.Hello.Health
		if code != 0 {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
			return false
		}
		for _, r := range h.reports {
			answer.Acked = max(answer.Acked, r.Seq)
		}
		h.conn = conn
		return h.write(wire.Frame{Type: wire.TypeWelcome, Welcome: &answer}) == nil
	case wire.TypeReport:
		if h.deaf {
			return true
		}
		h.reports = append(h.reports, *f.Report)
		return h.write(wire.Frame{Type: wire.TypeAck, Ack: &wire.Ack{Seq: f.Report.Seq}}) == nil
	case wire.TypeHealth:
		h.health = *f.Health
		if f.Checkup != nil {
			h.checkup = f.Checkup
		}
	}
	return true
}

func (h *heaven) write(f wire.Frame) error {
	data, err := wire.Encode(f)
	if err != nil {
		return err
	}
	return h.conn.WriteMessage(websocket.TextMessage, data)
}

// says waits for a welcomed relay and sends it a frame.
func (h *heaven) says(f wire.Frame) {
	h.t.Helper()
	h.until("a connection", func() bool { return h.conn != nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *heaven) orders(o wire.Send) { h.t.Helper(); h.says(wire.Frame{Type: wire.TypeSend, Send: &o}) }

// drop ends the connection with a close code.
func (h *heaven) drop(code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	h.conn.Close()
	h.conn = nil
}

// until waits for something to be true of what was heard.
func (h *heaven) until(what string, ok func() bool) {
	h.t.Helper()
	end := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		done := ok()
		h.mu.Unlock()
		if done {
			return
		}
		select {
		case <-h.changed:
		case <-time.After(10 * time.Millisecond):
		case <-end:
			h.t.Fatalf("this never happened: %s; heard %q, health %+v", what, h.heard(), h.health)
		}
	}
}

// heard are the reports so far, as "kind message attempt code".
func (h *heaven) heard() (list []string) {
	for _, r := range h.reports {
		line := fmt.Sprintf("%s %s %d", r.Kind, r.Message, r.Attempt)
		if r.Fault != nil {
			line += " " + r.Fault.Code
		}
		list = append(list, line)
	}
	return list
}

// hears waits for a report.
func (h *heaven) hears(want string) {
	h.t.Helper()
	h.until(want, func() bool { return slices.Contains(h.heard(), want) })
}

// writeProgram writes a program that is about to be run. No child may be made meanwhile:
// it would hold the file open for writing, and such a file cannot be run.
func writeProgram(t testing.TB, path, script string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// rig is a whole relay with its Messages and a script for osascript.
type rig struct {
	*heaven
	*messages
	t     testing.TB
	cfg   Config
	calls string // file in which osascript writes its arguments
	stop  func()
	relay *Relay // the one that runs
}

func newMac(t testing.TB) *rig {
	t.Helper()
	m := &rig{heaven: newHeaven(t), messages: newMessages(t), t: t}
	dir := t.TempDir()
	m.calls = filepath.Join(dir, "calls")
	program := filepath.Join(dir, "osascript")
	script := "#!/bin/sh\ncat >/dev/null\nprintf '%s\\n' \"$4 $5 $6 $7 $8\" >>" + m.calls + "\necho " + applescript.Dispatch + " >&2\n"
	writeProgram(t, program, script)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.cfg = Config{StateDir: state, ChatDB: m.messages.path, Osascript: program, Exe: exe, Version: "test", Log: slog.New(slog.DiscardHandler),
		RetryMin: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond, RetryRefused: 20 * time.Millisecond, Retry: 20 * time.Millisecond, Net: 20 * time.Millisecond}
	if err := (Credential{Server: m.Server.URL, RelayID: "rel_1", Secret: "secret", Line: "+14155559876", Scope: ScopeAll}).save(state); err != nil {
		t.Fatal(err)
	}
	return m
}

// journal lends the journal while no relay runs.
func (m *rig) journal(use func(j *journal)) {
	m.t.Helper()
	j, err := openJournal(m.t.Context(), m.cfg.StateDir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer j.close()
	use(j)
}

// start runs the relay until halt, or the end of the test.
func (m *rig) start() {
	m.t.Helper()
	r, err := Open(m.t.Context(), m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.relay = r
	ctx, cancel := contextOf(m.t)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Errorf("the relay ended with %v", err)
		}
		m.stop = func() {}
	}
	m.t.Cleanup(func() { m.stop() })
}

// ran are the calls of osascript for sends so far, as "VERB SERVICE KIND TARGET VALUE".
func (m *rig) ran() (list []string) {
	data, _ := os.ReadFile(m.calls) // absent until the first
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "send-") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// runs waits for so many calls.
func (m *rig) runs(n int) []string {
	m.t.Helper()
	m.until(fmt.Sprintf("%d calls of osascript", n), func() bool { return len(m.ran()) >= n })
	return m.ran()
}
