package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/relay"
	"bluerelay/simulator"
)

// The life of the simulated Macs of test keys.
const (
	sandboxRest  = 15 * time.Minute // after its last request one is stopped
	sandboxLook  = time.Minute      // between two looks for such
	sandboxPause = 2 * time.Second  // after one that could not be started, or broke
	maxSandboxes = 32               // at a time: each is a process and a relay
)

// sandboxes runs a simulated Messages and a relay for each account of test keys that is
// asked for something, and lets them end when nobody asks any more. wake may be called
// from anywhere; run once.
type sandboxes struct {
	server *server
	log    *slog.Logger
	woken  chan string

	mu      sync.Mutex
	running map[string]*sandbox
}

// sandbox is one of them.
type sandbox struct {
	used time.Time // guarded by sandboxes.mu
	stop context.CancelFunc
}

func newSandboxes(s *server) *sandboxes {
	return &sandboxes{server: s, log: s.log, woken: make(chan string, maxSandboxes), running: make(map[string]*sandbox)}
}

// wake notes that an account is asked for something. It does not block: where too many
// are to be started at once, a later request does it.
func (b *sandboxes) wake(accountID string) {
	b.mu.Lock()
	one := b.running[accountID]
	if one != nil {
		one.used = time.Now()
	}
	b.mu.Unlock()
	if one != nil {
		return
	}
	select {
	case b.woken <- accountID:
	default:
	}
}

// run starts and stops them until ctx ends, and returns when all have ended. What was on
// its way when the server stopped goes on at once.
func (b *sandboxes) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	busy, err := b.server.store.BusyTestAccounts(ctx)
	if err != nil && ctx.Err() == nil {
		b.log.Error("sandbox.not_found", "error", err.Error())
	}
	for _, id := range busy {
		b.start(ctx, &all, id)
	}
	look := time.NewTicker(sandboxLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-b.woken:
			b.start(ctx, &all, id)
		case <-look.C:
			b.rest(ctx)
		}
	}
}

// start begins one that does not run yet.
func (b *sandboxes) start(ctx context.Context, all *sync.WaitGroup, accountID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running[accountID] != nil || len(b.running) >= maxSandboxes {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	b.running[accountID] = &sandbox{used: time.Now(), stop: stop}
	all.Go(func() {
		defer stop()
		b.keep(ctx, accountID)
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.running, accountID)
	})
}

// keep has one run until ctx ends; one that breaks is begun again after a pause.
func (b *sandboxes) keep(ctx context.Context, accountID string) {
	for {
		err := b.attend(ctx, accountID)
		if ctx.Err() != nil {
			return
		}
		b.log.Error("sandbox.ended", "account", accountID, "error", fmt.Sprint(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(sandboxPause):
		}
	}
}

// rest stops those that nobody has asked for a while and that have nothing in hand.
func (b *sandboxes) rest(ctx context.Context) {
	busy, err := b.server.store.BusyTestAccounts(ctx)
	if err != nil {
		return // it is tried again
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range busy {
		if one := b.running[id]; one != nil {
			one.used = time.Now()
		}
	}
	for _, one := range b.running {
		if time.Since(one.used) > sandboxRest {
			one.stop()
		}
	}
}

// attend runs one until ctx ends: Messages, then the relay, which ends first.
func (b *sandboxes) attend(ctx context.Context, accountID string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	line, err := b.server.cloud.TestLine(ctx, accountID)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.server.data, "test", accountID)
	m, stop, err := startSimulated(ctx, exe, filepath.Join(dir, "messages"), line.PhoneNumber, b.log)
	if err != nil {
		return err
	}
	defer stop()
	state := filepath.Join(dir, "relay")
	if err := b.pair(ctx, line, state, m); err != nil {
		return err
	}
	r, err := relay.Open(ctx, relay.Config{
		StateDir: state, Server: b.server.local, ChatDB: m.chatDB, Osascript: m.osascript, Attachments: m.attachments, Exe: exe, Version: version,
		Log: b.log.With("part", "sandbox", "account", accountID),
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// pair makes the simulated Mac the line's, unless it is already.
func (b *sandboxes) pair(ctx context.Context, line store.Line, state string, m mac) error {
	if old, err := relay.LoadCredential(state); err == nil && old.RelayID == line.RelayID {
		return nil
	}
	url, err := b.server.cloud.StartTestPairing(ctx, line)
	if err != nil {
		return err
	}
	// This machine may not be able to reach itself by its public name.
	url = b.server.local + strings.TrimPrefix(url, b.server.url)
	_, err = relay.Pairing{SetupURL: url, StateDir: state, ChatDB: m.chatDB, Insecure: true, Version: version}.Pair(ctx)
	return err
}

// startSimulated starts a simulated Messages and says how to end it.
func startSimulated(ctx context.Context, exe, dir, number string, log *slog.Logger) (m mac, stop func(), err error) {
	p, err := simulator.Start(ctx, exe, dir, simulator.Options{Number: number})
	if err != nil {
		return m, nil, fmt.Errorf("start the simulated Messages: %w", err)
	}
	return mac{chatDB: p.ChatDB(), osascript: p.Osascript(), attachments: p.Attachments()}, func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			log.Warn("simulated.stop", "error", err.Error())
		}
	}, nil
}
