package store

import "context"

// Member is a person who may log in.
type Member struct {
	ID           string
	AccountID    string
	Login        string // an e-mail address, or a name that the server has given
	Name         string
	Role         string // owner, admin, member or viewer
	PasswordHash string
	CreatedAt    int64 // Unix ms
}

const memberColumns = "id, account_id, login, name, role, password_hash, created_at"

func scanMember(r scanner) (m Member, err error) {
	err = r.Scan(&m.ID, &m.AccountID, &m.Login, &m.Name, &m.Role, &m.PasswordHash, &m.CreatedAt)
	return m, err
}

// CreateMember adds a person, or returns ErrExists for a login that is taken, in
// whatever account.
func (tx *Tx) CreateMember(m Member) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO members ("+memberColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		m.ID, m.AccountID, m.Login, m.Name, m.Role, m.PasswordHash, m.CreatedAt)
	return err
}

// SetRole changes what a person may do, or returns ErrNotFound.
func (tx *Tx) SetRole(accountID, id, role string) error {
	return tx.one("UPDATE members SET role = $1 WHERE id = $2 AND account_id = $3", role, id, accountID)
}

// DeleteMember removes a person from an account, or returns ErrNotFound.
func (tx *Tx) DeleteMember(accountID, id string) error {
	return tx.one("DELETE FROM members WHERE id = $1 AND account_id = $2", id, accountID)
}

// Members returns the people of an account, oldest first.
func (r reader) Members(ctx context.Context, accountID string) ([]Member, error) {
	return collect(ctx, r, scanMember, "SELECT "+memberColumns+" FROM members WHERE account_id = $1 ORDER BY created_at, id", accountID)
}

// Invitation is the right to become a member of an account, once.
type Invitation struct {
	ID        string
	AccountID string
	Email     string // lower case
	Role      string
	TokenHash string
	CreatedAt int64 // Unix ms
	ExpiresAt int64 // Unix ms
}

const invitationColumns = "id, account_id, email, role, token_hash, created_at, expires_at"

func scanInvitation(r scanner) (v Invitation, err error) {
	err = r.Scan(&v.ID, &v.AccountID, &v.Email, &v.Role, &v.TokenHash, &v.CreatedAt, &v.ExpiresAt)
	return v, err
}

// CreateInvitation adds an invitation and forgets those of the account whose time is
// over. It returns ErrExists where the address has one that is open.
func (tx *Tx) CreateInvitation(v Invitation) error {
	if _, err := tx.stmts.exec(tx.ctx, "DELETE FROM invitations WHERE account_id = $1 AND expires_at <= $2", v.AccountID, v.CreatedAt); err != nil {
		return err
	}
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO invitations ("+invitationColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		v.ID, v.AccountID, v.Email, v.Role, v.TokenHash, v.CreatedAt, v.ExpiresAt)
	return err
}

// Invitations returns the open invitations of an account, oldest first.
func (r reader) Invitations(ctx context.Context, accountID string, now int64) ([]Invitation, error) {
	return collect(ctx, r, scanInvitation, "SELECT "+invitationColumns+" FROM invitations WHERE account_id = $1 AND expires_at > $2 ORDER BY created_at, id", accountID, now)
}

// InvitationByHash returns the open invitation with that hash of its token, or
// ErrNotFound.
func (r reader) InvitationByHash(ctx context.Context, hash string, now int64) (Invitation, error) {
	return scanInvitation(r.stmts.row(ctx, "SELECT "+invitationColumns+" FROM invitations WHERE token_hash = $1 AND expires_at > $2", hash, now))
}

// DeleteInvitation takes an open invitation back, or uses it up, or returns
// ErrNotFound.
func (tx *Tx) DeleteInvitation(accountID, id string, now int64) error {
	return tx.one("DELETE FROM invitations WHERE id = $1 AND account_id = $2 AND expires_at > $3", id, accountID, now)
}
