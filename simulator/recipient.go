package simulator

import (
	"slices"
	"strings"
	"time"
)

// Services as chat.db and AppleScript name them.
const (
	serviceIMessage = "iMessage"
	serviceSMS      = "SMS"
	serviceRCS      = "RCS"
	serviceAny      = "any"
)

// Delays of a real Mac, before Options.Speed divides them. Delivery 1.2 to
// 2.2 s after the send, read within the second after it, and an address that
// is not on iMessage after 1 to 2 s are what real databases show.
const (
	rowDelay      = 4 * time.Millisecond
	lateRowDelay  = 12 * time.Second
	joinDelayMin  = 5 * time.Millisecond
	joinDelayMax  = 20 * time.Millisecond
	attachDelay   = 10 * time.Millisecond
	transferDelay = 20 * time.Millisecond
	sentDelay     = 85 * time.Millisecond
	deliverDelay  = 1400 * time.Millisecond
	readDelay     = 500 * time.Millisecond
	refuseDelay   = 1500 * time.Millisecond
	failDelay     = time.Second
	recoverDelay  = 1500 * time.Millisecond
	replyDelay    = 800 * time.Millisecond
	timeoutDelay  = time.Second
)

// Values of message.error (FZErrorType).
const (
	errorTimeout     = 3
	errorNotIMessage = 22
	errorTranscoding = 25
)

// outcome is what a recipient does to a send.
type outcome struct {
	deniedOnce  bool // Automation is refused at the first attempt of a text
	timesOut    bool // osascript hears a time-out after the hand-over
	silent      bool // no row, ever
	late        bool // the row comes 12 s later
	unknown     bool // no such address on iMessage
	recovers    bool // fails first, then goes
	undelivered bool
	read        bool
	replies     bool
	green       bool // goes as SMS whatever was asked for

	// What no recipient has of its own, only Trouble.
	drop      bool // handed over, and no row ever
	ghost     bool // a row of nothing
	misroute  bool // to somebody else
	duplicate bool // twice
	alter     bool // with another text
	fails     int  // the row's error, for good
}

// outcomeOf is the table of simulated recipients that users rely on, keyed by the canonical
// address of a one-to-one recipient. A number without its plus sign is
// accepted by Messages and then fails as not on iMessage.
func outcomeOf(recipient string) outcome {
	switch recipient {
	case "+15005550001":
		return outcome{unknown: true}
	case "+15005550002":
		return outcome{undelivered: true}
	case "+15005550003":
		return outcome{read: true}
	case "+15005550004":
		return outcome{silent: true}
	case "+15005550005":
		return outcome{late: true}
	case "+15005550006":
		return outcome{deniedOnce: true}
	case "+15005550007":
		return outcome{timesOut: true}
	case "+15005550008":
		return outcome{green: true}
	case "+15005550009":
		return outcome{recovers: true}
	case "+15005550010":
		return outcome{replies: true}
	}
	digits := len(recipient) >= 7 && strings.Trim(recipient, "0123456789") == ""
	return outcome{unknown: digits}
}

// service is the one a send really takes.
func (o outcome) service(asked string) string {
	if o.green {
		return serviceSMS
	}
	return asked
}

// steps is the life of a send that made it to Messages. SMS and groups have
// no receipts: the phone's acceptance, or the first hop's, is all there is.
func (o outcome) steps(l *life) []step {
	switch {
	case o.drop:
		return []step{{Do: doDrop, After: rowDelay}}
	case o.ghost:
		return []step{{Do: doGhost, After: rowDelay}}
	}
	first := rowDelay
	if o.late {
		first = lateRowDelay
	}
	steps := slices.Concat([]step{{Do: doRow, After: first}, {Do: doJoin}}, l.File.steps())
	receipts := l.Peer != "" && l.Service != serviceSMS
	switch {
	case l.File != nil && l.File.Unreadable:
		return append(steps, step{Do: doFail, After: refuseDelay, Error: errorTranscoding})
	case o.unknown && l.Service == serviceIMessage:
		return append(steps, step{Do: doFail, After: refuseDelay, Error: errorNotIMessage})
	case o.fails != 0:
		return append(steps, step{Do: doFail, After: failDelay, Error: o.fails})
	case o.recovers:
		steps = append(steps,
			step{Do: doFail, After: failDelay, Error: errorTimeout},
			step{Do: doSent, After: recoverDelay})
	default:
		steps = append(steps, step{Do: doSent, After: sentDelay})
	}
	if receipts && !o.undelivered {
		steps = append(steps, step{Do: doDeliver, After: deliverDelay})
		if o.read {
			steps = append(steps, step{Do: doRead, After: readDelay})
		}
	}
	if o.replies {
		steps = append(steps, step{Do: doReply, After: replyDelay})
	}
	return steps
}

// canonicalHandle is an address as Messages stores it.
func canonicalHandle(address string) string {
	if strings.Contains(address, "@") {
		return strings.ToLower(address)
	}
	return address
}
