package store

import (
	"cmp"
	"context"

	"bluerelay/wire"
)

// The directions of a message.
const (
	Outbound = "outbound"
	Inbound  = "inbound"
)

// OriginDevice is the origin of what the owner wrote on a device of his own. Such a
// message is outbound and yet nobody's order: its status is never one of those that
// a relay holds.
const OriginDevice = "device"

// OriginCanary is the origin of a message by which a line's Mac proves that it sends.
const OriginCanary = "canary"

// Message is the stored record of one message. Times are Unix milliseconds, 0 for
// not yet.
type Message struct {
	ID           string
	AccountID    string
	LineID       string
	Seq          int64 // order of arrival within the account, given by CreateMessage
	Direction    string
	Status       wire.Status
	From         string
	To           string
	Peer         string // the other party, or the group: whom the conversation is with
	Content      string
	MediaURL     string   // of the first file: a path of this server, or a URL; "" without
	MediaURLs    []string // of all files, where there are several
	Apart        int      // how many of its files, the last ones, are shown by asides
	Service      string   // the requested one until the row says
	ChatGUID     string
	AppleGUID    string // "" until a row is known
	InstallID    string // "" while no install is responsible
	Attempt      int    // number of the last assignment
	ErrorCode    string
	ErrorNumber  int // AppleScript's or chat.db's, 0 without
	ErrorMessage string
	CreatedAt    int64
	AcceptedAt   int64
	SentAt       int64
	DeliveredAt  int64
	ReadAt       int64
	UpdatedAt    int64
	Origin       string // OriginDevice, OriginCanary, or ""
	ReplyTo      string // id of the message that it answers, "" for none that is known
	Junk         bool
	Revision     int64  // of the last edit that was applied, 0 for never edited
	Unsent       int64  // parts that were taken back
	Edits        string // JSON of []Edit, "" for never edited; EditList decodes it
	EditedAt     int64
	UnsentAt     int64
	ExpiresAt    int64 // from then on it must not be begun, 0 for no end
	// CancelRequested is since when the relay is asked to give it up; 0 again as soon
	// as anything else is known of it.
	CancelRequested int64
	ResendOf        string // id of the message that it repeats, "" for none
	Requested       string // the service that was asked for, one of wire's constants; "" for what nobody ordered here
	Fallback        bool   // it goes by SMS, because its first attempt proved not to be on iMessage
	Downgraded      bool   // Messages sent it by SMS by itself
	AwaitsMedia     bool   // its file is being fetched: no relay gets it yet
	Phase           Phase  // how far it is, as lists tell it
	DatedAt         int64  // when it was sent, and until that is known when it was created
	HiddenAt        int64  // since when nobody is shown it, 0 for what everybody is
	Class           int64  // what it is counted by, see class.go
	Aside           bool   // it stands beside a message, see CreateAside
	BelongsTo       string // id of that message
	Place           int64  // of the file that an aside stands for, 0 for a tapback

	// What the rules set where a message is shown; they are not of the table.
	ReplacedBy   string   // id of the line's own message that it is in truth
	OptedOut     bool     // its person has opted out
	Participants []string // who else is known to be in its group
	GroupName    string
}

// ToGroup tells whether a message goes, or went, to a group that Messages knows.
func (m Message) ToGroup() bool {
	return m.Direction == Outbound && m.ChatGUID != "" && m.Peer == m.ChatGUID
}

// InGroup tells whether a message belongs to the conversation of a group.
func (m Message) InGroup() bool {
	return m.ToGroup() || m.Direction == Inbound && m.Peer != m.From
}

// OwnMedia are the files that a message shows itself where its asides show the others: a
// file and its converted copies.
func (m Message) OwnMedia() []string {
	all := m.MediaURLs
	if all == nil && m.MediaURL != "" {
		all = []string{m.MediaURL}
	}
	return all[:len(all)-m.Apart]
}

// party is who is not the line: the sender of what came in, the recipient, or the group,
// of what went out.
func (m Message) party() string {
	if m.Direction == Outbound {
		return m.To
	}
	return m.From
}

const messageColumns = "id, account_id, line_id, seq, direction, status, from_addr, to_addr, peer, content, media_url, service, chat_guid, " +
	"COALESCE(apple_guid, ''), COALESCE(install_id, ''), attempt, error_code, error_number, error_message, created_at, accepted_at, sent_at, delivered_at, read_at, updated_at, " +
	"origin, reply_to, junk, revision, unsent, edits, edited_at, unsent_at, expires_at, cancel_requested, resend_of, requested, fallback, downgraded, awaits_media, dated_at, hidden_at, class, belongs_to, place"

func scanMessage(r scanner) (m Message, err error) {
	var media string
	err = r.Scan(&m.ID, &m.AccountID, &m.LineID, &m.Seq, &m.Direction, &m.Status, &m.From, &m.To, &m.Peer, &m.Content, &media, &m.Service, &m.ChatGUID,
		&m.AppleGUID, &m.InstallID, &m.Attempt, &m.ErrorCode, &m.ErrorNumber, &m.ErrorMessage, &m.CreatedAt, &m.AcceptedAt, &m.SentAt, &m.DeliveredAt, &m.ReadAt, &m.UpdatedAt,
		&m.Origin, &m.ReplyTo, &m.Junk, &m.Revision, &m.Unsent, &m.Edits, &m.EditedAt, &m.UnsentAt, &m.ExpiresAt, &m.CancelRequested, &m.ResendOf, &m.Requested, &m.Fallback, &m.Downgraded, &m.AwaitsMedia, &m.DatedAt, &m.HiddenAt, &m.Class, &m.BelongsTo, &m.Place)
	m.setMedia(media)
	m.Phase, m.Aside = phaseIn(m.Class), max(m.Class, -m.Class)&classAside != 0
	return m, err
}

// CreateMessage adds a message, gives it the account's next number, and counts it in its
// month where it counts against the plan. The number is taken under the account's row, so
// the order of numbers is the order of commits. It returns ErrExists for an Apple guid that
// the line already has.
func (tx *Tx) CreateMessage(m *Message) error {
	var ordinal int64
	var hadRelay bool
	var sent int64 // the month that it is one more of, 0 for none
	if m.counts() {
		sent = month(m.CreatedAt)
	}
	err := tx.stmts.row(tx.ctx, `UPDATE accounts SET message_seq = message_seq + 1,
		sent_in_month = CASE CAST($3 AS BIGINT) WHEN 0 THEN sent_in_month WHEN sent_month THEN sent_in_month + 1 ELSE 1 END,
		sent_month = CASE CAST($3 AS BIGINT) WHEN 0 THEN sent_month ELSE CAST($3 AS BIGINT) END WHERE id = $1
		RETURNING message_seq, (SELECT ordinal FROM lines WHERE id = $2), CASE WHEN EXISTS (SELECT 1 FROM relays WHERE line_id = $2) THEN 1 ELSE 0 END`,
		m.AccountID, m.LineID, sent).Scan(&m.Seq, &ordinal, &hadRelay)
	if err != nil {
		return err
	}
	m.UpdatedAt, m.DatedAt = m.CreatedAt, cmp.Or(m.SentAt, m.CreatedAt)
	m.classify(ordinal, hadRelay)
	_, err = tx.stmts.exec(tx.ctx, `INSERT INTO messages (id, account_id, line_id, seq, direction, status, from_addr, to_addr, peer, content, media_url, service, chat_guid,
		apple_guid, install_id, attempt, error_code, error_number, error_message, created_at, accepted_at, sent_at, delivered_at, read_at, updated_at,
		origin, reply_to, junk, revision, unsent, edits, edited_at, unsent_at, expires_at, resend_of, requested, awaits_media, party, dated_at, class)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULL, 0, $15, $16, $17, $18, 0, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)`,
		m.ID, m.AccountID, m.LineID, m.Seq, m.Direction, m.Status, m.From, m.To, m.Peer, m.Content, m.MediaURL, m.Service, m.ChatGUID,
		null(m.AppleGUID), m.ErrorCode, m.ErrorNumber, m.ErrorMessage, m.CreatedAt, m.SentAt, m.DeliveredAt, m.ReadAt, m.UpdatedAt,
		m.Origin, m.ReplyTo, flag(m.Junk), m.Revision, m.Unsent, m.Edits, m.EditedAt, m.UnsentAt, m.ExpiresAt, m.ResendOf, m.Requested, flag(m.AwaitsMedia), m.party(), m.DatedAt, m.Class)
	if err != nil {
		return err
	}
	tx.count(*m, m.Class, 1)
	tx.text(*m, m.Content, false)
	if err := tx.spoke(*m); err != nil {
		return err
	}
	if m.ordered() {
		return nil // Timeline knows how that begins
	}
	return tx.addFirstStep(*m)
}

// ordered tells whether a message begins as what a request has ordered: queued.
func (m Message) ordered() bool { return m.Status == wire.Queued }

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Message returns one message of an account, or ErrNotFound.
func (r reader) Message(ctx context.Context, accountID, id string) (Message, error) {
	return scanMessage(r.stmts.row(ctx, "SELECT "+messageColumns+" FROM messages WHERE id = $1 AND account_id = $2", id, accountID))
}

// Resends returns the other messages that say the same to the same recipient because one
// repeats another: those that id repeats, and those that repeat any of them. Their order
// is not defined.
func (r reader) Resends(ctx context.Context, accountID, id string) ([]Message, error) {
	return collect(ctx, r, scanMessage, `WITH RECURSIVE
		up (id, repeats) AS (SELECT id, resend_of FROM messages WHERE id = $1 AND account_id = $2
			UNION SELECT m.id, m.resend_of FROM up JOIN messages AS m ON m.id = up.repeats),
		family (member) AS (SELECT id FROM up WHERE repeats = ''
			UNION SELECT m.id FROM family JOIN messages AS m ON m.resend_of = family.member AND m.resend_of <> '')
		SELECT `+messageColumns+` FROM family CROSS JOIN messages AS m WHERE m.id = member AND m.id <> $1 AND m.account_id = $2`, id, accountID)
}

// StaleUnknown returns messages that have been unknown since before a time and do
// not carry the mark yet, oldest first.
func (r reader) StaleUnknown(ctx context.Context, before int64, limit int) ([]Message, error) {
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE status = 'unknown' AND updated_at < $1 ORDER BY updated_at LIMIT $2", before, limit)
}

// HasGUID tells whether a line has a message with that Apple guid, or one that keeps it.
func (r reader) HasGUID(ctx context.Context, lineID, guid string) (bool, error) {
	var n int
	err := r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE line_id = $1 AND apple_guid = $2", lineID, guid).Scan(&n)
	if err != nil || n > 0 {
		return n > 0, err
	}
	return r.keepsRow(ctx, lineID, guid)
}

// CountByLine counts the messages of an account's lines, of both directions, created on the
// day of a time, in UTC, or later, by the line's id; a line without any is left out, and so
// are messages that are hidden.
func (r reader) CountByLine(ctx context.Context, accountID string, since int64) (map[string]int64, error) {
	type count struct {
		lineID string
		n      int64
	}
	list, err := collect(ctx, r, func(r scanner) (c count, err error) {
		err = r.Scan(&c.lineID, &c.n)
		return c, err
	}, `SELECT l.id, CAST(SUM(d.n) AS BIGINT) FROM message_days AS d JOIN lines AS l ON l.ordinal = d.class / CAST($3 AS BIGINT)
		WHERE d.account_id = $1 AND d.day >= $2 AND d.class % CAST($3 AS BIGINT) < CAST($4 AS BIGINT) GROUP BY l.id`,
		accountID, dayOf(since), classCodes, classAside)
	counts := make(map[string]int64, len(list))
	for _, c := range list {
		counts[c.lineID] = c.n
	}
	return counts, err
}
