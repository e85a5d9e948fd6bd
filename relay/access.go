package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bluerelay/chatdb"
	"bluerelay/mac"
)

// Access is what the daemon knows of macOS's permission to read chat.db. It is a file of
// its own in the state folder, so that a new process knows what the former one did, and
// `bluerelay status` can say since when a permission is lost.
type Access struct {
	State AccessState `json:"state"`
	Since time.Time   `json:"since"`

	// Spent says that a process has ended for the present grant already. It is set before,
	// and taken back when a fresh process is refused too: one grant, one restart.
	Spent bool `json:"spent,omitempty"`
	// Restarted is when a process ended for a grant last.
	Restarted time.Time `json:"restarted,omitzero"`
}

// AccessState is readable or refused.
type AccessState string

// The states: macOS lets the daemon read chat.db, or does not.
const (
	AccessReadable AccessState = "readable"
	AccessRefused  AccessState = "refused"
)

const accessFile = "chat_db.json"

// ReadAccess reads what the daemon of a state folder has noted; nil where it has not yet.
func ReadAccess(stateDir string) (*Access, error) {
	data, err := os.ReadFile(filepath.Join(stateDir, accessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var a Access
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return nil, fmt.Errorf("read what is known of chat.db's permission: %w", err)
	}
	return &a, nil
}

func (a Access) write(stateDir string) error {
	data, err := json.Marshal(a)
	if err == nil {
		err = replaceFile(stateDir, accessFile, append(data, '\n'), func() {})
	}
	if err != nil {
		return fmt.Errorf("note what is known of chat.db's permission: %w", err)
	}
	return nil
}

// The exit codes by which a fresh process says whether it can read chat.db.
const (
	FreshReadable = 0
	FreshRefused  = 3
	FreshMissing  = 4
	FreshOther    = 1 // broken, locked, or no database of Messages
)

// FreshLook is what a fresh process does to find out: it opens chat.db as the daemon does,
// reads nothing of anybody, and returns one of the codes.
func FreshLook(ctx context.Context, path string) int {
	db, err := chatdb.Open(ctx, path)
	switch {
	case err == nil:
		db.Close()
		return FreshReadable
	case errors.Is(err, chatdb.ErrPermission):
		return FreshRefused
	case errors.Is(err, chatdb.ErrMissing):
		return FreshMissing
	}
	return FreshOther
}

// gate is the observer's view of the permission.
type gate struct {
	*Relay
	known Access
	asked time.Time // when a fresh process was asked last
}

// newGate begins with what the former process noted. A file that cannot be read is as none:
// it costs one restart at most.
func newGate(r *Relay) *gate {
	g := &gate{Relay: r}
	if known, err := ReadAccess(r.cfg.StateDir); err != nil {
		r.log.Warn("chatdb.access_unknown", "error", err.Error())
	} else if known != nil {
		g.known = *known
	}
	return g
}

// set notes the state where it is news, and only then touches the disk.
func (g *gate) set(state AccessState) {
	next := g.known
	if next.State != state {
		next.State, next.Since = state, time.Now().UTC()
	}
	next.Spent = next.Spent && state == AccessRefused
	if next == g.known {
		return
	}
	if err := next.write(g.cfg.StateDir); err != nil {
		g.log.Warn("chatdb.access_not_noted", "error", err.Error())
	}
	g.known = next
}

// refused is called while macOS does not let this process read chat.db. Full Disk Access
// holds for processes that start after it was given: now and then a fresh one is asked, and
// where that can read, the error is ErrRestart, once for each grant.
func (g *gate) refused(ctx context.Context) error {
	g.set(AccessRefused)
	if g.cfg.Fresh == "" || !g.asked.IsZero() && time.Since(g.asked) < g.cfg.FreshGap {
		return nil
	}
	code, err := g.ask(ctx)
	g.asked = time.Now()
	switch {
	case err != nil:
		g.log.Warn("chatdb.fresh_look_failed", "error", err.Error())
	case code == FreshRefused && g.known.Spent:
		next := g.known
		next.Spent = false
		if err := next.write(g.cfg.StateDir); err != nil {
			return nil // asked again, and noted then
		}
		g.known = next
	case code == FreshReadable && !g.known.Spent && !g.hasty(time.Now()):
		return g.restart()
	}
	return nil
}

// hasty tells whether a process has only just ended for a grant: one that comes and goes
// must not make launchd spin.
func (g *gate) hasty(now time.Time) bool {
	ago := now.Sub(g.known.Restarted)
	return ago >= 0 && ago < g.cfg.RestartGap
}

// restart ends this process, if that could be noted: without the note there could be no end
// of restarts.
func (g *gate) restart() error {
	next := g.known
	next.Spent, next.Restarted = true, time.Now().UTC()
	if err := next.write(g.cfg.StateDir); err != nil {
		g.log.Error("chatdb.no_restart", "error", err.Error())
		return nil
	}
	g.known = next
	g.log.Info("chatdb.granted")
	return ErrRestart
}

// freshLimit is for a fresh process; a locked database takes it some ten seconds.
const freshLimit = 30 * time.Second

// ask starts a fresh process and returns its exit code.
func (g *gate) ask(ctx context.Context) (int, error) {
	result, err := mac.Start(ctx, freshLimit, g.cfg.Fresh, "probe", "chat-db", "--chat-db", g.cfg.ChatDB)
	return result.Code, err
}
