package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Contact is a person whom an account knows by one address. Times are Unix
// milliseconds.
type Contact struct {
	ID         string
	AccountID  string
	Address    string // E.164, or a lower-case e-mail address
	FirstName  string
	LastName   string
	Company    string
	AssignedTo string // e-mail address of a colleague
	LineNumber string // of the line that they are written to from; a note, nothing follows from it
	Tags       []string
	Variables  map[string]string
	OptedOut   bool
	ConsentAt  int64  // when OptedOut was last said, 0 for never
	ConsentBy  string // id of the message that said it, "" for by hand
	CreatedAt  int64
	UpdatedAt  int64
	HasWritten bool // the person has written to one of the account's lines
}

// contactColumns are read of contacts AS c. Whether a person has written is read from the
// index messages_party alone, whose class says the direction.
var contactColumns = fmt.Sprintf(`c.id, c.account_id, c.address, c.first_name, c.last_name, c.company, c.assigned_to, c.line_number, c.tags, c.variables,
	c.opted_out, c.consent_at, c.consent_by, c.created_at, c.updated_at,
	CASE WHEN EXISTS (SELECT 1 FROM messages AS m WHERE m.account_id = c.account_id AND m.party = c.address AND ABS(m.class) %% %d < %d) THEN 1 ELSE 0 END`,
	2*classOutbound, classOutbound)

func scanContact(r scanner) (c Contact, err error) {
	var tags, variables string
	err = r.Scan(&c.ID, &c.AccountID, &c.Address, &c.FirstName, &c.LastName, &c.Company, &c.AssignedTo, &c.LineNumber, &tags, &variables,
		&c.OptedOut, &c.ConsentAt, &c.ConsentBy, &c.CreatedAt, &c.UpdatedAt, &c.HasWritten)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(tags), &c.Tags); err != nil {
		return c, fmt.Errorf("read the tags of %s: %w", c.ID, err)
	}
	if err := json.Unmarshal([]byte(variables), &c.Variables); err != nil {
		return c, fmt.Errorf("read the variables of %s: %w", c.ID, err)
	}
	return c, nil
}

// notes are tags and variables as they are stored.
func (c Contact) notes() (tags, variables string, err error) {
	if c.Tags == nil {
		c.Tags = []string{}
	}
	if c.Variables == nil {
		c.Variables = map[string]string{}
	}
	t, err := json.Marshal(c.Tags)
	if err != nil {
		return "", "", err
	}
	v, err := json.Marshal(c.Variables)
	return string(t), string(v), err
}

// CreateContact adds a contact, or returns ErrExists. One that was removed takes what
// was said about being written to with it.
func (tx *Tx) CreateContact(c Contact) error {
	tags, variables, err := c.notes()
	if err != nil {
		return err
	}
	res, err := tx.stmts.exec(tx.ctx, `INSERT INTO contacts (id, account_id, address, first_name, last_name, company, assigned_to, line_number, tags, variables,
		opted_out, consent_at, consent_by, created_at, updated_at, removed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, '', $11, $11, 0)
		ON CONFLICT (account_id, address) DO UPDATE SET first_name = $4, last_name = $5, company = $6, assigned_to = $7, line_number = $8, tags = $9, variables = $10,
		created_at = $11, updated_at = $11, removed_at = 0 WHERE contacts.removed_at > 0`,
		c.ID, c.AccountID, c.Address, c.FirstName, c.LastName, c.Company, c.AssignedTo, c.LineNumber, tags, variables, c.CreatedAt)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// UpdateContact writes what an account notes of a contact, or returns ErrNotFound.
func (tx *Tx) UpdateContact(c Contact) error {
	tags, variables, err := c.notes()
	if err != nil {
		return err
	}
	return tx.one(`UPDATE contacts SET first_name = $1, last_name = $2, company = $3, assigned_to = $4, line_number = $5, tags = $6, variables = $7, updated_at = $8
		WHERE id = $9 AND removed_at = 0`,
		c.FirstName, c.LastName, c.Company, c.AssignedTo, c.LineNumber, tags, variables, c.UpdatedAt, c.ID)
}

// RemoveContact forgets a contact, or returns ErrNotFound. That the person has opted out
// is not forgotten.
func (tx *Tx) RemoveContact(c Contact, now int64) error {
	if !c.OptedOut {
		return tx.one("DELETE FROM contacts WHERE id = $1", c.ID)
	}
	return tx.one(`UPDATE contacts SET first_name = '', last_name = '', company = '', assigned_to = '', line_number = '', tags = '[]', variables = '{}', removed_at = $1
		WHERE id = $2 AND removed_at = 0`, now, c.ID)
}

// Contact returns the contact of an account that has an address, or ErrNotFound.
func (r reader) Contact(ctx context.Context, accountID, address string) (Contact, error) {
	return scanContact(r.stmts.row(ctx, "SELECT "+contactColumns+" FROM contacts AS c WHERE c.account_id = $1 AND c.address = $2 AND c.removed_at = 0", accountID, address))
}

// ContactByID returns the contact of an account that has an id, or ErrNotFound.
func (r reader) ContactByID(ctx context.Context, accountID, id string) (Contact, error) {
	return scanContact(r.stmts.row(ctx, "SELECT "+contactColumns+" FROM contacts AS c WHERE c.id = $1 AND c.account_id = $2 AND c.removed_at = 0", id, accountID))
}

// ContactFilter says which contacts a list holds. Empty members do not filter.
type ContactFilter struct {
	AccountID    string
	ID           string
	Address      string
	CreatedSince int64 // Unix ms
	ByAddress    bool  // ordered by address, not by age
	Descending   bool
	Limit        int
	Offset       int
}

// Contacts returns a part of the list.
func (r reader) Contacts(ctx context.Context, f ContactFilter) ([]Contact, error) {
	order := "c.created_at ASC, c.id ASC"
	if f.ByAddress {
		order = "c.address ASC"
	}
	if f.Descending {
		order = strings.ReplaceAll(order, "ASC", "DESC")
	}
	where, args := "", []any{f.AccountID, f.CreatedSince, f.Limit, f.Offset}
	if f.Address != "" {
		args = append(args, f.Address)
		where += fmt.Sprintf(" AND c.address = $%d", len(args))
	}
	if f.ID != "" {
		args = append(args, f.ID)
		where += fmt.Sprintf(" AND c.id = $%d", len(args))
	}
	return collect(ctx, r, scanContact, "SELECT "+contactColumns+" FROM contacts AS c WHERE c.account_id = $1 AND c.created_at >= $2 AND c.removed_at = 0"+where+
		" ORDER BY "+order+" LIMIT $3 OFFSET $4", args...)
}

// CountContacts counts the contacts of an account.
func (r reader) CountContacts(ctx context.Context, accountID string) (n int64, err error) {
	err = r.stmts.row(ctx, "SELECT COUNT(*) FROM contacts WHERE account_id = $1 AND removed_at = 0", accountID).Scan(&n)
	return n, err
}
