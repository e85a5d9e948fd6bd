package applescript

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"bluerelay/fault"
)

// ErrRunning says that a run has not ended yet. The run goes on by itself; Recover
// tells its outcome later.
var ErrRunning = errors.New("osascript is still running")

// Sender runs osascript through the shim.
type Sender struct {
	// Osascript is the path of the program, /usr/bin/osascript on a Mac.
	Osascript string
	// Exe is this program, which answers to ShimArg.
	Exe string
	// Dir holds locks, markers and results; it must exist, 0700, and belong to this
	// Sender alone.
	Dir string
	// Limit, where not zero, replaces the deadline of each send.
	Limit time.Duration

	mu    sync.Mutex
	spare *spare // nil while there is none
}

// Send makes one attempt and waits for its end. When ctx ends first the run is left
// to itself and the error is ErrRunning; the goroutine that waits for the child
// then ends with it.
//
// What goes wrong before the shim has its order is an Outcome without effect, not
// an error. An attempt that was made before is not made again: Send then tells its
// outcome, as Recover does.
func (s *Sender) Send(ctx context.Context, id string, attempt int, req Request) (Outcome, error) {
	if err := req.check(); err != nil {
		return Outcome{Effect: NoEffect, Reason: BadRequest}, nil
	}
	r, err := newRun(s.Dir, id, attempt)
	if err != nil {
		return Outcome{Effect: NoEffect, Reason: BadRequest}, nil
	}
	o := order{Dir: s.Dir, ID: id, Attempt: attempt, Osascript: s.Osascript, Request: req, LimitMS: s.limit(req).Milliseconds(), Whole: true}
	cmd := s.startSpare(r, o)
	if cmd == nil {
		if cmd, err = s.start(r, o); err != nil {
			return s.notStarted(r, err)
		}
	}
	// So that the next one need not wait; this one is on its way.
	_ = s.Warm()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the files say what happened, not the exit code
	}()
	select {
	case <-ended:
		if cmd.ProcessState.ExitCode() == exitNothing {
			return Outcome{Effect: NoEffect, Reason: DiskTrouble}, nil
		}
		// A shim that was killed may have left osascript behind, which holds the
		// lock too.
		return s.Recover(ctx, id, attempt)
	case <-ctx.Done():
		return Outcome{}, ErrRunning
	}
}

func (s *Sender) limit(req Request) time.Duration {
	if s.Limit > 0 {
		return s.Limit
	}
	return req.limit()
}

// Why a run was not started.
var (
	errMade  = errors.New("this attempt has been made")
	errShim  = errors.New("the shim cannot be started")
	errOrder = errors.New("the order cannot be written")
)

// start makes a shim for an order, unless the attempt has been made before. From
// then on the shim holds the lock; ours must go, or it would never be free.
func (s *Sender) start(r run, o order) (*exec.Cmd, error) {
	fault.Before(fault.ShimLock)
	lock, busy, err := r.lock()
	if busy {
		return nil, ErrRunning
	}
	if err != nil {
		return nil, err
	}
	if marked, err := r.exists(markerExt); marked || err != nil {
		release(lock)
		return nil, errMade
	}
	data, err := json.Marshal(o)
	if err != nil {
		release(lock)
		return nil, errOrder
	}
	fault.After(fault.ShimLock)
	cmd := s.shim(lock)
	cmd.Stdin = bytes.NewReader(data)
	if err := cmd.Start(); err != nil {
		release(lock)
		return nil, errShim
	}
	fault.Hit(fault.ShimStart)
	lock.Close()
	return cmd, nil
}

// notStarted is the outcome where start failed: without effect, but for an attempt
// that was made before.
func (s *Sender) notStarted(r run, err error) (Outcome, error) {
	switch {
	case errors.Is(err, ErrRunning):
		return Outcome{}, ErrRunning
	case errors.Is(err, errMade):
		return settled(r), nil
	case errors.Is(err, errShim):
		return Outcome{Effect: NoEffect, Reason: CannotStart}, nil
	case errors.Is(err, errOrder):
		return Outcome{Effect: NoEffect, Reason: BadRequest}, nil
	}
	return Outcome{Effect: NoEffect, Reason: DiskTrouble}, nil
}

// Recover tells the outcome of an attempt that an earlier daemon began. While the
// shim or its osascript lives the lock is busy and Recover waits. An osascript that
// has lost its shim has nobody to end it at its deadline: it is killed some seconds
// after.
//
//   - lock free and no marker: nothing was started, NoEffect
//   - a result: as the shim classified it
//   - a marker and no result: nobody knows, MayHave
func (s *Sender) Recover(ctx context.Context, id string, attempt int) (Outcome, error) {
	r, err := newRun(s.Dir, id, attempt)
	if err != nil {
		return Outcome{}, fmt.Errorf("recover a send: %w", err)
	}
	since := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		lock, busy, err := r.lock()
		if err != nil {
			return Outcome{}, fmt.Errorf("recover a send: %w", err)
		}
		if !busy {
			defer release(lock)
			return settled(r), nil
		}
		if h, ok := r.holder(); ok && time.Since(since) > h.patience() {
			h.end()
			since = time.Now()
		}
		select {
		case <-ctx.Done():
			return Outcome{}, ErrRunning
		case <-time.After(pause):
		}
	}
}

// settled reads the files of a run whose processes have ended.
func settled(r run) Outcome {
	data, err := os.ReadFile(r.path(resultExt))
	var o Outcome
	if err == nil && json.Unmarshal(data, &o) == nil && o.Effect != "" {
		return o
	}
	marked, err := r.exists(markerExt)
	if err != nil {
		return Outcome{Effect: MayHave, Reason: DiskTrouble}
	}
	if marked {
		return Outcome{Effect: MayHave, Reason: Interrupted}
	}
	return Outcome{Effect: NoEffect, Reason: Interrupted}
}

// Forget deletes what a run left behind. Call it only when the outcome is in the
// journal, and no older copy of the journal can be taken for it any more: without the
// files an attempt looks as if it had never started.
func (s *Sender) Forget(id string, attempt int) error {
	r, err := newRun(s.Dir, id, attempt)
	if err != nil {
		return nil
	}
	if err := r.remove(); err != nil {
		return fmt.Errorf("forget a send: %w", err)
	}
	return nil
}

// Probe asks Messages a harmless question, to learn whether it may be scripted. It
// returns within 15 seconds or when ctx ends.
func (s *Sender) Probe(ctx context.Context) Outcome {
	req := Request{Verb: Probe}
	ctx, cancel := context.WithTimeout(ctx, req.limit())
	defer cancel()
	o := runOsascript(ctx, s.Osascript, req, nil, func(int) {})
	if o.Effect == MayHave {
		o.Effect = NoEffect // a question has none
	}
	return o
}
