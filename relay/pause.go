package relay

import (
	"context"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

const (
	// maxPause bounds the pause between two looks at a Messages that does not answer.
	maxPause = time.Minute
	// noScreen is for a Messages that does not run although it was launched.
	noScreen = "Messages cannot be started: log in at the Mac's screen as the user that bluerelay runs as, open Messages and sign in; if that does not help, restart the Mac."
)

// pauseFor stops the queue where a person or time has to help first. The first look
// comes at once, later ones after a pause that doubles.
func (s *sender) pauseFor(o applescript.Outcome) {
	p, ok := problemOf(o.Reason)
	if !ok {
		return
	}
	s.down = o.Reason == applescript.NotRunning
	reason := o.Sentence()
	switch {
	case s.down && s.restless:
		reason = restless
	case s.down && s.launched:
		reason = noScreen
	case s.mute >= hangs:
		reason = hung
	}
	s.stop(p, reason)
}

// stop stops the queue for p until the next look.
func (s *sender) stop(p wire.Problem, reason string) {
	s.tell(p, reason)
	s.resume = time.Now()
	if s.trouble > 0 {
		s.resume = s.resume.Add(s.pause(p))
	}
	s.trouble++
}

// pause is how long to wait before the next look. Where only a person can help, looks
// are rarer: each is one more question of macOS to whoever is at the screen.
func (s *sender) pause(p wire.Problem) time.Duration {
	most := maxPause
	switch {
	case p == wire.ProblemAutomation:
		most = s.cfg.Reprobe
	case s.vain.many:
		most = s.cfg.Hold // the looks succeed, and each costs a message an attempt
	}
	return min(s.cfg.Retry<<min(s.trouble-1, 10), most)
}

func problemOf(r applescript.Reason) (wire.Problem, bool) {
	switch r {
	case applescript.Denied, applescript.Prompt:
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

// examine asks Messages a harmless question, and starts it first where it does not run or
// hangs; an answer lets the queue go on. The outcome is empty where ctx has ended.
func (s *sender) examine(ctx context.Context) applescript.Outcome {
	if s.cfg.tends() && (s.down || s.mute >= hangs) && !s.revive(ctx) {
		o := applescript.Outcome{Effect: applescript.NoEffect, Reason: applescript.NotRunning}
		s.note(o)
		s.unwell(o)
		return o
	}
	o := s.script.Probe(ctx)
	if ctx.Err() != nil {
		return applescript.Outcome{}
	}
	if o.Effect == applescript.NoEffect {
		if _, known := problemOf(o.Reason); !known {
			// Whatever it is, Messages does not answer a harmless question.
			o.Reason = applescript.NotRunning
		}
		s.note(o)
		s.unanswered(o)
		s.unwell(o)
		return o
	}
	s.note(o)
	if !s.resume.IsZero() {
		s.tell("", "")
		s.log.Info("send.resumed")
	}
	s.answered(ctx)
	s.resume, s.down, s.launched, s.restless = time.Time{}, false, false, false
	return o
}

// unwell pauses the queue; where nobody waited for the answer, only for one more look.
func (s *sender) unwell(o applescript.Outcome) {
	if s.quiet {
		s.quiet, s.down = false, o.Reason == applescript.NotRunning
		s.resume = time.Now().Add(s.cfg.Retry)
		return
	}
	s.pauseFor(o)
}

// tell makes p the one thing that stands in the way of sending; "" for nothing.
func (s *sender) tell(p wire.Problem, reason string) {
	for _, other := range []wire.Problem{wire.ProblemAutomation, wire.ProblemMessages, wire.ProblemOsascript, wire.ProblemDisk} {
		if other != p {
			s.health.setBy(inSender, other, "")
		}
	}
	if p != "" && s.health.setBy(inSender, p, reason) {
		s.log.Warn("send.paused", "problem", string(p), "do", reason)
	}
}
