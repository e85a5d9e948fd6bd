package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"bluerelay/wire"
)

// Agent is the running agent of a state folder, as other commands reach it.
type Agent struct{ StateDir string }

// ErrNoAgent says that no agent runs with this state folder.
var ErrNoAgent = errors.New("no agent is running with this state folder: start it with `bluerelay start`, or install it first with `bluerelay install`")

// agentLimit bounds one request, in any case longer than the agent takes.
const agentLimit = lookLimit + 15*time.Second

// maxAnswer is the size of an answer in bytes.
const maxAnswer = 1 << 20

// Report has the agent look at its preconditions, those of these names or all. The error
// is ErrNoAgent or says what a person should do.
func (a Agent) Report(ctx context.Context, checks ...string) (wire.Checkup, error) {
	var found wire.Checkup
	err := a.get(ctx, "/v1/report?"+url.Values{"check": checks}.Encode(), &found)
	return found, err
}

// get makes one request and reads the answer.
func (a Agent) get(ctx context.Context, path string, into any) error {
	socket, err := socketPath(a.StateDir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, agentLimit)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return unanswered(socket, unwrapURL(err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unanswered(socket, err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(data, into); err == nil {
			return nil
		}
	}
	var refused localError
	if json.Unmarshal(data, &refused) == nil && refused.Error != "" {
		return errors.New(strings.TrimSuffix(lowerFirst(refused.Error), "."))
	}
	return fmt.Errorf("what listens at %s is no agent of this version: restart the agent", socket)
}

// errOther is for whoever is not the user that the agent runs as.
var errOther = errors.New("the agent belongs to another user: run this as the user that the agent runs as, without sudo")

// owned tells whether a file is this user's.
func owned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == os.Getuid()
}

// unanswered puts into words why the agent gave no answer.
func unanswered(socket string, err error) error {
	info, serr := os.Lstat(socket)
	switch {
	case serr == nil && info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket and in the agent's way: move it away and restart the agent", socket)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNoAgent
	case errors.Is(err, fs.ErrPermission):
		return errOther
	case serr == nil && !owned(info):
		return errOther
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return errors.New("the agent does not answer in time: restart it with `bluerelay restart`")
	}
	return fmt.Errorf("the agent broke off: it may be stopping or of another version; try again, then restart it (%s)", plainError(err))
}

// Examine looks at what can honestly be seen from a terminal where no agent runs, why
// says why it does not.
func Examine(ctx context.Context, cfg Config, why error) wire.Checkup {
	cfg.Osascript = cmp.Or(cfg.Osascript, "/usr/bin/osascript")
	cfg.defaults()
	d := newDoctor(cfg, nil, true)
	d.why = why
	return d.look(ctx)
}

// absent is the first check of a doctor in a terminal.
func (d *doctor) absent() verdict {
	if _, err := LoadCredential(d.cfg.StateDir); errors.Is(err, ErrNotPaired) {
		return fails("Pair this Mac with `bluerelay pair SETUP_URL`, then start the agent; `bluerelay setup` does both.", "no agent is running")
	}
	return fails(sentence(d.why), "no answer from an agent")
}

// sentence makes an error one.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
