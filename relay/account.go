package relay

import (
	"strings"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// What rows say of Messages itself, beside what they say of a message.

const (
	signedOut = "Messages is signed out, or its account does not work: open Messages on the Mac and sign in."
	stuckFile = "A file has been stuck in Messages for a long time and may hold up what follows: quit Messages on the Mac and open it again, or restart the Mac."
)

// accountFailure tells whether a row's error is about the Mac's own account:
// localAccountDisabled, localAccountDoesNotExist, localAccountNeedsUpdate,
// localAccountInvalid and invalidLocalCredentials.
func accountFailure(number int) bool { return number >= 30 && number <= 33 || number == 40 }

// heed learns from a change of an own row whether the account works, and whether Messages
// sends at all. What goes by SMS needs no account, and says nothing of it.
func (r *Relay) heed(m chatdb.Message, changes []chatdb.Change, now time.Time) {
	for _, c := range changes {
		switch {
		case c.Kind == chatdb.KindFailed && accountFailure(c.Error):
			r.holdFor(wire.ProblemAccount, now)
		case c.Kind == chatdb.KindSent && strings.EqualFold(m.Service, wire.ServiceSMS):
			r.unholdFor(wire.ProblemStuck)
		case c.Kind == chatdb.KindSent:
			r.unhold()
		}
	}
}

// holdFor holds the queue up until a message shows that it need not be.
func (r *Relay) holdFor(p wire.Problem, now time.Time) {
	if !r.hold.begin(p, now, r.cfg.Hold) {
		return
	}
	r.tellHold(p)
	ring(r.sendBell) // to wait for another time
}

// heldUp tells whether the queue has to wait for what rows told. When the pause is over
// the cloud is told that all is well: an empty journal needs an order to find out. If the
// row of the one that is let through then does not come to end the hold, it is told again
// what everything else waits for.
func (r *Relay) heldUp(now time.Time) bool {
	until, p := r.hold.until()
	if !now.Before(until) {
		if p != "" {
			r.tellHold("")
		}
		return false
	}
	if r.hold.hope(now).IsZero() {
		r.tellHold(p)
	}
	return true
}

// tellHold makes p the one thing that rows have told; "" for nothing.
func (r *Relay) tellHold(p wire.Problem) {
	for other, reason := range map[wire.Problem]string{wire.ProblemAccount: signedOut, wire.ProblemStuck: stuckFile} {
		switch {
		case other != p:
			r.health.set(other, "")
		case r.health.set(p, reason):
			r.log.Warn("send.paused", "problem", string(p), "do", reason)
		}
	}
}

// unhold ends a hold, if there is one.
func (r *Relay) unhold() { r.unholdFor("") }

// unholdFor ends a hold that is for p, or for whatever with "".
func (r *Relay) unholdFor(p wire.Problem) {
	if r.hold.end(p) != "" {
		r.tellHold("")
		r.log.Info("send.resumed")
		ring(r.sendBell)
	}
}

// How long a stuck file counts, and a row is waited for that says neither sent nor failed:
// one that has been so for a day is a dead row, not something that Messages is still at
// work on.
const stuckFor = 24 * time.Hour

// lookForStuck raises the alarm once for each file whose row says neither sent nor
// failed for Config.Stuck, and ends it when none does any more. What the Mac has slept
// through, Messages had no time for: so long after a wake nothing is said.
func (o *observer) lookForStuck(now time.Time) {
	if now.UnixMilli()-o.cursor.Up < o.cfg.Stuck.Milliseconds() {
		return
	}
	stuck := false
	for _, s := range o.followed {
		if s.part != partFile || s.seen.Sent || s.seen.Error != 0 || s.ghost() {
			continue
		}
		if age := now.Sub(s.armedAt); age < o.cfg.Stuck || age > stuckFor {
			continue
		}
		stuck = true
		if o.stuck[s.guid] {
			continue
		}
		if o.stuck == nil {
			o.stuck = make(map[string]bool)
		}
		o.stuck[s.guid] = true
		o.log.Warn("message.stuck", "message", s.message)
		o.holdFor(wire.ProblemStuck, now)
	}
	if !stuck {
		o.unholdFor(wire.ProblemStuck)
	}
}
