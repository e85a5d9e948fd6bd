package relay

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"bluerelay/mac"
	"bluerelay/wire"
)

// Who is at the screen, and what the Mac runs on, are part of the checks of session and
// sleep; a macOS that does not say changes nothing.
func TestDoctorLooksAtScreenAndPower(t *testing.T) {
	t.Parallel()
	session := func(uid int, at, locked bool) string {
		return fmt.Sprintf("cat <<'END'\n<plist version=\"1.0\"><dict><key>IOConsoleUsers</key><array><dict><key>kCGSSessionUserIDKey</key><integer>%d</integer><key>kCGSSessionOnConsoleKey</key><%t/><key>CGSSessionScreenIsLocked</key><%t/></dict>"+
			"<dict><key>kCGSSessionUserIDKey</key><integer>%d</integer><key>kCGSSessionOnConsoleKey</key><false/></dict></array></dict></plist>\nEND", uid, at, locked, os.Getuid())
	}
	const awake = "echo ' sleep                10 (sleep prevented by caffeinate)'"
	for name, tt := range map[string]struct {
		ioreg, pmset   string
		session, sleep wire.CheckState
		fact, next     string // of either
	}{
		"at the screen":   {session(os.Getuid(), true, false), awake, wire.CheckOK, wire.CheckOK, "in a session at the screen", ""},
		"locked":          {session(os.Getuid(), true, true), awake, wire.CheckOK, wire.CheckOK, "the screen is locked", ""},
		"another has it":  {session(os.Getuid()+1, true, false), awake, wire.CheckWarn, wire.CheckOK, "another user has the screen", "Switch"},
		"nobody has said": {"exit 1", awake, wire.CheckOK, wire.CheckOK, "in a session at the screen", ""},
		"on battery":      {"exit 1", "case $2 in batt) echo \"Now drawing from 'Battery Power'\";; *) " + awake + ";; esac", wire.CheckOK, wire.CheckWarn, "it runs on battery", "Plug"},
		"no battery":      {"exit 1", "case $2 in batt) exit 1;; *) " + awake + ";; esac", wire.CheckOK, wire.CheckOK, "being prevented", ""},
	} {
		dir := t.TempDir()
		tool(t, dir, "launchctl", "echo Aqua")
		tool(t, dir, "ioreg", tt.ioreg)
		tool(t, dir, "pmset", tt.pmset)
		d := &doctor{cfg: Config{Tools: mac.Tools{Dir: dir}}, agent: &Relay{}}
		screen, sleep := d.lookAtSession(t.Context()), d.lookAtSleep(t.Context())
		if screen.state != tt.session || sleep.state != tt.sleep {
			t.Errorf("%s: session %+v, sleep %+v", name, screen, sleep)
		}
		if facts := strings.Join(append(screen.evidence, sleep.evidence...), "; "); !strings.Contains(facts, tt.fact) || !strings.Contains(screen.next+sleep.next, tt.next) {
			t.Errorf("%s: %s %s %s", name, facts, screen.next, sleep.next)
		}
	}
}
