package store

import "context"

// Account is one customer: everything else belongs to one.
type Account struct {
	ID                string
	Name              string
	Email             string
	Plan              string
	MonthlyMessages   int64 // outbound messages a calendar month (UTC); 0 for no limit
	RequestsPerMinute int64 // for each key; 0 for no limit
	CreatedAt         int64 // Unix ms
	// TestOf is the id of the account whose test keys work on this one; "" for an
	// ordinary account.
	TestOf string
}

// Member is a person who may log in.
type Member struct {
	ID           string
	AccountID    string
	Login        string
	Name         string
	Role         string // owner, admin, member or viewer
	PasswordHash string
	CreatedAt    int64 // Unix ms
}

const accountColumns = "id, name, email, plan, monthly_messages, requests_per_minute, created_at, test_of"

func scanAccount(r scanner) (a Account, err error) {
	err = r.Scan(&a.ID, &a.Name, &a.Email, &a.Plan, &a.MonthlyMessages, &a.RequestsPerMinute, &a.CreatedAt, &a.TestOf)
	return a, err
}

// CreateAccount adds an account.
func (tx *Tx) CreateAccount(a Account) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO accounts ("+accountColumns+", message_seq, event_seq, ordinal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM accounts))",
		a.ID, a.Name, a.Email, a.Plan, a.MonthlyMessages, a.RequestsPerMinute, a.CreatedAt, a.TestOf)
	return err
}

// UpdateAccount changes plan and limits of an account.
func (tx *Tx) UpdateAccount(a Account) error {
	return tx.one("UPDATE accounts SET plan = $1, monthly_messages = $2, requests_per_minute = $3 WHERE id = $4",
		a.Plan, a.MonthlyMessages, a.RequestsPerMinute, a.ID)
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

// CreateMember adds a person, or returns ErrExists for a login that is taken.
func (tx *Tx) CreateMember(m Member) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO members (id, account_id, login, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		m.ID, m.AccountID, m.Login, m.Name, m.Role, m.PasswordHash, m.CreatedAt)
	return err
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
