package store

import "context"

// Callback is where one message's outcome is told, beside the webhooks.
type Callback struct {
	MessageID string
	WebhookID string // the webhook of KindCallback that stands for its host
	URL       string
}

// CreateCallback adds the callback of a message.
func (tx *Tx) CreateCallback(c Callback) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO callbacks (message_id, webhook_id, url) VALUES ($1, $2, $3)", c.MessageID, c.WebhookID, c.URL)
	return err
}

// Callback returns the callback of a message, or ErrNotFound where it has none.
func (r reader) Callback(ctx context.Context, messageID string) (Callback, error) {
	c := Callback{MessageID: messageID}
	err := r.stmts.row(ctx, "SELECT webhook_id, url FROM callbacks WHERE message_id = $1", messageID).Scan(&c.WebhookID, &c.URL)
	return c, err
}

// CallbackHost returns the webhook that stands for a host, or ErrNotFound.
func (r reader) CallbackHost(ctx context.Context, accountID, dialect, host string) (Webhook, error) {
	return scanWebhook(r.stmts.row(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE account_id = $1 AND dialect = $2 AND kind = 'callback' AND url = $3", accountID, dialect, host))
}

// UseCallbackHost notes that a message names a host: its CreatedAt is when one did last.
func (tx *Tx) UseCallbackHost(id string, now int64) error {
	return tx.one("UPDATE webhooks SET created_at = $1 WHERE id = $2 AND kind = 'callback'", now, id)
}

// CountCallbackHosts counts the hosts that the callbacks of an account's messages are at.
func (r reader) CountCallbackHosts(ctx context.Context, accountID, dialect string) (int64, error) {
	return scanInt(r.stmts.row(ctx, "SELECT COUNT(*) FROM webhooks WHERE account_id = $1 AND dialect = $2 AND kind = 'callback'", accountID, dialect))
}

// ForgetCallbackHosts removes those that no message has named since a time, and says how
// many: what becomes of messages that named them is told to nobody any more.
func (tx *Tx) ForgetCallbackHosts(accountID, dialect string, since int64) (int64, error) {
	const which = "FROM webhooks WHERE account_id = $1 AND dialect = $2 AND kind = 'callback' AND created_at < $3"
	if _, err := tx.stmts.exec(tx.ctx, "INSERT INTO removed_webhooks (id) SELECT id "+which, accountID, dialect, since); err != nil {
		return 0, err
	}
	res, err := tx.stmts.exec(tx.ctx, "DELETE "+which, accountID, dialect, since)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// GivenSecret is the secret that an account has chosen for its webhooks without one of
// their own, "" for none.
func (r reader) GivenSecret(ctx context.Context, accountID string) (secret string, err error) {
	err = r.stmts.row(ctx, "SELECT given_secret FROM accounts WHERE id = $1", accountID).Scan(&secret)
	return secret, err
}

// SetGivenSecret changes that secret.
func (tx *Tx) SetGivenSecret(accountID, secret string) error {
	return tx.one("UPDATE accounts SET given_secret = $1 WHERE id = $2", secret, accountID)
}
