package relay

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// sender takes the orders from the journal, one at a time and in their order, and
// has them handed to Messages. One goroutine runs it.
type sender struct {
	*Relay
	script   applescript.Sender
	trouble  int       // failures in a row that paused the queue
	resume   time.Time // when to look again while paused; zero when not
	down     bool      // Messages does not run
	launched bool      // and was launched since
	restless bool      // it was launched too often, and did come
	relaunch time.Time // it is not launched again before; zero where the last launch has helped
	patience time.Duration
	rose     time.Time // when it was last seen to run after a launch
	quiet    bool      // the next question is nobody's business unless the one after it fails too
	mute     int       // questions in a row that Messages left unanswered
	died     inHand    // the send over which the last daemon died
	reading  bool      // sends are due, but not all rows were looked at
	unclear  bool      // a send was armed and its end could not be written down
	vain     vain      // ends without effect in a row
	misses   misses    // orders whose target a damaged chat.db could not tell
	tidied   time.Time // when old orders were last forgotten
	lastFile time.Time // when a file was handed over last
	swept    int64     // the acknowledgement up to which runs were forgotten
	kept     int       // runs that could not be forgotten yet
}

// run first settles what an earlier daemon left in the middle, then sends until ctx
// ends. It returns with the osascript in hand finished, or left to itself after the
// drain time.
func (s *sender) run(ctx context.Context) error {
	defer s.script.Close()
	s.unclear = true // until it is known what became of those of the last run
	s.insist(ctx, func(ctx context.Context) error { return s.autopsy(ctx, time.Now()) })
	s.insist(ctx, s.recoverLeft)
	s.unclear = false
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

// insist does what has to be done before anything else, again until it succeeds or ctx
// ends: a full disk at the start needs a person, who is to be told and waited for.
func (s *sender) insist(ctx context.Context, do func(context.Context) error) {
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil {
			return
		}
		s.stumble(ctx, err)
	}
}

// recoverLeft learns from locks, markers and results what became of sends that
// were armed when the daemon last ended. Nothing new is sent before.
func (s *sender) recoverLeft(ctx context.Context) error {
	left, err := s.journal.left(ctx)
	if err != nil {
		return err
	}
	defer s.letGo()
	for _, one := range left {
		s.grasp(&one)
		o, err := s.script.Recover(ctx, one.runID(), one.run)
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
	if s.journal.adopted.Swap(false) {
		s.unclear = true
	}
	if s.unclear {
		if err := s.recoverLeft(ctx); err != nil {
			return false, err
		}
		s.unclear = false
	}
	if err := s.heedClock(ctx, time.Now()); err != nil {
		return false, err
	}
	if err := s.timeOut(ctx, time.Now()); err != nil {
		return false, err
	}
	s.tend(time.Now())
	if !s.resume.IsZero() {
		if time.Now().Before(s.resume) {
			return false, nil
		}
		return s.examine(ctx).Effect == applescript.Accepted, nil
	}
	if !s.welcome.Load() {
		return false, nil // the cloud has not said, or no longer says, that we may
	}
	if s.heldUp(time.Now()) {
		return false, nil
	}
	one, err := s.journal.next(ctx, time.Now())
	if err != nil {
		return false, err
	}
	if one == nil {
		return s.idleAsk(ctx, time.Now()), s.forgive(ctx)
	}
	s.grasp(one)
	defer s.letGo()
	return true, s.send(ctx, one)
}

// timeOut does what the passing of time asks for.
func (s *sender) timeOut(ctx context.Context, now time.Time) error {
	settled, err := s.settle(ctx, now)
	if err != nil {
		return err
	}
	gone, err := s.journal.expire(ctx, now)
	if err != nil {
		return err
	}
	if settled+gone > 0 {
		ring(s.outboxBell)
	}
	if now.Sub(s.tidied) < tidyEvery {
		return nil
	}
	s.tidied = now
	return s.journal.forgetOrders(ctx, s.acked.Load(), now)
}

// settle gives up the sends whose window has passed. As long as there are rows that were
// not looked at, as after a time in which no daemon ran, one of them may be the one that
// is awaited; but not for longer than a file is waited for.
func (s *sender) settle(ctx context.Context, now time.Time) (int, error) {
	s.reading = false
	due, err := s.journal.due(ctx, now)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	if now.Sub(s.began) < s.cfg.SettleFile {
		if s.reading, err = s.unread(ctx); err != nil || s.reading {
			return 0, err
		}
	}
	return s.journal.settle(ctx, now)
}

// rest waits until there may be work again.
func (s *sender) rest(ctx context.Context) {
	if err := s.forgetRuns(ctx, time.Now()); err != nil {
		s.log.Warn("send.not_forgotten", "error", err.Error())
	}
	wake, free, err := s.wakeAt(ctx, time.Now())
	if err != nil {
		s.stumble(ctx, err)
		return
	}
	var timer <-chan time.Time
	if !wake.IsZero() {
		timer = time.After(time.Until(wake))
	}
	_ = s.script.Warm() // without a spare shim the next send only takes longer
	s.idle.Store(free)
	defer s.idle.Store(false)
	select {
	case <-ctx.Done():
	case <-s.sendBell:
	case <-timer:
	case to := <-s.asks:
		s.answer(ctx, to)
	}
}

// wakeAt is when there may be work again without a ring, the zero time for never; free
// says that an order that comes before would be begun at once.
func (s *sender) wakeAt(ctx context.Context, now time.Time) (wake time.Time, free bool, err error) {
	wake, err = s.journal.nextDue(ctx, now)
	if s.reading { // what is due waits for chat.db
		wake = now.Add(s.cfg.Retry)
	}
	earlier := func(at time.Time) {
		if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	earlier(s.resume)
	held, _ := s.hold.until()
	if held.After(now) {
		earlier(held)
		earlier(s.hold.hope(now))
	}
	if s.kept > 0 {
		earlier(now.Add(slowLook))
	}
	free = s.resume.IsZero() && !held.After(now) && s.welcome.Load()
	if free { // else no step gets as far as to ask
		earlier(s.askAt())
	}
	return wake, free, err
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
	for again := time.After(s.cfg.Retry); ; {
		select {
		case <-ctx.Done():
			return
		case <-again:
			return
		case to := <-s.asks:
			s.answer(ctx, to)
		}
	}
}

// send makes one attempt: look where to, write down that it begins, begin.
func (s *sender) send(ctx context.Context, one *send) error {
	req := applescript.Request{Verb: applescript.SendText, Value: one.text}
	if one.part == partFile {
		if !(stage{s.cfg.Attachments}).there(one.staged) {
			return s.fetchAgain(ctx, one)
		}
		select { // Messages is still at the last one
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(s.lastFile.Add(s.cfg.FileGap))):
		}
		req.Verb, req.Value = applescript.SendFile, filepath.Join(s.cfg.Attachments, one.staged)
	}
	mark, err := s.aim(ctx, one, &req)
	if ended, err := s.refuse(ctx, one, err); ended || err != nil {
		return err
	}
	if !s.welcome.Load() {
		return nil
	}
	err = s.journal.arm(ctx, one, mark, req, time.Now())
	if errors.Is(err, errStale) {
		return nil // no longer what the journal waits for
	}
	if err != nil {
		return err
	}
	s.hold.through(time.Now(), s.cfg.Hold, s.window(one))
	ring(s.outboxBell)
	return s.hand(ctx, one, req)
}

// fetchAgain is for a staged file that somebody has removed.
func (s *sender) fetchAgain(ctx context.Context, one *send) error {
	s.log.Warn("send.file_missing", "message", one.message)
	_, err := s.journal.staged(ctx, *one, "")
	ring(s.fetchBell)
	return err
}

// refuse ends a send for which there is no way, or puts it off where chat.db is damaged
// on that way, and says whether it did; any other error it gives back.
func (s *sender) refuse(ctx context.Context, one *send, err error) (bool, error) {
	if err == nil {
		s.hit(one)
		return false, nil
	}
	switch r, ok := errors.AsType[*refused](err); {
	case ok:
		err = s.journal.noSend(ctx, one, r.Fault, false, false, time.Now())
	case errors.Is(err, errRecovered):
		err = s.journal.withdraw(ctx, one, time.Now())
	case errors.Is(err, chatdb.ErrNotDatabase):
		err = s.miss(ctx, one, err, time.Now())
	default:
		return false, err
	}
	ring(s.outboxBell)
	return true, err
}

// hand runs osascript for a send that is armed, and writes down how it ended.
func (s *sender) hand(ctx context.Context, one *send, req applescript.Request) error {
	s.unclear = true // until its end is in the journal
	patient, done := s.patient(ctx)
	defer done()
	o, err := s.script.Send(patient, one.runID(), one.run, req)
	if errors.Is(err, applescript.ErrRunning) && ctx.Err() == nil {
		// Somebody else holds the lock: whoever it is, what becomes of it counts.
		o, err = s.script.Recover(patient, one.runID(), one.run)
	}
	if errors.Is(err, applescript.ErrRunning) {
		return nil // we are stopping; the next start recovers it
	}
	if err != nil {
		return fmt.Errorf("run osascript: %w", err)
	}
	if one.part == partFile {
		s.lastFile = time.Now()
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
	s.note(o)
	log := s.log.With("message", one.message, "part", one.part, "attempt", one.attempt)
	if o.Effect == applescript.NoEffect {
		again := o.Again()
		if o.Reason == applescript.NoTarget {
			again = byChat && one.chat == "" // a chat that Messages does not list: the next attempt names the person
		}
		fault := wire.Fault{Code: string(o.Reason), Number: o.Number, Text: o.Sentence()}
		if err := s.journal.noSend(ctx, one, fault, again, o.Reason == applescript.NoTarget, now); err != nil {
			return err
		}
		log.Warn("message.not_sent", "reason", string(o.Reason), "number", o.Number)
		s.pauseFor(o)
		s.inVain(one, o)
	} else {
		s.trouble, s.vain = 0, vain{}
		if o.Effect == applescript.Accepted {
			s.mute = 0
		}
		fault := wire.Fault{Code: wire.FaultUnknown, Number: o.Number, Text: "Messages took the order, but no message has appeared."}
		if o.Effect == applescript.MayHave {
			fault.Text = o.Sentence()
		}
		if err := s.journal.handed(ctx, one, fault, now, now.Add(s.window(one))); err != nil {
			return err
		}
		log.Info("message.handed", "effect", string(o.Effect), "reason", string(o.Reason), "number", o.Number)
	}
	ring(s.outboxBell)
	return nil
}

// window is how long a row is awaited before nobody knows.
func (s *sender) window(one *send) time.Duration {
	if one.part == partFile {
		return s.cfg.SettleFile
	}
	return s.cfg.Settle
}
