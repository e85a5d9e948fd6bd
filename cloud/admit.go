package cloud

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// greet reads hello, decides about the install, and answers with what is known of
// it and all that it still holds.
func (s *session) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() }) // a silent stranger does not delay a stop
	_ = s.conn.SetReadDeadline(time.Now().Add(helloTimeout))
	_, data, err := s.conn.ReadMessage()
	stop()
	if err != nil {
		return fmt.Errorf("read hello: %w", err)
	}
	f, err := wire.Decode(data)
	if err != nil || f.Type != wire.TypeHello {
		return &closing{wire.CloseProtocol, "the first frame must be hello"}
	}
	if f.Hello.Protocol != wire.Version {
		return &closing{wire.CloseTooOld, fmt.Sprintf("this server speaks version %d of the protocol: update bluerelay", wire.Version)}
	}
	held, err := s.admit(ctx, *f.Hello)
	if err != nil {
		return err
	}
	welcome := wire.Welcome{Acked: s.acked, Token: s.token, Line: s.line.PhoneNumber, Retired: s.retired}
	if err := s.write(wire.Frame{Type: wire.TypeWelcome, Welcome: &welcome}); err != nil {
		return err
	}
	return s.order(ctx, held)
}

// admit writes down who has come, in one transaction. Another journal than before
// means that what the former one held is beyond anybody's knowledge.
func (s *session) admit(ctx context.Context, h wire.Hello) (held []store.Message, err error) {
	now := time.Now()
	var refused error // to be told to the relay, and yet committed
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.current(tx); err != nil {
			return err
		}
		in, err := tx.Install(tx.Context(), h.Install)
		if errors.Is(err, store.ErrNotFound) {
			in = store.Install{ID: h.Install, RelayID: s.relay.ID, CreatedAt: now.UnixMilli()}
			if s.retired {
				in.RetiredAt = now.UnixMilli()
			}
			err = tx.CreateInstall(in)
		}
		if err != nil {
			return err
		}
		if in.RelayID != s.relay.ID || in.RetiredAt != 0 && !s.retired {
			refused = errOldJournal
			return nil
		}
		if h.JournalHigh < in.LastSeq {
			refused = errOldJournal
			if s.retired {
				return nil
			}
			return s.disown(tx, in, now)
		}
		s.acked, s.token, s.high, s.install = in.LastSeq, in.LastToken, h.JournalHigh, h.Install
		if h.Behind {
			s.high = math.MaxInt64 // it is not heard out before it has read, and says so in another hello
		}
		if s.retired {
			return nil
		}
		gone, err := tx.RetireInstalls(s.relay.ID, h.Install, now.UnixMilli())
		if err != nil {
			return err
		}
		for _, id := range gone {
			if err := s.lost(tx, id, s.line.ID, now); err != nil {
				return err
			}
		}
		if err := s.arrive(tx, h, now); err != nil {
			return err
		}
		if held, err = tx.Assigned(tx.Context(), h.Install, s.line.ID); err != nil {
			return err
		}
		s.takeOver()
		fault.Before(fault.CloudAdmit)
		return nil
	})
	fault.After(fault.CloudAdmit)
	s.dispatch.ring()
	if err == nil {
		err = refused
	}
	return held, err
}

// disown retires an install of which there are two journals: nobody can tell any
// more what it has done. A session that runs on the other one ends too, before
// anything else is assigned to it; as it is out of the hub, its end is noted here.
func (s *session) disown(tx *store.Tx, in store.Install, now time.Time) error {
	if err := tx.RetireInstall(in.ID, now.UnixMilli()); err != nil {
		return err
	}
	if other := s.hub.serving(s.line.PhoneNumber); other != nil && other.install == in.ID {
		s.hub.leave(other)
		other.cancel(errOldJournal)
		if err := s.noteGone(tx, in.RelayID, now); err != nil {
			return err
		}
	}
	return s.lost(tx, in.ID, s.line.ID, now)
}

// takeOver makes the session the line's. It happens inside the transaction that
// reads what the install holds, and nothing is assigned but to the line's session:
// so no message is given to a connection that is about to be closed.
func (s *session) takeOver() {
	s.number = s.line.PhoneNumber
	old := s.hub.enter(s)
	switch {
	case old == nil:
	case old.relay.ID != s.relay.ID:
		old.cancel(errReplaced)
	default:
		old.cancel(errSuperseded)
	}
}

// arrive writes down what a Mac says of itself, and has those told who want to know.
func (s *session) arrive(tx *store.Tx, h wire.Hello, now time.Time) error {
	before, err := tx.Relay(tx.Context(), s.relay.ID)
	if err != nil {
		return err
	}
	s.describe(h, now)
	if err := tx.UpdateRelay(s.relay); err != nil {
		return err
	}
	if !before.Connected {
		if err := s.tellRelay(tx, s.relay, store.Event{Type: onlineEvent}, now); err != nil {
			return err
		}
	}
	return s.tellHealth(tx, s.relay, before, now)
}

func (s *session) describe(h wire.Hello, now time.Time) {
	s.relay.Host, s.relay.OS, s.relay.Version = clip(h.Host), clip(h.OS), clip(h.Version)
	s.relay.Connected, s.relay.LastSeenAt = true, now.UnixMilli()
	s.setHealth(h.Health)
}

// current reads the line again and makes sure that this Mac is still its own, or was
// and may still tell what it knows.
func (s *session) current(tx *store.Tx) error {
	line, err := tx.Line(tx.Context(), s.relay.LineID)
	if errors.Is(err, store.ErrNotFound) {
		return errUnpaired
	}
	if err != nil {
		return err
	}
	if line.RelayID != s.relay.ID {
		err = s.former(tx)
	} else if s.install != "" {
		err = s.ownJournal(tx)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = line
	return nil
}

// former decides about a Mac that is no longer its line's own. One that was replaced
// while it was connected comes back, so that hello tells how much it has to say.
func (s *session) former(tx *store.Tx) error {
	relay, err := tx.Relay(tx.Context(), s.relay.ID)
	switch {
	case err != nil:
		return err
	case !relay.Replaced:
		return errUnpaired
	case s.install != "" && !s.retired:
		return errReplaced
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired, s.relay = true, relay
	return nil
}

func (s *session) ownJournal(tx *store.Tx) error {
	in, err := tx.Install(tx.Context(), s.install)
	if err == nil && in.RetiredAt != 0 {
		return errOldJournal
	}
	return err
}
