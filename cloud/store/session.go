package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// statementTime bounds one statement of the writer, and what is done between two: a server
// that has gone without a word must not hold it for ever. There is no bound for all that a
// transaction does: it would undo the same work again and again on a server that is too slow
// for it.
const statementTime = 30 * time.Second

// settleTimeout bounds how long it is asked what became of a COMMIT, settlePause is
// between two questions.
const (
	settleTimeout = 15 * time.Second
	settlePause   = 100 * time.Millisecond
)

// ErrUnsettled says that nobody knows whether something was stored: the same must not be
// tried again without a look.
var ErrUnsettled = errors.New("the database went away during a commit, and what became of it is not known")

// guarded returns a context for one transaction, which a server ends that does not answer,
// and what must be called at the end of it.
func (w *writer) guarded(ctx context.Context) (guarded context.Context, end func()) {
	if !w.engine.server { // SQLite would pay for it with a goroutine a statement
		return ctx, func() {}
	}
	guarded, cancel := context.WithCancelCause(ctx)
	w.patience = time.AfterFunc(w.statementTime, func() { cancel(errSilent) })
	return guarded, func() {
		w.patience.Stop()
		cancel(nil)
	}
}

// errSilent is why a transaction ends that a server does not answer.
var errSilent = fmt.Errorf("the database does not answer: %w", context.DeadlineExceeded)

// connect takes a connection for the writer.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts = conn, newStatements(conn, w.engine)
	w.stmts.begins = func() {
		if w.patience != nil {
			w.patience.Reset(w.statementTime)
		}
	}
	return nil
}

// drop gives the connection up, with whatever transaction it is in.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // it is not to be used again
	w.conn, w.stmts = nil, nil
}

// begin begins a transaction, on a new connection where the last one was given up.
func (w *writer) begin(ctx context.Context) error {
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	err := w.exec(ctx, w.engine.begin)
	if err == nil && w.engine.enter != "" {
		err = w.stmts.row(ctx, w.engine.enter).Scan(&w.name)
	}
	if err != nil {
		w.undo(ctx)
	}
	return err
}

// undo leaves a transaction that has failed. A connection to a server may be broken, or
// in a state that nobody knows: it is given up.
func (w *writer) undo(ctx context.Context) {
	if w.engine.server {
		w.drop()
		return
	}
	// The connection may already be outside the transaction; then this fails and does no
	// harm.
	_ = w.exec(ctx, "ROLLBACK")
}

// finish commits. Where the answer to that is lost with the connection, it finds out
// what became of it: to say that nothing was stored would make a client send again.
func (w *writer) finish(ctx context.Context) error {
	err := w.exec(ctx, "COMMIT")
	if err == nil {
		return nil
	}
	w.undo(ctx)
	if e, ok := errors.AsType[*pgconn.PgError](err); !w.engine.server || ok && !fatal(e) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	for {
		outcome, asked := w.outcome(ctx)
		switch outcome {
		case "committed":
			return nil
		case "aborted":
			return err
		}
		w.drop()
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			// Not as it was explained: the caller must not be told that the same may be
			// tried again.
			return fmt.Errorf("%w: %s, %v", ErrUnsettled, err, asked)
		}
	}
}

// outcome asks a new connection what became of the transaction, when no process is in
// one any more.
func (w *writer) outcome(ctx context.Context) (outcome string, err error) {
	if err := w.connect(ctx); err != nil {
		return "", err
	}
	var last bool
	if err := w.stmts.row(ctx, postgresSettled).Scan(&last); err != nil {
		return "", err
	}
	err = w.stmts.row(ctx, postgresOutcome, w.name).Scan(&outcome)
	return outcome, err
}

// failedBefore tells whether a statement was refused because an earlier one of its
// transaction had failed. SQLite goes on after such a failure.
func failedBefore(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == inFailed
}
