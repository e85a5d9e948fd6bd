package cloud

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The canary of a line is a message to its own number once a day, at a minute that nobody
// knows, which proves the whole way: this server, the connection, the Mac, its
// permissions, Messages and its account. It is an order like any other, so every rule
// against a second send holds for it too. Lists do not show it and no webhook hears of
// it; the event log and its timeline tell it.
//
// What proves it is its row in Messages: sent, or more. The copy that comes back is no
// proof of more, and the relay knows it as the owner's own words.

// alarmCanary is the code of a canary that was not seen to be sent.
const alarmCanary = "canary_failed"

// canaryAgain is when a canary is tried again whose Mac could not send just then, which
// has been told already, or had too much else to send.
const canaryAgain = time.Hour

// lookAfterCanaries sends the canaries that are due and judges those that are out.
func (s *Service) lookAfterCanaries(ctx context.Context) error {
	due, err := s.store.CanariesDue(ctx, time.Now().UnixMilli(), 20)
	if err != nil {
		return err
	}
	for _, c := range due {
		if err := s.lookAfterCanary(ctx, c.LineID, time.Now()); err != nil {
			return fmt.Errorf("look after a canary: %w", err)
		}
	}
	return nil
}

func (s *Service) lookAfterCanary(ctx context.Context, lineID string, now time.Time) error {
	var number string
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		c, err := tx.Canary(tx.Context(), lineID)
		if errors.Is(err, store.ErrNotFound) || err == nil && c.DueAt > now.UnixMilli() {
			return nil // it was switched off, or looked after, since
		}
		if err != nil {
			return err
		}
		line, err := tx.Line(tx.Context(), lineID)
		if err != nil {
			return err
		}
		number = line.PhoneNumber
		able, relay, err := canaryMac(tx, line)
		if err != nil {
			return err
		}
		if c.Waiting {
			err = s.judgeCanary(tx, &c, line, relay, able, now)
		} else {
			err = s.sendCanary(tx, &c, line, able, now)
		}
		if err != nil {
			return err
		}
		return tx.PutCanary(c)
	})
	s.hub.ring(number)
	s.dispatch.ring()
	return err
}

// canaryMac is the Mac of a line, and whether it could send now.
func canaryMac(tx *store.Tx, line store.Line) (able bool, relay store.Relay, err error) {
	if line.RelayID == "" || line.Status != store.LineActive {
		return false, relay, nil
	}
	relay, err = tx.Relay(tx.Context(), line.RelayID)
	return relay.Connected && relay.Ready, relay, err
}

func (s *Service) sendCanary(tx *store.Tx, c *store.Canary, line store.Line, able bool, now time.Time) error {
	if !able {
		c.DueAt = now.Add(canaryAgain).UnixMilli()
		return nil
	}
	m := Outgoing{
		From: line.PhoneNumber, To: line.PhoneNumber, Service: wire.ServiceIMessage, ExpiresAt: now.Add(s.cfg.CanaryWait).UnixMilli(),
		// No two are equal: a copy is recognised by its text.
		Content: fmt.Sprintf("bluerelay's daily check of this Mac, %s (%s). There is nothing to do.", now.UTC().Format(time.DateOnly), randomText(8)),
	}.message(line, now)
	m.Origin = store.OriginCanary
	if err := tx.CreateMessage(&m); err != nil {
		return err
	}
	if err := tx.Hide(m.AccountID, m.ID, now.UnixMilli()); err != nil {
		return err
	}
	c.MessageID, c.Waiting, c.DueAt = m.ID, true, now.Add(s.cfg.CanaryWait).UnixMilli()
	return nil
}

// judgeCanary says how the one that is out went, and has a person told where it failed
// and nothing else has been said of the Mac.
func (s *Service) judgeCanary(tx *store.Tx, c *store.Canary, line store.Line, relay store.Relay, able bool, now time.Time) error {
	m, err := tx.Message(tx.Context(), line.AccountID, c.MessageID)
	if err != nil {
		return err
	}
	behind, err := behindOthers(tx, m, line, relay, now)
	if err != nil {
		return err
	}
	c.Waiting, c.DueAt = false, nextCanary(now)
	if behind {
		c.DueAt = now.Add(canaryAgain).UnixMilli()
		return nil
	}
	c.Failure = ""
	switch m.Status {
	case wire.StatusSent, wire.StatusDelivered, wire.StatusRead:
		c.ProvedAt = now.UnixMilli()
		return nil
	case wire.StatusFailed:
		c.Failure = "The daily check of this Mac failed: " + m.ErrorMessage + " Send yourself a message by hand in Messages, and see what it says."
	default:
		c.Failure = fmt.Sprintf("The daily check of this Mac was not seen to be sent within %s: run `bluerelay doctor` on it, and send yourself a message by hand in Messages.", s.cfg.CanaryWait)
	}
	if !able {
		return nil
	}
	s.log.Warn("canary.failed", "relay", relay.ID, "message", m.ID, "status", string(m.Status))
	relay.Reason = c.Failure
	return s.tellRelay(tx, relay, store.Event{Type: attentionEvent, Detail: alarmCanary, MessageID: m.ID}, now)
}

// behindOthers tells whether a canary was not given to the Mac because the line had others
// to send before it, and goes on with them: by its pace, or as fast as the Mac can. A Mac
// of which nothing was heard, and which was given nothing, all the while is not busy.
func behindOthers(tx *store.Tx, m store.Message, line store.Line, relay store.Relay, now time.Time) (bool, error) {
	if m.Attempt > 0 {
		return false, nil
	}
	if n, _ := paceOf(line, relay.OS).room(line.PacedUntil, now); n == 0 {
		return true, nil
	}
	last, err := tx.HeldNews(tx.Context(), line.ID)
	return last >= m.CreatedAt, err
}

// nextCanary is a random minute of the next day, UTC.
func nextCanary(now time.Time) int64 {
	const day = 24 * time.Hour
	return now.UTC().Truncate(day).Add(day + rand.N(day)).UnixMilli()
}

// setCanary switches a line's canary on or off. The first one goes within an hour, so
// that whoever switched it on sees it work.
func setCanary(tx *store.Tx, lineID string, on bool, now time.Time) error {
	if !on {
		return tx.RemoveCanary(lineID)
	}
	if _, err := tx.Canary(tx.Context(), lineID); !errors.Is(err, store.ErrNotFound) {
		return err // it is on
	}
	return tx.PutCanary(store.Canary{LineID: lineID, DueAt: now.Add(rand.N(time.Hour)).UnixMilli()})
}

// CanaryOf is a line's canary; ok is false where it has none.
func (s *Service) CanaryOf(ctx context.Context, lineID string) (c store.Canary, ok bool, err error) {
	c, err = s.store.Canary(ctx, lineID)
	if errors.Is(err, store.ErrNotFound) {
		return c, false, nil
	}
	return c, err == nil, err
}

// returned tells whether what a relay brings is the copy of a canary: words of the line's
// own that came back to it.
func returned(tx *store.Tx, line store.Line, in *wire.Inbound) (bool, error) {
	if in.From != line.PhoneNumber {
		return false, nil
	}
	c, err := tx.Canary(tx.Context(), line.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && c.MessageID == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := tx.Message(tx.Context(), line.AccountID, c.MessageID)
	return err == nil && m.Content == in.Text, err
}
