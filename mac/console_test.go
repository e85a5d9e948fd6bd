package mac

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// registry is what ioreg -a prints, shortened, for sessions given as "uid at locked".
func registry(locked bool, sessions ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>IOObjectClass</key><string>IORegistryEntry</string><key>IORegistryPlanes</key><dict/>`)
	fmt.Fprintf(&b, "<key>IOConsoleLocked</key><%t/><key>IOConsoleUsers</key><array>", locked)
	for _, s := range sessions {
		var uid int
		var at, locked bool
		if _, err := fmt.Sscan(s, &uid, &at, &locked); err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "<dict><key>kCGSSessionUserIDKey</key><integer>%d</integer><key>kCGSSessionUserNameKey</key><string>ann</string><key>kCGSSessionOnConsoleKey</key><%t/>", uid, at)
		if locked {
			b.WriteString("<key>CGSSessionScreenIsLocked</key><true/>")
		}
		b.WriteString("</dict>")
	}
	b.WriteString("</array></dict></plist>")
	return b.String()
}

func TestParseConsole(t *testing.T) {
	for name, tt := range map[string]struct {
		said string
		want Console
	}{
		"nobody":               {registry(false), Console{}},
		"us":                   {registry(false, "501 true false"), Console{Known: true, Ours: true}},
		"us, locked":           {registry(false, "501 true true"), Console{Known: true, Ours: true, Locked: true}},
		"the whole console":    {registry(true, "501 true false"), Console{Known: true, Ours: true, Locked: true}},
		"somebody else":        {registry(false, "502 true false"), Console{Known: true}},
		"us behind another":    {registry(false, "502 true false", "501 false false"), Console{Known: true, Beside: true}},
		"another, locked":      {registry(false, "502 true true", "501 false false"), Console{Known: true, Beside: true}},
		"us, another behind":   {registry(false, "502 false true", "501 true false"), Console{Known: true, Ours: true}},
		"at the login window":  {registry(false, "501 false false"), Console{}},
		"no keys of sessions":  {"<plist version=\"1.0\"><dict/></plist>", Console{}},
		"the older text style": {`{ IOConsoleUsers = ({ kCGSSessionUserIDKey = 501; kCGSSessionOnConsoleKey = 0; }); }`, Console{}},
	} {
		if got, err := parseConsole([]byte(tt.said), 501); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, nonsense := range []string{"<plist", `<plist version="1.0"><dict><key>IOConsoleUsers</key><string>x</string></dict></plist>`} {
		if got, err := parseConsole([]byte(nonsense), 501); err == nil {
			t.Errorf("%q: %+v", nonsense, got)
		}
	}
}

func TestConsole(t *testing.T) {
	dir := t.TempDir()
	if _, err := (Tools{Dir: dir}).Console(t.Context()); !errors.Is(err, ErrNoTool) {
		t.Errorf("without ioreg: %v", err)
	}
	standIn(t, dir, "ioreg", `test "$*" = "-n Root -d1 -a" || exit 2`+"\ncat <<'END'\n"+registry(false, fmt.Sprint(os.Getuid(), " true true"))+"\nEND")
	if got, err := (Tools{Dir: dir}).Console(t.Context()); err != nil || got != (Console{Known: true, Ours: true, Locked: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	standIn(t, dir, "ioreg", "exit 1")
	if _, err := (Tools{Dir: dir}).Console(t.Context()); err == nil {
		t.Error("a failure was passed over")
	}
}

func TestOnBattery(t *testing.T) {
	dir := t.TempDir()
	for said, want := range map[string]bool{
		"Now drawing from 'AC Power'": false,
		"Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t93%; discharging; 4:12 remaining present: true": true,
		"": false,
	} {
		standIn(t, dir, "pmset", `test "$*" = "-g batt" || exit 2`+"\ncat <<'END'\n"+said+"\nEND")
		if got, err := (Tools{Dir: dir}).OnBattery(t.Context()); err != nil || got != want {
			t.Errorf("%q: %t, %v", said, got, err)
		}
	}
	standIn(t, dir, "pmset", "exit 1")
	if _, err := (Tools{Dir: dir}).OnBattery(t.Context()); err == nil {
		t.Error("a failure was passed over")
	}
}

// Whatever ioreg prints, it is read or refused.
func FuzzConsole(f *testing.F) {
	f.Add([]byte(registry(true, "501 true true", "502 false false")))
	f.Add([]byte("bplist00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConsole(data, 501)
		if err == nil && c.Ours && c.Beside || c.Beside && !c.Known {
			t.Errorf("%+v", c)
		}
	})
}
