package relay

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// keeper keeps the Mac fit for the relay: it holds it awake, notices when it slept all
// the same, because a lid was closed or somebody sent it to sleep, when Messages is not
// there, and when a disk that was full has room again; and it tells who is at the screen
// when a person is needed. One goroutine runs it, and one more holds on to caffeinate.
type keeper struct {
	*Relay
	slept func(now time.Time) time.Duration // since the last call
	pid   int                               // of Messages; 0 while none is known
	next  time.Time                         // when macOS is asked for it again
	notice
	shown map[wire.Problem]time.Time // when a problem was shown, also where that could not be written down
}

func newKeeper(r *Relay) *keeper {
	return &keeper{Relay: r, slept: new(clock).look, shown: make(map[wire.Problem]time.Time)}
}

// pulse is how often the keeper looks at the clock and at the process of Messages, which
// costs microseconds and no child process.
const pulse = time.Second

func (k *keeper) run(ctx context.Context) error {
	var awake sync.WaitGroup
	defer awake.Wait()
	if k.cfg.KeepAwake {
		awake.Go(func() { k.keepAwake(ctx) })
	}
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			now := time.Now()
			k.heedSleep(now)
			k.tryDisk(ctx)
			if k.cfg.tends() {
				k.watchMessages(ctx, now)
			}
			if k.cfg.Notify {
				k.tellPerson(ctx, now)
			}
		}
	}
}

// heedSleep ends the day after a sleep: chat.db is opened and watched anew, the cloud is
// called anew, and the sender heeds what is due. A clock that was set forward looks the
// same, and costs one reconnect.
func (k *keeper) heedSleep(now time.Time) {
	slept := k.slept(now)
	if slept <= 0 {
		return
	}
	k.log.Info("mac.woke", "slept", slept.Round(time.Second).String())
	k.days.next()
	ring(k.sendBell)
}

// watchMessages sees within a pulse that Messages has quit, and after Config.Look that it
// is there again.
func (k *keeper) watchMessages(ctx context.Context, now time.Time) {
	if k.pid != 0 && !mac.Alive(k.pid) {
		k.pid, k.next = 0, time.Time{}
	}
	if now.Before(k.next) {
		return
	}
	k.next = now.Add(k.cfg.Look)
	answers := k.answers.Load()
	pids, err := k.cfg.Tools.Messages(ctx)
	switch {
	case err != nil:
		k.log.Debug("messages.not_looked_for", "error", err.Error())
	case len(pids) > 0:
		k.pid, k.next = pids[0], now.Add(20*k.cfg.Look) // another process may come to have the number
		k.gone.Store(false)
		k.blind.Store(false)
	case k.answers.Load() != answers: // it has come up meanwhile
	case k.blind.Load(): // it answers all the same, under a name of its own
	default:
		k.pid = 0
		if !k.gone.Swap(true) {
			k.log.Info("messages.gone")
			ring(k.sendBell)
		}
	}
}

// The pauses between two caffeinates. One that lived for long has not failed.
const (
	caffeineMin   = time.Second
	caffeineMax   = 10 * time.Minute
	caffeineSound = time.Minute
)

// keepAwake starts caffeinate, and another one after a pause that doubles when it ends.
// A machine without caffeinate is left alone.
func (k *keeper) keepAwake(ctx context.Context) {
	pause := caffeineMin
	for {
		began := time.Now()
		err := k.cfg.Tools.KeepAwake(ctx, os.Getpid())
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, mac.ErrNoTool) {
			k.log.Debug("mac.not_kept_awake", "error", err.Error())
			return
		}
		if time.Since(began) > caffeineSound {
			pause = caffeineMin
		}
		k.log.Warn("mac.not_kept_awake", "error", err.Error(), "again_in_ms", pause.Milliseconds())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, caffeineMax)
	}
}
