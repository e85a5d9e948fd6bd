package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

// A socket that a killed agent has left is replaced; it is its owner's alone, and gone
// after a stop.
func TestSocketOfADeadAgentIsReplaced(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	path := filepath.Join(m.cfg.StateDir, socketFile)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if _, err := (Agent{m.cfg.StateDir}).Report(t.Context()); !errors.Is(err, ErrNoAgent) {
		t.Errorf("nobody listens: %v", err)
	}
	m.start()
	agentOf(t, m)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	// A second daemon does not come to the socket at all.
	if _, err := Open(t.Context(), m.cfg); !errors.Is(err, ErrBusy) {
		t.Errorf("a second daemon: %v", err)
	}
	agentOf(t, m)
	m.stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v", err)
	}
}

// agentOf waits for the agent to answer and gives its report.
func agentOf(t testing.TB, m *rig, checks ...string) (found wire.Checkup) {
	t.Helper()
	m.until("an answer of the agent", func() bool {
		var err error
		found, err = Agent{m.cfg.StateDir}.Report(t.Context(), checks...)
		return err == nil
	})
	return found
}

// What is in the socket's way costs the doctor and nothing else.
func TestSocketInTheWay(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	var said bytes.Buffer
	m.cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	if err := os.Mkdir(filepath.Join(m.cfg.StateDir, socketFile), 0o700); err != nil {
		t.Fatal(err)
	}
	m.start()
	m.orders(order("msg_1", 1, alice, "hello"))
	m.runs(1)
	_, err := Agent{m.cfg.StateDir}.Report(t.Context())
	if err == nil || !strings.Contains(err.Error(), "move it away and restart") {
		t.Errorf("%v", err)
	}
	m.stop()
	if !strings.Contains(said.String(), "local.not_listening") {
		t.Errorf("the log says %s", said.String())
	}
}

func TestSocketPathIsLimited(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("x", 200)
	if _, err := listenLocal(long); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("listen: %v", err)
	}
	if _, err := (Agent{long}).Report(t.Context()); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("ask: %v", err)
	}
}

// raw says something to the agent's socket and gives all that it answers.
func raw(t testing.TB, stateDir, request string) string {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(stateDir, socketFile))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// What is refused may be refused before it is read to its end.
	_, _ = io.WriteString(conn, request)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// Noise, requests that are too large and clients that never finish end by themselves, and
// the agent answers others meanwhile.
func TestSocketWithStrangeClients(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	agentOf(t, m)
	for name, tt := range map[string]struct{ request, want string }{
		"noise":          {"\x00\xff\x16\x03\x01 what\r\n\r\n", "400"},
		"another path":   {"GET /v1/nothing HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n", "does not know that request"},
		"another method": {"POST /v1/report HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "does not know that request"},
		"a large head":   {"GET /v1/report HTTP/1.1\r\nHost: agent\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "431"},
		"a slow head":    {"GET /v1/report HTTP/1.1\r\nHost:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := raw(t, m.cfg.StateDir, tt.request); !strings.Contains(got, tt.want) {
				t.Errorf("%q", got)
			}
		})
	}
	agentOf(t, m, "disk")
}

// What answers at the socket may be anything; the command says so in a sentence.
func TestAgentOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, "no agent of this version"},
		"a refusal": {func(w http.ResponseWriter, _ *http.Request) {
			answerLocal(w, 503, localError{"The agent is stopping."})
		}, "the agent is stopping"},
		"nothing at all": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			listener, err := listenLocal(dir)
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: tt.serve, ReadHeaderTimeout: time.Minute}
			served := make(chan error, 1)
			go func() { served <- server.Serve(listener) }()
			_, err = Agent{dir}.Report(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
			server.Close()
			<-served
		})
	}
}

// A report that is asked for while the agent stops ends with it.
func TestReportWhileStopping(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	agentOf(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := (Agent{m.cfg.StateDir}).Report(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	m.stop()
	select {
	case err := <-ended:
		t.Logf("it said: %v", err)
	case <-time.After(20 * time.Second):
		t.Error("the command hangs")
	}
}
