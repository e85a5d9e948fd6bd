package store

import (
	"context"
	"errors"
)

// PublicURL is the setting that says where the server is reached: commands beside
// the server print it.
const PublicURL = "public_url"

// SetSetting writes one value of the whole server.
func (tx *Tx) SetSetting(name, value string) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// Setting reads one, "" where it was never written.
func (r reader) Setting(ctx context.Context, name string) (string, error) {
	v, err := scanString(r.stmts.row(ctx, "SELECT value FROM settings WHERE name = $1", name))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return v, err
}
