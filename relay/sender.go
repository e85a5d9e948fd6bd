package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

// sender takes the orders from the journal, one at a time and in their order, and
// has them handed to Messages. One goroutine runs it.
type sender struct {
	*Relay
	script  applescript.Sender
	trouble int       // failures in a row that paused the queue
	resume  time.Time // when to look again while paused; zero when not
	unclear bool      // a send was armed and its end could not be written down
}

// run first settles what an earlier daemon left in the middle, then sends until ctx
// ends. It returns with the osascript in hand finished, or left to itself after the
// drain time.
func (s *sender) run(ctx context.Context) error {
	defer s.script.Close()
	if err := s.recoverLeft(ctx); err != nil {
		return err
	}
	s.health.set(wire.ProblemStarting, "")
	for ctx.Err() == nil {
		busy, err := s.step(ctx)
		if err != nil {
			s.stumble(ctx, err)
			continue
		}
		if !busy {
			s.rest(ctx)
		}
	}
	return nil
}

// recoverLeft learns from locks, markers and results what became of sends that
// were armed when the daemon last ended. Nothing new is sent before.
func (s *sender) recoverLeft(ctx context.Context) error {
	left, err := s.journal.left(ctx)
	if err != nil {
		return err
	}
	for _, one := range left {
		o, err := s.script.Recover(ctx, one.message, one.attempt)
		if errors.Is(err, applescript.ErrRunning) {
			return nil // ctx ended; the next start asks again
		}
		if err != nil {
			return err
		}
		if err := s.conclude(&one, o, one.kind == applescript.Chat); err != nil {
			return err
		}
	}
	return nil
}

// step does one piece of work and says whether there was any.
func (s *sender) step(ctx context.Context) (bool, error) {
	if s.unclear {
		if err := s.recoverLeft(ctx); err != nil {
			return false, err
		}
		s.unclear = false
	}
	settled, err := s.journal.settle(ctx, time.Now())
	if err != nil {
		return false, err
	}
	if settled > 0 {
		ring(s.outboxBell)
	}
	if !s.resume.IsZero() {
		if time.Now().Before(s.resume) {
			return false, nil
		}
		return s.probe(ctx)
	}
	one, err := s.journal.next(ctx)
	if err != nil || one == nil {
		return false, err
	}
	return true, s.send(ctx, one)
}

// rest waits until there may be work again.
func (s *sender) rest(ctx context.Context) {
	wake, err := s.journal.nextSettle(ctx)
	if err != nil {
		s.stumble(ctx, err)
		return
	}
	if !s.resume.IsZero() && (wake.IsZero() || s.resume.Before(wake)) {
		wake = s.resume
	}
	var timer <-chan time.Time
	if !wake.IsZero() {
		timer = time.After(time.Until(wake))
	}
	_ = s.script.Warm() // without a spare shim the next send only takes longer
	s.idle.Store(s.resume.IsZero())
	defer s.idle.Store(false)
	select {
	case <-ctx.Done():
	case <-s.sendBell:
	case <-timer:
	}
}

// stumble reports that the journal or chat.db could not be used, and waits before
// the next try. Nothing was sent: arming comes first.
func (s *sender) stumble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	ring(s.outboxBell)                // what was received is reported though it cannot be armed
	if !errors.Is(err, errNoChatDB) { // the observer has said so already
		s.log.Error("send.stopped", "error", err.Error())
	}
	select {
	case <-ctx.Done():
	case <-time.After(s.cfg.Retry):
	}
}

// send makes one attempt: look where to, write down that it begins, begin.
func (s *sender) send(ctx context.Context, one *send) error {
	req := applescript.Request{Verb: applescript.SendText, Service: one.service, Kind: applescript.Participant, Target: one.handle, Value: one.text}
	mark, err := s.aim(ctx, one, &req)
	if err != nil {
		return err
	}
	err = s.journal.arm(ctx, one, mark, req, time.Now())
	if errors.Is(err, errStale) {
		return nil // no longer what the journal waits for
	}
	if err != nil {
		s.health.set(wire.ProblemDisk, "The relay's state folder cannot be written: check free space and permissions.")
		return err
	}
	s.health.set(wire.ProblemDisk, "")
	ring(s.outboxBell)
	s.unclear = true // until its end is in the journal
	patient, done := s.patient(ctx)
	defer done()
	o, err := s.script.Send(patient, one.message, one.attempt, req)
	if errors.Is(err, applescript.ErrRunning) && ctx.Err() == nil {
		// Somebody else holds the lock: whoever it is, what becomes of it counts.
		o, err = s.script.Recover(patient, one.message, one.attempt)
	}
	if errors.Is(err, applescript.ErrRunning) {
		return nil // we are stopping; the next start recovers it
	}
	if err != nil {
		return fmt.Errorf("run osascript: %w", err)
	}
	if err := s.conclude(one, o, req.Kind == applescript.Chat); err != nil {
		return err
	}
	s.unclear = false
	return nil
}

// patient is a context that outlives ctx by the drain time, so that a stop lets
// the osascript in hand finish.
func (s *sender) patient(ctx context.Context) (context.Context, func()) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(s.cfg.Drain, cancel) })
	return long, func() { stop(); cancel() }
}

// conclude writes down how an attempt ended. A row that was bound meanwhile wins
// over whatever osascript said.
func (s *sender) conclude(one *send, o applescript.Outcome, byChat bool) error {
	ctx := context.Background() // an outcome is written down also while stopping
	now := time.Now()
	log := s.log.With("message", one.message, "attempt", one.attempt)
	if o.Effect == applescript.NoEffect {
		again := o.Again()
		if o.Reason == applescript.NoTarget {
			again = byChat // a chat that Messages does not list: the next attempt names the person
		}
		fault := wire.Fault{Code: string(o.Reason), Number: o.Number, Text: o.Sentence()}
		if err := s.journal.noSend(ctx, one, fault, again, o.Reason == applescript.NoTarget, now); err != nil {
			return err
		}
		log.Warn("message.not_sent", "reason", string(o.Reason), "number", o.Number)
		s.pauseFor(o)
	} else {
		s.trouble = 0
		fault := wire.Fault{Code: "outcome_unknown", Number: o.Number, Text: "Messages took the order, but no message has appeared."}
		if o.Effect == applescript.MayHave {
			fault.Text = o.Sentence()
		}
		if err := s.journal.handed(ctx, one, fault, now, now.Add(s.cfg.Settle)); err != nil {
			return err
		}
		log.Info("message.handed", "effect", string(o.Effect), "reason", string(o.Reason), "number", o.Number)
	}
	ring(s.outboxBell)
	// Only now that the journal knows: without its files an attempt looks as if it
	// had never started.
	return s.script.Forget(one.message, one.attempt)
}

// pauseFor stops the queue where a person or time has to help first. The first look
// comes at once, later ones after a pause that doubles up to a minute.
func (s *sender) pauseFor(o applescript.Outcome) {
	p, ok := problemOf(o.Reason)
	if !ok {
		return
	}
	s.tell(p, o.Sentence())
	s.resume = time.Now()
	if s.trouble > 0 {
		s.resume = s.resume.Add(min(s.cfg.Retry<<min(s.trouble-1, 6), time.Minute))
	}
	s.trouble++
}

func problemOf(r applescript.Reason) (wire.Problem, bool) {
	switch r {
	case applescript.Denied:
		return wire.ProblemAutomation, true
	case applescript.NotRunning, applescript.TimedOut, applescript.Environment:
		return wire.ProblemMessages, true
	case applescript.CannotStart:
		return wire.ProblemOsascript, true
	case applescript.DiskTrouble:
		return wire.ProblemDisk, true
	}
	return "", false
}

// probe asks Messages a harmless question; an answer lets the queue go on.
func (s *sender) probe(ctx context.Context) (bool, error) {
	o := s.script.Probe(ctx)
	if ctx.Err() != nil {
		return false, nil
	}
	if o.Effect == applescript.NoEffect {
		if _, known := problemOf(o.Reason); !known {
			// Whatever it is, Messages does not answer a harmless question.
			o.Reason = applescript.NotRunning
		}
		s.pauseFor(o)
		return false, nil
	}
	s.resume = time.Time{}
	s.tell("", "")
	s.log.Info("send.resumed")
	return true, nil
}

// tell makes p the one thing that stands in the way of sending; "" for nothing.
func (s *sender) tell(p wire.Problem, reason string) {
	for _, other := range []wire.Problem{wire.ProblemAutomation, wire.ProblemMessages, wire.ProblemOsascript, wire.ProblemDisk} {
		if other != p {
			s.health.set(other, "")
		}
	}
	if p != "" && s.health.set(p, reason) {
		s.log.Warn("send.paused", "problem", string(p), "do", reason)
	}
}
