package applescript

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Effect says what a run can have done.
type Effect string

// The effects. They are written to disk by the shim, so the words are fixed.
const (
	NoEffect Effect = "none"     // provably nothing was handed to Messages
	Accepted Effect = "accepted" // osascript reported success, which proves no more than that
	MayHave  Effect = "may_have" // it ended after the marker without success
)

// Reason classes a failure by what has to be done about it.
type Reason string

// The reasons.
const (
	Denied      Reason = "automation_denied"   // -1743: macOS refuses until a person allows it
	Prompt      Reason = "consent_pending"     // it hung before the marker: macOS asks a person, or Messages hangs
	NotRunning  Reason = "messages_down"       // -600, -609, -10810, -10826: Messages quit or cannot be launched
	NoTarget    Reason = "no_such_target"      // -1728: not in Messages' live list
	NoService   Reason = "no_such_service"     // -1719, -2753: no SMS or RCS on this Mac
	NoAccount   Reason = "no_account"          // -1719 for iMessage: signed out, or Messages has not loaded its account yet
	TimedOut    Reason = "messages_timeout"    // -1712, or our own deadline after the marker
	NoFile      Reason = "file_not_found"      // -43
	NotMember   Reason = "not_a_member"        // left or removed from the group
	Environment Reason = "scripting_broken"    // no scripting component, no login session, a bad script
	CannotStart Reason = "osascript_missing"   // the program cannot be started
	Interrupted Reason = "interrupted"         // killed, or the machine went down
	BadRequest  Reason = "bad_request"         // the request can never be carried out
	OtherError  Reason = "applescript_error"   // any other number
	DiskTrouble Reason = "state_folder_broken" // marker or result could not be written
)

// Outcome is what is known about one run of osascript.
type Outcome struct {
	Effect Effect `json:"effect"`
	Reason Reason `json:"reason,omitempty"` // empty after success
	Number int    `json:"number,omitempty"` // AppleScript's error number
}

// Again says that another attempt at the same request can succeed without a change
// of the request. It is meaningful for NoEffect only.
func (o Outcome) Again() bool {
	switch o.Reason {
	case NoService, NoFile, NotMember, BadRequest:
		return false
	}
	return true
}

// Sentence explains the outcome to a person, with the next step where there is one.
// It holds neither text nor address.
func (o Outcome) Sentence() string {
	switch o.Reason {
	case "":
		return "Messages took the order."
	case Denied:
		return "macOS does not allow bluerelay to control Messages: open System Settings > Privacy & Security > Automation and switch Messages on for bluerelay."
	case Prompt:
		return "macOS is asking for permission, or Messages hangs: look at the Mac's screen and let bluerelay control Messages."
	case NotRunning:
		return "Messages is not running on the Mac: open it and sign in."
	case NoTarget:
		return "Messages does not know this conversation or recipient."
	case NoService:
		return "This Mac cannot send by that service: switch on Text Message Forwarding on the iPhone."
	case NoAccount:
		return "Messages has no iMessage account on this Mac: open Messages and sign in."
	case TimedOut:
		return "Messages did not answer in time: look at the Mac's screen for a question or a hung Messages."
	case NoFile:
		return "The file to send was not there."
	case NotMember:
		return "This account is no longer a member of the group."
	case Environment:
		return "Scripting does not work in this session: log in at the Mac's screen, or restart it after a system update."
	case CannotStart:
		return "osascript could not be started: check the path given with --osascript."
	case Interrupted:
		return "The send was interrupted; it may or may not have reached Messages."
	case BadRequest:
		return "The message cannot be handed to Messages as it is."
	case DiskTrouble:
		return "The state folder cannot be written: check free space and permissions."
	}
	return "Messages refused with error " + strconv.Itoa(o.Number) + "."
}

// exit is how a program ended.
type exit struct {
	code     int  // -1 when it was ended by a signal
	deadline bool // we ended it
}

// classify turns the end of osascript and what it said on standard error into an
// outcome. Only the marker and the last number at the end of a line count: the
// wording is localised.
func classify(e exit, said speech) Outcome {
	o := Outcome{Effect: NoEffect, Number: said.number}
	if said.dispatched {
		o.Effect = MayHave
	}
	switch {
	case e.code == 0:
		return Outcome{Effect: Accepted}
	case e.deadline && !said.dispatched:
		o.Reason = Prompt
	case e.deadline:
		o.Reason = TimedOut
	case e.code < 0:
		o.Reason = Interrupted
	default:
		o.Reason = reasonOf(said)
	}
	return o
}

// of is the outcome of that request: every Mac has an account of iMessage, so that one
// which is not there is away for a time, and no property of the Mac.
func (o Outcome) of(req Request) Outcome {
	if o.Number == -1719 && req.Service == "iMessage" {
		o.Reason = NoAccount
	}
	return o
}

func reasonOf(said speech) Reason {
	switch said.number {
	case -1743, -1744, -10004, -128:
		return Denied
	case -600, -609, -10810, -10826:
		return NotRunning
	case -1728:
		return NoTarget
	case -1719, -2753:
		return NoService
	case -1712:
		return TimedOut
	case -43:
		return NoFile
	case -1708, -1700:
		return BadRequest
	case -2741, -2740:
		return Environment
	case 0, 1:
		if strings.Contains(said.last, "not a member of") {
			return NotMember
		}
		if said.number == 0 {
			return Environment
		}
	}
	return OtherError
}

// speech is what matters of osascript's standard error.
type speech struct {
	dispatched bool
	number     int    // the (-NNNN) at the end of a line, the last such; 0 without
	last       string // the line of the number, or else the last that is not empty
}

// Bounds on the hearing, in bytes. Noise of a megabyte is known to happen; of a
// line without an end only the end is kept.
const (
	maxSpeech = 16 << 20
	maxLine   = 4096
)

// listen reads standard error to its end or to maxSpeech. The marker counts
// wherever it stands, because the noise of a library may share its line, and it is
// taken as given where nobody read to the end: a marker that is overheard would
// be a second send.
func listen(r io.Reader) (speech, error) {
	var s speech
	limited := &io.LimitedReader{R: r, N: maxSpeech}
	in := bufio.NewReaderSize(limited, maxLine)
	var line []byte
	marker := []byte(Dispatch)
	for {
		part, unfinished, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, err
		}
		line = append(line, part...)
		s.dispatched = s.dispatched || bytes.Contains(line, marker)
		if extra := len(line) - maxLine; extra > 0 {
			line = append(line[:0], line[extra:]...)
		}
		if !unfinished {
			s.hear(strings.TrimSpace(string(line)))
			line = line[:0]
		}
	}
	s.hear(strings.TrimSpace(string(line)))
	s.dispatched = s.dispatched || limited.N == 0
	return s, nil
}

func (s *speech) hear(line string) {
	if n, ok := trailingNumber(line); ok {
		s.number, s.last = n, line
		return
	}
	if line != "" && line != Dispatch && s.number == 0 {
		s.last = line
	}
}

// trailingNumber is the (-NNNN) that osascript ends an error with.
func trailingNumber(line string) (int, bool) {
	rest, ok := strings.CutSuffix(line, ")")
	open := strings.LastIndexByte(rest, '(')
	if !ok || open < 0 {
		return 0, false
	}
	digits := rest[open+1:]
	n, err := strconv.ParseInt(digits, 10, 32)
	return int(n), err == nil && !strings.HasPrefix(digits, "+")
}
