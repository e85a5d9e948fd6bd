package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The session's limits.
const (
	writeTimeout = 10 * time.Second
	helloTimeout = 10 * time.Second
	reportBatch  = 256              // reports committed at once
	seenEvery    = time.Minute      // how often last_seen_at is written
	drainWithin  = 10 * time.Second // relays come back within this time after a drain
)

// session is one relay's connection. Its run writes to the socket, a second
// goroutine reads; nothing else does either. The database's writer may call grant.
type session struct {
	*Service
	conn    *websocket.Conn
	number  string // the line's
	install string
	log     *slog.Logger
	bell    chan struct{}
	cancel  context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	relay   store.Relay
	line    store.Line
	pace    pace
	granted []store.Message // assigned and committed, not yet written to the socket
}

// closing is a reason to end a connection that the relay is told.
type closing struct {
	code int
	text string
}

func (c *closing) Error() string { return c.text }

// Reasons that arise in more than one place.
var (
	errUnpaired   = &closing{wire.CloseRevoked, "this Mac is no longer paired with its number"}
	errOldJournal = &closing{wire.CloseJournal, "the journal of this Mac is an old copy: pair it again"}
	errSuperseded = &closing{wire.CloseSuperseded, "a newer connection of this Mac has taken over"}
)

func (s *session) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// run greets the relay and serves it until the connection or ctx ends.
func (s *session) run(ctx context.Context) {
	ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	err := s.greet(ctx)
	if err != nil {
		s.part(err)
	} else {
		s.log.Info("relay.online", "version", s.relay.Version)
		err = s.serve(ctx)
	}
	if s.hub.leave(s) {
		s.away()
	}
	s.log.Info("relay.offline", "reason", err.Error())
}

// part tells the relay why, if that can be told, and closes the socket.
func (s *session) part(err error) {
	c, ok := errors.AsType[*closing](err)
	if !ok {
		c = &closing{websocket.CloseGoingAway, ""}
	}
	// The socket may be gone; then nobody is there to be told.
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(c.code, c.text), time.Now().Add(writeTimeout))
	s.conn.Close()
}

func (s *session) setHealth(h wire.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relay.Ready, s.relay.Problem, s.relay.Reason = h.Ready, string(h.Code), h.Reason
}

// current reads the line again and makes sure that this Mac is still its own.
func (s *session) current(tx *store.Tx) error {
	line, err := tx.Line(tx.Context(), s.relay.LineID)
	if err == nil && line.RelayID == s.relay.ID {
		if s.install != "" {
			in, err := tx.Install(tx.Context(), s.install)
			if err != nil {
				return err
			}
			if in.RetiredAt != 0 {
				return errOldJournal
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.line = line
		return nil
	}
	if err == nil || errors.Is(err, store.ErrNotFound) {
		return errUnpaired
	}
	return err
}

// serve works until the connection ends: reports are committed and then
// acknowledged, waiting messages are assigned and then sent.
func (s *session) serve(ctx context.Context) (err error) {
	frames := make(chan wire.Frame, reportBatch)
	var reading sync.WaitGroup
	defer func() {
		s.part(err) // closes the socket, which ends the reader
		reading.Wait()
	}()
	reading.Go(func() { s.cancel(s.readLoop(ctx, frames)) })
	ping := time.NewTicker(s.cfg.Ping)
	defer ping.Stop()
	s.ring()
	for {
		select {
		case <-ctx.Done():
			return s.goodbye(ctx)
		case f := <-frames:
			err = s.take(ctx, f, frames)
		case <-s.bell:
			err = s.work(ctx, nil)
		case <-s.held():
			err = s.work(ctx, nil)
		case now := <-ping.C:
			err = s.ping(ctx, now)
		}
		if err != nil && ctx.Err() != nil {
			return s.goodbye(ctx) // why it ended says more than what broke by it
		}
		if err != nil {
			return err
		}
	}
}

// goodbye is what a server that stops says; other reasons speak for themselves.
func (s *session) goodbye(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		// Best effort: the relay comes back by itself in any case.
		_ = s.write(wire.Frame{Type: wire.TypeDrain, Drain: &wire.Drain{DelayMS: rand.N(drainWithin).Milliseconds()}})
		return &closing{websocket.CloseGoingAway, "the server is stopping"}
	}
	return cause
}

func (s *session) readLoop(ctx context.Context, frames chan<- wire.Frame) error {
	alive := func() { _ = s.conn.SetReadDeadline(time.Now().Add(s.cfg.Ping * 5 / 2)) }
	s.conn.SetPongHandler(func(string) error { alive(); return nil })
	for {
		alive()
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("connection lost: %w", err)
		}
		f, err := wire.Decode(data)
		if err != nil {
			return &closing{wire.CloseProtocol, "a frame could not be read"}
		}
		select {
		case frames <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take handles a frame together with the reports that have come with it.
func (s *session) take(ctx context.Context, f wire.Frame, frames <-chan wire.Frame) error {
	var reports []wire.Report
	for {
		switch f.Type {
		case wire.TypeReport:
			reports = append(reports, *f.Report)
		case wire.TypeHealth:
			s.setHealth(*f.Health)
			s.log.Info("relay.health", "ready", s.relay.Ready, "problem", s.relay.Problem)
			if err := s.saveRelay(ctx); err != nil {
				return err
			}
		}
		if len(reports) < reportBatch {
			select {
			case f = <-frames:
				continue
			default:
			}
		}
		return s.work(ctx, reports)
	}
}

// work commits reports and assigns what may be sent next, in one transaction; then
// it acknowledges and orders.
func (s *session) work(ctx context.Context, reports []wire.Report) error {
	now := time.Now()
	var orders []store.Message
	var committed int64
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		orders = nil
		if err := s.current(tx); err != nil {
			return err
		}
		if s.hub.serving(s.number) != s {
			return errSuperseded
		}
		var err error
		if committed, err = s.applyAll(tx, reports, now); err != nil {
			return err
		}
		orders, err = s.grant(tx, s.line, now)
		return err
	})
	if err != nil {
		return err
	}
	if len(reports) > 0 {
		s.dispatch.ring()
		if err := s.write(wire.Frame{Type: wire.TypeAck, Ack: &wire.Ack{Seq: committed}}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	orders, s.granted = append(s.granted, orders...), nil
	s.mu.Unlock()
	return s.order(orders)
}

// applyAll applies reports that are new and returns the highest number that is
// committed then. A relay that has missed an acknowledgement repeats old news, which
// must not undo what came after it.
func (s *session) applyAll(tx *store.Tx, reports []wire.Report, now time.Time) (committed int64, err error) {
	if len(reports) == 0 {
		return 0, nil
	}
	in, err := tx.Install(tx.Context(), s.install)
	if err != nil {
		return 0, err
	}
	for _, r := range reports {
		if r.Seq <= in.LastSeq {
			continue
		}
		if err := s.apply(tx, s.relay, s.line, s.install, r, now); err != nil {
			return 0, fmt.Errorf("apply a report: %w", err)
		}
		in.LastSeq = r.Seq
	}
	return in.LastSeq, tx.AdvanceInstall(s.install, in.LastSeq)
}

// grant assigns what this relay may be given now; line is as the transaction sees
// it, and nothing is assigned to a Mac that is no longer its own. What it returns
// must be handed to hand, or written to the socket, once the transaction is
// committed; if neither happens, the next hello does it.
func (s *session) grant(tx *store.Tx, line store.Line, now time.Time) ([]store.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line.RelayID != s.relay.ID || !s.relay.Ready || line.Status != store.LineActive {
		return nil, nil
	}
	room := s.pace.room(rateOf(line.Pace, s.relay.OS), s.cfg.Window, now)
	if room == 0 {
		return nil, nil
	}
	list, err := tx.Assign(line.ID, s.install, s.cfg.Window, room, now.UnixMilli())
	s.pace.spend(len(list))
	return list, err
}

// hand queues what was granted outside of work and wakes the session.
func (s *session) hand(list []store.Message) {
	s.mu.Lock()
	s.granted = append(s.granted, list...)
	s.mu.Unlock()
	s.ring()
}

// held tells when a paced line may send again; it never does while nothing is held
// back.
func (s *session) held() <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace.ready()
}

// order writes what is assigned. It is on disk already: a frame that is lost is
// written again after the next hello.
func (s *session) order(list []store.Message) error {
	for _, m := range list {
		err := s.write(wire.Frame{Type: wire.TypeSend, Send: &wire.Send{
			Message: m.ID, Attempt: m.Attempt, Seq: m.Seq, To: m.To, Text: m.Content, Service: m.Service,
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) ping(ctx context.Context, now time.Time) error {
	if err := s.conn.WriteControl(websocket.PingMessage, nil, now.Add(writeTimeout)); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	if now.UnixMilli()-s.relay.LastSeenAt < seenEvery.Milliseconds() {
		return nil
	}
	s.relay.LastSeenAt = now.UnixMilli()
	return s.saveRelay(ctx)
}

func (s *session) saveRelay(ctx context.Context) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.UpdateRelay(s.relay) })
}

// away notes that the Mac has gone, also while the server stops.
func (s *session) away() {
	s.relay.Connected, s.relay.LastSeenAt = false, time.Now().UnixMilli()
	if err := s.saveRelay(context.Background()); err != nil {
		s.log.Error("relay.not_recorded", "error", err.Error())
	}
}

func (s *session) write(f wire.Frame) error {
	data, err := wire.Encode(f)
	if err != nil {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, data)
}
