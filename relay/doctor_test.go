package relay

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// well are stand-ins for the programs of a Mac on which all is well.
var well = map[string]string{
	"sw_vers":   `echo 15.5`,
	"launchctl": `echo Aqua`,
	"tmutil":    `echo "[Excluded]      $2"`,
	"pgrep":     `echo 4711`,
	"pmset":     "cat <<END\nSystem-wide power settings:\nCurrently in use:\n standby              1\n sleep                0 (sleep prevented by powerd)\n displaysleep         10\nEND",
}

// onMac gives a rig stand-ins: those of a Mac on which all is well, but for other.
func (m *rig) onMac(other map[string]string) {
	m.t.Helper()
	dir := m.t.TempDir()
	for _, programs := range []map[string]string{well, other} {
		for name, script := range programs {
			writeProgram(m.t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n")
		}
	}
	m.cfg.Tools = mac.Tools{Dir: dir}
}

// amiss are the checks that are not ok, as "name state".
func amiss(c wire.Checkup) (list []string) {
	for _, one := range c.Checks {
		if one.State != wire.CheckOK {
			list = append(list, one.Name+" "+string(one.State))
		}
	}
	return list
}

// settled waits for a report that says what is wanted of the checks that are not ok.
func (m *rig) settled(want ...string) wire.Checkup {
	m.t.Helper()
	var found wire.Checkup
	m.until(fmt.Sprint(want), func() bool {
		var err error
		found, err = Agent{m.cfg.StateDir}.Report(m.t.Context())
		return err == nil && slices.Equal(amiss(found), want)
	})
	return found
}

// A Mac on which all is well, and each thing that can be wrong with it by itself: the
// agent says so, the cloud reads it, and both say what to do.
func TestDoctor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		programs map[string]string
		prepare  func(m *rig)
		amid     func(m *rig) // while it runs
		want     []string     // checks that are not ok, as "name state"
		next     string       // is in the next step of the first
		pane     string       // is in its address
	}{
		"all is well": {},
		"an old macOS": {
			programs: map[string]string{"sw_vers": "echo 11.7.10"},
			want:     []string{"macos fail"}, next: "macOS 12 or newer", pane: "softwareupdate",
		},
		"over SSH": {
			programs: map[string]string{"launchctl": "echo Background"},
			want:     []string{"login_session fail"}, next: "own screen",
		},
		"in backups": {
			programs: map[string]string{"tmutil": `echo "[Included]      $2"`},
			want:     []string{"state_folder warn"}, next: "tmutil addexclusion",
		},
		"a folder that others enter": {
			amid: func(m *rig) { chmod(m.t, m.cfg.StateDir, 0o755) },
			want: []string{"state_folder fail"}, next: "chmod 700",
		},
		"Messages is closed": {
			programs: map[string]string{"pgrep": "exit 1"},
			want:     []string{"messages fail", "automation unknown"}, next: "Open Messages", pane: "messages:",
		},
		"another user's Messages": {
			programs: map[string]string{"pgrep": `test "$2" = -u && test "$3" = "$(id -u)" && exit 1; echo 4711`},
			want:     []string{"messages fail", "automation unknown"}, next: "Open Messages",
		},
		"no chat.db": {
			prepare: func(m *rig) { m.cfg.ChatDB = filepath.Join(m.t.TempDir(), "chat.db") },
			want:    []string{"chat_db fail", "schema unknown", "account unknown"}, next: "sign in", pane: "messages:",
		},
		"another program's database": {
			prepare: func(m *rig) { m.exec("DROP TABLE chat") },
			want:    []string{"schema fail", "account unknown"}, next: "Messages' own database",
		},
		"macOS denies Automation": {
			prepare: func(m *rig) {
				m.osascript("echo '0:1: execution error: Nicht autorisiert. (-1743)' >&2; exit 1")
			},
			want: []string{"automation fail"}, next: "Automation", pane: "Privacy_Automation",
		},
		"it sleeps": {
			programs: map[string]string{"pmset": "echo ' sleep                10'"},
			want:     []string{"sleep fail"}, next: "pmset", pane: "energysaver",
		},
		"sleep is prevented": {programs: map[string]string{"pmset": "echo ' sleep                10 (sleep prevented by caffeinate)'"}},
		"macOS answers nonsense": {
			programs: map[string]string{"sw_vers": "yes | head -c 100000", "launchctl": "exit 64", "pmset": "echo hello", "pgrep": "exit 3", "tmutil": "exit 1"},
			want:     []string{"macos unknown", "login_session unknown", "messages unknown", "sleep unknown"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMac(t)
			m.onMac(tt.programs)
			m.exec("INSERT INTO message (guid, date) VALUES ('g', 1)") // somebody has used Messages
			if tt.prepare != nil {
				tt.prepare(m)
			}
			m.start()
			if tt.amid != nil {
				tt.amid(m)
				ring(m.relay.health.news) // the patrol would look in a quarter of an hour
			}
			found := m.settled(tt.want...)
			if first := found.First(); first != nil && (!strings.Contains(first.Next, tt.next) || !strings.Contains(first.Settings, tt.pane)) {
				t.Errorf("%+v", first)
			}
			if holds := !slices.ContainsFunc(tt.want, func(s string) bool { return !strings.HasSuffix(s, "warn") }); found.Holds() != holds {
				t.Errorf("holds: %t", found.Holds())
			}
			m.until("the checkup at the cloud", func() bool { return m.checkup != nil && slices.Equal(amiss(*m.checkup), tt.want) })
		})
	}
}

func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// osascript replaces the stand-in for osascript by a script.
func (m *rig) osascript(script string) {
	m.t.Helper()
	writeProgram(m.t, m.cfg.Osascript, "#!/bin/sh\ncat >/dev/null\n"+script+"\n")
}

// A permission that comes while somebody waits is seen by the next question, and the queue
// goes on with it.
func TestDoctorSeesAGrant(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.onMac(nil)
	m.cfg.Reprobe, m.cfg.Retry = time.Hour, 20*time.Millisecond
	granted := filepath.Join(t.TempDir(), "granted")
	m.osascript("test -e " + granted + " && { echo bluerelay:dispatch >&2; exit 0; }\necho '0:1: execution error: Not authorized. (-1743)' >&2; exit 1")
	m.start()
	// The agent asks once at its start, and then not for an hour.
	m.until("health", func() bool { return m.health.Code == wire.ProblemAutomation })
	if err := os.WriteFile(granted, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := agentOf(t, m, "automation"); found.First() != nil || len(found.Checks) != 1 {
		t.Errorf("%+v", found)
	}
	m.until("health", func() bool { return m.health.Ready })
	m.orders(order("msg_1", 1, alice, "hello"))
	m.hears("sending msg_1 1")
}

// Each way in which the cloud cannot be reached or does not want this Mac is told apart.
func TestDoctorAtTheCloud(t *testing.T) {
	t.Parallel()
	answers := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		tls   bool
		gone  bool
		want  []string
		next  string
	}{
		"well":                {serve: answers(400)},
		"revoked":             {serve: answers(401), want: []string{"credential fail"}, next: "pair"},
		"unknown certificate": {serve: answers(400), tls: true, want: []string{"cloud fail", "clock unknown", "credential unknown"}, next: "this Mac does not trust it"},
		"nobody listens":      {serve: answers(400), gone: true, want: []string{"cloud fail", "clock unknown", "credential unknown"}, next: "Nothing listens"},
		"breaks off":          {serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: []string{"cloud fail", "clock unknown", "credential unknown"}, next: "cannot be reached"},
		"not well":            {serve: answers(503), want: []string{"cloud fail", "credential unknown"}, next: "not well"},
		"no bluecloud":        {serve: answers(404), want: []string{"cloud fail", "credential unknown"}, next: "no bluecloud"},
		"a proxy's login":     {serve: answers(407), want: []string{"cloud fail", "credential unknown"}, next: "wants a login"},
		"a loose clock":       {serve: answers(400, "Date", ago(time.Minute)), want: []string{"clock warn"}},
		"a wrong clock":       {serve: answers(400, "Date", ago(time.Hour)), want: []string{"clock fail"}, next: "Set this Mac's clock"},
		"no date":             {serve: answers(400, "Date", "today"), want: []string{"clock unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(tt.serve)
			if tt.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			if tt.gone {
				server.Close()
			}
			dir := t.TempDir()
			chmod(t, dir, 0o700)
			if err := (Credential{Server: server.URL, RelayID: "rel_1", Secret: "secret", Line: "+14155559876", Scope: ScopeAll}).save(dir); err != nil {
				t.Fatal(err)
			}
			d := newDoctor(Config{StateDir: dir}, nil, true)
			found := d.look(t.Context(), "cloud", "clock", "credential")
			if got := amiss(found); !slices.Equal(got, tt.want) {
				t.Errorf("%q", got)
			}
			if first := found.First(); first != nil && !strings.Contains(first.Next, tt.next) {
				t.Errorf("%+v", first)
			}
		})
	}
}

// In a terminal, permissions are nobody's to tell, and what can be seen is.
func TestDoctorWithoutAgent(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.onMac(nil)
	_, err := Agent{m.cfg.StateDir}.Report(t.Context())
	found := Examine(t.Context(), m.cfg, err)
	if first := found.First(); first == nil || first.Name != "agent" || !strings.Contains(first.Next, "bluerelay start") {
		t.Errorf("%+v", first)
	}
	if got, want := amiss(found), []string{"agent fail", "chat_db unknown", "schema unknown", "account unknown", "automation unknown"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, c := range found.Checks {
		if c.Name == "automation" && !strings.Contains(c.Next, "not to Terminal") {
			t.Errorf("%+v", c)
		}
	}
	m.cfg.StateDir, m.cfg.ChatDB = filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "none")
	found = Examine(t.Context(), m.cfg, ErrNoAgent)
	if got, want := amiss(found), []string{"agent fail", "state_folder unknown", "chat_db fail", "schema unknown", "account unknown", "automation unknown", "cloud unknown", "clock unknown", "credential fail"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if first := found.First(); !strings.Contains(first.Next, "Pair this Mac") {
		t.Errorf("%+v", first)
	}
}

// FuzzSleep: whatever pmset prints, the minutes are those of a line, or not told.
func FuzzSleep(f *testing.F) {
	f.Add([]byte(" SleepDisabled\t\t1\n sleep                1 (sleep prevented by powerd, caffeinate)\n"))
	f.Add([]byte(" sleep -5\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		if minutes, _, ok := sleepOf(out); ok && minutes < 0 {
			t.Errorf("%d minutes", minutes)
		}
	})
}
