package chatdb

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Message is one row of Messages' table "message" with what is joined to it,
// as it was at the moment of reading. The same row is updated many times:
// text, chat and attachments may come later than the row, and receipts,
// failures and edits later still.
//
// A name of more than 1 KiB (a guid, a handle, a service and the like) is no name, and
// reads as empty; so may the GUID.
type Message struct {
	RowID int64  // order of insertion on this Mac, not of time
	GUID  string // Apple's name of the message

	// Text is what a person reads: the decoded body where there is one, else
	// the column text. The placeholders (U+FFFC) of attachments and apps are
	// dropped and invalid UTF-8 is replaced. Empty with HasBody set means a
	// message that is nothing but attachments.
	Text string

	Body    Body  // the decoded runs; zero where there is no attributedBody
	HasBody bool  // a body was there, in text or attributedBody
	BodyErr error // attributedBody could not be decoded in full; Text holds what could be saved

	// Damage is set where the row lies on damaged pages of the file: nothing but
	// RowID, and perhaps GUID, is known of it then.
	Damage error

	// Handle is the other party's number or address: the sender of an inbound
	// message, the recipient of an own one-to-one message, empty on an own
	// group message.
	Handle   string
	Service  string // iMessage, SMS, RCS, iMessageLite; may change when Messages falls back
	Account  string // the own account, such as E:user@example.com
	Caller   string // the own number or address the message came in on or went out from
	Subject  string // of its own, above the text; not a part of Text
	Balloon  string // bundle id of the app or link preview that draws the message
	RoomName string // set by Messages on a group's rows, and only once the chat is joined

	FromMe           bool // sent by this Apple Account, from any of its devices
	Sent             bool // own rows: the server, or the phone for SMS, took it
	Delivered        bool // own rows: the other device confirmed; inbound rows have it set too
	Read             bool // own rows: the recipient read it; inbound rows: read on one of the own devices
	Finished         bool // sent or failed; inbound: stored completely
	Downgraded       bool // fell back from iMessage to SMS or RCS
	Spam             bool
	System           bool // not a user's text
	Empty            bool // wholly unsent
	Audio            bool // voice note
	PendingSatellite bool // waits for a satellite, not sent yet
	HasAttachments   bool // some attachment was joined once, even if it is gone since

	Error          int    // 0, or why it was not sent (ErrorName); may return to 0
	ItemType       int    // 0 is a message; 1 to 6 are events of a group or a call
	AssociatedType int    // 0, or the kind of tapback, sticker or poll vote
	AssociatedGUID string // the message it refers to, with a prefix for the part
	ScheduleType   int    // 2: to be sent at Date, in the future

	Filter int // filter_action of macOS 27: 2 is junk

	Tapback *Tapback    // not nil on a reaction to another message
	Event   *GroupEvent // not nil on a row that is no message
	Reply   *Reply      // not nil on an answer in a thread
	Effect  string      // identifier of the effect it was sent with, of its bubble or the screen

	// What became of it since it was sent (macOS 13 and later). Edits are all texts
	// of the parts that were edited, Revision counts the edits, and Unsent are the
	// numbers of the parts that were taken back. Retracted: nothing is left.
	Edits     []Edit
	Revision  int64
	Unsent    []int
	Retracted bool

	// The zero time is never. Date is when Messages made an own row, and the
	// sender's stamp on an inbound one, so that it may be long before the row.
	Date, DateRead, DateDelivered, DateEdited, DateRecovered time.Time

	// Chat is nil while no chat is joined: for an instant or for seconds after
	// the row appears, for ever on some. A message in several chats has the
	// oldest one here and the others in Chats. The messages of one read share
	// their chats: treat them as read-only.
	Chat  *Chat
	Chats []*Chat

	// Deleted: the message lies in Recently Deleted. Chat is then the chat it
	// was deleted from.
	Deleted bool

	// Attachments come in the order in which the body names them, then by
	// their ROWID. They are found through the join and through the body,
	// because either is missing on some rows.
	Attachments []Attachment
}

// Chat is one conversation as Messages keeps it. One person may have several,
// one for each service or address.
type Chat struct {
	RowID       int64
	GUID        string // service;-;identifier or service;+;identifier; the service is "any" since macOS 26
	Identifier  string // the other party's handle, or the group's own name
	Service     string // of the chat; trust the messages' instead
	RoomName    string
	DisplayName string
	LastService string // the service of the newest message; filled by DirectChats alone
	Style       int    // 43 group, 45 one-to-one
	Filtered    bool   // kept with the unknown senders or blocked
}

// The values of Chat.Style: the characters '+' and '-' of the guid.
const (
	styleGroup  = '+'
	styleDirect = '-'
)

// Group tells whether it is a group conversation, by its style or, where that
// is not set, by the separator in its guid.
func (c Chat) Group() bool {
	switch c.Style {
	case styleGroup:
		return true
	case styleDirect:
		return false
	}
	return strings.Contains(c.GUID, ";+;")
}

// Attachment is one file of a message.
type Attachment struct {
	RowID         int64
	GUID          string
	Filename      string // as stored, often beginning with ~; empty until it is downloaded
	UTI           string
	MIME          string // empty for some types, voice notes among them
	TransferName  string // the name to show; from the sender, so not to be trusted as a path
	TransferState int    // 5 is complete, 6 failed, less is under way
	TotalBytes    int64
	Outgoing      bool
	Hidden        bool // payload of a link preview or an app, not a file for people
	Sticker       bool
}

// placeholder stands in the text where an attachment, a sticker or an app is.
const placeholder = "\uFFFC"

func messageOf(r row) Message {
	m := Message{
		RowID: r.int(0), GUID: r.name(1), Handle: r.name(4),
		Service: r.name(5), Account: r.name(6), Caller: r.name(7), Subject: r.text(8), Balloon: r.name(9), RoomName: r.text(10),
		FromMe: r.flag(11), Sent: r.flag(12), Delivered: r.flag(13), Read: r.flag(14), Finished: r.flag(15), Downgraded: r.flag(16),
		Spam: r.flag(17), System: r.flag(18), Empty: r.flag(19), Audio: r.flag(20), PendingSatellite: r.flag(21),
		Error: int(r.int(22)), ItemType: int(r.int(23)),
		AssociatedType: int(r.int(24)), AssociatedGUID: r.name(25), ScheduleType: int(r.int(26)),
		Date: r.date(27), DateRead: r.date(28), DateDelivered: r.date(29), DateEdited: r.date(30),
		HasAttachments: r.flag(31),
	}
	m.Filter, m.DateRecovered, m.Effect = int(r.int(41)), r.date(42), r.name(43)
	m.Tapback = tapbackOf(m.AssociatedType, m.AssociatedGUID, r.name(32))
	m.Reply = replyOf(r.name(33), r.name(34))
	if m.ItemType != 0 {
		m.Event = groupEventOf(m.ItemType, int(r.int(35)), m.Handle, r.name(36), r.text(37))
	}
	m.readBody(r.text(2), r.blob(3))
	m.readHistory(r.blob(38), r.date(39), r.int(40))
	return m
}

// readHistory is done on rows that were edited, or say that nothing is left; most
// rows have a summary that says nothing.
func (m *Message) readHistory(data []byte, retracted time.Time, parts int64) {
	if m.DateEdited.IsZero() && retracted.IsZero() && !m.Empty {
		return
	}
	s, err := parseSummary(data)
	m.Edits, m.Unsent, m.Revision = s.edits, s.unsent, s.revision
	if err != nil && !m.DateEdited.IsZero() {
		m.Revision = m.DateEdited.UnixMilli() // rises with each edit too
	}
	gone := m.Text == "" && (m.Empty || parts == 0) // not each sign is there each time
	m.Retracted = s.whole() || gone && (len(m.Unsent) > 0 || !retracted.IsZero())
}

// readBody prefers attributedBody: text is NULL on most rows since macOS 13,
// and where the two differ it is the older one.
func (m *Message) readBody(text string, attributed []byte) {
	m.HasBody = text != "" || len(attributed) > 0
	if len(attributed) > 0 {
		m.Body, m.BodyErr = DecodeBody(attributed)
		if m.BodyErr == nil || m.Body.Text != "" {
			text = m.Body.Text
		}
	}
	m.Text = text
	if strings.Contains(text, placeholder) {
		m.Text = strings.ReplaceAll(text, placeholder, "")
	}
}

// join adds a chat; the oldest one is Chat.
func (m *Message) join(c *Chat) {
	if m.Chat == nil {
		m.Chat = c
		return
	}
	if m.Chat.RowID == c.RowID || slices.Contains(m.Chats, c) {
		return
	}
	if c.RowID < m.Chat.RowID {
		m.Chat, c = c, m.Chat
	}
	m.Chats = append(m.Chats, c)
	slices.SortFunc(m.Chats, func(a, b *Chat) int { return cmp.Compare(a.RowID, b.RowID) })
}

func chatOf(r row) *Chat {
	return &Chat{
		RowID: r.int(0), GUID: r.name(1), Identifier: r.name(2), Service: r.name(3),
		RoomName: r.text(4), DisplayName: r.text(5), Style: int(r.int(6)), Filtered: r.flag(7) || r.flag(8),
	}
}

func attachmentOf(r row) Attachment {
	return Attachment{
		RowID: r.int(0), GUID: r.name(1), Filename: r.text(2), UTI: r.name(3), MIME: r.name(4), TransferName: r.text(5),
		TransferState: int(r.int(6)), TotalBytes: r.int(7), Outgoing: r.flag(8), Hidden: r.flag(9), Sticker: r.flag(10),
	}
}
