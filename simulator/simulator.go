// Package simulator is a Messages.app for machines without one. It has two
// halves that only share a folder, as on a Mac: a process of its own that
// writes a chat.db in the layout of macOS 26 (WAL, bodies in attributedBody
// only, joins later than rows, receipts as updates of the row), and a program
// that answers to the name osascript and hands sends over to that process.
// A relay is pointed at both by its ordinary flags and cannot tell the
// difference.
//
// The outcome of a send is chosen by its recipient: the numbers
// +15005550001 to +15005550010 each show one case, every other number is an
// ordinary delivery, which Trouble can disturb.
//
// It refuses to reach any network beyond this machine's loopback, to act
// twice on one hand-over, and to run twice in one folder. It never deletes or
// rewrites what a folder holds already. It is no model of Messages' user
// interface, of iCloud or of other devices' databases.
//
// Every exported function may be called from several goroutines and processes
// at once; inside the Messages process one goroutine does all writing.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DefaultNumber is the own number of a simulated Messages that was given none.
const DefaultNumber = "+14155559876"

// Names inside the folder of a simulated Messages.
const (
	chatDBName      = "chat.db"
	scheduleName    = "simulator.db"
	attachmentsName = "Attachments"
	osascriptName   = "osascript"
	addressName     = "messages.json"
	lockName        = "messages.lock"
	effectsName     = "effects.jsonl"
)

// shutdownGrace bounds how long the end of Serve waits for requests in hand;
// none of them takes longer than a simulated timeout, which ends at once.
const shutdownGrace = 5 * time.Second

// Options shape a simulated Messages. The zero value is an ordinary one.
type Options struct {
	// Speed is how many times faster than a real Mac everything happens:
	// each delay is divided by it. 0 means 1. It must not be negative.
	Speed float64
	// Seed chooses the small differences between one message's delays and
	// the next one's; the same seed in a fresh folder repeats them.
	Seed uint64
	// Number is the own number, E.164; empty means DefaultNumber.
	Number string
	// Log receives one line per outcome, never texts or addresses; nil
	// means none. Start does not pass it on: the child logs for itself.
	Log *slog.Logger
}

// Serve is the Messages process. It makes dir, its chat.db (mode 0600) and
// its Attachments folder where they are missing, keeps what is there,
// continues every message's life where an earlier process left it, and runs
// until ctx ends, which is its ordinary end and returns nil. messages.json
// (mode 0600) in dir says how to reach it while it is ready. A second Serve
// on one dir fails with ErrRunning.
func Serve(ctx context.Context, dir string, opts Options) (err error) {
	opts, err = opts.complete()
	if err != nil {
		return err
	}
	dir, err = prepareFolder(dir)
	if err != nil {
		return err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := openEngine(ctx, dir, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return serve(ctx, dir, e, opts.Log)
}

func serve(ctx context.Context, dir string, e *engine, log *slog.Logger) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen on loopback: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	addr := newAddress(ln)
	srv := &http.Server{
		Handler:           newServer(ctx, e, addr.Secret, log),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var wg sync.WaitGroup
	served := make(chan error, 1)
	wg.Go(func() { e.run(ctx) })
	wg.Go(func() { served <- srv.Serve(ln) })

	err = addr.write(dir)
	if err == nil {
		log.Info("messages.ready", "pid", addr.PID)
		select {
		case <-ctx.Done():
		case err = <-served:
		}
		err = errors.Join(err, removeAddress(dir))
	}
	cancel()
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer done()
	if stopErr := srv.Shutdown(grace); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("finish requests: %w", stopErr), srv.Close())
	}
	wg.Wait()
	return err
}

func (o Options) complete() (Options, error) {
	if o.Speed < 0 || math.IsNaN(o.Speed) || math.IsInf(o.Speed, 0) {
		return o, fmt.Errorf("simulated Messages: speed %v is not a positive number", o.Speed)
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Number == "" {
		o.Number = DefaultNumber
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (o Options) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / o.Speed)
}

func prepareFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find folder of simulated Messages: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, attachmentsName), 0o700); err != nil {
		return "", fmt.Errorf("make folder of simulated Messages: %w", err)
	}
	return dir, nil
}
