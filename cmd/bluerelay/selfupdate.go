package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/relay"
	"bluerelay/update"
)

const (
	firstLook  = 10 * time.Minute // the first look for an update comes within so long
	settleFor  = 30 * time.Second // below launchd's ExitTimeOut, with a drain before it
	goodWithin = 10 * time.Minute // a version that is up for so long is good without the cloud
)

// selfUpdate is the part of a daemon that brings itself to newer versions. Its zero value
// does nothing: only a daemon in its bundle can be replaced.
type selfUpdate struct {
	updater  update.Updater
	on       bool          // look for updates by itself
	every    time.Duration // between two looks
	log      *slog.Logger
	guard    func() error  // starts who looks after a version that was put in place
	welcomed chan struct{} // rung at each welcome of the cloud; one slot
}

// newSelfUpdate makes that of the program exe. A person may update one that does not look for
// updates by itself. With an error it does not look for them either, and the rest works.
func newSelfUpdate(ctx context.Context, tools mac.Tools, stateDir, exe string, f updateFlags, every time.Duration, log *slog.Logger) (*selfUpdate, error) {
	i, err := installation(tools, launchd.Agent{StateDir: stateDir, Arguments: os.Args[1:]})
	if err != nil || !sameFile(exe, i.Bundle.Program()) {
		return &selfUpdate{}, err
	}
	self := &selfUpdate{updater: updater(i, update.Source{}, version, ""), every: max(every, time.Second), log: log, welcomed: make(chan struct{}, 1)}
	self.guard = func() error { return startGuard(i) }
	if f.from == "" {
		return self, nil
	}
	if self.updater.Source, err = f.source(); err != nil {
		return self, err
	}
	if self.updater.MacOS, err = macVersion(ctx, tools); err != nil {
		return self, err
	}
	self.on = true
	return self, nil
}

func sameFile(a, b string) bool {
	one, err := os.Stat(filepath.Clean(a))
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}

// welcome is what the relay calls when the cloud has welcomed it.
func (s *selfUpdate) welcome() {
	select {
	case s.welcomed <- struct{}{}:
	default:
	}
}

// around runs the daemon between its updates. The error is relay.ErrRestart where another
// program is in place now.
func (s *selfUpdate) around(ctx context.Context, run func(context.Context) error) error {
	if s.welcomed == nil {
		return run(ctx)
	}
	// One that somebody starts beside the daemon is no start of a version on trial, and puts
	// nothing in the daemon's place.
	if !errors.Is(relay.CheckFree(s.updater.Dir), relay.ErrBusy) && (s.begin() || s.settle(ctx)) {
		return relay.ErrRestart
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	ready := false
	work.Go(func() {
		s.prove(inner) // first: during a trial nothing is put in place
		if ready = s.on && s.look(inner); ready {
			stop() // what is in hand ends as at any stop, then there is nothing to disturb
		}
	})
	err := run(inner)
	stop()
	work.Wait()
	if errors.Is(err, relay.ErrBusy) {
		return err
	}
	if s.settle(context.WithoutCancel(ctx)) || ready && ctx.Err() == nil {
		return errors.Join(err, relay.ErrRestart)
	}
	return err
}

// begin counts this start of a version on trial, and tells whether the former one was put
// back instead.
func (s *selfUpdate) begin() bool {
	again, sentence, err := s.updater.Begin()
	if sentence != "" {
		s.log.Warn("update.trial", "what", sentence)
	}
	if err != nil {
		s.log.Error("update.failed", "error", err.Error())
	}
	return again
}

// settle puts in place what is ready, and tells whether it did.
func (s *selfUpdate) settle(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	did, err := s.updater.Settle(ctx)
	if err != nil {
		s.log.Error("update.failed", "error", err.Error())
	}
	if did {
		s.log.Info("update.replaced")
		if err := s.guard(); err != nil {
			s.log.Error("update.unguarded", "error", err.Error()) // it takes itself back, if it gets that far
		}
	}
	return did
}

// prove ends the trial of this version, if it is on one.
func (s *selfUpdate) prove(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.welcomed:
	case <-time.After(goodWithin):
	}
	switch good, err := s.updater.Good(); {
	case err != nil:
		s.log.Error("update.failed", "error", err.Error())
	case good:
		s.log.Info("update.good", "version", version)
	}
}

// held is how long no update is looked for because one could not be put in place: each try
// has the daemon drain and start anew.
func (s *selfUpdate) held() time.Duration {
	st, err := update.ReadState(s.updater.Dir)
	if err != nil || st.Failed == nil {
		return 0
	}
	return min(time.Until(st.Failed.At.Add(s.every)), s.every) // a clock may have been set back
}

// look looks for updates until one is ready or ctx ends.
func (s *selfUpdate) look(ctx context.Context) bool {
	pause := max(rand.N(min(s.every, firstLook))+time.Second/10, s.held())
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = s.every + rand.N(s.every/10+1) // not all at the same time
		o, err := s.updater.Check(ctx)
		if err == nil {
			s.log.Info("update.found", "version", o.Version.String())
			err = s.updater.Fetch(ctx, o)
		}
		switch {
		case err == nil:
			return true
		case errors.Is(err, update.ErrCurrent), ctx.Err() != nil:
		default:
			s.log.Warn("update.not_made", "error", err.Error())
		}
	}
}
