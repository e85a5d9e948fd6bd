package cloud

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
)

// checkCallback refuses an address that no outcome can be told to. It resolves no name;
// the guard does the rest at the dial.
func (s *Service) checkCallback(out Outgoing) error {
	if out.Callback == "" {
		return nil
	}
	err := s.guard.checkURL(out.Callback)
	if e, ok := errors.AsType[*Error](err); ok {
		return Invalid("status_callback", "%s", strings.ReplaceAll(e.Message, "'url'", "'status_callback'"))
	}
	return err
}

// hostOf finds or makes the webhook that stands for the host of a message's callback; of one
// without a callback there is none.
func (s *Service) hostOf(tx *store.Tx, accountID string, out Outgoing, now time.Time) (store.Webhook, error) {
	if out.Callback == "" {
		return store.Webhook{}, nil
	}
	u, err := url.Parse(out.Callback)
	if err != nil {
		return store.Webhook{}, err
	}
	hook, err := s.callbackHost(tx, store.Webhook{
		AccountID: accountID, Dialect: out.Dialect, URL: u.Scheme + "://" + strings.ToLower(u.Host), Events: s.cfg.Dialects[out.Dialect].Outcomes,
		Active: true, Kind: store.KindCallback, CreatedAt: now.UnixMilli(),
	})
	if err != nil {
		return hook, fmt.Errorf("find the host of a callback: %w", err)
	}
	return hook, nil
}

// keepCallback writes down where the outcome of a new message is told.
func (o Outgoing) keepCallback(tx *store.Tx, m store.Message, host store.Webhook) error {
	if o.Callback == "" {
		return nil
	}
	return tx.CreateCallback(store.Callback{MessageID: m.ID, WebhookID: host.ID, URL: o.Callback})
}

// hostUsed is how exactly the last use of a callback's host is known.
const hostUsed = 24 * time.Hour

// callbackHost finds or makes the webhook that stands for a host. An account has at most
// maxWebhooks of them; for a new one, those that no message has named for as long as
// events are kept are forgotten.
func (s *Service) callbackHost(tx *store.Tx, w store.Webhook) (store.Webhook, error) {
	hook, err := tx.CallbackHost(tx.Context(), w.AccountID, w.Dialect, w.URL)
	if err == nil && w.CreatedAt-hook.CreatedAt >= hostUsed.Milliseconds() {
		err = tx.UseCallbackHost(hook.ID, w.CreatedAt)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return hook, err
	}
	n, err := tx.CountCallbackHosts(tx.Context(), w.AccountID, w.Dialect)
	if err != nil {
		return w, err
	}
	if n >= maxWebhooks {
		forgotten, err := tx.ForgetCallbackHosts(w.AccountID, w.Dialect, w.CreatedAt-s.cfg.EventLife.Milliseconds())
		if err != nil {
			return w, err
		}
		if n -= forgotten; n >= maxWebhooks {
			return w, Invalid("status_callback", "The 'status_callback' of an account's messages may be at %d hosts, and no more within %d days.", maxWebhooks, int(s.cfg.EventLife.Hours()/24))
		}
	}
	w.ID = newID("wh_")
	return w, tx.CreateWebhook(w)
}

// callBack records the delivery of an event to its message's own callback.
func (s *Service) callBack(tx *store.Tx, e store.Event, m store.Message, bodies map[string]string) error {
	if !ordered(m) {
		return nil
	}
	to, err := tx.Callback(tx.Context(), m.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find a callback: %w", err)
	}
	hook, err := tx.Webhook(tx.Context(), m.AccountID, to.WebhookID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // its host was forgotten
	}
	if err != nil {
		return fmt.Errorf("find the host of a callback: %w", err)
	}
	if bodies[hook.Dialect] == "" || withheld(e, hook) || !slices.Contains(hook.Events, e.Type) {
		return nil
	}
	d := newDelivery(e, hook, bodies[hook.Dialect])
	d.URL = to.URL
	return tx.CreateDelivery(d)
}
