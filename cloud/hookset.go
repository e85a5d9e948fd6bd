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

// AddWebhooks adds webhooks, with Dialect, Kind, URL, Events, Numbers and GivenSecret of
// each. One that is there takes its new settings and keeps its secret. shared, if it is
// not nil, becomes the secret that is given to those without one of their own. It
// returns those that are new, with their secrets.
func (s *Service) AddWebhooks(ctx context.Context, p Principal, dialect string, list []store.Webhook, shared *string) (made []store.Webhook, err error) {
	return s.changeWebhooks(ctx, p, dialect, list, shared, false)
}

// ReplaceWebhooks is AddWebhooks, and removes all others of the dialect.
func (s *Service) ReplaceWebhooks(ctx context.Context, p Principal, dialect string, list []store.Webhook, shared string) (made []store.Webhook, err error) {
	return s.changeWebhooks(ctx, p, dialect, list, &shared, true)
}

func (s *Service) changeWebhooks(ctx context.Context, p Principal, dialect string, list []store.Webhook, shared *string, only bool) (made []store.Webhook, err error) {
	now := time.Now()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		made = nil // it may run again
		if err := s.checkWebhooks(tx, p, list); err != nil {
			return err
		}
		old, err := tx.Webhooks(tx.Context(), p.Account.ID, dialect)
		if err != nil {
			return err
		}
		if only {
			unwanted := func(w store.Webhook) bool { return !slices.ContainsFunc(list, w.Same) }
			if err := dropWebhooks(tx, old, unwanted); err != nil {
				return err
			}
			old = slices.DeleteFunc(old, unwanted)
		}
		for n, w := range list {
			if i := slices.IndexFunc(old, w.Same); i >= 0 {
				w.ID, w.AccountID, w.PhoneNumber, w.RetryPreset, w.Active = old[i].ID, p.Account.ID, old[i].PhoneNumber, old[i].RetryPreset, true
				if err := errors.Join(tx.UpdateWebhook(w), tx.SetWebhookHealth(w)); err != nil {
					return err
				}
				continue
			}
			w.ID, w.AccountID, w.Dialect, w.Secret, w.Active, w.CreatedAt = newID("wh_"), p.Account.ID, dialect, newWebhookSecret(), true, now.UnixMilli()+int64(n) // in their order
			if err := tx.CreateWebhook(w); err != nil {
				return err
			}
			old, made = append(old, w), append(made, w)
		}
		if err := roomForWebhooks(len(old)); err != nil {
			return err
		}
		if shared != nil {
			return tx.SetGivenSecret(p.Account.ID, *shared)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change webhooks: %w", err)
	}
	s.dispatch.ring() // one that is switched on again has what waits
	return made, nil
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

// GivenSecret is the secret that the account has chosen for its webhooks without one of
// their own, "" for none.
func (s *Service) GivenSecret(ctx context.Context, p Principal) (string, error) {
	return s.store.GivenSecret(ctx, p.Account.ID)
}

func (s *Service) checkWebhooks(tx *store.Tx, p Principal, list []store.Webhook) error {
	for _, w := range list {
		if err := s.guard.checkURL(w.URL); err != nil {
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
