package launchd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"bluerelay/mac"
)

// Job is an agent as launchd has it, in the login session of one user: the domain gui/UID
// and no other. In user/UID, which a login over the network has, Messages cannot be
// scripted, and a daemon of the system has no Messages at all. Zero durations mean the
// defaults.
type Job struct {
	Tools mac.Tools
	Label string
	UID   int

	Look   time.Duration // between two looks at what launchd does: 200 ms
	Up     time.Duration // how long the program may take to be up: 60 s, beyond a drain and a throttle
	Steady time.Duration // how long it must have been up to count: 1 s
	Gone   time.Duration // how long it may take to be gone: 75 s, beyond launchd's own ExitTimeOut
}

// ctlLimit is for one run of launchctl.
const ctlLimit = 30 * time.Second

func (j Job) domain() string { return "gui/" + strconv.Itoa(j.UID) }
func (j Job) target() string { return j.domain() + "/" + j.Label }

func (j Job) run(ctx context.Context, verb string, args ...string) (mac.Result, error) {
	r, err := j.Tools.Run(ctx, ctlLimit, nil, "launchctl", append([]string{verb}, args...)...)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return r, &Refusal{Verb: verb, Code: -1, Kind: ErrInProgress, Next: nextInProgress}
	}
	if errors.Is(err, mac.ErrNoTool) {
		return r, fmt.Errorf("only a Mac has launchd; elsewhere `bluerelay run` is the daemon in the foreground: %w", err)
	}
	r.Code = codeOf(r)
	return r, err
}

// wait sleeps until the next look, and returns ctx's error if that ends.
func (j Job) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(cmp.Or(j.Look, 200*time.Millisecond)):
		return nil
	}
}

// Status asks what launchd has. A job that is not loaded is no error.
func (j Job) Status(ctx context.Context) (Status, error) {
	r, err := j.run(ctx, "print", j.target())
	if err != nil {
		return Status{}, err
	}
	switch {
	case r.Code == 0:
		return readStatus(string(r.Out)), nil
	case r.Code == codeNotFound || r.Code == codeNoProcess:
		return Status{}, nil
	}
	return Status{}, refusal("print", r.Code)
}

// Bootstrap loads the job from its property list, which also starts it, and lifts an
// earlier `launchctl disable`. It must not be loaded already.
func (j Job) Bootstrap(ctx context.Context, plist string) error {
	if r, err := j.run(ctx, "enable", j.target()); err != nil {
		return err
	} else if r.Code != 0 {
		return refusal("enable", r.Code)
	}
	const tries = 3
	for try := 1; ; try++ {
		r, err := j.run(ctx, "bootstrap", j.domain(), plist)
		if err != nil || r.Code == 0 {
			return err
		}
		// launchd was met to refuse a job and to have it all the same.
		if s, err := j.Status(ctx); err == nil && s.Loaded {
			return nil
		}
		// It is also met to refuse one whose predecessor it has only just let go.
		if again := r.Code == codeIO || r.Code == codeInProgress || r.Code == codeAlready; !again || try == tries {
			return j.diagnose(ctx, r.Code)
		}
		if err := j.wait(ctx); err != nil {
			return err
		}
	}
}

// diagnose looks for the reason of a bootstrap that failed.
func (j Job) diagnose(ctx context.Context, code int) error {
	refused := refusal("bootstrap", code)
	if code != codeIO {
		return refused
	}
	r, err := j.run(ctx, "print-disabled", j.domain())
	if err == nil && r.Code == 0 && isDisabled(string(r.Out), j.Label) {
		refused.Kind, refused.Next = ErrDisabled, nextDisabled
	}
	return refused
}

// Bootout stops the job and has launchd forget it until the next login or Bootstrap. It
// returns when the job is gone, and nil where there was none.
func (j Job) Bootout(ctx context.Context) error {
	r, err := j.run(ctx, "bootout", j.target())
	if err != nil {
		return err
	}
	switch r.Code {
	case 0, codeNoProcess, codeNotFound, codeInProgress:
	case codeNoDomain, codeNotInSession:
		return nil
	default:
		return refusal("bootout", r.Code)
	}
	// To be stopping is not to be gone: a bootstrap would be refused.
	end := time.Now().Add(cmp.Or(j.Gone, 75*time.Second))
	for {
		s, err := j.Status(ctx)
		if errors.Is(err, ErrNoSession) {
			return nil
		}
		if err != nil || !s.Loaded {
			return err
		}
		if time.Now().After(end) {
			return &Refusal{Verb: "bootout", Code: -1, Kind: ErrInProgress, Next: nextInProgress}
		}
		if err := j.wait(ctx); err != nil {
			return err
		}
	}
}

// Kickstart starts the program of a loaded job, with again also one that runs, which is
// stopped first.
func (j Job) Kickstart(ctx context.Context, again bool) error {
	args := []string{j.target()}
	if again {
		args = []string{"-k", j.target()}
	}
	r, err := j.run(ctx, "kickstart", args...)
	if err != nil || r.Code == 0 {
		return err
	}
	return refusal("kickstart", r.Code)
}

// AwaitUp waits until the program has been up for a while without a new start, and returns
// what launchd says then. A loaded job that launchd does not start by itself is helped
// along. former is the PID of a program that was told to stop and does not count, or 0. The
// error is a *Refusal that says why it is not up.
func (j Job) AwaitUp(ctx context.Context, former int) (Status, error) {
	up, steady := cmp.Or(j.Up, time.Minute), cmp.Or(j.Steady, time.Second)
	begun := time.Now()
	var since time.Time
	pid, helped := 0, false
	for {
		s, err := j.Status(ctx)
		if err != nil {
			return s, err
		}
		now := time.Now()
		if s.PID != pid {
			pid, since = s.PID, now
		}
		switch {
		case pid > 0 && pid != former && now.Sub(since) >= steady:
			return s, nil
		case !s.Loaded:
			return s, refusal("print", codeNotFound)
		case s.Signature && pid == 0:
			return s, &Refusal{Verb: "print", Code: -1, Kind: ErrSignature, Next: nextSignature}
		case now.Sub(begun) > up:
			return s, notUp(s)
		case s.Runs == 0 && !helped && now.Sub(begun) > up/10:
			// Seen on macOS 26: loaded, and never started until somebody asks.
			helped = true
			if err := j.Kickstart(ctx, false); err != nil {
				return s, err
			}
		}
		if err := j.wait(ctx); err != nil {
			return s, err
		}
	}
}

func notUp(s Status) error {
	r := &Refusal{Verb: "print", Code: -1, Kind: ErrNotRunning, Next: nextNotRunning}
	if s.LastExit != nil {
		r.Kind = fmt.Errorf("%w: its last run ended with status %d", ErrNotRunning, *s.LastExit)
	} else if s.Runs == 0 {
		r.Next = nextNeverStarted
	}
	return r
}
