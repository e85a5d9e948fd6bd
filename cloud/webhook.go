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
	if err := s.checkWebhook(ctx, &w); err != nil {
		return store.Webhook{}, err
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := receiptsAllowed(tx, w, nil); err != nil {
			return err
		}
		return tx.CreateWebhook(w)
	})
	return w, webhookExists(err)
}

// UpdateWebhook writes URL, Events, PhoneNumber, Active and RetryPreset of w and returns it as it
// is then. One that is switched on begins anew: how it failed before is forgotten, and
// what waits goes out.
func (s *Service) UpdateWebhook(ctx context.Context, w store.Webhook) (store.Webhook, error) {
	if err := s.checkWebhook(ctx, &w); err != nil {
		return w, err
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.Webhook(tx.Context(), w.AccountID, w.ID)
		if err != nil {
			return err
		}
		if err := receiptsAllowed(tx, w, old.Events); err != nil {
			return err
		}
		w.FailingSince, w.Exhausted, w.Disabled, w.DisabledAt = old.FailingSince, old.Exhausted, old.Disabled, old.DisabledAt
		if w.Active && !old.Active {
			w.FailingSince, w.Exhausted, w.Disabled, w.DisabledAt = 0, 0, "", 0
		}
		return errors.Join(tx.UpdateWebhook(w), tx.SetWebhookHealth(w))
	})
	s.dispatch.ring()
	return w, webhookExists(err)
}

// DeleteWebhook removes a webhook.
func (s *Service) DeleteWebhook(ctx context.Context, p Principal, id string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteWebhook(p.Account.ID, id) })
}

func (s *Service) checkWebhook(ctx context.Context, w *store.Webhook) error {
	if err := (guard{s.cfg.WebhookAllow}).checkURL(w.URL); err != nil {
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
	if w.RetryPreset == usualPreset {
		w.RetryPreset = ""
	}
	if _, known := presets[w.RetryPreset]; !known && w.RetryPreset != "" {
		return Invalid("retry_preset", "The 'retry_preset' field must be one of %s.", strings.Join(retryPresets(), ", "))
	}
	if w.PhoneNumber == "" {
		return nil
	}
	line, err := s.store.LineByNumber(ctx, w.PhoneNumber)
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
