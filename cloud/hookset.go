package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
)

// Webhooks of a dialect that keeps them by types of its own are known by their type
// (Kind) and URL, and changed many at a time: all of a change takes place, or none.

// HookSet are all webhooks of such a dialect.
type HookSet struct {
	List   []store.Webhook // oldest first
	Secret string          // that the account has chosen for those without one of their own, "" for none
	Made   []store.Webhook // those that a change has made, with their secrets
}

// HookChange is a change of such webhooks.
type HookChange struct {
	Dialect string
	// List are the webhooks to add, with Kind, URL, Events, Numbers, GivenSecret and
	// RetryPreset. One that is there takes its new settings, keeps its secret, and is switched
	// on again.
	List   []store.Webhook
	Only   bool    // all others are removed
	Secret *string // becomes that of HookSet, nil to leave it
	// Once makes a request that comes again get the first one's answer, which Answer renders
	// inside the transaction; nil for one that takes effect each time.
	Once   *Once
	Answer func(HookSet) (status int, body []byte, err error)
}

// HookSet returns the account's webhooks of a dialect.
func (s *Service) HookSet(ctx context.Context, p Principal, dialect string) (HookSet, error) {
	return hookSet(ctx, s.store, p, dialect)
}

type hookReader interface {
	Webhooks(ctx context.Context, accountID, dialect string) ([]store.Webhook, error)
	GivenSecret(ctx context.Context, accountID string) (string, error)
}

func hookSet(ctx context.Context, r hookReader, p Principal, dialect string) (set HookSet, err error) {
	if set.List, err = r.Webhooks(ctx, p.Account.ID, dialect); err != nil {
		return set, err
	}
	set.Secret, err = r.GivenSecret(ctx, p.Account.ID)
	return set, err
}

// ChangeWebhooks changes webhooks and returns all that there are then. A request that was
// made before gets *Replay.
func (s *Service) ChangeWebhooks(ctx context.Context, p Principal, c HookChange) (set HookSet, err error) {
	now := time.Now()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.replay(tx.Context(), tx, p, c.Once); err != nil {
			return err
		}
		made, err := s.changeWebhooks(tx, p, c, now)
		if err != nil {
			return err
		}
		if set, err = hookSet(tx.Context(), tx, p, c.Dialect); err != nil {
			return err
		}
		set.Made = made
		return c.Once.keep(tx, p, now, func() (int, []byte, error) { return c.Answer(set) })
	})
	s.dispatch.ring() // one that is switched on again has what waits
	if err != nil {
		s.seenAgain(ctx, p, c.Once, err)
		return HookSet{}, fmt.Errorf("change webhooks: %w", err)
	}
	return set, nil
}

// changeWebhooks returns the webhooks that it has made.
func (s *Service) changeWebhooks(tx *store.Tx, p Principal, c HookChange, now time.Time) (made []store.Webhook, err error) {
	if err := s.checkWebhooks(tx, p, c.List); err != nil {
		return nil, err
	}
	old, err := tx.Webhooks(tx.Context(), p.Account.ID, c.Dialect)
	if err != nil {
		return nil, err
	}
	if c.Only {
		unwanted := func(w store.Webhook) bool { return !slices.ContainsFunc(c.List, w.Same) }
		if err := dropWebhooks(tx, old, unwanted); err != nil {
			return nil, err
		}
		old = slices.DeleteFunc(old, unwanted)
	}
	for n, w := range c.List {
		if i := slices.IndexFunc(old, w.Same); i >= 0 {
			w.ID, w.AccountID, w.PhoneNumber, w.Active = old[i].ID, p.Account.ID, old[i].PhoneNumber, true
			if err := errors.Join(tx.UpdateWebhook(w), tx.SetWebhookHealth(w)); err != nil {
				return nil, err
			}
			continue
		}
		w.ID, w.AccountID, w.Dialect, w.Secret, w.Active, w.CreatedAt = newID("wh_"), p.Account.ID, c.Dialect, newWebhookSecret(), true, now.UnixMilli()+int64(n) // in their order
		if err := tx.CreateWebhook(w); err != nil {
			return nil, err
		}
		old, made = append(old, w), append(made, w)
	}
	if err := roomForWebhooks(len(old)); err != nil {
		return nil, err
	}
	if c.Secret != nil {
		err = tx.SetGivenSecret(p.Account.ID, *c.Secret)
	}
	return made, err
}

// RemoveWebhooks removes those of a kind, or of all kinds with "", that have one of the
// URLs, and says how many.
func (s *Service) RemoveWebhooks(ctx context.Context, p Principal, dialect, kind string, urls []string) (n int, err error) {
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.Webhooks(tx.Context(), p.Account.ID, dialect)
		if err != nil {
			return err
		}
		n = 0
		return dropWebhooks(tx, old, func(w store.Webhook) bool {
			if (kind != "" && w.Kind != kind) || !slices.Contains(urls, w.URL) {
				return false
			}
			n++
			return true
		})
	})
	if err != nil {
		return 0, fmt.Errorf("remove webhooks: %w", err)
	}
	return n, nil
}

func dropWebhooks(tx *store.Tx, list []store.Webhook, which func(store.Webhook) bool) error {
	for _, w := range list {
		if which(w) {
			if err := tx.DeleteWebhook(w.AccountID, w.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) checkWebhooks(tx *store.Tx, p Principal, list []store.Webhook) error {
	for i, w := range list {
		if err := s.guard.checkURL(w.URL); err != nil {
			return err
		}
		if err := checkPreset(&list[i]); err != nil {
			return err
		}
		for _, number := range w.Numbers {
			line, err := tx.LineByNumber(tx.Context(), number)
			if errors.Is(err, store.ErrNotFound) || err == nil && line.AccountID != p.Account.ID {
				return Invalid("sendblue_numbers", "The 'sendblue_numbers' field may name only numbers of this account.")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
