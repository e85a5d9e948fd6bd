package textingblue

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// Dialect is what package cloud needs to tell this API's webhooks. The first four
// events are the vendor's; the others come only to those who ask for them.
func Dialect() cloud.Dialect {
	return cloud.Dialect{
		Events: []string{"message.received", "message.sent", "message.delivered", "message.failed", "message.read", "message.unknown", "message.updated", "message.tapback",
			"group.updated", "relay.online", "relay.offline", "relay.ready", "relay.attention", "line.paused", "line.resumed", "webhook.disabled"},
		Body: eventBody,
		Sign: sign,
	}
}

// event is the body of a webhook.
type event struct {
	ID        string  `json:"id"`
	Type      string  `json:"type"`
	Timestamp *string `json:"timestamp"`
	Change    string  `json:"change,omitempty"` // of message.updated: edited, unsent, chat, text, media or replaced
	Test      bool    `json:"test,omitempty"`   // of webhook.test
	Data      any     `json:"data"`
}

// tapback is the data of message.tapback.
type tapback struct {
	ID        string  `json:"id"`
	MessageID string  `json:"message_id"`
	From      string  `json:"from"`
	Kind      string  `json:"kind"`
	Emoji     string  `json:"emoji,omitempty"`
	Part      *int    `json:"part,omitempty"` // of the message, where it has several
	Removed   bool    `json:"removed"`
	CreatedAt *string `json:"created_at"`
}

func renderTapback(t store.Tapback) tapback {
	out := tapback{ID: t.ID, MessageID: t.MessageID, From: t.From, Kind: t.Kind, Emoji: t.Emoji, Removed: t.Removed, CreatedAt: stamp(t.MadeAt)}
	if t.Part >= 0 {
		out.Part = &t.Part
	}
	return out
}

// receivedMessage is the data of message.received.
type receivedMessage struct {
	ID         string  `json:"id"`
	From       string  `json:"from"`
	To         string  `json:"to"`
	Content    string  `json:"content"`
	MediaURL   *string `json:"media_url"`
	ReceivedAt *string `json:"received_at"`
	extras
}

// eventBody renders everything but what becomes of asides: here they are parts of their
// messages, and tapbacks are events of their own.
func eventBody(e store.Event, m store.Message) (string, error) {
	if m.Aside {
		return "", nil
	}
	out := event{ID: e.ID, Type: e.Type, Timestamp: stamp(e.CreatedAt)}
	if e.Tapback != nil {
		out.Data = renderTapback(*e.Tapback)
		body, err := cloud.JSON(out)
		return string(body), err
	}
	if e.Webhook != nil {
		out.Test = e.Type == "webhook.test"
		out.Data = renderWebhook(*e.Webhook)
		body, err := cloud.JSON(out)
		return string(body), err
	}
	if e.Line != nil {
		out.Data = renderOther(e)
		body, err := cloud.JSON(out)
		return string(body), err
	}
	if e.Type == "message.updated" {
		out.Change = e.Detail
	}
	if m.Direction == store.Inbound {
		out.Data = receivedMessage{
			ID: m.ID, From: m.From, To: m.To, Content: m.Content, MediaURL: text(m.MediaURL), ReceivedAt: stamp(m.CreatedAt), extras: renderExtras(m),
		}
	} else {
		out.Data = renderFull(m)
	}
	body, err := cloud.JSON(out)
	return string(body), err
}

// sign sets the vendor's two headers. Its key is the whole secret, prefix included.
func sign(h http.Header, w store.Webhook, d store.Delivery) {
	mac := hmac.New(sha256.New, []byte(w.Secret))
	mac.Write([]byte(d.Body))
	h.Set("x-textingblue-signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	h.Set("x-textingblue-event", d.EventType)
}

// webhook is what may always be shown.
type webhook struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	PhoneNumber *string  `json:"phone_number"`
	Secret      string   `json:"secret,omitempty"` // only in the answer that makes it
	Active      bool     `json:"active"`
	CreatedAt   *string  `json:"created_at"`
	// Our own keys: how deliveries are tried again where that is not as usual, why the
	// server has switched it off, failing or gone, and until when the former secret signs
	// too.
	RetryPreset        string  `json:"retry_preset,omitempty"`
	DisabledReason     string  `json:"disabled_reason,omitempty"`
	DisabledAt         *string `json:"disabled_at,omitempty"`
	OldSecretExpiresAt *string `json:"old_secret_expires_at,omitempty"`
}

func renderWebhook(w store.Webhook) webhook {
	out := webhook{
		ID: w.ID, URL: w.URL, Events: w.Events, PhoneNumber: text(w.PhoneNumber), Active: w.Active, CreatedAt: stamp(w.CreatedAt),
		RetryPreset: w.RetryPreset, DisabledReason: w.Disabled, DisabledAt: stamp(w.DisabledAt),
	}
	if w.OldSecretUntil > time.Now().UnixMilli() {
		out.OldSecretExpiresAt = stamp(w.OldSecretUntil)
	}
	return out
}

func (a *API) listWebhooks(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Webhooks(ctx, c.who, store.TextingBlue)
	if err != nil {
		return reply{}, err
	}
	out := make([]webhook, len(list))
	for i, w := range list {
		out[i] = renderWebhook(w)
	}
	return reply{http.StatusOK, map[string]any{"webhooks": out}}, nil
}

func (a *API) getWebhook(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderWebhook(w)}, nil
}

// ownWebhook is the webhook that the path names, of this dialect.
func (a *API) ownWebhook(ctx context.Context, c call) (store.Webhook, error) {
	w, err := a.cloud.Webhook(ctx, c.who, c.PathValue("id"))
	if err == nil && w.Dialect != store.TextingBlue {
		err = store.ErrNotFound
	}
	return w, err
}

// webhookChange reads what a request says of a webhook.
func (c call) webhookChange() (w cloud.WebhookChange, err error) {
	f, err := c.object()
	if err != nil {
		return w, err
	}
	if w.URL, err = f.optional("url"); err != nil {
		return w, err
	}
	if w.Events, err = f.list("events", nil); err != nil {
		return w, err
	}
	for _, field := range []struct {
		name string
		into **string
	}{{"phone_number", &w.PhoneNumber}, {"retry_preset", &w.RetryPreset}} {
		if _, said := f[field.name]; said { // null means every number, and the usual preset
			s, err := f.text(field.name)
			if err != nil {
				return w, err
			}
			*field.into = &s
		}
	}
	if f.has("active") {
		active, err := f.flag("active", false)
		if err != nil {
			return w, err
		}
		w.Active = &active
	}
	return w, nil
}

func (a *API) createWebhook(ctx context.Context, c call) (reply, error) {
	change, err := c.webhookChange()
	if err != nil {
		return reply{}, err
	}
	w := store.Webhook{Dialect: store.TextingBlue, Active: true}
	change.Apply(&w)
	w, err = a.cloud.CreateWebhook(ctx, c.who, w)
	if err != nil {
		return reply{}, err
	}
	out := renderWebhook(w)
	out.Secret = w.Secret
	return reply{http.StatusCreated, out}, nil
}

func (a *API) updateWebhook(ctx context.Context, c call) (reply, error) {
	change, err := c.webhookChange()
	if err != nil {
		return reply{}, err
	}
	w, err := a.cloud.UpdateWebhook(ctx, c.who, store.TextingBlue, c.PathValue("id"), change)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderWebhook(w)}, nil
}

func (a *API) deleteWebhook(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	if err := a.cloud.DeleteWebhook(ctx, c.who, w.ID); err != nil {
		return reply{}, err
	}
	return deleted(w.ID), nil
}
