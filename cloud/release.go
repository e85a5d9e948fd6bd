package cloud

import (
	"context"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
)

// clearTheWay has the Mac that is about to be replaced let go of what it holds: what it
// has not begun it gives back, what is in hand it finishes. It returns when nothing is
// held, when Config.ReleaseWait is over, or at once where that Mac is not connected, and
// with the session that was asked, if any.
func (s *Service) clearTheWay(ctx context.Context, tokenHash string) (*session, error) {
	setup, err := setupOf(ctx, s.store, tokenHash, time.Now())
	// Why a token does not work, the transaction says that would use it: this is no one look.
	if err != nil || !setup.Replaces {
		return nil, err
	}
	line := setup.line
	patience := time.NewTimer(s.cfg.ReleaseWait)
	defer patience.Stop()
	for {
		one := s.hub.serving(line.PhoneNumber)
		if one == nil || one.relay.ID != line.RelayID {
			return nil, nil
		}
		select {
		case <-one.release():
			return one, nil
		case <-one.gone: // it may have come back
		case <-patience.C:
			s.log.Warn("relay.not_released", "relay", line.RelayID)
			return one, nil
		case <-ctx.Done():
			one.cancel(errStays)
			return nil, ctx.Err()
		}
	}
}

// release has the relay give back what it has not begun, and begin nothing more. The
// channel is closed once it holds nothing that is open.
func (s *session) release() <-chan struct{} {
	s.mu.Lock()
	s.letGo = true
	s.mu.Unlock()
	fault.Hit(fault.CloudRelease)
	s.ring()
	return s.empty
}

// emptied tells, once, that a relay which was asked to let go holds nothing any more.
func (s *session) emptied(tx *store.Tx) (bool, error) {
	s.mu.Lock()
	letGo := s.letGo
	s.mu.Unlock()
	select {
	case <-s.empty:
		return false, nil
	default:
	}
	if !letGo {
		return false, nil
	}
	held, err := tx.Assigned(tx.Context(), s.install, s.line.ID)
	return len(held) == 0, err
}
