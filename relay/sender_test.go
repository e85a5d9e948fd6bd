package relay

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// newSender is a sender whose osascript is that shell script.
func newSender(t testing.TB, script string) *sender {
	program := filepath.Join(t.TempDir(), "osascript")
	writeProgram(t, program, "#!/bin/sh\ncat >/dev/null\n"+script+"\n")
	r := &Relay{log: slog.New(slog.DiscardHandler), health: newHealth(), journal: newJournal(t), asks: make(chan chan applescript.Outcome),
		sendBell: make(chan struct{}, 1), outboxBell: make(chan struct{}, 1)}
	r.journal.failed = r.unwritten
	r.cfg.StateDir = t.TempDir()
	r.cfg.defaults()
	return &sender{Relay: r, script: applescript.Sender{Osascript: program, Dir: t.TempDir()}, tidied: time.Now()}
}

// A probe that fails in a way nobody foresaw pauses the queue like any other, with a
// pause that grows.
func TestProbeFailsSomehow(t *testing.T) {
	t.Parallel()
	s := newSender(t, "echo '0:1: execution error: Messages does not understand. (-1708)' >&2; exit 1")
	s.pauseFor(applescript.Outcome{Effect: applescript.NoEffect, Reason: applescript.Denied})
	before := time.Now()
	for range 2 {
		s.resume = time.Time{}.Add(1) // due
		s.examine(t.Context())
	}
	if !s.resume.After(before.Add(s.cfg.Retry)) {
		t.Errorf("the next look is due at %v", s.resume)
	}
	if h := s.health.now(); h.Ready || h.Code != wire.ProblemMessages || h.Reason == "" {
		t.Errorf("%+v", h)
	}
	working := newSender(t, "exit 0")
	working.Relay, working.resume = s.Relay, s.resume
	if o := working.examine(t.Context()); o.Effect != applescript.Accepted || !working.resume.IsZero() || !s.health.now().Ready {
		t.Errorf("after an answer: %+v, %+v", o, s.health.now())
	}
}

// The end of a send that could not be written down is learned from the shim's files
// before anything else is done, without a restart.
func TestUnclearSendIsRecovered(t *testing.T) {
	t.Parallel()
	s := newSender(t, "exit 0")
	inState(t, s.journal, stateArmed)
	s.unclear = true
	if _, err := s.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	// No marker is there: provably nothing was started.
	wantState(t, s.journal, "msg_1", stateNoSend)
	if s.unclear {
		t.Error("it is still unclear")
	}
}

// A sender that starts with a send in the middle, and a journal that cannot be written, says
// so and waits until it can be; a death is counted once meanwhile.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSender(t, "exit 0")
		inState(t, s.journal, stateArmed)
		s.dies(t, "msg_1", time.Minute)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		writable(t, s.journal, false)
		go func() { ended <- s.run(ctx) }()
		time.Sleep(time.Minute)
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		default:
		}
		if h := s.health.now(); h.Code != wire.ProblemDisk {
			t.Errorf("%+v", h)
		}
		wantState(t, s.journal, "msg_1", stateArmed)
		writable(t, s.journal, true)
		time.Sleep(2 * s.cfg.Retry)
		wantState(t, s.journal, "msg_1", stateNoSend)
		var tries int
		if err := s.journal.db.QueryRow("SELECT tries FROM sends").Scan(&tries); err != nil || tries != 1 {
			t.Errorf("%d deaths, %v", tries, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A Messages that has nothing to do is asked each time that Config.Ask has passed, by a
// sender that nobody wakes, and not oftener.
func TestIdleMessagesIsAsked(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.open()
	asked := filepath.Join(t.TempDir(), "asked")
	synctest.Test(t, func(t *testing.T) {
		s := newSender(t, "echo >>"+asked)
		s.cfg.Tools, s.cfg.Ask, s.began = h.tools(), 10*time.Second, time.Now()
		s.welcome.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		if err := s.run(ctx); err != nil {
			t.Error(err)
		}
	})
	if data, _ := os.ReadFile(asked); len(data) != 7 {
		t.Errorf("it was asked %d times in 65 seconds, want 7", len(data))
	}
}

// Somebody who asks while the journal or chat.db is in trouble gets an answer at once; an
// empty one while osascript may be running.
func TestStumbleAnswers(t *testing.T) {
	t.Parallel()
	for _, unclear := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSender(t, "exit 0")
			s.unclear = unclear
			ended := make(chan struct{})
			began := time.Now()
			go func() { s.stumble(t.Context(), errNoChatDB); close(ended) }()
			if o, ok := s.askMessages(t.Context()); ok == unclear || time.Since(began) >= s.cfg.Retry {
				t.Errorf("unclear %t: %+v, %t, after %v", unclear, o, ok, time.Since(began))
			}
			<-ended
			if took := time.Since(began); took != s.cfg.Retry {
				t.Errorf("the next try comes after %v", took)
			}
		})
	}
}
