package store

// Event is one entry of an account's log of what happened.
type Event struct {
	ID        string
	AccountID string
	Seq       int64 // gap-free within the account, given by CreateEvent
	Type      string
	MessageID string
	LineID    string
	CreatedAt int64 // Unix ms
	// Detail is what the type does not say: of message.updated how it was updated,
	// of message.tapback the tapback's id, of group.updated the change's, of
	// relay.attention the code of the trouble.
	Detail  string
	RelayID string // of the Mac that it is about, "" for none
	// What it is about, where that is no message; there while the event is recorded,
	// and not read back.
	Tapback *Tapback
	Group   *GroupChange
	Relay   *Relay // the line's own, or that of RelayID
	Line    *Line
	Webhook *Webhook
	Place   int64 // of the file, as it came, that a message was updated by; 0 for anything else
	// Account is whose event it is: id, e-mail address, plan and NoReceipts.
	Account Account
}

// CreateEvent adds an event and gives it the account's next number, and the account.
func (tx *Tx) CreateEvent(e *Event) error {
	err := tx.stmts.row(tx.ctx, "UPDATE accounts SET event_seq = event_seq + 1 WHERE id = $1 RETURNING event_seq, email, plan, no_receipts", e.AccountID).
		Scan(&e.Seq, &e.Account.Email, &e.Account.Plan, &e.Account.NoReceipts)
	if err != nil {
		return err
	}
	e.Account.ID = e.AccountID
	_, err = tx.stmts.exec(tx.ctx, "INSERT INTO events (id, account_id, seq, type, message_id, line_id, created_at, detail, relay_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		e.ID, e.AccountID, e.Seq, e.Type, e.MessageID, e.LineID, e.CreatedAt, e.Detail, e.RelayID)
	return err
}
