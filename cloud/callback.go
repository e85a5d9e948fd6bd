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
	err := guard{s.cfg.WebhookAllow}.checkURL(out.Callback)
	if e, ok := errors.AsType[*Error](err); ok {
		return Invalid("status_callback", "%s", strings.ReplaceAll(e.Message, "'url'", "'status_callback'"))
	}
	return err
}

// keepCallback writes down where the outcome of a new message is told.
func (s *Service) keepCallback(tx *store.Tx, m store.Message, out Outgoing, now time.Time) error {
	if out.Callback == "" {
		return nil
	}
	u, err := url.Parse(out.Callback)
	if err != nil {
		return err
	}
	host := u.Scheme + "://" + strings.ToLower(u.Host)
	hook, err := tx.CallbackHost(tx.Context(), m.AccountID, out.Dialect, host)
	if errors.Is(err, store.ErrNotFound) {
		hook = store.Webhook{
			ID: newID("wh_"), AccountID: m.AccountID, Dialect: out.Dialect, URL: host, Events: s.cfg.Dialects[out.Dialect].Outcomes,
			Active: true, Kind: store.KindCallback, CreatedAt: now.UnixMilli(),
		}
		err = tx.CreateWebhook(hook)
	}
	if err != nil {
		return fmt.Errorf("find the host of a callback: %w", err)
	}
	return tx.CreateCallback(store.Callback{MessageID: m.ID, WebhookID: hook.ID, URL: out.Callback})
}

// callBack records the delivery of an event to its message's own callback.
func (s *Service) callBack(tx *store.Tx, e store.Event, m store.Message, bodies map[string]string) error {
	if m.Direction != store.Outbound || m.Origin == store.OriginDevice {
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
	if err != nil {
		return fmt.Errorf("find the host of a callback: %w", err)
	}
	if bodies[hook.Dialect] == "" || !slices.Contains(hook.Events, e.Type) {
		return nil
	}
	d := newDelivery(e, hook, bodies[hook.Dialect])
	d.URL = to.URL
	return tx.CreateDelivery(d)
}
