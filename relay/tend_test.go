package relay

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bluerelay/applescript"
	"bluerelay/mac"
	"bluerelay/wire"
)

const (
	notRunning = "echo '0:1: execution error: Application is not running. (-600)' >&2; exit 1"
	timedOut   = "echo '0:1: execution error: AppleEvent timed out. (-1712)' >&2; exit 1"
)

// home is a Mac of stand-ins: an osascript that answers while Messages runs, pgrep, and
// an open that starts a Messages, which is a process that sleeps.
type home struct {
	t      testing.TB
	dir    string
	opened func() []string
	asked  func() []string // pgrep's calls
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir()}
	pid := h.path("pid")
	h.opened = tool(t, h.dir, "open", "test -e "+h.path("no_screen")+" && exit 1; sleep 600 >/dev/null 2>&1 & echo $! >"+pid+".new; mv "+pid+".new "+pid)
	h.asked = tool(t, h.dir, "pgrep", "test -e "+pid+" && kill -0 $(cat "+pid+") 2>/dev/null && cat "+pid)
	t.Cleanup(h.quit)
	return h
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// answers is an osascript that answers as long as Messages runs.
func (h *home) answers() string {
	return h.path("pgrep") + " >/dev/null || { " + notRunning + "; }"
}

func (h *home) tools() mac.Tools { return mac.Tools{Dir: h.dir} }

// pid is the process of Messages; 0 where none was started.
func (h *home) pid() int {
	data, _ := os.ReadFile(h.path("pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// quit ends Messages as a person does.
func (h *home) quit() {
	if pid := h.pid(); pid > 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (h *home) open() {
	h.t.Helper()
	if err := exec.Command(h.path("open"), "by hand").Run(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) wantOpened(n int) {
	h.t.Helper()
	if got := len(h.opened()); got != n {
		h.t.Errorf("Messages was opened %d times, want %d", got, n)
	}
}

// sender is one of this Mac, whose osascript is that script.
func (h *home) sender(script string) *sender {
	h.t.Helper()
	s := newSender(h.t, script)
	s.cfg.Tools = h.tools()
	s.welcome.Store(true)
	return s
}

func (h *home) step(s *sender) {
	h.t.Helper()
	if _, err := s.step(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// A Messages that does not run, as a send has found, is started, and the queue goes on.
func TestMessagesIsLaunched(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.sender(h.answers())
	s.pauseFor(noEffect(applescript.NotRunning, -600))
	if got := s.health.now(); got.Code != wire.ProblemMessages || s.resume.After(time.Now()) {
		t.Errorf("%+v, the first look is due at %v", got, s.resume)
	}
	h.step(s)
	if got := h.opened(); !slices.Equal(got, []string{"-gj -b com.apple.MobileSMS"}) {
		t.Errorf("open was called with %q", got)
	}
	if !s.resume.IsZero() || !s.health.now().Ready || s.down {
		t.Errorf("still paused: %+v", s.health.now())
	}
}

// What the keeper sees is mended before anybody is told, and before the cloud has said
// that something may be sent.
func TestMessagesIsLaunchedQuietly(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.sender(h.answers())
	s.welcome.Store(false)
	s.gone.Store(true)
	h.step(s)
	h.wantOpened(1)
	select {
	case <-s.health.changed:
		t.Error("somebody was told")
	default:
	}
	if s.gone.Load() || !s.resume.IsZero() || s.blind.Load() {
		t.Errorf("gone %t, to look again at %v, blind %t", s.gone.Load(), s.resume, s.blind.Load())
	}
}

// One that does not come needs a person, who is told the second time what to do. The starts
// that the rule allows are spread over a quarter of an hour, and in between it is not
// asked, which would start it.
func TestMessagesDoesNotCome(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if err := os.WriteFile(h.path("no_screen"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	asked := filepath.Join(t.TempDir(), "asked")
	synctest.Test(t, func(t *testing.T) {
		h.t = t
		s := h.sender("echo >>" + asked + "; " + notRunning)
		s.gone.Store(true)
		began := time.Now()
		var starts []time.Duration
		var told []string
		for time.Since(began) < time.Hour-time.Minute {
			h.step(s)
			if len(h.opened()) > len(starts) {
				starts = append(starts, time.Since(began).Truncate(time.Minute))
			}
			if reason := s.health.now().Reason; !slices.Contains(told, reason) {
				told = append(told, reason)
			}
			time.Sleep(max(time.Until(s.resume), time.Millisecond))
		}
		if want := []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute}; !slices.Equal(starts, want) {
			t.Errorf("it was started after %v, want %v", starts, want)
		}
		if want := []string{"", noScreen}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
		if data, _ := os.ReadFile(asked); len(data) != s.cfg.Revivals {
			t.Errorf("it was asked %d times", len(data))
		}
		if err := os.Remove(h.path("no_screen")); err != nil {
			t.Fatal(err)
		}
		// Somebody logs in and opens it.
		h.open()
		s.script.Osascript = newSender(t, "exit 0").script.Osascript
		h.step(s)
		if !s.health.now().Ready {
			t.Errorf("%+v", s.health.now())
		}
	})
}

// One that comes and does not stay is started at once each time, as often as the rule
// allows; then a person is told that.
func TestMessagesDoesNotStay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.sender(h.answers())
	for range s.cfg.Revivals {
		s.gone.Store(true)
		h.step(s)
		if !s.health.now().Ready {
			t.Errorf("%+v", s.health.now())
		}
		pid := h.pid()
		h.quit()
		for mac.Alive(pid) {
			<-time.After(time.Millisecond)
		}
	}
	h.wantOpened(s.cfg.Revivals)
	s.pauseFor(noEffect(applescript.NotRunning, -600))
	h.step(s)
	h.wantOpened(s.cfg.Revivals)
	if got := s.health.now(); got.Reason != restless {
		t.Errorf("%+v", got)
	}
}

// Without tools there is nothing to start it with, and it is only asked.
func TestMessagesIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newSender(t, notRunning)
	s.pauseFor(noEffect(applescript.NotRunning, -600))
	for range 2 {
		s.examine(t.Context())
	}
	if got := s.health.now(); got.Reason != noEffect(applescript.NotRunning, -600).Sentence() {
		t.Errorf("%+v", got)
	}
	if !s.askAt().IsZero() {
		t.Error("it is asked without a reason")
	}
	for osascript, want := range map[string]bool{"/usr/bin/osascript": true, "/tmp/simulated/osascript": false} {
		if got := (Config{Osascript: osascript}).tends(); got != want {
			t.Errorf("beside %s: %t", osascript, got)
		}
	}
}

// It is not started while a message may be on its way into it.
func TestMessagesIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.sender(h.answers())
	give(t, s.journal, order("msg_1", 1, alice, "a"))
	arm(t, s.journal, "msg_1", time.Now())
	hand(t, s.journal, "msg_1", time.Now(), time.Now().Add(time.Hour))
	s.gone.Store(true)
	for range 3 {
		h.step(s)
		s.resume = time.Now()
	}
	h.wantOpened(0)
	if got := s.health.now(); got.Code != wire.ProblemMessages {
		t.Errorf("%+v", got)
	}
	if _, err := s.journal.settle(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.step(s)
	h.wantOpened(1)
	if !s.health.now().Ready {
		t.Errorf("%+v", s.health.now())
	}
}

// A Messages that answers although no process has its name has another name, and runs.
func TestMessagesHasAnotherName(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	tool(t, h.dir, "open", "exit 0")
	s := h.sender("exit 0")
	s.gone.Store(true)
	h.step(s)
	if s.gone.Load() || !s.blind.Load() || !s.health.now().Ready {
		t.Errorf("gone %t, blind %t, %+v", s.gone.Load(), s.blind.Load(), s.health.now())
	}
}

// One whose process is seen again, as after a quit at the wrong moment, has no other name,
// and is watched like any.
func TestMessagesIsSeenAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := newSender(t, "").Relay
	r.cfg.Tools = h.tools()
	k := newKeeper(r)
	r.blind.Store(true)
	k.watchMessages(t.Context(), noon)
	if r.gone.Load() || !r.blind.Load() {
		t.Errorf("gone %t, blind %t", r.gone.Load(), r.blind.Load())
	}
	h.open()
	k.watchMessages(t.Context(), noon.Add(r.cfg.Look))
	if r.blind.Load() || k.pid != h.pid() {
		t.Errorf("blind %t; process %d of %d", r.blind.Load(), k.pid, h.pid())
	}
}

// One that leaves three questions unanswered is ended and started again.
func TestHungMessagesIsRestarted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.open()
	hangs := h.pid()
	s := h.sender(fmt.Sprintf("test $(cat %s) = %d || exit 0; %s", h.path("pid"), hangs, timedOut))
	s.heard.Store(&heard{at: time.Now().Add(-s.cfg.Ask)})

	for _, want := range []string{"", noEffect(applescript.TimedOut, -1712).Sentence(), hung} {
		h.step(s)
		if got := s.health.now().Reason; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		s.resume = time.Now()
	}
	h.wantOpened(1)
	h.step(s)
	h.wantOpened(2)
	if now := h.pid(); now == hangs || !mac.Alive(now) || mac.Alive(hangs) {
		t.Errorf("Messages was %d and is %d", hangs, now)
	}
	if !s.health.now().Ready || !s.resume.IsZero() {
		t.Errorf("%+v", s.health.now())
	}
}

// A question of macOS on the screen is no hanging, and a hung Messages with a message of
// ours in hand is left alone: a person is told instead.
func TestHungMessagesIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.open()
	s := h.sender(timedOut)
	inState(t, s.journal, stateArmed)
	give(t, s.journal, order("msg_2", 1, alice, "b"))
	pending(t, s.journal, nil)
	if _, err := s.journal.db.Exec("UPDATE sends SET armed_at = ?", time.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		s.resume = time.Now()
		h.step(s)
	}
	h.wantOpened(1)
	if !mac.Alive(h.pid()) {
		t.Error("it was ended")
	}
	if got := s.health.now(); got.Reason != hung {
		t.Errorf("%+v", got)
	}
	for range 2 {
		s.unanswered(noEffect(applescript.TimedOut, -1712))
	}
	s.unanswered(noEffect(applescript.Prompt, 0))
	if s.mute != 0 {
		t.Errorf("%d questions of a macOS that waits for consent count", s.mute)
	}
}

// The whole way: Messages is started with the relay, started again when somebody quits
// it, and a message goes out once.
func TestMessagesIsKeptOpen(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	m := newMac(t)
	m.cfg.Tools, m.cfg.Look = h.tools(), 10*time.Millisecond
	m.start()
	m.until("Messages is opened", func() bool { return len(h.opened()) == 1 })
	m.until("it is known", func() bool { return !m.relay.gone.Load() })
	h.quit()
	m.until("Messages is opened again", func() bool { return len(h.opened()) == 2 })
	m.orders(order("msg_1", 1, alice, "hello"))
	m.runs(1)
	m.say("OUT-1", alice, "hello", true, time.Now())
	m.hears("sent msg_1 1")
	m.stop()
	h.wantOpened(2)
	if got := m.ran(); len(got) != 1 {
		t.Errorf("osascript ran %q", got)
	}
}

// While Messages runs nothing is started to see that: the kernel tells.
func TestWatchingMessagesCostsNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.open()
	r := &Relay{log: newSender(t, "").log, sendBell: make(chan struct{}, 1), cfg: Config{Tools: h.tools()}}
	r.cfg.defaults()
	k := newKeeper(r)
	now := time.Now()
	for range 9 * 60 {
		k.watchMessages(t.Context(), now)
		now = now.Add(pulse)
	}
	if n := len(h.asked()); n != 1 {
		t.Errorf("pgrep ran %d times in nine minutes", n)
	}
	pid := k.pid
	h.quit()
	for mac.Alive(pid) {
		<-time.After(time.Millisecond)
	}
	for range 9 * 60 {
		k.watchMessages(t.Context(), now)
		now = now.Add(pulse)
	}
	if n := len(h.asked()); !r.gone.Load() || n > 1+9*2+1 {
		t.Errorf("gone %t; pgrep ran %d times", r.gone.Load(), n)
	}
}
