package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/fault"
	"bluerelay/wire"
)

// The link's limits. The cloud pings every 20 seconds, so a silence of 50 means two
// lost pings.
const (
	silence      = 50 * time.Second
	writeTimeout = 10 * time.Second
	dialTimeout  = 15 * time.Second
	outBatch     = 64
	maxUnacked   = 256 // reports on the way; more wait in the journal
)

// link keeps the websocket to the cloud. It sends what the outbox holds, in order,
// again after each reconnect, and writes orders into the journal before they are
// acknowledged by a report. It is the one that knows whether the cloud still counts on
// this Mac. One goroutine runs it.
type link struct {
	*Relay
	conn *websocket.Conn
	// released says that the cloud wants to have back what was not begun. The reader
	// alone uses it, and whoever dials before there is one.
	released bool
	renewed  time.Time  // when an exchange of the secret was tried last
	ack      chan int64 // the cloud's acknowledgements, from the reader to the writer
}

// ErrRevoked says that the cloud no longer accepts this Mac.
var ErrRevoked = errors.New("the cloud no longer accepts this Mac: pair it again with `bluerelay pair` and a new setup URL, or end it with `bluerelay uninstall`")

var (
	errOldState = errors.New("this Mac's state folder was put back from a copy, such as a backup, and what it holds may have gone out since: it sends nothing more until it is paired again with `bluerelay pair` and a new setup URL")
	errHeardOut = errors.New("another Mac has this one's number, and all that this one knew is told: end it with `bluerelay uninstall`, or pair it again with `bluerelay pair` to send from here")
)

// refusal is why the cloud does not want this Mac any more, as a sentence, or nil where it
// may be back by itself.
func (l *link) refusal(err error) error {
	switch {
	case websocket.IsCloseError(err, wire.CloseJournal):
		return errOldState
	case websocket.IsCloseError(err, wire.CloseRevoked) && l.released:
		return errHeardOut
	case websocket.IsCloseError(err, wire.CloseRevoked), errors.Is(err, ErrRevoked):
		return ErrRevoked
	}
	return nil
}

// maxRefusals is how often the pause of a Mac that is not wanted doubles: with a minute at
// first, it asks once an hour in the end.
const maxRefusals = 6

// run dials until ctx ends; between tries it waits a random time that grows, or until
// the Mac wakes from sleep. It gives up only where another try cannot help a person who
// does nothing.
func (l *link) run(ctx context.Context) error {
	refusals := 0
	for try := 0; ctx.Err() == nil; try++ {
		day, over := l.days.within(ctx)
		welcomed, err := l.session(day)
		if ctx.Err() != nil {
			over()
			return nil
		}
		if welcomed || day.Err() != nil {
			try = 0
		}
		pause, no := l.pause(try), l.refusal(err)
		if no == nil && welcomed && !l.released {
			refusals = 0
		}
		switch {
		case day.Err() != nil:
			l.log.Info("link.woke")
		case no != nil:
			l.welcome.Store(false) // what was not begun, somebody else may have begun by now
			l.health.set(wire.ProblemCredential, sentence(no))
			pause = l.cfg.RetryRefused << min(refusals, maxRefusals)
			l.log.Error("link.refused", "error", no.Error(), "again_in_ms", pause.Milliseconds())
			refusals++
		case websocket.IsCloseError(err, wire.CloseSuperseded, wire.CloseTooOld, wire.CloseProtocol, wire.CloseNotYours):
			l.welcome.Store(false) // superseded perhaps by a copy of this folder, on another Mac
			l.log.Error("link.refused", "error", err.Error())
			pause = l.cfg.RetryRefused
		default:
			l.log.Warn("link.lost", "error", err.Error(), "again_in_ms", pause.Milliseconds())
		}
		select {
		case <-day.Done(): // asleep or over: no reason to wait
		case <-time.After(pause):
		}
		over()
	}
	return nil
}

// pause is a random time below a bound that doubles with each try, so that many
// relays do not come back at the same instant.
func (l *link) pause(try int) time.Duration {
	bound := min(l.cfg.RetryMin<<min(try, 10), l.cfg.RetryMax)
	return rand.N(bound) + time.Millisecond
}

// session is one connection, from dial to loss. welcomed says that the cloud
// accepted us.
func (l *link) session(ctx context.Context) (welcomed bool, err error) {
	hello, err := l.hello(ctx)
	if err != nil {
		return false, err
	}
	if err := l.dial(ctx); err != nil {
		return false, err
	}
	defer l.conn.Close()
	// Whoever waits in the socket does not hear ctx.
	conn := l.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := l.write(wire.Frame{Type: wire.TypeHello, Hello: hello}); err != nil {
		return false, err
	}
	f, err := l.read()
	if err != nil {
		return false, err
	}
	if f.Type != wire.TypeWelcome {
		return false, fmt.Errorf("the cloud answered hello with %s", f.Type)
	}
	if err := l.recognise(ctx, *f.Welcome); err != nil {
		return false, err
	}
	l.log.Info("link.up", "acked", f.Welcome.Acked)
	if err := l.welcomed(ctx, *f.Welcome); err != nil {
		return true, err
	}
	l.renew(ctx)
	l.hurry.Store(true)
	ring(l.uploadBell)
	behind := f.Welcome.Retired && hello.Behind
	if behind {
		// It is heard out only after a hello that knows everything.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.cfg.Retry)
		defer cancel()
	}
	return !behind, l.serve(ctx, f.Welcome.Acked, hello.Health)
}

func (l *link) hello(ctx context.Context) (*wire.Hello, error) {
	install, err := l.journal.install(ctx)
	if err != nil {
		return nil, err
	}
	behind, err := l.behind(ctx) // before the number: a row's report and the cursor are one commit
	if err != nil {
		return nil, err
	}
	high, err := l.journal.high(ctx)
	if err != nil {
		return nil, err
	}
	old, err := l.journal.meta(ctx, metaCopy)
	if err != nil {
		return nil, err
	}
	if old != "" {
		high = 0 // so that the cloud gives the install up
	}
	retired, err := l.journal.retired(ctx)
	if err != nil {
		return nil, err
	}
	if retired { // so that a cloud that has forgotten it orders nothing
		l.health.set(wire.ProblemReleased, releasedSentence)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "Mac" // only for people; no reason to stay away
	}
	return &wire.Hello{
		Protocol: wire.Version, Version: l.cfg.Version, Install: install, JournalHigh: high, Behind: behind,
		OS: runtime.GOOS, Host: strings.TrimSuffix(host, ".local"), Health: l.health.now(),
	}, nil
}

// behind tells whether chat.db has rows that the journal has not taken in, or cannot be
// read.
func (l *link) behind(ctx context.Context) (bool, error) {
	waiting, err := l.journal.waiting(ctx)
	if err != nil || len(waiting) > 0 {
		return true, err
	}
	return l.unread(ctx)
}

// dial connects, with each of the secrets that there are until the cloud takes one.
func (l *link) dial(ctx context.Context) error {
	d := websocket.Dialer{
		HandshakeTimeout: dialTimeout,
		Subprotocols:     []string{wire.Subprotocol},
		Proxy:            http.ProxyFromEnvironment,
		TLSClientConfig:  l.known(ctx).tls(),
	}
	for {
		secret, err := l.keys.bearer(ctx)
		if err != nil {
			l.health.set(wire.ProblemCredential, sentence(err))
			return err
		}
		conn, resp, err := d.DialContext(ctx, l.credential.socketURL(), http.Header{"Authorization": {"Bearer " + secret}})
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			if l.keys.refuse(ctx, secret) {
				continue
			}
			return ErrRevoked
		}
		if err != nil {
			return fmt.Errorf("connect to the cloud: %w", explain(err, hostOf(l.credential.Server)))
		}
		conn.SetReadLimit(wire.MaxFrame)
		l.conn = conn
		l.health.set(wire.ProblemCredential, "")
		if err := l.keys.accept(ctx, secret); err != nil {
			l.log.Warn("credential.not_kept", "error", err.Error()) // the next connection does it
		}
		return nil
	}
}

// renew exchanges the secret when it is old enough. What fails is tried again with a later
// connection: the present one goes on to count.
func (l *link) renew(ctx context.Context) {
	if l.released || time.Since(l.renewed) < min(l.cfg.Rotate, time.Hour) || !l.keys.due(ctx, l.cfg.Rotate, time.Now()) {
		return
	}
	l.renewed = time.Now()
	if err := l.keys.rotate(ctx, l.known(ctx)); err != nil {
		l.log.Warn("credential.not_exchanged", "error", err.Error())
		return
	}
	l.log.Info("credential.exchanged")
}

// serve runs reader and writer until one of them fails or ctx ends.
func (l *link) serve(ctx context.Context, acked int64, told wire.Health) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.ack = make(chan int64, 1)
	var reading sync.WaitGroup
	var readErr error
	reading.Go(func() {
		defer cancel()
		readErr = l.readLoop(ctx)
	})
	// The reader waits in the socket: closing it is what ends it.
	conn := l.conn // the function may run late, when there is another
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	writeErr := l.writeLoop(ctx, acked, told)
	cancel()
	stop()
	l.conn.Close()
	reading.Wait()
	if readErr != nil && !errors.Is(readErr, context.Canceled) {
		return readErr
	}
	return writeErr
}

func (l *link) readLoop(ctx context.Context) error {
	l.conn.SetPingHandler(func(data string) error {
		l.extend()
		return l.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
	})
	for {
		f, err := l.read()
		if err != nil {
			return err
		}
		switch f.Type {
		case wire.TypeSend:
			if err := l.order(ctx, *f.Send); err != nil {
				return err
			}
		case wire.TypeCancel:
			if err := l.cancel(ctx, *f.Cancel); err != nil {
				return err
			}
		case wire.TypeRelease:
			if err := l.release(ctx); err != nil {
				return err
			}
		case wire.TypeAck:
			select { // only the latest counts
			case <-l.ack:
			default:
			}
			l.ack <- f.Ack.Seq
		case wire.TypeDrain:
			l.log.Info("link.draining")
		}
	}
}

// writeLoop sends the outbox and the relay's health, each time they change.
func (l *link) writeLoop(ctx context.Context, acked int64, told wire.Health) error {
	sent := acked
	var tidied time.Time
	var found *wire.Checkup // as it was told
	for {
		if now, latest := l.health.now(), l.checkup.Load(); now != told || latest != found {
			f := wire.Frame{Type: wire.TypeHealth, Health: &now}
			if latest != found {
				f.Checkup = latest
			}
			if err := l.write(f); err != nil {
				return err
			}
			told, found = now, latest
		}
		more := false
		if sent-acked < maxUnacked {
			list, err := l.journal.reports(ctx, sent, outBatch)
			if err != nil {
				return err
			}
			for _, r := range list {
				if err := l.write(wire.Frame{Type: wire.TypeReport, Report: &r}); err != nil {
					return err
				}
				fault.Hit(fault.RelayReport)
				sent = r.Seq
			}
			more = len(list) == outBatch
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.outboxBell:
		case <-l.health.changed:
		case n := <-l.ack:
			acked = max(acked, n)
			l.Relay.acked.Store(acked)
			if now := time.Now(); now.Sub(tidied) > tidyEvery {
				if err := l.journal.forgetReports(ctx, acked, now); err != nil {
					return err
				}
				tidied = now
			}
		}
	}
}

func (l *link) write(f wire.Frame) error {
	data, err := wire.Encode(f)
	if err != nil {
		return err
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return l.conn.WriteMessage(websocket.TextMessage, data)
}

func (l *link) extend() { _ = l.conn.SetReadDeadline(time.Now().Add(silence)) }

func (l *link) read() (wire.Frame, error) {
	l.extend()
	_, data, err := l.conn.ReadMessage()
	if err != nil {
		return wire.Frame{}, err
	}
	return wire.Decode(data)
}
