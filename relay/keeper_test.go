package relay

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/mac"
	"bluerelay/wire"
)

// tool puts a stand-in for one of macOS's programs into a folder, which notes each
// start with its arguments.
func tool(t testing.TB, dir, name, script string) (calls func() []string) {
	t.Helper()
	log := filepath.Join(dir, name+".calls")
	writeProgram(t, filepath.Join(dir, name), "#!/bin/sh\necho \"$@\" >>'"+log+"'\n"+script+"\n")
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// A caffeinate that ends at once is started again, more and more rarely.
func TestCaffeinateIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	calls := tool(t, dir, "caffeinate", "exit 1")
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{log: slog.New(slog.DiscardHandler), cfg: Config{Tools: mac.Tools{Dir: dir}, KeepAwake: true}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		newKeeper(r).keepAwake(ctx)
	})
	if n := len(calls()); n < 10 || n > 16 {
		t.Errorf("it was started %d times in an hour", n)
	}
}

// A machine that is no Mac has nothing to be held awake by, and is asked once.
func TestNoCaffeinate(t *testing.T) {
	t.Parallel()
	r := &Relay{log: slog.New(slog.DiscardHandler), cfg: Config{Tools: mac.Tools{Dir: t.TempDir()}, KeepAwake: true}}
	newKeeper(r).keepAwake(t.Context())
}

// The keeper looks at the clock each second, and a sleep ends the day; a clock that was
// set back does not.
func TestSleepEndsTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{log: slog.New(slog.DiscardHandler), health: newHealth(), sendBell: make(chan struct{}, 1)}
		k := newKeeper(r)
		gaps := []time.Duration{0, -time.Hour, 0, 3 * time.Hour}
		k.slept = func(time.Time) (gap time.Duration) { gap, gaps = gaps[0], gaps[1:]; return gap }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.run(ctx) }()
		day, over := r.days.within(ctx)
		defer over()
		began := time.Now()
		<-day.Done()
		if took := time.Since(began); took != 4*pulse {
			t.Errorf("it was noticed after %v", took)
		}
		<-r.sendBell
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestDays(t *testing.T) {
	t.Parallel()
	var d days
	d.next() // nobody waits
	first, over := d.within(t.Context())
	defer over()
	also, letGo := d.within(t.Context())
	letGo()
	if first.Err() != nil || also.Err() == nil {
		t.Errorf("before the night: %v, %v", first.Err(), also.Err())
	}
	d.next()
	<-first.Done()
	second, over := d.within(t.Context())
	defer over()
	if second.Err() != nil {
		t.Error("the second day is over already")
	}
}

// After a sleep the cloud is called and chat.db is read at once, whatever pause was
// under way.
func TestWake(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	hellos := 0
	m.greeting(func(wire.Hello) (wire.Welcome, int) { hellos++; return wire.Welcome{}, 0 })
	m.cfg.RetryMin, m.cfg.RetryMax, m.cfg.Net = time.Hour, time.Hour, time.Hour
	m.start()
	m.until("the first hello", func() bool { return hellos == 1 })
	m.until("chat.db is read", func() bool {
		db, done := m.relay.borrowDB()
		defer done()
		return db != nil
	})
	m.drop(websocket.CloseGoingAway) // the next try is in up to an hour
	m.relay.days.next()
	m.until("a hello after the sleep", func() bool { return hellos >= 2 })
	m.say("IN-1", alice, "written in the night", false, time.Now())
	m.relay.days.next()
	m.hears("received  0")
}
