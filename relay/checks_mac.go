package relay

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// The checks of the Mac itself: its system, its session, its folders, its sleep.

// toolLimit bounds one program of macOS.
const toolLimit = 5 * time.Second

// ask runs a program of macOS that answers at once. Where it gives no answer, said is nil
// and the verdict says so.
func (d *doctor) ask(ctx context.Context, name string, args ...string) (said *mac.Result, f verdict) {
	if f := d.elsewhere(); f.state != "" {
		return nil, f
	}
	result, err := d.cfg.Tools.Run(ctx, toolLimit, nil, name, args...)
	if err != nil {
		return nil, unsure("This cannot be told here: " + err.Error() + ".")
	}
	return &result, verdict{}
}

// elsewhere is a verdict where this machine is nothing to Messages, else none.
func (d *doctor) elsewhere() (f verdict) {
	if d.cfg.simulated() && d.cfg.Tools.Dir == "" {
		f = unsure("Messages is simulated here: what the machine is like does not matter to it.")
	}
	return f
}

func (d *doctor) lookAtAgent(context.Context) verdict {
	if d.agent == nil {
		return d.absent()
	}
	return holds("version "+d.cfg.Version, "running since "+d.agent.began.UTC().Format(time.RFC3339))
}

// oldest is the first release of macOS that this program runs on.
const oldest = 12

func (d *doctor) lookAtVersion(ctx context.Context) verdict {
	said, f := d.ask(ctx, "sw_vers", "-productVersion")
	if said == nil {
		return f
	}
	version := strings.TrimSpace(string(said.Out))
	major, _, _ := strings.Cut(version, ".")
	number, err := strconv.Atoi(major)
	switch {
	case said.Code != 0 || err != nil || len(version) > 20:
		return unsure("macOS did not tell its version.")
	case number < oldest:
		return fails(fmt.Sprintf("Update this Mac to macOS %d or newer.", oldest), "macOS "+version).in(mac.PaneUpdate)
	}
	return holds("macOS " + version)
}

// lookAtSession finds out whether there is a screen to log in at: without the session of
// a person who is logged in there no program may speak to Messages.
func (d *doctor) lookAtSession(ctx context.Context) verdict {
	const next = "Log in at this Mac's own screen as the user whose Messages it is, once after each restart; a login by SSH is not enough."
	if d.agent == nil {
		said, f := d.ask(ctx, "launchctl", "print", "gui/"+strconv.Itoa(os.Getuid()))
		switch {
		case said == nil:
			return f
		case said.Code != 0:
			return fails(next, "nobody is logged in at the screen as this user")
		}
		return holds("this user is logged in at the screen")
	}
	said, f := d.ask(ctx, "launchctl", "managername")
	if said == nil {
		return f
	}
	switch name := strings.TrimSpace(string(said.Out)); name {
	case "Aqua":
		return d.lookAtConsole(ctx)
	case "Background", "System", "LoginWindow":
		return fails(next, "the agent runs in a session of the kind "+name)
	}
	return unsure("macOS did not tell what kind of session this is.")
}

// lookAtConsole adds who is at the screen. A Messages that runs sends from behind a locked
// screen too; whether it does from behind another user's session nobody has proven.
func (d *doctor) lookAtConsole(ctx context.Context) verdict {
	const fact = "the agent runs in a session at the screen"
	c, err := d.cfg.Tools.Console(ctx)
	switch {
	case err != nil || !c.Known:
		return holds(fact)
	case c.Beside:
		return warns("Switch this Mac's screen to the user whose Messages it is, and lock it rather than switching to another user.", fact, "another user has the screen")
	case c.Locked:
		return holds(fact, "the screen is locked")
	}
	return holds(fact)
}

// lookAtState holds the folder against the promise that nobody else reads it.
func (d *doctor) lookAtState(ctx context.Context) verdict {
	dir := d.cfg.StateDir
	info, err := os.Stat(dir)
	if os.IsNotExist(err) {
		return unsure("There is no state folder yet: pair this Mac first.")
	}
	if err != nil {
		return fails("The state folder cannot be looked at: check who owns it.", plainError(err))
	}
	if !owned(info) {
		return fails(fmt.Sprintf("The state folder belongs to another user: run `sudo chown -R %d %s`, and never start bluerelay with sudo.", os.Getuid(), tilde(dir)))
	}
	for path, allowed := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, credentialFile): 0o600} {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&^allowed != 0 {
			return fails(fmt.Sprintf("Others can read what only this program may: run `chmod %o %s`, and pair again if anybody may have looked.", allowed, tilde(path)),
				fmt.Sprintf("%s has mode %04o", filepath.Base(path), info.Mode().Perm()))
		}
	}
	said, _ := d.ask(ctx, "tmutil", "isexcluded", dir)
	if said != nil && said.Code == 0 && bytes.HasPrefix(said.Out, []byte("[Included]")) {
		return warns("Keep the state folder out of Time Machine, because a copy of it must never be put back: run `tmutil addexclusion "+tilde(dir)+"`.", "mode 0700", "part of the backups")
	}
	return holds("mode 0700")
}

// How much room there has to be, in bytes. The journal takes a few megabytes, files on
// their way up to 100 MB each.
const (
	tightDisk = 1 << 30
	fullDisk  = 100 << 20
)

func (d *doctor) lookAtDisk(context.Context) verdict {
	var st syscall.Statfs_t
	if err := syscall.Statfs(existing(d.cfg.StateDir), &st); err != nil {
		return unsure("The disk did not tell how full it is.", plainError(err))
	}
	free := st.Bavail * uint64(st.Bsize)
	fact := fmt.Sprintf("%d MB free", free>>20)
	const next = "Make room on this Mac's disk: without any nothing can be sent or taken in."
	if d.agent != nil {
		if reason := d.agent.health.reason(wire.ProblemDisk); reason != "" {
			return fails(reason, fact)
		}
	}
	switch {
	case free < fullDisk:
		return fails(next, fact)
	case free < tightDisk:
		return warns(next, fact)
	}
	return holds(fact)
}

// lookAtSleep reads how long the Mac may be idle before it sleeps: while it sleeps
// nothing is sent and nothing comes in.
func (d *doctor) lookAtSleep(ctx context.Context) verdict {
	said, f := d.ask(ctx, "pmset", "-g")
	if said == nil {
		return f
	}
	minutes, by, ok := sleepOf(said.Out)
	switch {
	case said.Code != 0 || !ok:
		return unsure("macOS did not tell when this Mac sleeps.")
	}
	// Where macOS does not say what the Mac runs on, it is no laptop, or soon asked again.
	if battery, err := d.cfg.Tools.OnBattery(ctx); err == nil && battery {
		return warns("Plug this Mac in and leave its lid open: on battery macOS sends it to sleep whatever asks it not to.", "it runs on battery")
	}
	switch {
	case minutes == 0:
		return holds("this Mac does not sleep by itself")
	case by != "":
		return holds(fmt.Sprintf("sleep after %d min is being prevented", minutes))
	}
	return fails("Keep this Mac awake: switch on \"Prevent automatic sleeping when the display is off\", or run `sudo pmset -a sleep 0`.",
		fmt.Sprintf("it sleeps after %d min without anybody", minutes)).in(mac.PaneEnergy)
}

// sleepOf finds the minutes of idling after which the Mac sleeps, 0 for never, in what
// `pmset -g` prints, and who prevents it now:
//
//	sleep                1 (sleep prevented by caffeinate)
func sleepOf(out []byte) (minutes int, preventedBy string, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		n, err := strconv.Atoi(fields[1])
		switch {
		case err != nil:
		case fields[0] == "SleepDisabled" && n == 1:
			return 0, "", true
		case fields[0] == "sleep":
			_, by, _ := strings.Cut(lines.Text(), "prevented by ")
			return n, strings.TrimSuffix(strings.TrimSpace(by), ")"), n >= 0
		}
	}
	return 0, "", false
}

// tilde writes a path so that it can be pasted and does not name the user.
func tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+"/"); err == nil && home != "" && ok {
		return `~/"` + rest + `"`
	}
	return `"` + path + `"`
}

// plainError is an error without the path that it was about.
func plainError(err error) string {
	for {
		switch e := err.(type) {
		case *os.PathError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		default:
			return err.Error()
		}
	}
}
