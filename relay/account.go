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

// heed learns from a change of an own row whether the account works. What goes by SMS
// needs none.
func (r *Relay) heed(m chatdb.Message, changes []chatdb.Change, now time.Time) {
	for _, c := range changes {
		switch {
		case c.Kind == chatdb.KindFailed && accountFailure(c.Error):
			r.holdFor(wire.ProblemAccount, signedOut, now)
		case c.Kind == chatdb.KindSent && !strings.EqualFold(m.Service, wire.ServiceSMS):
			r.unhold()
		}
	}
}

// holdFor holds the queue up until a message shows that it need not be.
func (r *Relay) holdFor(p wire.Problem, reason string, now time.Time) {
	if !r.hold.begin(p, now, r.cfg.Hold) {
		return
	}
	if r.health.set(p, reason) {
		r.log.Warn("send.paused", "problem", string(p), "do", reason)
	}
	ring(r.sendBell) // to wait for another time
}

// heldUp tells whether the queue has to wait for what rows told. When the pause is over
// the cloud is told that all is well: an empty journal needs an order to find out.
func (r *Relay) heldUp(now time.Time) bool {
	until, p := r.hold.until()
	if now.Before(until) {
		return true
	}
	if p != "" {
		r.health.set(p, "")
	}
	return false
}

// unhold ends a hold, if there is one.
func (r *Relay) unhold() {
	if p := r.hold.end(); p != "" {
		r.health.set(p, "")
		r.log.Info("send.resumed")
		ring(r.sendBell)
	}
}

// How long a stuck file counts: one that has been so for a day is a dead row, not
// something that Messages is still at work on.
const stuckFor = 24 * time.Hour

// lookForStuck raises the alarm once for each file whose row says neither sent nor
// failed for Config.Stuck.
func (o *observer) lookForStuck(now time.Time) {
	for _, s := range o.followed {
		if s.part != partFile || s.seen.Sent || s.seen.Error != 0 || s.ghost() {
			continue
		}
		if age := now.Sub(s.armedAt); age < o.cfg.Stuck || age > stuckFor || o.stuck[s.guid] {
			continue
		}
		if o.stuck == nil {
			o.stuck = make(map[string]bool)
		}
		o.stuck[s.guid] = true
		o.log.Warn("message.stuck", "message", s.message)
		o.holdFor(wire.ProblemStuck, stuckFile, now)
	}
}
