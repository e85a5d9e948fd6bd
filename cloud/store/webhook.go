package store

import (
	"context"
	"strings"
)

// Webhook is an address that wants to hear of events.
type Webhook struct {
	ID          string
	AccountID   string
	Dialect     string
	URL         string
	Events      []string
	PhoneNumber string // "" for every line
	Secret      string
	Active      bool
	CreatedAt   int64 // Unix ms

	OldSecret      string // signs too, "" for none
	OldSecretUntil int64  // Unix ms
	FailingSince   int64  // Unix ms, of the first failure after the last success, 0 for none
	Disabled       string // why the server switched it off: DisabledFailing or DisabledGone, "" if it did not
	DisabledAt     int64  // Unix ms
	RetryPreset    string // how deliveries are tried again: "" as usual, or the name of a preset
	Exhausted      int    // deliveries that were given up since the last success

	// Kind is the vendor's own type, or KindCallback; "" where the events are chosen one
	// by one.
	Kind        string
	Numbers     []string // of the lines that it hears of, nil for every line
	GivenSecret string   // chosen by the customer and shown to the receiver as it is
}

// KindCallback is the kind of a webhook that stands for a host to which the outcomes of
// single messages are told. It is in no list.
const KindCallback = "callback"

// Why a webhook was switched off.
const (
	DisabledFailing = "failing" // nothing but failures for days
	DisabledGone    = "gone"    // it answered 410
)

// Same tells whether two webhooks of one account and dialect are one: by kind and URL.
func (w Webhook) Same(other Webhook) bool { return w.Kind == other.Kind && w.URL == other.URL }

const webhookColumns = "id, account_id, dialect, url, events, phone_number, secret, active, created_at, old_secret, old_secret_until, failing_since, disabled, disabled_at, retry_preset, exhausted, kind, numbers, given_secret"

func scanWebhook(r scanner) (w Webhook, err error) {
	var events, numbers string
	err = r.Scan(&w.ID, &w.AccountID, &w.Dialect, &w.URL, &events, &w.PhoneNumber, &w.Secret, &w.Active, &w.CreatedAt, &w.OldSecret, &w.OldSecretUntil, &w.FailingSince, &w.Disabled, &w.DisabledAt,
		&w.RetryPreset, &w.Exhausted, &w.Kind, &numbers, &w.GivenSecret)
	w.Events = strings.Fields(events)
	if numbers != "" {
		w.Numbers = strings.Fields(numbers)
	}
	return w, err
}

// CreateWebhook adds a webhook, or returns ErrExists for a URL that the account has
// in that dialect and kind.
func (tx *Tx) CreateWebhook(w Webhook) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO webhooks ("+webhookColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		w.ID, w.AccountID, w.Dialect, w.URL, strings.Join(w.Events, " "), w.PhoneNumber, w.Secret, flag(w.Active), w.CreatedAt,
		w.OldSecret, w.OldSecretUntil, w.FailingSince, w.Disabled, w.DisabledAt, w.RetryPreset, w.Exhausted, w.Kind, strings.Join(w.Numbers, " "), w.GivenSecret)
	return err
}

// UpdateWebhook writes URL, events, numbers, given secret, activity and preset.
func (tx *Tx) UpdateWebhook(w Webhook) error {
	return tx.one("UPDATE webhooks SET url = $1, events = $2, phone_number = $3, active = $4, retry_preset = $5, numbers = $6, given_secret = $7 WHERE id = $8 AND account_id = $9",
		w.URL, strings.Join(w.Events, " "), w.PhoneNumber, flag(w.Active), w.RetryPreset, strings.Join(w.Numbers, " "), w.GivenSecret, w.ID, w.AccountID)
}

// SetWebhookHealth writes activity, and how long, how often and why it fails.
func (tx *Tx) SetWebhookHealth(w Webhook) error {
	return tx.one("UPDATE webhooks SET active = $1, failing_since = $2, disabled = $3, disabled_at = $4, exhausted = $5 WHERE id = $6 AND account_id = $7",
		flag(w.Active), w.FailingSince, w.Disabled, w.DisabledAt, w.Exhausted, w.ID, w.AccountID)
}

// SetWebhookSecret writes the secret, the one before it and how long that one signs.
func (tx *Tx) SetWebhookSecret(w Webhook) error {
	return tx.one("UPDATE webhooks SET secret = $1, old_secret = $2, old_secret_until = $3 WHERE id = $4 AND account_id = $5",
		w.Secret, w.OldSecret, w.OldSecretUntil, w.ID, w.AccountID)
}

// DeleteWebhook removes a webhook. What is on its way to it reaches nobody any more, and is
// left for RemovePending: it may be very much.
func (tx *Tx) DeleteWebhook(accountID, id string) error {
	if err := tx.one("DELETE FROM webhooks WHERE id = $1 AND account_id = $2", id, accountID); err != nil {
		return err
	}
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO removed_webhooks (id) VALUES ($1)", id)
	return err
}

// RemovedWebhooks returns webhooks that were removed, and deliveries to them perhaps not yet.
func (r reader) RemovedWebhooks(ctx context.Context, limit int) ([]string, error) {
	return collect(ctx, r, scanString, "SELECT id FROM removed_webhooks ORDER BY id LIMIT $1", limit)
}

// RemovePending takes away deliveries on their way to a webhook that was removed, at most
// limit, and forgets the webhook where those were the last.
func (tx *Tx) RemovePending(webhookID string, limit int64) error {
	res, err := tx.stmts.exec(tx.ctx, "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE webhook_id = $1 AND state = 'pending' LIMIT $2)", webhookID, limit)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == limit {
		return err
	}
	return tx.one("DELETE FROM removed_webhooks WHERE id = $1", webhookID)
}

// Webhook returns one webhook of an account, or ErrNotFound.
func (r reader) Webhook(ctx context.Context, accountID, id string) (Webhook, error) {
	return scanWebhook(r.stmts.row(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE id = $1 AND account_id = $2", id, accountID))
}

// Webhooks returns the webhooks of an account in one dialect, or in all with "",
// oldest first. Those for callbacks are not among them.
func (r reader) Webhooks(ctx context.Context, accountID, dialect string) ([]Webhook, error) {
	return collect(ctx, r, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks WHERE account_id = $1 AND ($2 = '' OR dialect = $2) AND kind <> 'callback' ORDER BY created_at, id", accountID, dialect)
}

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID        string
	AccountID string
	WebhookID string
	EventID   string
	EventType string
	Body      string // what is signed and sent, byte for byte
	State     string // DeliveryPending, DeliveryDone or DeliveryFailed
	Attempt   int    // attempts made
	DueAt     int64  // Unix ms
	Response  int    // HTTP status of the last attempt, 0 without one
	Problem   string // what kept the last attempt from an answer: a category, no address
	CreatedAt int64  // Unix ms
	UpdatedAt int64  // Unix ms
	Excerpt   string // the beginning of the last answer
	Kind      string // "" for what happened, KindReplay or KindTest for what was asked for
	URL       string // "" for the webhook's own
}

// What was not brought about by an event that just happened.
const (
	KindReplay = "replay"
	KindTest   = "test"
)

// The states of a delivery.
const (
	DeliveryPending = "pending"
	DeliveryDone    = "done"
	DeliveryFailed  = "failed" // given up
)

const deliveryColumns = "id, account_id, webhook_id, event_id, event_type, body, state, attempt, due_at, response, problem, created_at, updated_at, excerpt, kind, url"

func scanDelivery(r scanner) (d Delivery, err error) {
	err = r.Scan(&d.ID, &d.AccountID, &d.WebhookID, &d.EventID, &d.EventType, &d.Body, &d.State, &d.Attempt, &d.DueAt, &d.Response, &d.Problem, &d.CreatedAt, &d.UpdatedAt, &d.Excerpt, &d.Kind, &d.URL)
	return d, err
}

// CreateDelivery adds a delivery.
func (tx *Tx) CreateDelivery(d Delivery) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO deliveries ("+deliveryColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
		d.ID, d.AccountID, d.WebhookID, d.EventID, d.EventType, d.Body, d.State, d.Attempt, d.DueAt, d.Response, d.Problem, d.CreatedAt, d.UpdatedAt, d.Excerpt, d.Kind, d.URL)
	return err
}

// FinishDelivery writes how an attempt went.
func (tx *Tx) FinishDelivery(d Delivery) error {
	return tx.one("UPDATE deliveries SET state = $1, attempt = $2, due_at = $3, response = $4, problem = $5, updated_at = $6, excerpt = $7 WHERE id = $8",
		d.State, d.Attempt, d.DueAt, d.Response, d.Problem, d.UpdatedAt, d.Excerpt, d.ID)
}

// DueWebhook is an active webhook of which a delivery's time has come.
type DueWebhook struct {
	ID    string
	Owner string // its account; where that is one of test keys, the account that they were made for
}

// DueWebhooks returns those that there are, by id.
func (r reader) DueWebhooks(ctx context.Context, now int64) ([]DueWebhook, error) {
	return collect(ctx, r, func(r scanner) (w DueWebhook, err error) {
		err = r.Scan(&w.ID, &w.Owner)
		return w, err
	}, `SELECT w.id, CASE a.test_of WHEN '' THEN a.id ELSE a.test_of END FROM webhooks AS w JOIN accounts AS a ON a.id = w.account_id WHERE w.active = 1
		AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.due_at <= $1) ORDER BY w.id`, now)
}

// DueDeliveries returns a webhook's pending deliveries whose time has come, oldest
// first.
func (r reader) DueDeliveries(ctx context.Context, webhookID string, now int64, limit int) ([]Delivery, error) {
	return collect(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE webhook_id = $1 AND state = 'pending' AND due_at <= $2 ORDER BY due_at LIMIT $3", webhookID, now, limit)
}

// Delivery returns one delivery to a webhook, or ErrNotFound.
func (r reader) Delivery(ctx context.Context, webhookID, id string) (Delivery, error) {
	return scanDelivery(r.stmts.row(ctx, "SELECT "+deliveryColumns+" FROM deliveries WHERE id = $1 AND webhook_id = $2", id, webhookID))
}

// DeliveryOf returns the delivery of an event to a webhook, the first where it was sent
// again, or ErrNotFound.
func (r reader) DeliveryOf(ctx context.Context, webhookID, eventID string) (Delivery, error) {
	return scanDelivery(r.stmts.row(ctx, "SELECT "+deliveryColumns+" FROM deliveries WHERE event_id = $1 AND webhook_id = $2 ORDER BY created_at LIMIT 1", eventID, webhookID))
}

// Deliveries returns what was and is on its way to a webhook, newest first: those
// before one of them, or the newest with nil.
func (r reader) Deliveries(ctx context.Context, webhookID string, before *Delivery, limit int) ([]Delivery, error) {
	if before == nil {
		return collect(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2", webhookID, limit)
	}
	return collect(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE webhook_id = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4",
		webhookID, before.CreatedAt, before.ID, limit)
}
