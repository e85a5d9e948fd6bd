package simulator

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Paths of the Messages process on loopback.
const (
	pathHealth  = "/health"
	pathPrepare = "/prepare"
	pathSend    = "/send"
	pathReceive = "/receive"
	pathType    = "/type"
	pathEdit    = "/edit"
	pathUnsend  = "/unsend"
	pathTapback = "/tapback"
	pathGroup   = "/group"
	pathTrouble = "/trouble"
)

// maxRequest is beyond any text that fits a command line.
const maxRequest = 16 << 20

// secretHeader carries the secret of messages.json.
const secretHeader = "Bluerelay-Simulator-Secret"

// answer is the body of every reply.
type answer struct {
	GUID   string       `json:"guid,omitzero"`
	Script *scriptError `json:"script,omitzero"` // what osascript is to report
	Fault  string       `json:"fault,omitzero"`  // what a person is to read
}

// server is the way into the Messages process: for osascript, and for those
// who act on it.
type server struct {
	engine *engine
	secret string
	log    *slog.Logger
	ending <-chan struct{}
}

func newServer(ctx context.Context, e *engine, secret string, log *slog.Logger) http.Handler {
	s := &server{engine: e, secret: secret, log: log, ending: ctx.Done()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHealth, func(w http.ResponseWriter, _ *http.Request) { s.reply(w, answer{}, nil) })
	mux.HandleFunc("POST "+pathPrepare, handle(s, s.prepare))
	mux.HandleFunc("POST "+pathSend, handle(s, s.send))
	mux.HandleFunc("POST "+pathReceive, handle(s, s.receive))
	mux.HandleFunc("POST "+pathType, handle(s, s.typed))
	mux.HandleFunc("POST "+pathEdit, handle(s, s.edit))
	mux.HandleFunc("POST "+pathUnsend, handle(s, s.unsend))
	mux.HandleFunc("POST "+pathTapback, handle(s, s.tapback))
	mux.HandleFunc("POST "+pathGroup, handle(s, s.group))
	mux.HandleFunc("POST "+pathTrouble, handle(s, s.setTrouble))
	return s.guard(mux)
}

func (s *server) prepare(_ context.Context, c scriptCall) (answer, error) {
	return answer{}, s.engine.do(func(ctx context.Context) error { return s.engine.prepare(ctx, c) })
}

func (s *server) send(ctx context.Context, c scriptCall) (answer, error) {
	guid := newGUID()
	file, err := s.engine.stage(c, guid)
	if err != nil {
		return answer{}, err
	}
	var r route
	err = s.engine.do(func(ctx context.Context) (err error) {
		r, err = s.engine.accept(ctx, c, guid, file)
		return err
	})
	if err == nil && r.outcome.timesOut {
		err = s.timeOut(ctx)
	}
	return answer{}, err
}

// timeOut lets the asker wait as an Apple event does that Messages has taken
// and does not answer.
func (s *server) timeOut(ctx context.Context) error {
	wait := time.NewTimer(s.engine.opts.scale(timeoutDelay))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	case <-s.ending:
	}
	return errTimedOut()
}

func (s *server) receive(_ context.Context, in Inbound) (answer, error) {
	l, err := in.life(s.engine)
	if err != nil {
		return answer{}, err
	}
	if in.Group != "" {
		err := s.engine.do(func(ctx context.Context) error {
			_, ok, err := s.engine.msgs.chat(ctx, in.Group)
			if err == nil && !ok {
				err = faultf("there is no group %s", in.Group)
			}
			return err
		})
		if err != nil {
			return answer{}, err
		}
	}
	return s.begin(l)
}

func (s *server) typed(_ context.Context, t typing) (answer, error) {
	to := canonicalHandle(t.To)
	if !plausibleHandle(to) || t.Text == "" {
		return answer{}, faultf("a typed message needs a recipient and a text")
	}
	return s.begin(deviceLife(to, s.engine.opts.Number, t.Text))
}

func (s *server) edit(_ context.Context, a alteration) (answer, error) {
	return answer{GUID: a.GUID}, s.engine.do(func(ctx context.Context) error { return s.engine.msgs.edit(ctx, a.GUID, a.Text) })
}

func (s *server) unsend(_ context.Context, a alteration) (answer, error) {
	return answer{GUID: a.GUID}, s.engine.do(func(ctx context.Context) error { return s.engine.msgs.unsend(ctx, a.GUID) })
}

func (s *server) tapback(_ context.Context, a alteration) (answer, error) {
	var guid string
	err := s.engine.do(func(ctx context.Context) (err error) {
		guid, err = s.engine.msgs.tapback(ctx, a.GUID, canonicalHandle(a.From), a.Kind)
		return err
	})
	return answer{GUID: guid}, err
}

func (s *server) group(_ context.Context, f founding) (answer, error) {
	if err := f.check(); err != nil {
		return answer{}, err
	}
	var guid string
	err := s.engine.do(func(ctx context.Context) (err error) {
		guid, err = s.engine.msgs.group(ctx, f, s.engine.opts.Number)
		return err
	})
	return answer{GUID: guid}, err
}

func (s *server) setTrouble(_ context.Context, t Trouble) (answer, error) {
	if err := t.check(); err != nil {
		return answer{}, err
	}
	return answer{}, s.engine.do(func(ctx context.Context) error {
		if err := s.engine.plan.setTrouble(ctx, t); err != nil {
			return err
		}
		s.engine.trouble = t
		return nil
	})
}

func (s *server) begin(l *life) (answer, error) {
	err := s.engine.do(func(ctx context.Context) error { return s.engine.schedule(ctx, l) })
	return answer{GUID: l.GUID}, err
}

func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(secretHeader)), []byte(s.secret)) != 1 {
			http.Error(w, "not for you", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) reply(w http.ResponseWriter, a answer, err error) {
	status := http.StatusOK
	if script, ok := errors.AsType[*scriptError](err); ok {
		a.Script = script
	} else if fault, ok := errors.AsType[*faultError](err); ok {
		a.Fault, status = fault.text, http.StatusBadRequest
	} else if err != nil {
		s.log.Error("messages.request", "err", err)
		a.Script, status = errHandlerFailed(), http.StatusInternalServerError
		if errors.Is(err, errStopped) {
			a.Script = errConnectionLost()
		}
		a.Fault = "the simulated Messages failed: " + err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(a); err != nil {
		s.log.Debug("messages.reply", "err", err)
	}
}

// handle decodes a request of type T. A hand-over is acted upon only when all
// of it has arrived: who is killed in the middle of writing it has sent
// nothing.
func handle[T any](s *server, f func(context.Context, T) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&in); err != nil {
			s.reply(w, answer{}, faultf("request is not readable: %v", err))
			return
		}
		a, err := f(r.Context(), in)
		s.reply(w, a, err)
	}
}

// faultError is a mistake of who acts on the simulator.
type faultError struct{ text string }

func (e *faultError) Error() string { return e.text }

func faultf(format string, args ...any) error {
	return &faultError{fmt.Sprintf(format, args...)}
}
