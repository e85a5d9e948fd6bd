package store

import (
	"context"
	"encoding/json"
	"errors"

	"bluerelay/wire"
)

// Relay is a Mac that was paired with a line.
type Relay struct {
	ID         string
	AccountID  string
	LineID     string
	SecretHash string
	NextHash   string // of a secret that was issued and not shown yet, "" for none
	Host       string
	OS         string
	Version    string
	Ready      bool
	Problem    string // a wire.Problem while not ready
	Reason     string // one sentence for a person
	Connected  bool
	LastSeenAt int64  // Unix ms
	CreatedAt  int64  // Unix ms
	RetiredAt  int64  // Unix ms, 0 while it is its line's own
	Replaced   bool   // retired by another Mac: it may still tell what it knows
	Alarms     int64  // how often it has reported what must not happen
	Checkup    string // JSON of a wire.Checkup, "" for none; CheckupDone decodes it
	CheckedAt  int64  // Unix ms, when that came
}

// CheckupDone is what the Mac found when it last looked at its preconditions, empty where
// it has not told.
func (v Relay) CheckupDone() wire.Checkup {
	var c wire.Checkup
	// What was stored here was made here; anything else says nothing.
	_ = json.Unmarshal([]byte(v.Checkup), &c)
	return c
}

const relayColumns = "id, account_id, line_id, secret_hash, host, os, version, ready, problem, reason, connected, last_seen_at, created_at, retired_at, replaced, alarms, next_hash, checkup, checked_at"

func scanRelay(r scanner) (v Relay, err error) {
	err = r.Scan(&v.ID, &v.AccountID, &v.LineID, &v.SecretHash, &v.Host, &v.OS, &v.Version, &v.Ready, &v.Problem, &v.Reason,
		&v.Connected, &v.LastSeenAt, &v.CreatedAt, &v.RetiredAt, &v.Replaced, &v.Alarms, &v.NextHash, &v.Checkup, &v.CheckedAt)
	return v, err
}

// CreateRelay adds a Mac. What its line has waiting was registered only, if the line never
// had one; now it is queued.
func (tx *Tx) CreateRelay(v Relay) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO relays ("+relayColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		v.ID, v.AccountID, v.LineID, v.SecretHash, v.Host, v.OS, v.Version, flag(v.Ready), v.Problem, v.Reason,
		flag(v.Connected), v.LastSeenAt, v.CreatedAt, v.RetiredAt, flag(v.Replaced), v.Alarms, v.NextHash, v.Checkup, v.CheckedAt)
	if err != nil {
		return err
	}
	waiting, err := collect(tx.ctx, tx.reader, scanMessage, "UPDATE messages SET updated_at = $1 WHERE line_id = $2 AND status IN ('queued', 'accepted', 'sending') AND class % 16 = 1 RETURNING "+messageColumns, v.CreatedAt, v.LineID)
	if err != nil {
		return err
	}
	for _, m := range waiting {
		m.Phase = ""
		if err := tx.settle(&m); err != nil {
			return err
		}
	}
	return nil
}

// UpdateRelay writes what a Mac said of itself and when it was seen.
func (tx *Tx) UpdateRelay(v Relay) error {
	return tx.one("UPDATE relays SET host = $1, os = $2, version = $3, ready = $4, problem = $5, reason = $6, connected = $7, last_seen_at = $8 WHERE id = $9",
		v.Host, v.OS, v.Version, flag(v.Ready), v.Problem, v.Reason, flag(v.Connected), v.LastSeenAt, v.ID)
}

// KeepCheckup writes what a Mac has found when it looked at its preconditions, in place of
// what it found before.
func (tx *Tx) KeepCheckup(id string, c wire.Checkup, at int64) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.one("UPDATE relays SET checkup = $1, checked_at = $2 WHERE id = $3", string(data), at, id)
}

// RetireRelay ends a Mac's right to send, and its installs, or returns ErrNotFound. One
// that was replaced may still connect.
func (tx *Tx) RetireRelay(id string, replaced bool, at int64) error {
	if _, err := tx.stmts.exec(tx.ctx, "UPDATE installs SET retired_at = $1 WHERE relay_id = $2 AND retired_at = 0", at, id); err != nil {
		return err
	}
	return tx.one("UPDATE relays SET retired_at = $1, replaced = $2, connected = 0 WHERE id = $3 AND retired_at = 0", at, flag(replaced), id)
}

// RefuseRelay ends the right to connect of a Mac that was replaced, or returns
// ErrNotFound.
func (tx *Tx) RefuseRelay(id string) error {
	return tx.one("UPDATE relays SET replaced = 0 WHERE id = $1 AND replaced = 1", id)
}

// IssueSecret notes a secret that a Mac may show from now on beside its own, in place of
// one that it has not shown.
func (tx *Tx) IssueSecret(id, hash string) error {
	return tx.one("UPDATE relays SET next_hash = $1 WHERE id = $2", hash, id)
}

// ProveSecret makes the secret that was issued a Mac's only one, because it has shown it.
func (tx *Tx) ProveSecret(id, hash string) error {
	return tx.one("UPDATE relays SET secret_hash = next_hash, next_hash = '' WHERE id = $1 AND next_hash = $2", id, hash)
}

// CountAlarm notes that a Mac has reported what must not happen.
func (tx *Tx) CountAlarm(id string) error {
	return tx.one("UPDATE relays SET alarms = alarms + 1 WHERE id = $1", id)
}

// DisconnectRelays marks every Mac as away, because no connection outlives the process,
// and returns those that were not.
func (tx *Tx) DisconnectRelays() ([]Relay, error) {
	return collect(tx.ctx, tx.reader, scanRelay, "UPDATE relays SET connected = 0 WHERE connected = 1 RETURNING "+relayColumns)
}

// RelayByHash finds a Mac that may connect by the hash of its secret, its own or one that
// was issued to it, or returns ErrNotFound.
func (r reader) RelayByHash(ctx context.Context, hash string) (Relay, error) {
	// The issued one first: it becomes the Mac's own between two looks, never the other
	// way. In words that the index of those few has.
	v, err := scanRelay(r.stmts.row(ctx, "SELECT "+relayColumns+" FROM relays WHERE next_hash = $1 AND next_hash <> '' AND (retired_at = 0 OR replaced = 1)", hash))
	if !errors.Is(err, ErrNotFound) {
		return v, err
	}
	return scanRelay(r.stmts.row(ctx, "SELECT "+relayColumns+" FROM relays WHERE secret_hash = $1 AND (retired_at = 0 OR replaced = 1)", hash))
}

// Relay returns one Mac, retired or not, or ErrNotFound.
func (r reader) Relay(ctx context.Context, id string) (Relay, error) {
	return scanRelay(r.stmts.row(ctx, "SELECT "+relayColumns+" FROM relays WHERE id = $1", id))
}

// Relays returns the Macs of an account, or of all with "", that are their line's own.
func (r reader) Relays(ctx context.Context, accountID string) ([]Relay, error) {
	return collect(ctx, r, scanRelay, "SELECT "+relayColumns+" FROM relays WHERE ($1 = '' OR account_id = $1) AND retired_at = 0 ORDER BY created_at, id", accountID)
}

// MissingRelays returns at most limit Macs that are their line's own, were connected and
// have not been since before, Unix ms, and whose problem is another than known; none of
// test keys.
func (r reader) MissingRelays(ctx context.Context, known string, before int64, limit int) ([]Relay, error) {
	return collect(ctx, r, scanRelay, "SELECT "+relayColumns+` FROM relays WHERE connected = 0 AND retired_at = 0 AND last_seen_at > 0 AND last_seen_at < $1 AND problem <> $2
		AND NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.id = relays.account_id AND test_of <> '') ORDER BY id LIMIT $3`, before, known, limit)
}

// Install is one journal of a relay.
type Install struct {
	ID        string
	RelayID   string
	LastSeq   int64  // highest report that is committed
	LastToken string // of that report
	CreatedAt int64  // Unix ms
	RetiredAt int64  // Unix ms, 0 while it is the relay's own
	HeardOut  bool   // its Mac was replaced, and all that it had to say then is known
}

// Install returns one install, retired or not, or ErrNotFound.
func (r reader) Install(ctx context.Context, id string) (Install, error) {
	var i Install
	err := r.stmts.row(ctx, "SELECT id, relay_id, last_seq, last_token, created_at, retired_at, heard_out FROM installs WHERE id = $1", id).
		Scan(&i.ID, &i.RelayID, &i.LastSeq, &i.LastToken, &i.CreatedAt, &i.RetiredAt, &i.HeardOut)
	return i, err
}

// CreateInstall adds an install.
func (tx *Tx) CreateInstall(i Install) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO installs (id, relay_id, last_seq, last_token, created_at, retired_at, heard_out) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		i.ID, i.RelayID, i.LastSeq, i.LastToken, i.CreatedAt, i.RetiredAt, flag(i.HeardOut))
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

// AdvanceInstall notes the highest report that is committed, and its token. It never
// goes back.
func (tx *Tx) AdvanceInstall(id string, seq int64, token string) error {
	_, err := tx.stmts.exec(tx.ctx, "UPDATE installs SET last_seq = $1, last_token = $3 WHERE id = $2 AND last_seq < $1", seq, id, token)
	return err
}

// HearOut notes that a replaced Mac has said all that it had to say then.
func (tx *Tx) HearOut(id string) error {
	return tx.one("UPDATE installs SET heard_out = 1 WHERE id = $1", id)
}

func scanString(r scanner) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}
