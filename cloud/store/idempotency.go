package store

import "context"

// Remembered is the answer to a request that must have its effect once.
type Remembered struct {
	AccountID   string
	Key         string
	Fingerprint string // of what the request said
	Status      int
	Body        string
	CreatedAt   int64 // Unix ms
}

// Remember keeps the answer to a request, or returns ErrExists where the account has
// used the key.
func (tx *Tx) Remember(a Remembered) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO idempotency (account_id, key, fingerprint, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
		a.AccountID, a.Key, a.Fingerprint, a.Status, a.Body, a.CreatedAt)
	return err
}

// Remembered returns the answer that an account got under a key, or ErrNotFound.
func (r reader) Remembered(ctx context.Context, accountID, key string) (Remembered, error) {
	a := Remembered{AccountID: accountID, Key: key}
	err := r.stmts.row(ctx, "SELECT fingerprint, status, body, created_at FROM idempotency WHERE account_id = $1 AND key = $2", accountID, key).
		Scan(&a.Fingerprint, &a.Status, &a.Body, &a.CreatedAt)
	return a, err
}

// OldestRemembered is when the oldest answer was kept, 0 where there is none.
func (r reader) OldestRemembered(ctx context.Context) (at int64, err error) {
	err = r.stmts.row(ctx, "SELECT COALESCE(MIN(created_at), 0) FROM idempotency").Scan(&at)
	return at, err
}

// Forget removes answers that were kept before a time, at most limit at once.
func (tx *Tx) Forget(before int64, limit int) error {
	_, err := tx.stmts.exec(tx.ctx, "DELETE FROM idempotency WHERE (account_id, key) IN (SELECT account_id, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)", before, limit)
	return err
}
