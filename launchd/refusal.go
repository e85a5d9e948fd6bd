package launchd

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"bluerelay/mac"
)

// What launchd can have against a job, as far as a person or a caller must act on it. They
// arrive inside a *Refusal; branch with errors.Is.
var (
	// ErrNoSession: nobody is logged in at the screen, so there is no place for the agent.
	ErrNoSession = errors.New("nobody is logged in at this Mac's screen as this user")
	// ErrNotLoaded: launchd does not have the job.
	ErrNotLoaded = errors.New("launchd does not have the agent")
	// ErrInProgress: launchd is still at what it was told before.
	ErrInProgress = errors.New("launchd is still busy with the agent")
	// ErrDisabled: the job was switched off with launchctl.
	ErrDisabled = errors.New("the agent is switched off for launchd")
	// ErrNotAccepted: switched off in Login Items, or a property list that launchd dislikes;
	// it uses one code for these.
	ErrNotAccepted = errors.New("launchd does not accept the agent")
	// ErrSignature: the kernel killed the program because its signature is not the one that
	// launchd knew when the job was loaded.
	ErrSignature = errors.New("macOS stops the program for its signature")
	// ErrNotRunning: the job is loaded and its program does not stay up.
	ErrNotRunning = errors.New("the agent does not stay up")
)

// Refusal is a step that launchd did not take.
type Refusal struct {
	Verb string // of launchctl, such as bootstrap
	Code int    // launchctl's exit code, or -1 where there was none
	Kind error  // one of those above, or nil for a code that nobody has documented
	Next string // one sentence: what a person should do
}

// Error says what happened and what to do next.
func (r *Refusal) Error() string {
	kind := r.Kind
	if kind == nil {
		kind = errors.New("launchd answers with a code that is not known")
	}
	if r.Code < 0 {
		return fmt.Sprintf("%v. %s", kind, r.Next)
	}
	return fmt.Sprintf("%v (launchctl %s ended with %d). %s", kind, r.Verb, r.Code, r.Next)
}

// Unwrap gives the kind.
func (r *Refusal) Unwrap() error { return r.Kind }

// The exit codes of launchctl that reports have a meaning for. They are errno values and
// launchd's own from 100 on; the texts beside them are in the language of the user.
const (
	codeNoProcess    = 3   // bootout: not loaded
	codeIO           = 5   // bootstrap: loaded already, switched off, or not accepted
	codeInProgress   = 36  // bootout
	codeAlready      = 37  // bootstrap
	codeNoDomain     = 112 // of that user, at the screen
	codeNotFound     = 113 // no such service in the domain
	codeNotInSession = 125 // no login at the screen: over the network only
	nextNoSession    = "Log in at the Mac's screen once as the user that is signed in to Messages (a login over the network is not enough), and turn on automatic login if nobody sits there; then run the command again."
	nextNotLoaded    = "Run `bluerelay start`, or `bluerelay install` if it was never installed."
	nextInProgress   = "Wait a minute and run the command again; if it stays so, restart the Mac."
	nextDisabled     = "Run `bluerelay install` again; if that does not help, restart the Mac."
	nextNotAccepted  = "Most often it is switched off: turn on bluerelay in System Settings > General > Login Items & Extensions (`open '" + mac.PaneLoginItems + "'`), then run `bluerelay install` again."
	nextUnknown      = "Run the command again; if that does not help, restart the Mac and run `bluerelay install`."
	nextSignature    = "Run `bluerelay install` again, which signs the program and has launchd read it anew."
	nextNotRunning   = "`bluerelay logs` says why."
	nextNeverStarted = "Run `bluerelay restart`; if that does not help, restart the Mac."
)

// refusal makes the error of a launchctl that failed.
func refusal(verb string, code int) *Refusal {
	r := &Refusal{Verb: verb, Code: code, Next: nextUnknown}
	switch code {
	case codeNoDomain, codeNotInSession:
		r.Kind, r.Next = ErrNoSession, nextNoSession
	case codeNoProcess, codeNotFound:
		r.Kind, r.Next = ErrNotLoaded, nextNotLoaded
	case codeInProgress, codeAlready:
		r.Kind, r.Next = ErrInProgress, nextInProgress
	case codeIO:
		r.Kind, r.Next = ErrNotAccepted, nextNotAccepted
	}
	return r
}

// numbered finds the code in texts such as "Bootstrap failed: 5: Input/output error", which
// stands there in every language.
var numbered = regexp.MustCompile(`: ([0-9]{1,3}): `)

// codeOf is launchctl's exit code. Where that is the general 1, its text may have the code.
func codeOf(r mac.Result) int {
	if r.Code != 1 {
		return r.Code
	}
	if found := numbered.FindSubmatch(r.Errors); found != nil {
		if code, err := strconv.Atoi(string(found[1])); err == nil {
			return code
		}
	}
	return r.Code
}
