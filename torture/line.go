package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// line is one number with its Mac, the relay that is its own, and those that were.
type line struct {
	round  *round
	number string
	bySMS  bool // it sends by SMS who is not on iMessage
	mac    *mac
	disk   *disk // of the relays' state folders

	changing sync.Mutex // held while its Mac is changed

	mu      sync.Mutex
	made    int
	relay   *relay
	retired []*relay
}

// relay is one state folder and the daemon on it.
type relay struct {
	dir    string
	daemon *keeper
	// refused counts how often the cloud has refused it, welcomed how often it did not.
	refused, welcomed atomic.Int64
}

// tune is what the relays' waiting times are: a round lasts seconds.
const relayTune = `FAULT_CONFIG={"Settle":2000000000,"SettleFile":4000000000,"Grace":4000000000,"Net":200000000,"Retry":100000000,
	"Drain":2000000000,"RetryMin":5000000,"RetryMax":300000000,"RetryRefused":150000000,"SendLimit":3000000000,"Stall":1500000000,"Rotate":1000000000}`

// pairTries is how often a pairing is tried: either side may be killed in it.
const pairTries = 200

// pair makes a state folder the line's Mac. It is tried until it succeeds, each time
// with a new setup URL, because nobody knows whether the former was used up.
func (l *line) pair(ctx context.Context, dir string) error {
	var last error
	for range pairTries {
		out, err := run(ctx, l.round.faultEnv(l.round.planner.env("cloud.pair")), l.round.bin.bluecloud,
			"line", "pair", l.number, "--replace", "--json", "--database", l.round.database())
		if err == nil {
			var made struct {
				SetupURL string `json:"setup_url"`
			}
			if err := json.Unmarshal([]byte(out), &made); err != nil {
				return fmt.Errorf("read the setup URL: %w", err)
			}
			env := l.round.faultEnv(l.round.planner.env("relay.pair", "relay.born", "relay.mark"))
			if _, err = run(ctx, env, l.round.bin.bluerelay, "pair", made.SetupURL, "--state", dir, "--chat-db", l.mac.chatDB()); err == nil {
				return nil
			}
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("pair %s: %w", l.number, last)
}

// newRelay pairs a new state folder and starts its daemon.
func (l *line) newRelay(ctx context.Context) (*relay, error) {
	l.mu.Lock()
	l.made++
	dir := filepath.Join(l.disk.dir, fmt.Sprintf("relay%d", l.made))
	l.mu.Unlock()
	if err := l.pair(ctx, dir); err != nil {
		return nil, err
	}
	r := &relay{dir: dir}
	return r, l.begin(r)
}

func (l *line) begin(r *relay) (err error) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.dir, l.round.dir+"/"), "disk-")
	r.daemon, err = keep(filepath.Join(l.round.dir, strings.ReplaceAll(name, "/", "-")+".log"), func() *exec.Cmd {
		cmd := exec.Command(l.round.bin.bluerelay, "run", "--state", r.dir, "--chat-db", l.mac.chatDB(), "--osascript", filepath.Join(l.mac.dir, "osascript"))
		cmd.Env = append(os.Environ(), l.round.faultEnv(l.round.planner.env("relay.", "shim."))...)
		cmd.Env = append(cmd.Env, relayTune)
		return cmd
	}, func(said string) {
		switch {
		case strings.Contains(said, "link.refused"):
			r.refused.Add(1)
		case strings.Contains(said, "link.up"):
			r.welcomed.Add(1)
		}
	})
	return err
}

func (l *line) current() *relay {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.relay
}

// processes are the daemons that run, the line's own first.
func (l *line) processes() []*relay {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*relay{l.relay}, l.retired...)
}

// often is how many refusals are meant: a single one may be that of a connection which
// another took over.
const often = 3

// maxRetired bounds the replaced Macs of a line that still have something to tell.
const maxRetired = 3

// crowded stops the replaced Macs that the cloud has turned away, which it does when it
// has heard all, and tells whether too many are left for another change. What one that is
// switched off sooner knows alone is lost, as a person is told who replaces a Mac.
func (l *line) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = slices.DeleteFunc(l.retired, func(r *relay) bool {
		over := r.refused.Load() >= often
		if over {
			r.daemon.stop()
		}
		return over
	})
	most := maxRetired
	if l.round.options.mode == modePoints {
		most = 2 // each takes its share of the machine
	}
	return len(l.retired) >= most
}

// swap gives the line another Mac; the old one goes on until the cloud has told it
// that it is not wanted any more.
func (l *line) swap(ctx context.Context) error {
	r, err := l.newRelay(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.relay.refused.Store(0) // what it is told from now on counts
	l.relay, l.retired = r, append(l.retired, l.relay)
	return nil
}

// repair makes the same state folder the line's Mac once more.
func (l *line) repair(ctx context.Context) error {
	r := l.current()
	r.daemon.hold()
	defer r.daemon.release()
	if err := l.pair(ctx, r.dir); err != nil {
		return err
	}
	r.refused.Store(0)
	return nil
}

// journalFiles are what a journal is on disk.
var journalFiles = []string{"journal.db", "journal.db-wal", "journal.db-shm"}

// forget deletes the journal, as a person does who tidies up.
func (l *line) forget(ctx context.Context) error {
	r := l.current()
	r.daemon.hold()
	defer r.daemon.release()
	for _, name := range journalFiles {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// restore brings back a journal as it was a moment ago, as from a backup; the cloud
// has to notice, and then the Mac is paired again.
func (l *line) restore(ctx context.Context, wait time.Duration) error {
	r := l.current()
	r.daemon.hold()
	saved, err := os.MkdirTemp(l.round.dir, "journal")
	if err == nil {
		err = copyFiles(saved, r.dir)
	}
	r.daemon.release()
	if err != nil {
		return err
	}
	defer os.RemoveAll(saved)
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(wait):
	}
	l.disk.room.Lock()
	r.daemon.hold()
	r.refused.Store(0)
	r.welcomed.Store(0)
	err = errors.Join(removeFiles(r.dir), copyFiles(r.dir, saved))
	r.daemon.release()
	l.disk.room.Unlock()
	if err != nil {
		return err
	}
	// It may have had nothing to report since the copy; then it is no old journal. Whoever
	// changes the Mac while it is refused gives up what came in since then, so the verdict
	// is waited for, which takes long on a machine with much to do.
	l.round.await(ctx, time.Minute, func() bool { return r.refused.Load()+r.welcomed.Load() > 0 })
	if r.refused.Load() == 0 {
		return nil
	}
	return l.repair(ctx)
}

func removeFiles(dir string) error {
	var errs []error
	for _, name := range journalFiles {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func copyFiles(to, from string) error {
	for _, name := range journalFiles {
		data, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
