package relay

import (
	"context"
	"errors"
	"time"

	"bluerelay/applescript"
)

// What the sender does for Messages beside sending: it starts it when it does not run,
// asks it now and then whether it still answers, and restarts it when it hangs. All of
// it only where the Messages is the real one, and by the rule of revive.go.

const (
	// hangs is how many questions in a row, each of ten seconds, Messages leaves
	// unanswered (-1712) until it counts as hung. One that waits for a person's consent
	// does not count: macOS holds that question back, and osascript is killed over it.
	hangs = 3
	// launchPause is the time from a start of Messages that did not help to the next; it
	// doubles, so that what is allowed in an hour is not used up by a screen that is locked
	// for a minute.
	launchPause = time.Minute
	// endWithin is how long a Messages that is ended has, twice.
	endWithin = 10 * time.Second
)

const (
	hung     = "Messages hangs: it answers no questions. Look at the Mac's screen, quit Messages (or force it to quit) and open it again."
	restless = "Messages does not stay open although it was started several times: open it on the Mac and look at what it says."
)

// tends tells whether Messages is the relay's to start: beside a stand-in for osascript
// the real Messages has no business.
func (c Config) tends() bool { return c.Osascript == "/usr/bin/osascript" || c.Tools.Dir != "" }

// tend turns what the keeper has seen of Messages into a question, before which it is
// started. Nobody is told before that has failed.
func (s *sender) tend(now time.Time) {
	if !s.gone.Load() || s.down {
		return
	}
	s.quiet = s.resume.IsZero()
	s.down, s.resume = true, now
}

// askAt is when a Messages that has nothing to do is asked whether it still answers; the
// zero time where nobody asks.
func (s *sender) askAt() time.Time {
	if !s.cfg.tends() {
		return time.Time{}
	}
	last := s.heard.Load()
	if last == nil {
		return s.began
	}
	return last.at.Add(s.cfg.Ask)
}

// idleAsk asks it where that is due.
func (s *sender) idleAsk(ctx context.Context, now time.Time) bool {
	if at := s.askAt(); at.IsZero() || now.Before(at) {
		return false
	}
	s.quiet = true
	return s.examine(ctx).Effect == applescript.Accepted
}

// revive starts Messages, or restarts one that hangs, as far as the rule allows it. It
// returns false where it does not run and must not be started, so that it is no use
// asking it: the question would start it.
func (s *sender) revive(ctx context.Context) bool {
	what := launch
	if !s.down {
		what = restart
	}
	if what == launch && time.Now().Before(s.relaunch) {
		return s.runs(ctx)
	}
	if err := s.journal.revive(ctx, what, s.cfg.Revivals, time.Now()); err != nil {
		s.restless = errors.Is(err, errTooOften) && time.Since(s.rose) < revivalPeriod
		s.log.Warn("messages.left_alone", "act", string(what), "because", err.Error())
		return what == restart || s.runs(ctx)
	}
	if what == restart {
		if err := s.cfg.Tools.EndMessages(ctx, endWithin); err != nil {
			s.log.Warn("messages.not_ended", "error", err.Error())
			return true
		}
		s.log.Warn("messages.ended", "because", "it hangs")
		s.mute = 0
	}
	s.launched, s.restless = true, false
	s.patience = max(launchPause, 2*s.patience)
	s.relaunch = time.Now().Add(s.patience)
	if err := s.cfg.Tools.LaunchMessages(ctx); err != nil {
		s.log.Warn("messages.not_launched", "error", err.Error())
	} else {
		s.log.Info("messages.launched")
	}
	return true
}

// runs tells whether macOS knows a process of Messages, or cannot say.
func (s *sender) runs(ctx context.Context) bool {
	pids, err := s.cfg.Tools.Messages(ctx)
	if len(pids) > 0 {
		s.seenUp()
	}
	return err != nil || len(pids) > 0
}

// seenUp notes that Messages runs. If it was launched, that has helped, for how long ever.
func (s *sender) seenUp() {
	if s.launched {
		s.rose = time.Now()
	}
}

// answered notes that Messages has answered a question or taken an order. If macOS knows
// no such process all the same, it has another name than we think, and what the keeper
// sees of it counts no longer.
func (s *sender) answered(ctx context.Context) {
	s.mute, s.quiet = 0, false
	s.answers.Add(1)
	s.seenUp()
	s.patience, s.relaunch = 0, time.Time{}
	if !s.gone.Load() {
		return
	}
	if !s.runs(ctx) {
		s.blind.Store(true)
		s.log.Warn("messages.unseen", "do", "nothing: it answers, though no process has its name")
	}
	s.gone.Store(false)
}

// unanswered counts what Messages did not answer.
func (s *sender) unanswered(o applescript.Outcome) {
	s.mute++
	if o.Reason != applescript.TimedOut {
		s.mute = 0
	}
}
