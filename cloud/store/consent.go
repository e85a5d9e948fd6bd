package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Consent is what was said about writing to an address.
type Consent struct {
	ContactID string // of the contact that is made where there is none
	AccountID string
	Address   string
	MessageID string // of the message that says it, "" for by hand
	At        int64  // Unix ms
}

// OptOut notes that an address wants no messages, as a contact where there is none. The
// first time that it was said stays.
func (tx *Tx) OptOut(c Consent) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO contacts (id, account_id, address, first_name, last_name, company, assigned_to, line_number, tags, variables,
		opted_out, consent_at, consent_by, created_at, updated_at, removed_at) VALUES ($1, $2, $3, '', '', '', '', '', '[]', '{}', 1, $4, $5, $4, $4, 0)
		ON CONFLICT (account_id, address) DO UPDATE SET opted_out = 1, updated_at = $4, removed_at = 0,
		consent_at = CASE WHEN contacts.opted_out = 1 THEN contacts.consent_at ELSE $4 END, consent_by = CASE WHEN contacts.opted_out = 1 THEN contacts.consent_by ELSE $5 END`,
		c.ContactID, c.AccountID, c.Address, c.At, c.MessageID)
	return err
}

// OptIn notes that an address that had opted out wants messages again, and tells whether
// it had.
func (tx *Tx) OptIn(c Consent) (bool, error) {
	if _, err := tx.stmts.exec(tx.ctx, "DELETE FROM contacts WHERE account_id = $1 AND address = $2 AND removed_at > 0", c.AccountID, c.Address); err != nil {
		return false, err
	}
	err := tx.one("UPDATE contacts SET opted_out = 0, consent_at = $1, consent_by = $2, updated_at = $1 WHERE account_id = $3 AND address = $4 AND opted_out = 1",
		c.At, c.MessageID, c.AccountID, c.Address)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// TakeBackConsent undoes what a message has changed, unless something was said since.
func (tx *Tx) TakeBackConsent(c Consent) error {
	_, err := tx.stmts.exec(tx.ctx, "UPDATE contacts SET opted_out = 1 - opted_out, consent_at = $1, consent_by = '', updated_at = $1 WHERE account_id = $2 AND address = $3 AND consent_by = $4",
		c.At, c.AccountID, c.Address, c.MessageID)
	return err
}

// OptedOut tells which of some addresses have opted out of an account's messages.
func (r reader) OptedOut(ctx context.Context, accountID string, addresses ...string) ([]string, error) {
	args := []any{accountID}
	var places strings.Builder
	for _, a := range addresses {
		args = append(args, a)
		fmt.Fprintf(&places, ", $%d", len(args))
	}
	return collect(ctx, r, scanString, "SELECT address FROM contacts WHERE account_id = $1 AND address IN (''"+places.String()+") AND opted_out = 1", args...)
}

// OpenTo returns the oldest of a line's messages to a person that are still to be sent, in
// order. An install is responsible for none of them but the first.
func (r reader) OpenTo(ctx context.Context, lineID, address string, limit int) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE line_id = $1 AND peer = $2 AND status IN ('queued', 'accepted', 'sending') ORDER BY seq LIMIT $3", lineID, address, limit)
}

// ConsentWords are the words of an account; an empty list is none.
type ConsentWords struct {
	OptOut []string
	OptIn  []string
}

// ConsentWords returns the words that an account has chosen, or ErrNotFound.
func (r reader) ConsentWords(ctx context.Context, accountID string) (w ConsentWords, err error) {
	var out, in string
	err = r.stmts.row(ctx, "SELECT opt_out, opt_in FROM consent_words WHERE account_id = $1", accountID).Scan(&out, &in)
	return ConsentWords{OptOut: lines(out), OptIn: lines(in)}, err
}

// SetConsentWords writes the words of an account; none of them has a line break.
func (tx *Tx) SetConsentWords(accountID string, w ConsentWords) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO consent_words (account_id, opt_out, opt_in) VALUES ($1, $2, $3)
		ON CONFLICT (account_id) DO UPDATE SET opt_out = $2, opt_in = $3`, accountID, strings.Join(w.OptOut, "\n"), strings.Join(w.OptIn, "\n"))
	return err
}

func lines(s string) []string {
	if s == "" {
		return []string{}
	}
	return strings.Split(s, "\n")
}
