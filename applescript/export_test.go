package applescript

import "io"

// Script is the text that osascript reads.
var Script = script

// MaxSpeech and MaxValue are the bounds on what is read and handed over.
const (
	MaxSpeech = maxSpeech
	MaxValue  = maxValue
)

// Judge is the outcome of a program that ended with code, -1 for a signal, and
// wrote stderr.
func Judge(code int, deadline bool, stderr io.Reader) (Outcome, error) {
	said, err := listen(stderr)
	return classify(exit{code, deadline}, said), err
}

// Spare is the process id of the spare shim, 0 while there is none.
func (s *Sender) Spare() int {
	if s.spare == nil {
		return 0
	}
	return s.spare.cmd.Process.Pid
}

// ExitNothing is the shim's exit code where provably nothing happened and the disk
// would not take that down; Overtime is what an osascript without its shim has beyond
// its deadline.
const (
	ExitNothing = exitNothing
	Overtime    = overtime
)
