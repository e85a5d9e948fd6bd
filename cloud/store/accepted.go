package store

import "context"

// Accepted is the answer to a request that its client may repeat by itself.
type Accepted struct {
	KeyID       string
	Fingerprint string // of what the request said
	Status      int
	Body        string
	SeenAt      int64 // Unix ms, when it was made or repeated last
}

// Accept keeps the answer to a request, in the place of that to an equal one.
func (tx *Tx) Accept(a Accepted) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO accepted_requests (key_id, fingerprint, status, body, seen_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key_id, fingerprint) DO UPDATE SET status = $3, body = $4, seen_at = $5`,
		a.KeyID, a.Fingerprint, a.Status, a.Body, a.SeenAt)
	return err
}

// Accepted returns the answer that an equal request of a key got at a time or later, or
// ErrNotFound.
func (r reader) Accepted(ctx context.Context, keyID, fingerprint string, since int64) (Accepted, error) {
	a := Accepted{KeyID: keyID, Fingerprint: fingerprint}
	err := r.stmts.row(ctx, "SELECT status, body, seen_at FROM accepted_requests WHERE key_id = $1 AND fingerprint = $2 AND seen_at >= $3", keyID, fingerprint, since).
		Scan(&a.Status, &a.Body, &a.SeenAt)
	return a, err
}

// ForgetAccepted removes answers to requests that came last before a time, at most limit
// at once.
func (tx *Tx) ForgetAccepted(before int64, limit int) error {
	_, err := tx.stmts.exec(tx.ctx, `DELETE FROM accepted_requests WHERE (key_id, fingerprint) IN
		(SELECT key_id, fingerprint FROM accepted_requests WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)`, before, limit)
	return err
}

// OldestAccepted is when the oldest of those requests came last, 0 where there is none.
func (r reader) OldestAccepted(ctx context.Context) (at int64, err error) {
	err = r.stmts.row(ctx, "SELECT COALESCE(MIN(seen_at), 0) FROM accepted_requests").Scan(&at)
	return at, err
}
