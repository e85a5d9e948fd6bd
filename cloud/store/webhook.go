package store

import (
	"context"
	"fmt"
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
}

const webhookColumns = "id, account_id, dialect, url, events, phone_number, secret, active, created_at"

func scanWebhook(r scanner) (w Webhook, err error) {
	var events string
	err = r.Scan(&w.ID, &w.AccountID, &w.Dialect, &w.URL, &events, &w.PhoneNumber, &w.Secret, &w.Active, &w.CreatedAt)
	w.Events = strings.Fields(events)
	return w, err
}

// CreateWebhook adds a webhook, or returns ErrExists for a URL that the account has
// in that dialect.
func (tx *Tx) CreateWebhook(w Webhook) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO webhooks ("+webhookColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		w.ID, w.AccountID, w.Dialect, w.URL, strings.Join(w.Events, " "), w.PhoneNumber, w.Secret, flag(w.Active), w.CreatedAt)
	return err
}

// UpdateWebhook writes URL, events, number and activity.
func (tx *Tx) UpdateWebhook(w Webhook) error {
	return tx.one("UPDATE webhooks SET url = $1, events = $2, phone_number = $3, active = $4 WHERE id = $5 AND account_id = $6",
		w.URL, strings.Join(w.Events, " "), w.PhoneNumber, flag(w.Active), w.ID, w.AccountID)
}

// DeleteWebhook removes a webhook; what is on its way to it is dropped.
func (tx *Tx) DeleteWebhook(accountID, id string) error {
	if err := tx.one("DELETE FROM webhooks WHERE id = $1 AND account_id = $2", id, accountID); err != nil {
		return err
	}
	_, err := tx.stmts.exec(tx.ctx, "DELETE FROM deliveries WHERE webhook_id = $1 AND state = 'pending'", id)
	return err
}

// Webhook returns one webhook of an account, or ErrNotFound.
func (r reader) Webhook(ctx context.Context, accountID, id string) (Webhook, error) {
	return scanWebhook(r.stmts.row(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE id = $1 AND account_id = $2", id, accountID))
}

// Webhooks returns the webhooks of an account in one dialect, or in all with "",
// oldest first.
func (r reader) Webhooks(ctx context.Context, accountID, dialect string) ([]Webhook, error) {
	return collect(ctx, r, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks WHERE account_id = $1 AND ($2 = '' OR dialect = $2) ORDER BY created_at, id", accountID, dialect)
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
}

// The states of a delivery.
const (
	DeliveryPending = "pending"
	DeliveryDone    = "done"
	DeliveryFailed  = "failed" // given up
)

const deliveryColumns = "id, account_id, webhook_id, event_id, event_type, body, state, attempt, due_at, response, problem, created_at, updated_at"

func scanDelivery(r scanner) (d Delivery, err error) {
	err = r.Scan(&d.ID, &d.AccountID, &d.WebhookID, &d.EventID, &d.EventType, &d.Body, &d.State, &d.Attempt, &d.DueAt, &d.Response, &d.Problem, &d.CreatedAt, &d.UpdatedAt)
	return d, err
}

// CreateDelivery adds a delivery.
func (tx *Tx) CreateDelivery(d Delivery) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO deliveries ("+deliveryColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		d.ID, d.AccountID, d.WebhookID, d.EventID, d.EventType, d.Body, d.State, d.Attempt, d.DueAt, d.Response, d.Problem, d.CreatedAt, d.UpdatedAt)
	return err
}

// FinishDelivery writes how an attempt went.
func (tx *Tx) FinishDelivery(d Delivery) error {
	return tx.one("UPDATE deliveries SET state = $1, attempt = $2, due_at = $3, response = $4, problem = $5, updated_at = $6 WHERE id = $7",
		d.State, d.Attempt, d.DueAt, d.Response, d.Problem, d.UpdatedAt, d.ID)
}

// DueDeliveries returns pending deliveries whose time has come, oldest first, of
// webhooks that are active and not among except.
func (r reader) DueDeliveries(ctx context.Context, now int64, limit int, except ...string) ([]Delivery, error) {
	args := []any{now, limit}
	var busy strings.Builder
	for _, id := range except {
		args = append(args, id)
		fmt.Fprintf(&busy, ", $%d", len(args))
	}
	return collect(ctx, r, scanDelivery, "SELECT "+prefixed("d.", deliveryColumns)+` FROM deliveries AS d JOIN webhooks AS w ON w.id = d.webhook_id
		WHERE d.state = 'pending' AND d.due_at <= $1 AND w.active = 1 AND w.id NOT IN (''`+busy.String()+`) ORDER BY d.due_at LIMIT $2`, args...)
}

// Deliveries returns what was and is on its way to a webhook, newest first.
func (r reader) Deliveries(ctx context.Context, webhookID string, limit int) ([]Delivery, error) {
	return collect(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2", webhookID, limit)
}

func prefixed(prefix, columns string) string {
	return prefix + strings.ReplaceAll(columns, ", ", ", "+prefix)
}
