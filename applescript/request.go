// Package applescript is the one way out of the Mac: it asks Messages to send one
// text or one file, through /usr/bin/osascript and one constant script.
//
// It refuses to decide. It does not retry, does not choose a target, does not read
// chat.db and does not believe in success: a run of osascript ends in an Outcome
// that says whether nothing can have happened, something may have happened, or
// Messages took the order. Whether a message went out is for the row in chat.db to
// say.
//
// Between the daemon and osascript stands a shim: the daemon's own executable,
// started again with ShimArg. It holds a lock that it inherited, writes a durable
// marker before osascript starts and a durable result after it has ended. The
// daemon may be killed at any instant; Recover later tells what happened from the
// lock and the two files alone.
//
// Warm starts the next shim ahead; until it is given an order it does nothing.
//
// A Sender runs one osascript at a time: its methods must not be called
// concurrently, and two Senders must not share a folder.
package applescript

import (
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed send.applescript
var script string

// Dispatch is the line that the script writes to standard error right before the
// send is handed to Messages: what fails before it provably did nothing.
const Dispatch = "bluerelay:dispatch"

// Verb says what osascript is asked to do.
type Verb string

// The verbs.
const (
	SendText Verb = "send-text"
	SendFile Verb = "send-file"
	Probe    Verb = "probe" // a harmless question, to see whether Messages may be scripted
)

// Kind says how the target is named.
type Kind string

// The kinds of target.
const (
	Participant Kind = "participant" // Target is a handle: E.164 or a lower-case address
	Chat        Kind = "chat"        // Target is a chat guid read from chat.db, never a made one
)

// Request is one run of osascript.
type Request struct {
	Verb    Verb   `json:"verb"`
	Service string `json:"service,omitempty"` // iMessage, SMS, RCS; "any" for a chat
	Kind    Kind   `json:"kind,omitempty"`
	Target  string `json:"target,omitempty"`
	Value   string `json:"value,omitempty"` // the text verbatim, or an absolute path
}

// maxValue bounds the text in bytes: macOS allows argv and environment 1 MiB
// together.
const maxValue = 256 << 10

// check refuses what cannot be an argument of a program.
func (r Request) check() error {
	if r.Verb == Probe {
		return nil
	}
	if r.Verb != SendText && r.Verb != SendFile {
		return fmt.Errorf("unknown verb %q", r.Verb)
	}
	if r.Kind != Participant && r.Kind != Chat {
		return fmt.Errorf("unknown kind of target %q", r.Kind)
	}
	if r.Target == "" || r.Value == "" {
		return errors.New("target or value is empty")
	}
	if strings.ContainsRune(r.Target+r.Value, 0) {
		return errors.New("a NUL character cannot be handed to a program")
	}
	if !utf8.ValidString(r.Target + r.Value) {
		return errors.New("target or value is not UTF-8 and would not arrive as it is")
	}
	if len(r.Value) > maxValue {
		return fmt.Errorf("the value has %d bytes, at most %d are possible", len(r.Value), maxValue)
	}
	if r.Verb == SendFile && !filepath.IsAbs(r.Value) {
		return errors.New("the file must be given by its absolute path")
	}
	return nil
}

// args are the arguments of osascript. With "-" as the program file everything
// after it belongs to the script, also values that begin with a hyphen.
func (r Request) args() []string {
	args := []string{"-l", "AppleScript", "-", string(r.Verb)}
	if r.Verb == Probe {
		return args
	}
	return append(args, r.Service, string(r.Kind), r.Target, r.Value)
}

// limit is how long osascript may run, a little longer than the script's own
// timeouts, so that Messages' answer is heard when there is one.
func (r Request) limit() time.Duration {
	switch r.Verb {
	case SendFile:
		return 165 * time.Second
	case Probe:
		return 15 * time.Second
	}
	return 45 * time.Second
}
