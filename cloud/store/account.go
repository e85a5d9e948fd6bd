package store

import "context"

// Account is one customer: everything else belongs to one.
type Account struct {
	ID        string
	Name      string
	Email     string
	Plan      string
	CreatedAt int64 // Unix ms
	// TestOf is the id of the account whose test keys work on this one; "" for an
	// ordinary account.
	TestOf string
	Limits
}

// Limits are what an account's plan allows. 0 is no limit.
type Limits struct {
	RequestsPerMinute int64 // for each key
	MessagesPerMinute int64 // outbound ones, in any 60 seconds
	MonthlyMessages   int64 // outbound ones in a calendar month (UTC)
	Numbers           int64 // lines in use
	Members           int64 // people, and invitations that are open
	NoMedia           bool  // files may not be sent
	NoReceipts        bool  // webhooks may not ask for message.delivered
}

const accountColumns = "id, name, email, plan, created_at, test_of, requests_per_minute, messages_per_minute, monthly_messages, max_numbers, max_members, no_media, no_receipts"

func scanAccount(r scanner) (a Account, err error) {
	err = r.Scan(a.places()...)
	return a, err
}

// places are where the columns of an account go.
func (a *Account) places() []any {
	return []any{&a.ID, &a.Name, &a.Email, &a.Plan, &a.CreatedAt, &a.TestOf, &a.RequestsPerMinute, &a.MessagesPerMinute, &a.MonthlyMessages,
		&a.Numbers, &a.Members, &a.NoMedia, &a.NoReceipts}
}

// CreateAccount adds an account.
func (tx *Tx) CreateAccount(a Account) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO accounts ("+accountColumns+", message_seq, event_seq, ordinal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM accounts))",
		a.ID, a.Name, a.Email, a.Plan, a.CreatedAt, a.TestOf, a.RequestsPerMinute, a.MessagesPerMinute, a.MonthlyMessages,
		a.Numbers, a.Members, flag(a.NoMedia), flag(a.NoReceipts))
	return err
}

// UpdateAccount changes name, plan and limits of an account.
func (tx *Tx) UpdateAccount(a Account) error {
	return tx.one(`UPDATE accounts SET name = $1, plan = $2, requests_per_minute = $3, messages_per_minute = $4, monthly_messages = $5,
		max_numbers = $6, max_members = $7, no_media = $8, no_receipts = $9 WHERE id = $10`,
		a.Name, a.Plan, a.RequestsPerMinute, a.MessagesPerMinute, a.MonthlyMessages, a.Numbers, a.Members, flag(a.NoMedia), flag(a.NoReceipts), a.ID)
}

// Account returns one account, or ErrNotFound.
func (r reader) Account(ctx context.Context, id string) (Account, error) {
	return scanAccount(r.stmts.row(ctx, "SELECT "+accountColumns+" FROM accounts WHERE id = $1", id))
}

// TestAccount returns the account that the test keys of another one work on, or
// ErrNotFound.
func (r reader) TestAccount(ctx context.Context, id string) (Account, error) {
	return scanAccount(r.stmts.row(ctx, "SELECT "+accountColumns+" FROM accounts WHERE test_of = $1 AND test_of <> ''", id))
}

// BusyTestAccounts returns the ids of the accounts of test keys that have messages on
// their way.
func (r reader) BusyTestAccounts(ctx context.Context) ([]string, error) {
	return collect(ctx, r, func(r scanner) (id string, err error) { err = r.Scan(&id); return id, err }, `SELECT a.id FROM accounts AS a WHERE a.test_of <> ''
		AND EXISTS (SELECT 1 FROM lines AS l JOIN messages AS m ON m.line_id = l.id AND m.status IN ('queued', 'accepted', 'sending') WHERE l.account_id = a.id) ORDER BY a.id`)
}

// Accounts returns all accounts, also those of test keys, oldest first.
func (r reader) Accounts(ctx context.Context) ([]Account, error) {
	return collect(ctx, r, scanAccount, "SELECT "+accountColumns+" FROM accounts ORDER BY created_at, id")
}

// one runs a statement that must change exactly one row, or returns ErrNotFound.
func (tx *Tx) one(query string, args ...any) error {
	res, err := tx.stmts.exec(tx.ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
