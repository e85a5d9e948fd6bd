package store

import (
	"context"
	"slices"

	"bluerelay/wire"
)

// What a step of a message rests on. The words are public.
const (
	EvidenceAPI       = "api"       // a request of the account
	EvidenceAssigned  = "assigned"  // an install has become responsible
	EvidenceRelay     = "relay"     // the relay says so of itself
	EvidenceRow       = "row"       // a row of chat.db
	EvidenceOsascript = "osascript" // how osascript ended
	EvidenceCancel    = "cancel"    // somebody asked for it to be withdrawn
	EvidenceExpiry    = "expiry"    // its time had passed
	EvidenceTime      = "time"      // nothing was heard for as long as is waited
	EvidenceOperator  = "operator"  // the line was removed, or its Mac replaced, revoked or restored from a copy
	EvidenceAlarm     = "alarm"     // a row that must not be there
	EvidenceMedia     = "media"     // what became of the file that it brings
	EvidenceConsent   = "consent"   // its recipient wants no messages
)

// TimelineEntry is one thing that became of a message. Most change its status; an
// assignment, a request to cancel and an alarm do not. Times are Unix milliseconds.
type TimelineEntry struct {
	N          int // 1, 2, … in the order in which they were recorded
	Status     wire.Status
	At         int64 // when it happened, by the clock of whoever saw it
	RecordedAt int64 // by the clock of this server
	Attempt    int   // 0 before the first
	Evidence   string
	AppleGUID  string // of the row, with EvidenceRow
	Code       string
	Number     int // AppleScript's or chat.db's, 0 without
	Detail     string
}

// AddStep adds an entry to a message's timeline and gives it the next number. The first
// one of a message that was ordered, number 1, is not stored: see Timeline.
func (tx *Tx) AddStep(accountID, messageID string, e TimelineEntry) error {
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO message_steps (account_id, message_id, n, status, at, recorded_at, attempt, evidence, apple_guid, code, number, detail)
		VALUES ($1, $2, (SELECT COALESCE(MAX(n), 1) + 1 FROM message_steps WHERE account_id = $1 AND message_id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		accountID, messageID, e.Status, e.At, e.RecordedAt, e.Attempt, e.Evidence, e.AppleGUID, e.Code, e.Number, e.Detail)
	return err
}

// addFirstStep begins the timeline of a message that was created in this transaction.
func (tx *Tx) addFirstStep(m Message) error {
	e := firstEntry(m)
	_, err := tx.stmts.exec(tx.ctx, `INSERT INTO message_steps (account_id, message_id, n, status, at, recorded_at, attempt, evidence, apple_guid, code, number, detail)
		VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		m.AccountID, m.ID, e.Status, e.At, e.RecordedAt, e.Attempt, e.Evidence, e.AppleGUID, e.Code, e.Number, e.Detail)
	return err
}

// Timeline returns all that became of a message, oldest first. That a message was ordered
// is told from the message itself, whose time of creation never changes: one row less for
// each that is sent.
func (r reader) Timeline(ctx context.Context, m Message) ([]TimelineEntry, error) {
	list, err := collect(ctx, r, func(r scanner) (e TimelineEntry, err error) {
		err = r.Scan(&e.N, &e.Status, &e.At, &e.RecordedAt, &e.Attempt, &e.Evidence, &e.AppleGUID, &e.Code, &e.Number, &e.Detail)
		return e, err
	}, `SELECT n, status, at, recorded_at, attempt, evidence, apple_guid, code, number, detail FROM message_steps
		WHERE account_id = $1 AND message_id = $2 ORDER BY n`, m.AccountID, m.ID)
	if err != nil || len(list) > 0 && list[0].N == 1 {
		return list, err
	}
	first := TimelineEntry{N: 1, Status: wire.Queued, At: m.CreatedAt, RecordedAt: m.CreatedAt, Evidence: EvidenceAPI}
	return slices.Insert(list, 0, first), nil
}

// firstEntry is how a message came to be.
func firstEntry(m Message) TimelineEntry {
	e := TimelineEntry{Status: m.Status, At: m.CreatedAt, RecordedAt: m.UpdatedAt, Evidence: EvidenceAPI, Code: m.ErrorCode, Number: m.ErrorNumber, Detail: m.ErrorMessage}
	if m.Direction == Inbound || m.Origin == OriginDevice {
		e.Evidence, e.AppleGUID = EvidenceRow, m.AppleGUID
		if m.SentAt != 0 {
			e.At = m.SentAt
		}
	}
	return e
}
