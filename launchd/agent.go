// Package launchd holds what ties bluerelay to launchd on a Mac: the description of its
// LaunchAgent, the signed application in which the program lies, what launchctl is told and
// says, the daemon's logs, and the run loop of a process that launchd starts and stops. An
// Installation puts these together.
//
// It writes the property list itself: the keys that keep the relay healthy (a throttle, the
// Aqua session, a KeepAlive that lets exit status 0 rest) are not within reach of
// kardianos/service, whose run loop it uses. It refuses to describe a LaunchDaemon, because
// Messages can be scripted only from the login session of its user, and to put a secret into
// a property list, which every program of the user can read.
//
// An Agent is a plain value, all its methods may be called at once. Two Writes of one path
// leave one of the two files, whole.
package launchd

import (
	"fmt"

	"howett.net/plist"
)

// The reasons behind these figures are Apple's behaviour, see launchd.plist(5).
const (
	// throttleSeconds is the least time between two starts. A daemon that fails at once is
	// started again without end; launchd's own 10 s kept a Mac noticeably busy.
	throttleSeconds = 30
	// exitSeconds lies between SIGTERM and SIGKILL. It covers the osascript of a text; a
	// file takes longer and is finished by the shim, which outlives the daemon.
	exitSeconds = 60
	// umask keeps state and logs from the Mac's other users: octal 077, which a property
	// list can only say as a decimal number.
	umask = 63
)

// Agent describes the LaunchAgent of one program: what launchd starts in the user's login
// session and keeps running.
type Agent struct {
	// Label names the job, in reverse-DNS form, and its file, LABEL.plist: letters, digits,
	// hyphens and underscores in parts joined by dots, at most 128 bytes.
	Label string

	// Program is the absolute path of the binary itself, never of a shell or a wrapper:
	// macOS binds the person's permissions to the first program that launchd starts.
	Program string

	// Arguments follow the program's name. `launchctl print` shows them, so no secrets.
	Arguments []string

	// StateDir and LogDir are absolute. StateDir is the working directory; LogDir receives
	// LABEL.out.log and LABEL.err.log, which launchd appends to for ever and which are
	// therefore for crashes only. Both must exist and belong to the user before the job is
	// bootstrapped, or launchd cannot start it.
	StateDir string
	LogDir   string

	// BundleID names the application that Program lies in, so that Login Items shows its
	// name; empty for a program that lies in none.
	BundleID string

	// Environment is added to launchd's own, which has HOME, USER and a PATH of the
	// system's four folders, and nothing from the user's shell profile. A name or value
	// that looks like a secret is refused.
	Environment map[string]string
}

// properties are the keys of launchd.plist(5) that an Agent sets.
type properties struct {
	Label                  string
	ProgramArguments       []string
	RunAtLoad              bool
	KeepAlive              keepAlive
	ThrottleInterval       int
	ProcessType            string
	LimitLoadToSessionType string
	EnvironmentVariables   map[string]string `plist:",omitempty"`
	StandardOutPath        string
	StandardErrorPath      string
	ExitTimeOut            int
	WorkingDirectory       string
	Umask                  int
	AbandonProcessGroup    bool

	AssociatedBundleIdentifiers []string `plist:",omitempty"`
}

// keepAlive restarts the job after a failure or a crash. Exit status 0 rests: it says that
// starting again would not help before a person has done something.
type keepAlive struct {
	SuccessfulExit bool
	Crashed        bool
}

// Plist renders the agent as an XML property list. Equal agents give equal bytes. The error
// names the field that launchd, or the rules above, would not accept.
func (a Agent) Plist() ([]byte, error) {
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("render launch agent: %w", err)
	}
	p := properties{
		Label:            a.Label,
		ProgramArguments: append([]string{a.Program}, a.Arguments...),
		RunAtLoad:        true,
		KeepAlive:        keepAlive{SuccessfulExit: false, Crashed: true},
		ThrottleInterval: throttleSeconds,
		// Anything less is throttled and has its timers coalesced.
		ProcessType: "Interactive",
		// A plain string: macOS 26 refused jobs over arrays here.
		LimitLoadToSessionType: "Aqua",
		EnvironmentVariables:   a.Environment,
		StandardOutPath:        a.logPath("out"),
		StandardErrorPath:      a.logPath("err"),
		ExitTimeOut:            exitSeconds,
		WorkingDirectory:       a.StateDir,
		Umask:                  umask,
		// launchd would otherwise kill the shim with the daemon, in the middle of a send.
		AbandonProcessGroup: true,
	}
	if a.BundleID != "" {
		p.AssociatedBundleIdentifiers = []string{a.BundleID}
	}
	data, err := plist.MarshalIndent(p, plist.XMLFormat, "\t")
	if err != nil {
		return nil, fmt.Errorf("render launch agent: %w", err)
	}
	return append(data, '\n'), nil
}

func (a Agent) logPath(stream string) string {
	return a.LogDir + "/" + a.Label + "." + stream + ".log"
}
