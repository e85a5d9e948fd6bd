package store

import (
	"container/list"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// maxKept is how many statements are kept prepared, of each pool of connections. Those of
// lists are made of what is asked for, and there is no end to them.
const maxKept = 500

// statements prepares a query once and keeps those that were used last.
type statements struct {
	db     preparer
	engine *engine
	most   int    // that are kept
	begins func() // called before each that runs; nil for nothing
	mu     sync.Mutex
	kept   map[string]*list.Element // by query
	used   *list.List               // of *prepared, the last one first
}

// prepared is a statement. One that is not kept any more is closed by the last of its users:
// what they have begun to read goes on.
type prepared struct {
	*sql.Stmt
	query string
	users int  // that are about to run it
	kept  bool // or left out for others
}

// preparer is a pool of connections, or one of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func newStatements(db preparer, e *engine) *statements {
	return &statements{db: db, engine: e, most: maxKept, kept: make(map[string]*list.Element), used: list.New()}
}

// get returns a statement, to be given to done once it was run.
func (s *statements) get(ctx context.Context, query string) (*prepared, error) {
	if s.begins != nil {
		s.begins()
	}
	if p := s.find(query); p != nil {
		return p, nil
	}
	// Without the lock: a server may be long in answering, and what is prepared already
	// need not wait for it.
	st, err := s.db.PrepareContext(ctx, s.engine.parameters(query))
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", explain(err))
	}
	if first := s.find(query); first != nil {
		return first, st.Close()
	}
	return s.keep(query, st), nil
}

func (s *statements) find(query string) *prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.kept[query]
	if at == nil {
		return nil
	}
	s.used.MoveToFront(at)
	p := at.Value.(*prepared)
	p.users++
	return p
}

// keep keeps a statement, and lets the one go that was used longest ago where there are too
// many.
func (s *statements) keep(query string, st *sql.Stmt) *prepared {
	p := &prepared{Stmt: st, query: query, users: 1}
	s.mu.Lock()
	if s.kept[query] != nil { // somebody else's, of this moment
		s.mu.Unlock()
		return p
	}
	p.kept = true
	s.kept[query] = s.used.PushFront(p)
	var over *prepared
	if s.used.Len() > s.most {
		over = s.used.Remove(s.used.Back()).(*prepared)
		over.kept = false
		delete(s.kept, over.query)
	}
	unused := over != nil && over.users == 0
	s.mu.Unlock()
	if unused {
		_ = over.Close() // without the lock: it waits for whoever runs something on its connections
	}
	return p
}

// done gives back what get has given.
func (s *statements) done(p *prepared) {
	s.mu.Lock()
	p.users--
	unused := p.users == 0 && !p.kept
	s.mu.Unlock()
	if unused {
		_ = p.Close()
	}
}

func (s *statements) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := s.get(ctx, query)
	if err != nil {
		return nil, err
	}
	defer s.done(st)
	res, err := st.ExecContext(ctx, text(args)...)
	return res, explain(err)
}

func (s *statements) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.get(ctx, query)
	if err != nil {
		return nil, err
	}
	defer s.done(st)
	rows, err := st.QueryContext(ctx, text(args)...)
	return rows, explain(err)
}

// scanner is a row to be read: sql.Row, sql.Rows, or the error that came before.
type scanner interface{ Scan(dest ...any) error }

func (s *statements) row(ctx context.Context, query string, args ...any) scanner {
	st, err := s.get(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	defer s.done(st)
	return explainedRow{st.QueryRowContext(ctx, text(args)...)}
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for at := s.used.Front(); at != nil; at = at.Next() {
		errs = append(errs, at.Value.(*prepared).Close())
	}
	clear(s.kept)
	s.used.Init()
	return errors.Join(errs...)
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

type explainedRow struct{ *sql.Row }

func (r explainedRow) Scan(dest ...any) error { return explain(r.Row.Scan(dest...)) }
