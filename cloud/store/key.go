package store

import (
	"context"
	"strings"
)

// The dialects that keys and webhooks belong to.
const (
	TextingBlue = "texting_blue"
	Sendblue    = "sendblue"
)

// Key opens the API for an account. Of its secret only the SHA-256 is kept.
type Key struct {
	ID          string
	AccountID   string
	Dialect     string
	Shown       string // what may be shown: the beginning of the key, or the id of a pair
	SecretHash  string
	Permissions []string
	CreatedAt   int64 // Unix ms
	RevokedAt   int64 // Unix ms, 0 while it is good
}

const keyColumns = "id, account_id, dialect, shown, secret_hash, permissions, created_at, revoked_at"

func scanKey(r scanner) (k Key, err error) {
	var permissions string
	err = r.Scan(k.places(&permissions)...)
	k.Permissions = strings.Fields(permissions)
	return k, err
}

// places are where the columns of a key go.
func (k *Key) places(permissions *string) []any {
	return []any{&k.ID, &k.AccountID, &k.Dialect, &k.Shown, &k.SecretHash, permissions, &k.CreatedAt, &k.RevokedAt}
}

// CreateKey adds a key.
func (tx *Tx) CreateKey(k Key) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO keys ("+keyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		k.ID, k.AccountID, k.Dialect, k.Shown, k.SecretHash, strings.Join(k.Permissions, " "), k.CreatedAt, k.RevokedAt)
	return err
}

// RevokeKey ends a key at once, or returns ErrNotFound.
func (tx *Tx) RevokeKey(id string, at int64) error {
	return tx.one("UPDATE keys SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0", at, id)
}

// KeyByHash finds a key that is good by the hash of its secret, and its account, or
// returns ErrNotFound. A probe of an index with a digest tells nothing about the secret.
func (r reader) KeyByHash(ctx context.Context, hash string) (k Key, a Account, err error) {
	row := r.stmts.row(ctx, "SELECT "+qualified("k", keyColumns)+", "+qualified("a", accountColumns)+
		" FROM keys AS k JOIN accounts AS a ON a.id = k.account_id WHERE k.secret_hash = $1 AND k.revoked_at = 0", hash)
	var permissions string
	err = row.Scan(append(k.places(&permissions), a.places()...)...)
	k.Permissions = strings.Fields(permissions)
	return k, a, err
}

// qualified puts a table's name before each of its columns.
func qualified(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// Keys returns the keys of an account, or of all with "", oldest first.
func (r reader) Keys(ctx context.Context, accountID string) ([]Key, error) {
	return collect(ctx, r, scanKey, "SELECT "+keyColumns+" FROM keys WHERE $1 = '' OR account_id = $1 ORDER BY created_at, id", accountID)
}
