package store

import "context"

// Line is a phone number that an account sends from, through one Mac.
type Line struct {
	ID          string
	AccountID   string
	PhoneNumber string // E.164
	Label       string
	Status      string // LineActive or LinePaused
	Verified    bool   // the owner has vouched for it, or a Mac has been paired
	Pace        string // "" for what its Mac calls for, "off", or messages a second
	RelayID     string // the Mac, "" until one is paired
	CreatedAt   int64  // Unix ms
	Burst       int    // messages that may go at once after a rest, 0 for what its Mac calls for
	// NewConversations is how many a day the line may open: "" for what its Mac calls
	// for, "off", or a number.
	NewConversations string
	// PacedUntil is when all that was given to its relay would have gone at the line's
	// rate, Unix microseconds. SetPaced writes it.
	PacedUntil  int64
	SMSFallback bool // a text that proves not to reach a number by iMessage goes by SMS
}

// The states of a line.
const (
	LineActive = "active"
	LinePaused = "paused"
)

const lineColumns = "id, account_id, phone_number, label, status, verified, pace, relay_id, created_at, burst, new_conversations, paced_until, sms_fallback"

func scanLine(r scanner) (l Line, err error) {
	err = r.Scan(&l.ID, &l.AccountID, &l.PhoneNumber, &l.Label, &l.Status, &l.Verified, &l.Pace, &l.RelayID, &l.CreatedAt,
		&l.Burst, &l.NewConversations, &l.PacedUntil, &l.SMSFallback)
	return l, err
}

// CreateLine adds a line, or returns ErrExists when the number is somebody's.
func (tx *Tx) CreateLine(l Line) error {
	_, err := tx.stmts.exec(tx.ctx, "INSERT INTO lines ("+lineColumns+", removed_at, ordinal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM lines))",
		l.ID, l.AccountID, l.PhoneNumber, l.Label, l.Status, flag(l.Verified), l.Pace, l.RelayID, l.CreatedAt, l.Burst, l.NewConversations, l.PacedUntil, flag(l.SMSFallback))
	return err
}

// UpdateLine writes label, status, pace with burst and new conversations,
// verification, Mac and fallback of a line.
func (tx *Tx) UpdateLine(l Line) error {
	return tx.one("UPDATE lines SET label = $1, status = $2, pace = $3, burst = $4, new_conversations = $5, verified = $6, relay_id = $7, sms_fallback = $8 WHERE id = $9 AND removed_at = 0",
		l.Label, l.Status, l.Pace, l.Burst, l.NewConversations, flag(l.Verified), l.RelayID, flag(l.SMSFallback), l.ID)
}

// SetPaced writes PacedUntil of a line.
func (tx *Tx) SetPaced(id string, until int64) error {
	return tx.one("UPDATE lines SET paced_until = $1 WHERE id = $2 AND removed_at = 0", until, id)
}

// RemoveLine takes a line out of use. Its messages stay.
func (tx *Tx) RemoveLine(id string, at int64) error {
	if _, err := tx.stmts.exec(tx.ctx, "DELETE FROM setup_tokens WHERE line_id = $1", id); err != nil {
		return err
	}
	return tx.one("UPDATE lines SET removed_at = $1, relay_id = '' WHERE id = $2 AND removed_at = 0", at, id)
}

// Line returns one line in use, or ErrNotFound.
func (r reader) Line(ctx context.Context, id string) (Line, error) {
	return scanLine(r.stmts.row(ctx, "SELECT "+lineColumns+" FROM lines WHERE id = $1 AND removed_at = 0", id))
}

// LineByNumber returns the line in use with that number, whosever it is, or
// ErrNotFound.
func (r reader) LineByNumber(ctx context.Context, number string) (Line, error) {
	return scanLine(r.stmts.row(ctx, "SELECT "+lineColumns+" FROM lines WHERE phone_number = $1 AND removed_at = 0", number))
}

// Lines returns the lines in use of an account, or of all with "", oldest first.
func (r reader) Lines(ctx context.Context, accountID string) ([]Line, error) {
	return collect(ctx, r, scanLine, "SELECT "+lineColumns+" FROM lines WHERE ($1 = '' OR account_id = $1) AND removed_at = 0 ORDER BY created_at, id", accountID)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
