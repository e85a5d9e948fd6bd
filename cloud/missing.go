package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
)

// ProblemAway is the problem of a Mac that has not been connected for Config.Away. The Mac
// itself cannot say so: one that waits at its login screen after a restart runs no agent.
const ProblemAway = "away"

const (
	awayMac = "The Mac has not been connected for %s: it may be asleep, switched off or without network, or after a restart it waits at its login screen, where FileVault keeps it until somebody logs in. " +
		"Look at its own screen, log in as the user whose Messages it is, and run `bluerelay doctor` if it stays away."
	awayOther = "The relay has not been connected for %s: see that its machine runs, that bluerelay runs on it, and that it reaches this server."
)

// lookForMissing says of each Mac that is away for long what is likely, and has a person
// told, once until it is back. A server that has just started has given them no time to
// come. Test keys' relays come and go by themselves.
func (s *Service) lookForMissing(ctx context.Context) error {
	now := time.Now()
	if now.Sub(s.lookedForMissing) < s.cfg.Away/10 || now.Sub(s.began) < s.cfg.Away {
		return nil
	}
	s.lookedForMissing = now
	missing, err := s.store.MissingRelays(ctx, ProblemAway, now.Add(-s.cfg.Away).UnixMilli(), 100)
	if err != nil || len(missing) == 0 {
		return err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		for _, relay := range missing {
			if err := s.miss(tx, relay.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
	s.dispatch.ring()
	return err
}

func (s *Service) miss(tx *store.Tx, id string, now time.Time) error {
	// It may have come since the list was read, or be its line's own no longer.
	relay, err := tx.Relay(tx.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (relay.Connected || relay.RetiredAt != 0) {
		return nil
	}
	if err != nil {
		return err
	}
	sentence := awayOther
	if relay.OS == "darwin" {
		sentence = awayMac
	}
	last := relay.Reason
	relay.Reason = fmt.Sprintf(sentence, now.Sub(time.UnixMilli(relay.LastSeenAt)).Round(time.Minute))
	if !relay.Ready && last != "" {
		relay.Reason += " Before that it said: " + last
	}
	relay.Ready, relay.Problem = false, ProblemAway
	if err := tx.UpdateRelay(relay); err != nil {
		return err
	}
	s.log.Warn("relay.away", "relay", relay.ID)
	return s.tellRelay(tx, relay, store.Event{Type: attentionEvent, Detail: ProblemAway}, now)
}
