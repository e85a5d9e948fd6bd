package launchd_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bluerelay/launchd"
	"bluerelay/launchd/launchdtest"
	"bluerelay/mac"
)

// quick is a job whose waits are short.
func quick(m *launchdtest.Mac) launchd.Job {
	return launchd.Job{
		Tools: m.Tools, Label: launchd.BundleID, UID: 501,
		Look: 2 * time.Millisecond, Up: patience, Steady: 20 * time.Millisecond, Gone: patience,
	}
}

// TestRefusals holds each documented answer of launchctl against what a person is told.
func TestRefusals(t *testing.T) {
	m := launchdtest.New(t)
	job := quick(m)
	job.Gone = time.Millisecond
	for name, test := range map[string]struct {
		verb string
		fail launchdtest.Failure
		do   func() error
		kind error
		want string
	}{
		"no login": {
			"bootstrap", launchdtest.Failure{Code: 125, Text: "Bootstrap failed: 125: Domain does not support specified action"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrNoSession, "Log in at the Mac's screen",
		},
		"no login, in German": {
			"bootstrap", launchdtest.Failure{Code: 125, Text: "Start fehlgeschlagen: 125: Die Domäne unterstützt die Aktion nicht"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrNoSession, "Log in at the Mac's screen",
		},
		"no domain": {
			"bootstrap", launchdtest.Failure{Code: 112, Text: "Could not find domain for port"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrNoSession, "(launchctl bootstrap ended with 112)",
		},
		"switched off in Login Items": {
			"bootstrap", launchdtest.Failure{Code: 5, Text: "Bootstrap failed: 5: Input/output error"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrNotAccepted, "Login Items",
		},
		"the code in the text only": {
			"bootstrap", launchdtest.Failure{Code: 1, Text: "Начальная загрузка не выполнена: 5: Ошибка ввода/вывода"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrNotAccepted, "ended with 5",
		},
		"in progress": {
			"bootstrap", launchdtest.Failure{Code: 37, Text: "Bootstrap failed: 37: Operation already in progress"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, launchd.ErrInProgress, "Wait a minute",
		},
		"unknown": {
			"bootstrap", launchdtest.Failure{Code: 153, Text: "etwas Neues"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, nil, "ended with 153",
		},
		"enable": {
			"enable", launchdtest.Failure{Code: 150, Text: "Operation not permitted"},
			func() error { return job.Bootstrap(t.Context(), "/x.plist") }, nil, "launchctl enable ended with 150",
		},
		"not loaded": {
			"kickstart", launchdtest.Failure{Code: 113, Text: "Dienst nicht gefunden"},
			func() error { return job.Kickstart(t.Context(), true) }, launchd.ErrNotLoaded, "bluerelay start",
		},
		"print": {
			"print", launchdtest.Failure{Code: 64, Text: "usage"},
			func() error { _, err := job.Status(t.Context()); return err }, nil, "ended with 64",
		},
		"bootout": {
			"bootout", launchdtest.Failure{Code: 9, Text: "x"},
			func() error { return job.Bootout(t.Context()) }, nil, "ended with 9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m.Change(t, func(s *launchdtest.State) {
				s.Fail = map[string][]launchdtest.Failure{"launchctl " + test.verb: {test.fail, test.fail, test.fail}}
			})
			err := test.do()
			refusal, ok := errors.AsType[*launchd.Refusal](err)
			if !ok || refusal.Next == "" || test.kind != nil && !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			for _, word := range []string{"Domäne", "Ошибка", "etwas Neues"} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("launchctl's words are repeated: %v", err)
				}
			}
		})
	}
}

func TestDisabled(t *testing.T) {
	m := launchdtest.New(t)
	five := launchdtest.Failure{Code: 5, Text: "Bootstrap failed: 5: Input/output error"}
	m.Change(t, func(s *launchdtest.State) {
		s.Disabled[launchd.BundleID] = true
		s.Fail["launchctl bootstrap"] = []launchdtest.Failure{five, five, five}
		s.Fail["launchctl enable"] = []launchdtest.Failure{{}} // says yes and does nothing
	})
	if err := quick(m).Bootstrap(t.Context(), "/x.plist"); !errors.Is(err, launchd.ErrDisabled) {
		t.Errorf("%v", err)
	}
}

// What is not loaded is gone; so is everything where nobody is logged in.
func TestBootoutOfNothing(t *testing.T) {
	m := launchdtest.New(t)
	job := quick(m)
	for _, fail := range []launchdtest.Failure{{Code: 3, Text: "Boot-out failed: 3: No such process"}, {Code: 36, Text: "x"}, {Code: 113, Text: "x"}, {Code: 125, Text: "x"}} {
		m.Change(t, func(s *launchdtest.State) { s.Fail["launchctl bootout"] = []launchdtest.Failure{fail} })
		if err := job.Bootout(t.Context()); err != nil {
			t.Errorf("%d: %v", fail.Code, err)
		}
	}
	m.Change(t, func(s *launchdtest.State) {
		s.Jobs[job.Label] = &launchdtest.Job{Leaving: true}
		s.Fail["launchctl bootout"] = []launchdtest.Failure{{Code: 36, Text: "x"}}
	})
	job.Gone = time.Millisecond
	if err := job.Bootout(t.Context()); !errors.Is(err, launchd.ErrInProgress) {
		t.Errorf("a job that stays: %v", err)
	}
	m.Change(t, func(s *launchdtest.State) { s.Jobs = nil })
}

func TestNoMac(t *testing.T) {
	job := launchd.Job{Tools: mac.Tools{Dir: t.TempDir()}, Label: launchd.BundleID, UID: 501}
	if _, err := job.Status(t.Context()); !errors.Is(err, mac.ErrNoTool) || !strings.Contains(err.Error(), "bluerelay run") {
		t.Errorf("%v", err)
	}
}

func TestCheckSession(t *testing.T) {
	m := launchdtest.New(t)
	job := quick(m)
	for name, test := range map[string]struct {
		session  string
		noScreen bool
		uid      int
		want     error
	}{
		"at the screen":                     {"Aqua", false, 501, nil},
		"over the network, and the screen":  {"Background", false, 501, nil},
		"over the network only":             {"Background", true, 501, launchd.ErrNoSession},
		"at the login window":               {"LoginWindow", true, 501, launchd.ErrNoSession},
		"a daemon of the system":            {"System", false, 501, launchd.ErrNoSession},
		"with sudo":                         {"Aqua", false, 0, launchd.ErrRoot},
		"a session of a name we don't know": {"Aquarium", true, 501, launchd.ErrNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			m.Change(t, func(s *launchdtest.State) { s.Session, s.NoScreen = test.session, test.noScreen })
			job.UID = test.uid
			if err := job.CheckSession(t.Context()); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
