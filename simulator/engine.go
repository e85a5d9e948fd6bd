package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// stepRetry is how long a step that failed waits: a reader may hold chat.db
// for a while, or the disk be full.
const stepRetry = time.Second

// errStopped is given to work that comes when the engine has ended.
var errStopped = errors.New("simulated Messages is ending")

// engine is the one writer. run owns both databases and the effects log; all
// others reach them through do.
type engine struct {
	dir     string
	opts    Options
	msgs    *messagesDB
	plan    *schedule
	effects *effectsLog
	trouble Trouble
	random  *rand.Rand // draws from trouble; another row of draws in each process
	work    chan func(context.Context)
	stopped chan struct{}
}

func openEngine(ctx context.Context, dir string, opts Options) (*engine, error) {
	e := &engine{
		dir:     dir,
		opts:    opts,
		work:    make(chan func(context.Context)),
		stopped: make(chan struct{}),
	}
	// Connections and statements outlive the ctx that ends Serve: the step
	// in hand is finished, never rolled back.
	ctx = context.WithoutCancel(ctx)
	var err error
	if e.msgs, err = openMessages(ctx, dir, opts.Number); err != nil {
		return nil, err
	}
	if e.plan, err = openSchedule(ctx, dir); err != nil {
		return nil, errors.Join(err, e.msgs.close())
	}
	if e.effects, err = openEffects(dir); err != nil {
		return nil, errors.Join(err, e.plan.close(), e.msgs.close())
	}
	if e.trouble, err = e.plan.trouble(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.random = rand.New(rand.NewPCG(opts.Seed, uint64(time.Now().UnixNano())))
	return e, nil
}

func (e *engine) close() error {
	return errors.Join(e.effects.close(), e.plan.close(), e.msgs.close())
}

// do runs f in the engine's goroutine. It takes no context of the asker: what
// was handed over is done although the asker is killed.
func (e *engine) do(f func(context.Context) error) error {
	done := make(chan error, 1)
	select {
	case e.work <- func(ctx context.Context) { done <- f(ctx) }:
		return <-done
	case <-e.stopped:
		return errStopped
	}
}

func (e *engine) run(ctx context.Context) {
	defer close(e.stopped)
	held := context.WithoutCancel(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-e.work:
			f(held)
		case <-timer.C:
			if err := e.advance(held); err != nil {
				e.opts.Log.Error("messages.step", "err", err)
				timer.Reset(stepRetry)
				continue
			}
		}
		due, ok, err := e.plan.next(held)
		switch {
		case err != nil:
			e.opts.Log.Error("messages.schedule", "err", err)
			timer.Reset(stepRetry)
		case ok:
			timer.Reset(time.Until(due))
		default:
			timer.Stop()
		}
	}
}

// schedule makes l durable and starts its life.
func (e *engine) schedule(ctx context.Context, l *life) error {
	return e.plan.add(ctx, l, time.Now().Add(e.opts.scale(l.Steps[0].After)))
}

// advance does the earliest step if it is due. chat.db is committed before
// the schedule: after a crash between the two the step is done again, and
// each is written so that a second time changes nothing.
func (e *engine) advance(ctx context.Context) error {
	due, ok, err := e.plan.next(ctx)
	if err != nil || !ok || time.Until(due) > 0 {
		return err
	}
	id, number, l, err := e.plan.first(ctx)
	if err != nil || l == nil {
		return err
	}
	born, err := e.perform(ctx, l, l.Steps[number])
	if err != nil {
		return fmt.Errorf("%s of message %s: %w", l.Steps[number].Do, l.GUID, err)
	}
	now := time.Now()
	var nextDue, bornDue time.Time
	if number+1 < len(l.Steps) {
		nextDue = now.Add(e.opts.scale(e.delay(id, l.Steps[number+1])))
	}
	if born != nil {
		bornDue = now.Add(e.opts.scale(born.Steps[0].After))
	}
	return e.plan.advance(ctx, id, number+1, nextDue, born, bornDue)
}

// delay of a step: fixed, but for the join, which comes after the row by a
// time that depends on the seed and the message only.
func (e *engine) delay(id int64, s step) time.Duration {
	if s.Do != doJoin {
		return s.After
	}
	r := rand.New(rand.NewPCG(e.opts.Seed, uint64(id)))
	return joinDelayMin + time.Duration(r.Int64N(int64(joinDelayMax-joinDelayMin)))
}

// perform does one step in chat.db. A reply is born of it.
func (e *engine) perform(ctx context.Context, l *life, s step) (born *life, err error) {
	switch s.Do {
	case doRow:
		return nil, e.appear(ctx, l, e.msgs.insert)
	case doGhost:
		return nil, e.appear(ctx, l, e.msgs.ghost)
	case doDrop:
		return nil, e.logOnce(0, l)
	case doJoin:
		return nil, e.msgs.join(ctx, l)
	case doAttach:
		return nil, e.msgs.attach(ctx, l)
	case doTransfer:
		return nil, e.msgs.transfer(ctx, l, transferRunning)
	case doArrive:
		return nil, e.msgs.transfer(ctx, l, transferFinished)
	case doBreak:
		return nil, e.msgs.transfer(ctx, l, transferFailed)
	case doSent:
		return nil, e.msgs.sent(ctx, l)
	case doFail:
		return nil, e.msgs.failed(ctx, l, s.Error)
	case doDeliver:
		return nil, e.msgs.delivered(ctx, l)
	case doRead:
		return nil, e.msgs.read(ctx, l)
	case doReply:
		return inboundLife(l.Peer, l.Caller, l.Service, "You said: "+l.Text, nil), nil
	default:
		return nil, errors.New("unknown step")
	}
}

// appear makes the row and, where osascript asked for it, its line in the
// effects log.
func (e *engine) appear(ctx context.Context, l *life, insert func(context.Context, *life) (int64, bool, error)) error {
	rowid, made, err := insert(ctx, l)
	if err != nil || l.Asked == nil {
		return err
	}
	e.opts.Log.Info("messages.row", "rowid", rowid, "guid", l.GUID)
	if !made {
		return e.logOnce(rowid, l)
	}
	return e.effects.append(rowid, l.GUID, *l.Asked)
}

// logOnce writes the line of a step that may have been done before a crash.
func (e *engine) logOnce(rowid int64, l *life) error {
	logged, err := e.effects.has(l.GUID)
	if err != nil {
		return fmt.Errorf("search effects log: %w", err)
	}
	if logged {
		return nil
	}
	return e.effects.append(rowid, l.GUID, *l.Asked)
}

func (e *engine) attachments() string { return filepath.Join(e.dir, attachmentsName) }
