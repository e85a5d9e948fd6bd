package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The session's limits.
const (
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
	gone    chan struct{} // closed when the session is over
	empty   chan struct{} // closed once a relay that was asked to let go holds nothing any more
	cancel  context.CancelCauseFunc
	retired bool             // another Mac has taken over: this one tells what it knows, and gets nothing
	high    int64            // number of the last report that the relay had when it said hello
	acked   int64            // of the last one that is committed
	token   string           // of that report, at the time of the hello
	seen    int64            // of the last one that came on this connection, 0 before the first
	told    bool             // the relay was asked to let go of what it holds
	quiet   <-chan time.Time // when a retired relay has had no news for long enough; nil before it has said all

	mu      sync.Mutex // guards what follows
	relay   store.Relay
	line    store.Line
	letGo   bool             // nothing more is assigned: another Mac is about to take over
	granted []store.Message  // committed, not yet written to the socket: assigned, or to be withdrawn
	later   <-chan time.Time // when a line that is held back may go on; nil while none is
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
	errReplaced   = &closing{websocket.CloseGoingAway, "another Mac has taken over: come back and tell what is left"}
	errStays      = &closing{websocket.CloseGoingAway, "no other Mac has taken over: come back and go on"}
	errHeardOut   = &closing{wire.CloseRevoked, "another Mac has taken over, and all that this one knew is known"}
	errNotYours   = &closing{wire.CloseNotYours, "a report was about a message of another line"}
	errGap        = &closing{wire.CloseProtocol, "the numbers of the reports have a gap"}
	errSlow       = &closing{wire.CloseSlow, "this Mac does not read what it is sent"}
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
	defer close(s.gone)
	err := s.greet(ctx)
	if err != nil {
		s.part(err)
	} else {
		s.log.Info("relay.online", "version", s.relay.Version, "retired", s.retired)
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
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(c.code, c.text), time.Now().Add(s.cfg.WriteWait))
	s.conn.Close()
}

func (s *session) setHealth(h wire.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relay.Ready, s.relay.Problem, s.relay.Reason = h.Ready, string(h.Code), h.Reason
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
		case <-s.quiet:
			err = errHeardOut
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

func (s *session) ping(ctx context.Context, now time.Time) error {
	if err := s.conn.WriteControl(websocket.PingMessage, nil, now.Add(s.cfg.WriteWait)); err != nil {
		return fmt.Errorf("ping: %w", unread(err))
	}
	if s.retired {
		s.ring() // nobody else does: it may have been revoked
		return nil
	}
	if now.UnixMilli()-s.relay.LastSeenAt < seenEvery.Milliseconds() {
		return nil
	}
	s.relay.LastSeenAt = now.UnixMilli()
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.UpdateRelay(s.relay) })
}

// away notes that the Mac has gone, also while the server stops. It may have come back by
// now, as sessions enter the hub inside a transaction, and leave it before one.
func (s *session) away() {
	err := s.store.Write(context.Background(), func(tx *store.Tx) error {
		if one := s.hub.serving(s.number); one != nil && one.relay.ID == s.relay.ID {
			return nil
		}
		return s.noteGone(tx, s.relay.ID, time.Now())
	})
	s.dispatch.ring()
	if err != nil {
		s.log.Error("relay.not_recorded", "error", err.Error())
	}
}

func (s *session) write(f wire.Frame) error {
	data, err := wire.Encode(f)
	if err != nil {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteWait)); err != nil {
		return err
	}
	return unread(s.conn.WriteMessage(websocket.TextMessage, data))
}

// unread says of a write that took too long what that means.
func unread(err error) error {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errSlow
	}
	return err
}
