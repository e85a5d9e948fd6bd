package cloud

import (
	"context"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// grant assigns what this relay may be given now; line is as the transaction sees
// it, and nothing is assigned to a Mac that is no longer its own. What it returns
// must be handed to hand, or written to the socket, once the transaction is
// committed; if neither happens, the next hello does it.
func (s *session) grant(tx *store.Tx, line store.Line, now time.Time) ([]store.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later = nil
	if s.letGo || line.RelayID != s.relay.ID || !s.relay.Ready || line.Status != store.LineActive {
		return nil, nil
	}
	// One whose time has passed must not hold its conversation up.
	if _, err := s.expire(tx, line.ID, now); err != nil {
		return nil, err
	}
	pace := paceOf(line, s.relay.OS)
	room := store.Room{Window: s.cfg.Window, Opening: -1}
	var wait time.Duration
	if room.Now, wait = pace.room(line.PacedUntil, now); room.Now == 0 {
		s.later = time.After(wait)
		return nil, nil
	}
	if pace.opening >= 0 {
		opened, err := tx.Opened(tx.Context(), line.ID, now.Add(-openingPeriod).UnixMilli())
		if err != nil {
			return nil, err
		}
		room.Opening = max(pace.opening-opened, 0)
	}
	list, err := tx.Assign(line.ID, s.install, room, now.UnixMilli())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	fault.Before(fault.CloudAssign)
	if pace.interval == 0 {
		return list, nil
	}
	return list, tx.SetPaced(line.ID, pace.spend(line.PacedUntil, now, len(list)))
}

// hand queues what was granted or is to be withdrawn outside of work, and wakes the
// session.
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
	return s.later
}

// expiryBatch is how many messages expire in one transaction.
const expiryBatch = 100

// expireDue ends the messages of all lines whose time has passed while no relay had
// them. What a relay has, it expires itself.
func (s *Service) expireDue(ctx context.Context) error {
	for {
		now := time.Now()
		due, err := s.store.Overdue(ctx, "", now.UnixMilli(), 1)
		if err != nil || len(due) == 0 {
			return err
		}
		var n int
		err = s.store.Write(ctx, func(tx *store.Tx) (err error) { n, err = s.expire(tx, "", now); return err })
		if err != nil || n < expiryBatch {
			return err
		}
	}
}

// expire ends what is overdue of a line, or of all with "", at most expiryBatch, and
// says how many that were.
func (s *Service) expire(tx *store.Tx, lineID string, now time.Time) (n int, err error) {
	due, err := tx.Overdue(tx.Context(), lineID, now.UnixMilli(), expiryBatch)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	for _, m := range due {
		err := s.advance(tx, store.Step{
			ID: m.ID, To: wire.Expired, At: m.ExpiresAt, Now: now.UnixMilli(), Evidence: store.EvidenceExpiry,
			ErrorCode: wire.FaultExpired, ErrorMessage: "Its time passed before it was sent.",
		})
		if err != nil {
			return 0, err
		}
	}
	fault.Before(fault.CloudExpire)
	tx.OnCommit(func() {
		fault.After(fault.CloudExpire)
		s.dispatch.ring()
	})
	return len(due), nil
}

// timeLeft is how long a relay may wait before it begins a message, in milliseconds,
// 0 for no end. One whose time has passed while it was on its way has the shortest
// time there is: only the relay can say that it had not begun.
func timeLeft(m store.Message, now time.Time) int64 {
	if m.ExpiresAt == 0 {
		return 0
	}
	return max(m.ExpiresAt-now.UnixMilli(), 1)
}
