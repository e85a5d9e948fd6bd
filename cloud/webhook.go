package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
)

// Webhooks returns the account's webhooks of one dialect, oldest first.
func (s *Service) Webhooks(ctx context.Context, p Principal, dialect string) ([]store.Webhook, error) {
	return s.store.Webhooks(ctx, p.Account.ID, dialect)
}

// Webhook returns one webhook of the account.
func (s *Service) Webhook(ctx context.Context, p Principal, id string) (store.Webhook, error) {
	return s.store.Webhook(ctx, p.Account.ID, id)
}

// CreateWebhook adds a webhook, with URL, Events, PhoneNumber, Active, RetryPreset and
// Dialect of w, and returns it with its secret.
func (s *Service) CreateWebhook(ctx context.Context, p Principal, w store.Webhook) (store.Webhook, error) {
	w.ID, w.AccountID, w.Secret, w.CreatedAt = newID("wh_"), p.Account.ID, newWebhookSecret(), time.Now().UnixMilli()
	if err := p.maySubscribe(w.Events); err != nil {
		return store.Webhook{}, err
	}
	if err := s.checkWebhook(&w); err != nil {
		return store.Webhook{}, err
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := ownNumber(tx, w); err != nil {
			return err
		}
		there, err := tx.Webhooks(tx.Context(), w.AccountID, w.Dialect)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(there, w.Same) { // else it is a conflict
			if err := roomForWebhooks(len(there) + 1); err != nil {
				return err
			}
		}
		if err := receiptsAllowed(tx, w, nil); err != nil {
			return err
		}
		return tx.CreateWebhook(w)
	})
	return w, webhookExists(err)
}

// maxWebhooks is how many webhooks of one dialect an account may have. What is looked for
// with each event, and whenever something is to be posted, grows with their number.
const maxWebhooks = 100

// roomForWebhooks refuses so many webhooks.
func roomForWebhooks(n int) error {
	if n > maxWebhooks {
		return Invalid("url", "An account may have at most %d webhooks.", maxWebhooks)
	}
	return nil
}

// WebhookChange is what to change of a webhook; nil members stay.
type WebhookChange struct {
	URL         *string
	Events      []string
	PhoneNumber *string // "" for every line
	RetryPreset *string // "" for the usual one
	Active      *bool
}

// Apply changes a webhook.
func (c WebhookChange) Apply(w *store.Webhook) {
	for _, field := range []struct{ from, into *string }{{c.URL, &w.URL}, {c.PhoneNumber, &w.PhoneNumber}, {c.RetryPreset, &w.RetryPreset}} {
		if field.from != nil {
			*field.into = *field.from
		}
	}
	if c.Events != nil {
		w.Events = c.Events
	}
	if c.Active != nil {
		w.Active = *c.Active
	}
}

// UpdateWebhook changes a webhook of one dialect and returns it as it is then. One that is
// switched on begins anew: how it failed before is forgotten, and what waits goes out.
func (s *Service) UpdateWebhook(ctx context.Context, p Principal, dialect, id string, c WebhookChange) (w store.Webhook, err error) {
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.Webhook(tx.Context(), p.Account.ID, id)
		if err == nil && old.Dialect != dialect {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		w = old
		c.Apply(&w)
		if c.URL != nil || c.Events != nil || c.PhoneNumber != nil { // whom, or of what
			if err := p.maySubscribe(w.Events); err != nil {
				return err
			}
		}
		if err := s.checkWebhook(&w); err != nil {
			return err
		}
		if w.PhoneNumber != old.PhoneNumber { // that of a line which was removed since may stay
			if err := ownNumber(tx, w); err != nil {
				return err
			}
		}
		if err := receiptsAllowed(tx, w, old.Events); err != nil {
			return err
		}
		if w.Active && !old.Active {
			w.FailingSince, w.Exhausted, w.Disabled, w.DisabledAt = 0, 0, "", 0
		}
		return errors.Join(tx.UpdateWebhook(w), tx.SetWebhookHealth(w))
	})
	s.dispatch.ring()
	return w, webhookExists(err)
}

// DeleteWebhook removes a webhook. From the commit on nothing is posted to it, however much
// was waiting.
func (s *Service) DeleteWebhook(ctx context.Context, p Principal, id string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteWebhook(p.Account.ID, id) })
}

// What one sweep takes away of that which waited for webhooks that were removed: everybody
// who writes waits for each of the transactions.
const (
	dropWebhooksAtOnce   = 10
	dropDeliveriesAtOnce = 500 // of each of those webhooks, in one transaction
)

// dropPending takes away deliveries to webhooks that were removed.
func (s *Service) dropPending(ctx context.Context) error {
	removed, err := s.store.RemovedWebhooks(ctx, dropWebhooksAtOnce)
	if err != nil {
		return fmt.Errorf("find webhooks that were removed: %w", err)
	}
	for _, id := range removed {
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.RemovePending(id, dropDeliveriesAtOnce) }); err != nil {
			return fmt.Errorf("remove deliveries: %w", err)
		}
	}
	return nil
}

// checkWebhook refuses what no webhook can be, and writes the same in one way.
func (s *Service) checkWebhook(w *store.Webhook) error {
	if err := s.guard.checkURL(w.URL); err != nil {
		return err
	}
	known := s.cfg.Dialects[w.Dialect].Events
	if len(w.Events) == 0 {
		return Invalid("events", "The 'events' field must name at least one of %s.", strings.Join(known, ", "))
	}
	for _, e := range w.Events {
		if !slices.Contains(known, e) {
			return Invalid("events", "The 'events' field may name only %s.", strings.Join(known, ", "))
		}
	}
	var once []string
	for _, e := range w.Events {
		if !slices.Contains(once, e) {
			once = append(once, e)
		}
	}
	w.Events = once
	return checkPreset(w)
}

// checkPreset refuses a way to try again that there is not, and writes the usual one in one
// way.
func checkPreset(w *store.Webhook) error {
	if w.RetryPreset == usualPreset {
		w.RetryPreset = ""
	}
	if _, known := presets[w.RetryPreset]; !known && w.RetryPreset != "" {
		return Invalid("retry_preset", "The 'retry_preset' field must be one of %s.", strings.Join(retryPresets(), ", "))
	}
	return nil
}

// ownNumber refuses a webhook for the number of a line that the account does not have.
func ownNumber(tx *store.Tx, w store.Webhook) error {
	if w.PhoneNumber == "" {
		return nil
	}
	line, err := tx.LineByNumber(tx.Context(), w.PhoneNumber)
	if errors.Is(err, store.ErrNotFound) || err == nil && line.AccountID != w.AccountID {
		return Invalid("phone_number", "The 'phone_number' field must be one of this team's numbers.")
	}
	return err
}

func webhookExists(err error) error {
	if errors.Is(err, store.ErrExists) {
		return &Error{Code: Conflict, Message: "There is a webhook with this URL already.", Param: "url"}
	}
	if err != nil {
		return fmt.Errorf("store a webhook: %w", err)
	}
	return nil
}
