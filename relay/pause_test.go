package relay

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// program is a shell script that notes its arguments.
func program(t testing.TB, script string) (path string, calls func() []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" >> "+path+".calls\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() []string {
		data, err := os.ReadFile(path + ".calls")
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

const notRunning = "echo '0:1: execution error: Application is not running. (-600)' >&2; exit 1"

// A Messages that does not run is launched, and the queue goes on.
func TestMessagesIsLaunched(t *testing.T) {
	t.Parallel()
	running := filepath.Join(t.TempDir(), "running")
	s := newSender(t, fmt.Sprintf("test -e %s && exit 0; %s", running, notRunning))
	open, calls := program(t, "touch "+running)
	s.script.Open = open
	s.pauseFor(noEffect(applescript.NotRunning, -600))
	if h := s.health.now(); h.Code != wire.ProblemMessages || s.resume.After(time.Now()) {
		t.Errorf("%+v, the first look is due at %v", h, s.resume)
	}
	s.examine(t.Context())
	if got := calls(); len(got) != 1 || got[0] != "-gj -b com.apple.MobileSMS" {
		t.Errorf("open was called with %q", got)
	}
	if !s.resume.IsZero() || !s.health.now().Ready || s.down {
		t.Errorf("still paused: %+v", s.health.now())
	}
}

// One that does not run although it was launched needs a person at the screen; what
// cannot launch it, or may not, says what it can.
func TestMessagesCannotBeLaunched(t *testing.T) {
	t.Parallel()
	failing, _ := program(t, "exit 1")
	idle, calls := program(t, "exit 0")
	for name, tt := range map[string]struct{ open, want string }{
		"open does nothing": {idle, noScreen},
		"open fails":        {failing, noScreen},
		"no open":           {"", noEffect(applescript.NotRunning, -600).Sentence()},
	} {
		s := newSender(t, notRunning)
		s.script.Open = tt.open
		s.pauseFor(noEffect(applescript.NotRunning, -600))
		for range 2 {
			s.examine(t.Context())
		}
		if h := s.health.now(); h.Code != wire.ProblemMessages || h.Reason != tt.want {
			t.Errorf("%s: %+v", name, h)
		}
		if s.resume.Before(time.Now()) {
			t.Errorf("%s: the next look is due at once", name)
		}
	}
	if n := len(calls()); n != 2 {
		t.Errorf("it was launched %d times, want at each look", n)
	}
}

// The pauses grow: to minutes where only a person at the screen can help, to one
// minute elsewhere.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	for reason, most := range map[applescript.Reason]time.Duration{
		applescript.Denied: 3 * time.Minute, applescript.Prompt: 3 * time.Minute,
		applescript.NotRunning: time.Minute, applescript.TimedOut: time.Minute, applescript.Environment: time.Minute, applescript.CannotStart: time.Minute,
	} {
		s := newSender(t, "exit 0")
		last := time.Duration(-1)
		for range 20 {
			s.pauseFor(noEffect(reason, 0))
			pause := max(time.Until(s.resume), 0).Round(time.Second)
			if pause < last || pause > most {
				t.Errorf("%s: a pause of %v after one of %v", reason, pause, last)
			}
			last = pause
		}
		if last != most {
			t.Errorf("%s: the last pause is %v, want %v", reason, last, most)
		}
	}
	s := newSender(t, "exit 0")
	s.pauseFor(noEffect(applescript.NoTarget, -1728))
	if !s.resume.IsZero() || !s.health.now().Ready {
		t.Error("an unknown recipient pauses the queue")
	}
}

// Beside a stand-in for osascript nothing launches the real Messages.
func TestOpenBelongsToTheRealOsascript(t *testing.T) {
	t.Parallel()
	for osascript, want := range map[string]string{"/usr/bin/osascript": "/usr/bin/open", "/tmp/simulated/osascript": ""} {
		c := Config{Osascript: osascript}
		c.defaults()
		if c.Open != want {
			t.Errorf("beside %s: %q, want %q", osascript, c.Open, want)
		}
	}
}
