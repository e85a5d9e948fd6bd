package launchdtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// texts are what launchctl says, by code. The German ones stand for any other language.
var texts = map[string]map[int]string{
	"": {
		3: "Boot-out failed: 3: No such process", 5: "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.",
		36: "Boot-out failed: 36: Operation now in progress", 37: "Bootstrap failed: 37: Operation already in progress",
		112: "Could not find domain for port", 113: "Bad request.\nCould not find service %q in domain for user gui: 501",
		125: "Bootstrap failed: 125: Domain does not support specified action",
	},
	"de": {
		3: "Abmelden fehlgeschlagen: 3: Prozess nicht gefunden", 5: "Start fehlgeschlagen: 5: Ein-/Ausgabefehler",
		36: "Abmelden fehlgeschlagen: 36: Vorgang läuft noch", 37: "Start fehlgeschlagen: 37: Vorgang läuft bereits",
		112: "Domäne nicht gefunden", 113: "Ungültige Anfrage.\nDienst %q wurde nicht gefunden",
		125: "Start fehlgeschlagen: 125: Die Domäne unterstützt die Aktion nicht",
	},
}

func launchctl(w *world, args []string) int {
	fail, failing := w.begin("launchctl", args)
	if failing && !fail.Anyway {
		return say(fail.Code, "%s", fail.Text)
	}
	code := launchctlVerb(w, args)
	if failing {
		return say(fail.Code, "%s", fail.Text)
	}
	return code
}

func launchctlVerb(w *world, args []string) int {
	var s State
	w.must(func(now *State) { s = *now })
	if args[0] == "managername" {
		fmt.Println(s.Session)
		return 0
	}
	target := args[1]
	if args[0] == "kickstart" {
		target = args[len(args)-1]
	}
	domain, label, hasLabel := cutTarget(target)
	if domain != "gui" {
		return say(99, "only gui/UID is used here, not %s", target)
	}
	refuse := func(code int) int {
		text := texts[s.Language][code]
		if strings.Contains(text, "%q") {
			text = fmt.Sprintf(text, label)
		}
		return say(code, "%s", text)
	}
	if s.NoScreen {
		return refuse(125)
	}
	switch args[0] {
	case "enable":
		w.must(func(s *State) { delete(s.Disabled, label) })
		return 0
	case "print-disabled":
		for label := range s.Disabled {
			fmt.Printf("\t%q => disabled\n", label)
		}
		return 0
	case "bootstrap":
		return bootstrap(w, args[2], refuse)
	case "print":
		if !hasLabel {
			fmt.Println("gui/501 = {\n\ttype = login\n}")
			return 0
		}
	}
	job, ok := s.Jobs[label]
	if !ok {
		return refuse(113)
	}
	switch args[0] {
	case "print":
		job.print(target)
	case "bootout":
		w.must(func(s *State) { s.Jobs[label].Leaving = true })
		_ = syscall.Kill(job.Supervisor, syscall.SIGTERM)
	case "kickstart":
		signal := syscall.SIGUSR1 // start it if it does not run
		if args[1] == "-k" {
			signal = syscall.SIGUSR2
		}
		_ = syscall.Kill(job.Supervisor, signal)
	default:
		return say(64, "Unrecognized subcommand: %s", args[0])
	}
	return 0
}

// cutTarget takes gui/UID or gui/UID/LABEL apart.
func cutTarget(target string) (domain, label string, hasLabel bool) {
	parts := strings.SplitN(target, "/", 3)
	if len(parts) < 2 {
		return target, "", false
	}
	if _, err := strconv.Atoi(parts[1]); err != nil {
		return target, "", false
	}
	if len(parts) == 3 {
		label = parts[2]
	}
	return parts[0], label, label != ""
}

func bootstrap(w *world, path string, refuse func(int) int) int {
	p, err := readPlist(path)
	if err != nil {
		return refuse(5)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o022 != 0 || filepath.Base(path) != p.Label+".plist" {
		return refuse(5)
	}
	code := 0
	w.must(func(s *State) {
		if s.Jobs[p.Label] != nil || s.Disabled[p.Label] {
			code = 5
			return
		}
		cmd := exec.Command(filepath.Join(w.dir, "launchd"), p.Label)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			code = 5
			return
		}
		s.Jobs[p.Label] = &Job{Plist: path, Supervisor: cmd.Process.Pid, Signature: requirementOf(p.ProgramArguments[0])}
	})
	if code != 0 {
		return refuse(code)
	}
	return 0
}

// print writes the picture of a job that launchctl shows, with the nested parts whose keys
// are called like those of the job.
func (j Job) print(target string) {
	state, pid, last := "not running", "", "(never exited)"
	if j.PID > 0 {
		state, pid = "running", fmt.Sprintf("\tpid = %d\n", j.PID)
	}
	if j.Leaving {
		state = "SIGTERMed"
	}
	if j.LastExit != nil {
		last = strconv.Itoa(*j.LastExit)
		if *j.LastExit == 78 {
			last = "78: EX_CONFIG"
		}
	}
	killed := ""
	if j.Killed {
		killed = "\tlast exit reason = OS_REASON_CODESIGNING\n"
		last = "(never exited)"
	}
	fmt.Printf("%s = {\n\tactive count = 1\n\tpath = %s\n\ttype = LaunchAgent\n\tstate = %s\n\n"+
		"\tdefault environment = {\n\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin\n\t}\n\n\tenvironment = {\n\t\tstate = mad\n\t\tpid = 1\n\t}\n\n"+
		"\tdomain = gui/501 [100005]\n\tasid = 100005\n\tminimum runtime = 30\n\texit timeout = 60\n\truns = %d\n%s\timmediate reason = speculative\n"+
		"\tforks = 0\n\tlast exit code = %s\n%s\n\tresource coalition = {\n\t\tID = 1\n\t\tstate = active\n\t}\n\n\tproperties = keepalive | runatload\n}\n",
		target, j.Plist, state, j.Runs, pid, last, killed)
}
