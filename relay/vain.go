package relay

import (
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// Some ends without effect name no cause that a question to Messages would show: the shim
// or osascript was killed before it began, Messages refused with a number that says
// little, there is no iMessage account. It may be the message; where others meet it too
// it is the Mac, and they are not to be used up on it.

// fruitless tells such ends from those that name their cause.
func fruitless(r applescript.Reason) bool {
	return r == applescript.Interrupted || r == applescript.OtherError || r == applescript.NoAccount
}

// maxRetryPause bounds the pause before another attempt.
const maxRetryPause = 30 * time.Second

// pauseAfter is how long a message waits after a fruitless attempt; nothing else waits
// for it.
func pauseAfter(attempt int) time.Duration {
	return min(firstPause<<min(max(attempt-1, 0), 10), maxRetryPause)
}

// accountTries is at which attempt an iMessage account that is not there counts as signed
// out: a Messages that was just started has loaded it by then.
const accountTries = 4

// takesNothing is for a Mac on which nothing can be handed over, though Messages answers.
const takesNothing = "One message after the other cannot be handed to Messages: look at the Mac's screen, quit Messages and open it again; if that does not help, restart the Mac."

// vain is what the fruitless ends in a row have in common.
type vain struct {
	last string // the message of the last one, "" while there is none
	many bool   // they are of more than one message
}

// inVain notes an end without effect, and stops the queue where it is not the message's.
func (s *sender) inVain(one *send, o applescript.Outcome) {
	if !fruitless(o.Reason) {
		s.vain = vain{}
		return
	}
	s.vain.many = s.vain.many || s.vain.last != "" && s.vain.last != one.message
	s.vain.last = one.message
	switch {
	case o.Reason == applescript.NoAccount && (s.vain.many || one.attempt >= accountTries):
		s.holdFor(wire.ProblemAccount, time.Now()) // only the row of a message ends it
	case s.vain.many:
		s.stop(wire.ProblemMessages, takesNothing)
	}
}
