package launchd

import (
	"reflect"
	"strings"
	"testing"
)

const printed = `gui/501/com.bluerelay.agent = {
	active count = 1
	path = /Users/zoe/Library/LaunchAgents/com.bluerelay.agent.plist
	type = LaunchAgent
	state = running

	program = /Users/zoe/Applications/bluerelay.app/Contents/MacOS/bluerelay
	arguments = {
		/Users/zoe/Applications/bluerelay.app/Contents/MacOS/bluerelay
		run
	}

	environment = {
		pid = 7
		XPC_SERVICE_NAME => com.bluerelay.agent
	}

	domain = gui/501 [100005]
	minimum runtime = 30
	runs = 38771
	pid = 8234
	last exit code = 78: EX_CONFIG

	resource coalition = {
		ID = 1
		state = active
	}
}
`

func TestReadStatus(t *testing.T) {
	code := func(n int) *int { return &n }
	for name, test := range map[string]struct {
		said string
		want Status
	}{
		"running":       {printed, Status{Loaded: true, State: "running", PID: 8234, Runs: 38771, LastExit: code(78)}},
		"never run":     {"x = {\n\tstate = spawn scheduled\n\truns = 0\n\tlast exit code = (never exited)\n}\n", Status{Loaded: true, State: "spawn scheduled"}},
		"stopping":      {"x = {\n\tstate = SIGTERMed\n\tpid = 9\n}\n", Status{Loaded: true, State: "SIGTERMed", PID: 9}},
		"for signature": {"x = {\n\tstate = not running\n\truns = 3\n\tlast exit reason = OS_REASON_CODESIGNING\n}\n", Status{Loaded: true, State: "not running", Runs: 3, Signature: true}},
		"flat":          {"pid = 12\nruns = 2\nstate = running\nlast exit code = 1\n", Status{Loaded: true, State: "running", PID: 12, Runs: 2, LastExit: code(1)}},
		"another form":  {"<plist/>", Status{Loaded: true}},
		"nothing":       {"", Status{Loaded: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := readStatus(test.said)
			if (got.LastExit == nil) != (test.want.LastExit == nil) || got.LastExit != nil && *got.LastExit != *test.want.LastExit {
				t.Errorf("last exit %v", got.LastExit)
			}
			got.LastExit, test.want.LastExit = nil, nil
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestIsDisabled(t *testing.T) {
	said := "disabled services = {\n\t\"com.bluerelay.agent.other\" => disabled\n\t\"com.bluerelay.agent\" => %\n}\n"
	for value, want := range map[string]bool{"disabled": true, "true": true, "enabled": false, "false": false} {
		if got := isDisabled(strings.Replace(said, "%", value, 1), "com.bluerelay.agent"); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}

// FuzzReadStatus holds that nothing that launchctl could show is misread as a process that
// cannot be.
func FuzzReadStatus(f *testing.F) {
	f.Add(printed)
	f.Add("{\n}\n}\npid = -1\nruns = 99999999999999999999\n")
	f.Add("a = {\nlast exit code = 0x1\n")
	f.Fuzz(func(t *testing.T, said string) {
		s := readStatus(said)
		if !s.Loaded || s.PID < 0 || s.Runs < 0 || s.LastExit != nil && *s.LastExit < 0 {
			t.Errorf("%+v", s)
		}
	})
}

// FuzzReadKeychains holds that a list of keychains is either read in full or not at all.
func FuzzReadKeychains(f *testing.F) {
	f.Add("    \"/Users/zoe/Library/Keychains/login.keychain-db\"\n    \"/a b\"\n")
	f.Add("\"\"\n")
	f.Add("SecKeychainCopySearchList: error\n")
	f.Fuzz(func(t *testing.T, said string) {
		list, ok := readKeychains(said)
		lines := 0
		for line := range strings.Lines(said) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if ok && len(list) != lines {
			t.Errorf("%d of %d lines", len(list), lines)
		}
	})
}

// FuzzParseAgent holds that whatever lies where the property list should be is refused, or
// is an agent that can be written again as it was read.
func FuzzParseAgent(f *testing.F) {
	good, err := Agent{Label: "a.b", Program: "/p", Arguments: []string{"run"}, StateDir: "/s", LogDir: "/l", BundleID: "a.b"}.Plist()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("bplist00\xd1\x01\x02"))
	f.Add([]byte(`{ Label = "a"; ProgramArguments = ("/p"); }`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parseAgent(data)
		if err != nil {
			return
		}
		again, err := a.Plist()
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		if same, err := parseAgent(again); err != nil || !reflect.DeepEqual(same, a) {
			t.Errorf("read %+v, written and read again %+v, %v", a, same, err)
		}
	})
}
