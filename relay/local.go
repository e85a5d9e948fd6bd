package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// The agent's own socket: HTTP with JSON, for the other commands of this program and the
// same user only. macOS gives its permissions to the agent, so whoever wants to know
// whether they hold has to ask the agent.

// socketFile lies in the state folder, which no other user can enter.
const socketFile = "agent.sock"

// The limits of the socket. What a report takes is bounded by lookLimit.
const (
	localHead  = 5 * time.Second
	localBody  = 64 << 10 // bytes of a request
	localWrite = lookLimit + 10*time.Second
	localStop  = time.Second // what is under way at the end gets so long
)

// maxSocketPath is how long the path of a socket may be, in bytes: one less than
// sun_path has.
func maxSocketPath() int {
	if runtime.GOOS == "darwin" {
		return 103
	}
	return 107
}

// socketPath is where the agent of a state folder listens, or why it cannot.
func socketPath(stateDir string) (string, error) {
	path := filepath.Join(stateDir, socketFile)
	if n := len(path); n > maxSocketPath() {
		return "", fmt.Errorf("the path of the agent's socket has %d bytes, and the system allows %d: choose a state folder with a shorter path by --state", n, maxSocketPath())
	}
	return path, nil
}

// desk serves the socket. It is owned by Run.
type desk struct{ *Relay }

// localRoute is a request and who answers it.
type localRoute struct {
	pattern string
	serve   func(*desk, http.ResponseWriter, *http.Request)
}

// localRoutes are all that the socket serves.
var localRoutes = []localRoute{
	{"GET /v1/report", (*desk).serveReport},
	{"GET /v1/messages/{id}", (*desk).serveMessage},
}

// run listens until ctx ends. A socket that cannot be made costs the doctor, not the
// messages: the agent goes on without it.
func (l *desk) run(ctx context.Context) {
	listener, err := listenLocal(l.cfg.StateDir)
	if err != nil {
		l.log.Error("local.not_listening", "error", err.Error())
		return
	}
	mux := http.NewServeMux()
	for _, r := range localRoutes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			req.Body = http.MaxBytesReader(w, req.Body, localBody)
			r.serve(l, w, req)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerLocal(w, http.StatusNotFound, localError{"This agent does not know that request: it may be of another version. Restart it after an update."})
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: localHead, ReadTimeout: 2 * localHead, WriteTimeout: localWrite, IdleTimeout: localHead, MaxHeaderBytes: localBody,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // what strangers to HTTP say is no news
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), localStop)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		server.Close()
	}
	serving.Wait()
}

// listenLocal makes the socket, over one that a dead agent has left: whoever holds the
// state folder's lock is the only one that lives.
func listenLocal(stateDir string) (net.Listener, error) {
	path, err := socketPath(stateDir)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("look at the agent's socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is no socket (%v) and in the agent's way: move it away and restart the agent", path, info.Mode().Type())
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of an earlier agent: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the agent's socket: %w", err)
	}
	// Nobody else can enter the folder; this is for a folder that somebody opens.
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("close the agent's socket to others: %w", err)
	}
	return ownUser{listener}, nil
}

// ownUser takes connections of this user only.
type ownUser struct{ net.Listener }

func (o ownUser) Accept() (net.Conn, error) {
	for {
		conn, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(conn.(*net.UnixConn)); err == nil && uid == os.Getuid() {
			return conn, nil
		}
		conn.Close()
	}
}

// peer is the user at the other end.
func peer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := raw.Control(func(fd uintptr) { uid, err = peerOf(int(fd)) })
	return uid, cmp.Or(cerr, err)
}

// localError is every answer that is no success.
type localError struct {
	Error string `json:"error"` // a sentence
}

func answerLocal(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may have gone
}

// serveReport makes the checks that are asked for by check=NAME, or all.
func (l *desk) serveReport(w http.ResponseWriter, r *http.Request) {
	found := newDoctor(l.cfg, l.Relay, true).look(r.Context(), r.URL.Query()["check"]...)
	if r.Context().Err() != nil {
		answerLocal(w, http.StatusServiceUnavailable, localError{"The agent is stopping: ask again when it runs."})
		return
	}
	answerLocal(w, http.StatusOK, found)
}
