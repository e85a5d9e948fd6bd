package cloud

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"bluerelay/cloud/store"
)

// The events about webhooks.
const (
	disabledEvent = "webhook.disabled"
	testEvent     = "webhook.test" // comes only to the webhook that is tested
)

// judge notes what an attempt says of its webhook. One that does nothing but fail is
// switched off after a while, and one that answers 410 at once; the other
// webhooks of the account are told, where they ask for it. Events are recorded for it
// all the same: what waits goes out when it is switched on again.
func (s *Service) judge(tx *store.Tx, one store.Delivery, now time.Time) error {
	hook, err := tx.Webhook(tx.Context(), one.AccountID, one.WebhookID)
	if err != nil {
		return err
	}
	if one.State == store.DeliveryDone {
		if hook.FailingSince == 0 {
			return nil
		}
		hook.FailingSince, hook.Exhausted = 0, 0
		return tx.SetWebhookHealth(hook)
	}
	if hook.Kind == store.KindCallback {
		return nil // a host is not judged by one of its addresses
	}
	first, givenUp := hook.FailingSince == 0, one.State == store.DeliveryFailed
	if first {
		hook.FailingSince = now.UnixMilli()
	}
	if givenUp {
		hook.Exhausted++
	}
	switch {
	case !hook.Active:
		return nil // somebody has switched it off meanwhile
	case one.Response == http.StatusGone:
		hook.Disabled = store.DisabledGone
	case s.hopeless(hook, now):
		hook.Disabled = store.DisabledFailing
	case first || givenUp:
		return tx.SetWebhookHealth(hook)
	default:
		return nil
	}
	hook.Active, hook.DisabledAt = false, now.UnixMilli()
	if err := tx.SetWebhookHealth(hook); err != nil {
		return err
	}
	s.log.Warn("webhook.disabled", "webhook", hook.ID, "reason", hook.Disabled)
	tx.OnCommit(func() { s.metrics.hookDisabled.WithLabelValues(hook.Disabled).Inc() })
	e := store.Event{AccountID: hook.AccountID, Type: disabledEvent, Detail: hook.Disabled, Webhook: &hook, CreatedAt: now.UnixMilli()}
	return s.publish(tx, e, store.Message{}, func(w store.Webhook) bool { return w.ID != hook.ID && slices.Contains(w.Events, disabledEvent) })
}

// RotateSecret gives a webhook a new secret and returns it with it. The former one
// signs too for Config.SecretOverlap; one before that no longer does.
func (s *Service) RotateSecret(ctx context.Context, w store.Webhook) (store.Webhook, error) {
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if w, err = tx.Webhook(tx.Context(), w.AccountID, w.ID); err != nil {
			return err
		}
		w.OldSecret, w.OldSecretUntil = w.Secret, time.Now().Add(s.cfg.SecretOverlap).UnixMilli()
		w.Secret = newWebhookSecret()
		return tx.SetWebhookSecret(w)
	})
	return w, err
}

// TestWebhook records a test event, which goes to that webhook alone, by the ordinary
// way, and returns its delivery.
func (s *Service) TestWebhook(ctx context.Context, w store.Webhook) (store.Delivery, error) {
	var made store.Delivery
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		e := store.Event{ID: newID("evt_"), AccountID: w.AccountID, Type: testEvent, Detail: w.ID, Webhook: &w, CreatedAt: time.Now().UnixMilli()}
		if err := s.publish(tx, e, store.Message{}, func(other store.Webhook) bool { return other.ID == w.ID }); err != nil {
			return err
		}
		var err error
		made, err = tx.DeliveryOf(tx.Context(), w.ID, e.ID) // not there where the webhook was removed meanwhile
		return err
	})
	s.dispatch.ring()
	return made, err
}

// Deliveries returns a page of what was and is on its way to a webhook, newest first,
// beginning after the delivery with the id cursor, "" for the newest.
func (s *Service) Deliveries(ctx context.Context, w store.Webhook, cursor string, limit int) (list []store.Delivery, more bool, err error) {
	var before *store.Delivery
	if cursor != "" {
		d, err := s.store.Delivery(ctx, w.ID, cursor)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, Invalid("cursor", "The 'cursor' parameter must be the id of a delivery of this webhook.")
		}
		if err != nil {
			return nil, false, err
		}
		before = &d
	}
	list, err = s.store.Deliveries(ctx, w.ID, before, limit+1)
	return list[:min(len(list), limit)], len(list) > limit, err
}
