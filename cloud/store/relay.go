package store

import "context"

// Relay is a Mac that was paired with a line.
type Relay struct {
	ID         string
	AccountID  string
	LineID     string
	SecretHash string
	Host       string
	OS         string
	Version    string
	Ready      bool
	Problem    string // a wire.Problem while not ready
	Reason     string // one sentence for a person
	Connected  bool
	LastSeenAt int64 // Unix ms
	CreatedAt  int64 // Unix ms
	RetiredAt  int64 // Unix ms, 0 while it may connect
}

const relayColumns = "id, account_id, line_id, secret_hash, host, os, version, ready, problem, reason, connected, last_seen_at, created_at, retired_at"

func scanRelay(r scanner) (v Relay, err error) {
	err = r.Scan(&v.ID, &v.AccountID, &v.LineID, &v.SecretHash, &v.Host, &v.OS, &v.Version, &v.Ready, &v.Problem, &v.Reason,
		&v.Connected, &v.LastSeenAt, &v.CreatedAt, &v.RetiredAt)
	return v, err
}

// CreateRelay adds a Mac.
func (tx *Tx) CreateRelay(v Relay) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO relays ("+relayColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
		v.ID, v.AccountID, v.LineID, v.SecretHash, v.Host, v.OS, v.Version, flag(v.Ready), v.Problem, v.Reason,
		flag(v.Connected), v.LastSeenAt, v.CreatedAt, v.RetiredAt)
	return err
}

// UpdateRelay writes what a Mac said of itself and when it was seen.
func (tx *Tx) UpdateRelay(v Relay) error {
	return tx.one("UPDATE relays SET host = $1, os = $2, version = $3, ready = $4, problem = $5, reason = $6, connected = $7, last_seen_at = $8 WHERE id = $9",
		v.Host, v.OS, v.Version, flag(v.Ready), v.Problem, v.Reason, flag(v.Connected), v.LastSeenAt, v.ID)
}

// RetireRelay ends a Mac's right to connect, and its installs, or returns
// ErrNotFound.
func (tx *Tx) RetireRelay(id string, at int64) error {
	if _, err := tx.stmts.exec(tx.ctx, "UPDATE installs SET retired_at = $1 WHERE relay_id = $2 AND retired_at = 0", at, id); err != nil {
		return err
	}
	return tx.one("UPDATE relays SET retired_at = $1, connected = 0 WHERE id = $2 AND retired_at = 0", at, id)
}

// DisconnectRelays marks every Mac as away: no connection outlives the process.
func (tx *Tx) DisconnectRelays() error {
	_, err := tx.stmts.exec(tx.ctx, "UPDATE relays SET connected = 0 WHERE connected = 1")
	return err
}

// RelayByHash finds a Mac that may connect by the hash of its secret, or returns
// ErrNotFound.
func (r reader) RelayByHash(ctx context.Context, hash string) (Relay, error) {
	return scanRelay(r.stmts.row(ctx, "SELECT "+relayColumns+" FROM relays WHERE secret_hash = $1 AND retired_at = 0", hash))
}

// Relay returns one Mac, retired or not, or ErrNotFound.
func (r reader) Relay(ctx context.Context, id string) (Relay, error) {
	return scanRelay(r.stmts.row(ctx, "SELECT "+relayColumns+" FROM relays WHERE id = $1", id))
}

// Relays returns the Macs of an account, or of all with "", that may connect.
func (r reader) Relays(ctx context.Context, accountID string) ([]Relay, error) {
	return collect(ctx, r, scanRelay, "SELECT "+relayColumns+" FROM relays WHERE ($1 = '' OR account_id = $1) AND retired_at = 0 ORDER BY created_at, id", accountID)
}

// Install is one journal of a relay.
type Install struct {
	ID        string
	RelayID   string
	LastSeq   int64 // highest report that is committed
	CreatedAt int64 // Unix ms
	RetiredAt int64 // Unix ms, 0 while it is the relay's own
}

// Install returns one install, retired or not, or ErrNotFound.
func (r reader) Install(ctx context.Context, id string) (Install, error) {
	var i Install
	err := r.stmts.row(ctx, "SELECT id, relay_id, last_seq, created_at, retired_at FROM installs WHERE id = $1", id).
		Scan(&i.ID, &i.RelayID, &i.LastSeq, &i.CreatedAt, &i.RetiredAt)
	return i, err
}

// CreateInstall adds an install.
func (tx *Tx) CreateInstall(i Install) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO installs (id, relay_id, last_seq, created_at, retired_at) VALUES ($1, $2, $3, $4, $5)",
		i.ID, i.RelayID, i.LastSeq, i.CreatedAt, i.RetiredAt)
	return err
}

// RetireInstalls ends the installs of a relay other than keep and returns them.
func (tx *Tx) RetireInstalls(relayID, keep string, at int64) ([]string, error) {
	return collect(tx.ctx, tx.reader, scanString, "UPDATE installs SET retired_at = $1 WHERE relay_id = $2 AND id <> $3 AND retired_at = 0 RETURNING id", at, relayID, keep)
}

// RetireInstall ends one install.
func (tx *Tx) RetireInstall(id string, at int64) error {
	return tx.one("UPDATE installs SET retired_at = $1 WHERE id = $2 AND retired_at = 0", at, id)
}

// AdvanceInstall notes the highest report that is committed. It never goes back.
func (tx *Tx) AdvanceInstall(id string, seq int64) error {
	_, err := tx.stmts.exec(tx.ctx, "UPDATE installs SET last_seq = $1 WHERE id = $2 AND last_seq < $1", seq, id)
	return err
}

func scanString(r scanner) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}
