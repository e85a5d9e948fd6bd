package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Tx is one writer's part of a transaction. It is valid only inside the function
// given to Write and only in its goroutine.
type Tx struct {
	reader
	ctx context.Context
	job *job
}

// Context is the one to read with inside a transaction. A request's own context
// would, when it ends, undo the work of everybody who shares the transaction.
func (tx *Tx) Context() context.Context { return tx.ctx }

// OnCommit has fn called once what this transaction did is on disk, before Write
// returns; it is not called where anything of it failed. fn must be quick: every
// other writer waits.
func (tx *Tx) OnCommit(fn func()) { tx.job.after = append(tx.job.after, fn) }

// Settle returns once every function that was given to OnCommit has been called by those
// whose work can be read now: a reader may see a transaction a moment before they are.
func (s *Store) Settle() {
	s.writer.telling.RLock()
	defer s.writer.telling.RUnlock()
}

// Write runs fn and commits what it did, all of it or nothing. It returns fn's
// error, or the reason why the commit failed, or ctx's error when ctx ended before
// fn had begun. Once begun, fn is finished and committed whatever becomes of ctx.
//
// fn must not do anything slow and must not call Write: every other writer waits.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	job := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case s.writer.jobs <- job:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writer.stopped:
		return errClosed
	}
	// The job is with the writer now and may already be running: its answer counts.
	select {
	case err := <-job.done:
		return err
	case <-s.writer.stopped:
	}
	select { // it may have been the last one done
	case err := <-job.done:
		return err
	default:
		return errClosed
	}
}

var errClosed = errors.New("the database is closed")

type job struct {
	ctx     context.Context
	fn      func(*Tx) error
	after   []func()
	tallies []tally       // of messages that are more, less or changed, see Tx.count
	texts   []messageText // what messages are found by, see Tx.text
	done    chan error
	err     error
}

// A group of writers shares one transaction. Both bounds keep the first of them from waiting
// long, and the time keeps what is undone together, when a server goes away, small on one
// that is slow.
const (
	maxGroup  = 256
	groupTime = 2 * time.Second // after which no other member begins
)

// writer owns the one connection that writes. One goroutine runs it.
type writer struct {
	engine  *engine
	db      *sql.DB
	conn    *sql.Conn // nil after it was given up
	stmts   *statements
	name    string // of the transaction under way, "" where the engine gives none
	jobs    chan *job
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	watch   atomic.Pointer[func(writers int, took time.Duration)]
	telling sync.RWMutex // held from before a commit until OnCommit's functions have run

	groupTime, statementTime time.Duration // the constants, but in tests
	patience                 *time.Timer   // of the transaction under way, nil where no server can go away
}

func newWriter(ctx context.Context, db *sql.DB, e *engine) (*writer, error) {
	w := &writer{
		engine: e, db: db, groupTime: groupTime, statementTime: statementTime,
		jobs: make(chan *job, maxGroup), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// run commits groups until close. It has a context of its own: a cancelled
// statement would roll back the whole group.
func (w *writer) run() {
	defer close(w.stopped)
	var waiting []*job // for which the last group had no time
	for {
		group := w.gather(waiting)
		if len(group) == 0 {
			return
		}
		began := time.Now()
		waiting = w.commit(context.Background(), group)
		if watch := w.watch.Load(); watch != nil {
			(*watch)(len(group)-len(waiting), time.Since(began))
		}
	}
}

// gather waits for somebody who writes and takes whoever else is waiting. It returns nil
// after close.
func (w *writer) gather(group []*job) []*job {
	select {
	case <-w.stop:
		return nil
	default:
	}
	if len(group) == 0 {
		select {
		case <-w.stop:
			return nil
		case j := <-w.jobs:
			group = append(group, j)
		}
	}
	for len(group) < maxGroup {
		select {
		case j := <-w.jobs:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit runs a group in one transaction, those of its members for whom there is time, and
// answers them. It returns the others, who come first in the next.
func (w *writer) commit(ctx context.Context, group []*job) (waiting []*job) {
	ctx, end := w.guarded(ctx)
	defer end()
	err := w.begin(ctx)
	if err == nil {
		began := time.Now()
		for i, j := range group {
			if i > 0 && time.Since(began) >= w.groupTime {
				group, waiting = group[:i], group[i:]
				break
			}
			if err = w.part(ctx, j); err != nil {
				break
			}
		}
		if err == nil {
			err = w.total(ctx, group)
		}
		if err == nil {
			err = w.index(ctx, group)
		}
		w.telling.Lock()
		defer w.telling.Unlock()
		if err == nil {
			err = w.finish(ctx)
		} else {
			w.undo(ctx)
		}
	}
	if why := context.Cause(ctx); why != nil && errors.Is(err, context.Canceled) {
		err = why
	}
	for _, j := range group {
		switch {
		case err != nil:
			j.done <- fmt.Errorf("commit: %w", explain(err))
		case j.err != nil:
			j.done <- j.err
		default:
			for _, fn := range j.after {
				fn()
			}
			j.done <- nil
		}
	}
	return waiting
}

// part runs one member inside a savepoint. Its own error undoes only its own
// part; the returned error ends the whole group.
func (w *writer) part(ctx context.Context, j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	if err := w.exec(ctx, "SAVEPOINT part"); err != nil {
		return err
	}
	if j.err = j.fn(&Tx{reader: reader{w.stmts}, ctx: ctx, job: j}); j.err != nil {
		if err := w.exec(ctx, "ROLLBACK TO part"); err != nil {
			return err
		}
	}
	err := w.exec(ctx, "RELEASE part")
	if failedBefore(err) {
		// The member took no notice of a statement that had failed, after which PostgreSQL
		// does nothing more: that is its own mistake, and no reason to undo the others.
		j.err = err
		err = errors.Join(w.exec(ctx, "ROLLBACK TO part"), w.exec(ctx, "RELEASE part"))
	}
	return err
}

// Try runs fn inside a transaction, all of it or nothing: when fn fails, the rest of
// the transaction goes on without what it did. Try may be used inside Try.
func (tx *Tx) Try(fn func() error) error {
	if _, err := tx.stmts.exec(tx.ctx, "SAVEPOINT try"); err != nil {
		return err
	}
	after, tallies, texts := len(tx.job.after), len(tx.job.tallies), len(tx.job.texts)
	failure := fn()
	if failure != nil {
		tx.job.after, tx.job.tallies, tx.job.texts = tx.job.after[:after], tx.job.tallies[:tallies], tx.job.texts[:texts]
		if _, err := tx.stmts.exec(tx.ctx, "ROLLBACK TO try"); err != nil {
			return errors.Join(failure, err)
		}
	}
	if _, err := tx.stmts.exec(tx.ctx, "RELEASE try"); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

func (w *writer) exec(ctx context.Context, query string) error {
	_, err := w.stmts.exec(ctx, query)
	return err
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
	if w.conn == nil {
		return w.db.Close()
	}
	return errors.Join(w.stmts.close(), w.conn.Close(), w.db.Close())
}

// reader holds the methods that only read; Store and Tx both have them.
type reader struct{ stmts *statements }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, r reader, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.stmts.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, explain(rows.Err())
}
