package store

import "context"

// Files that were uploaded to be sent later are Media without a message. While one is
// pending, its Size is the most that it may have.

const uploadColumns = "id, account_id, '', '', 0, '', '', name, mime, size, sha256, state, token, created_at, expires_at"

// CreateUpload adds a file that is on its way.
func (tx *Tx) CreateUpload(v Media) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO uploads (id, account_id, name, mime, size, sha256, state, token, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		v.ID, v.AccountID, v.Name, v.MIME, v.Size, v.SHA256, v.State, v.Token, v.CreatedAt, v.ExpiresAt)
	return err
}

// UpdateUpload writes name, type, size, hash, state and expiry, or returns ErrNotFound.
func (tx *Tx) UpdateUpload(v Media) error {
	return tx.one("UPDATE uploads SET name = $1, mime = $2, size = $3, sha256 = $4, state = $5, expires_at = $6 WHERE id = $7",
		v.Name, v.MIME, v.Size, v.SHA256, v.State, v.ExpiresAt, v.ID)
}

// RemoveUpload forgets a file, or returns ErrNotFound.
func (tx *Tx) RemoveUpload(id string) error { return tx.one("DELETE FROM uploads WHERE id = $1", id) }

// UploadByToken returns the file of a public path, or ErrNotFound.
func (r reader) UploadByToken(ctx context.Context, token string) (Media, error) {
	return scanMedia(r.stmts.row(ctx, "SELECT "+uploadColumns+" FROM uploads WHERE token = $1", token))
}

// UploadedBytes is how much an account's uploads take, those on their way included.
func (r reader) UploadedBytes(ctx context.Context, accountID string) (n int64, err error) {
	err = r.stmts.row(ctx, "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM uploads WHERE account_id = $1", accountID).Scan(&n)
	return n, err
}

// ExpiredUploads returns uploads whose time is over, oldest first.
func (r reader) ExpiredUploads(ctx context.Context, now int64, limit int) ([]Media, error) {
	return collect(ctx, r, scanMedia, "SELECT "+uploadColumns+" FROM uploads WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2", now, limit)
}
