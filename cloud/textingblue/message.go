package textingblue

import (
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// sentMessage is the answer to a send: seven keys, and ours where they say something.
type sentMessage struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	To        string  `json:"to"`
	From      string  `json:"from"`
	Content   string  `json:"content"`
	MediaURL  *string `json:"media_url"`
	CreatedAt *string `json:"created_at"`
	ExpiresAt *string `json:"expires_at,omitempty"`
	ResendOf  string  `json:"resend_of,omitempty"`
	GroupID   string  `json:"group_id,omitempty"`
	Service   string  `json:"service,omitempty"`
}

// listedMessage is an item of the list: nine keys, and ours where they say
// something.
type listedMessage struct {
	ID          string  `json:"id"`
	To          string  `json:"to"`
	From        string  `json:"from"`
	Content     string  `json:"content"`
	MediaURL    *string `json:"media_url"`
	Status      string  `json:"status"`
	Direction   string  `json:"direction"`
	CreatedAt   *string `json:"created_at"`
	DeliveredAt *string `json:"delivered_at"`
	extras
}

// fullMessage is one message: eleven keys, and ours where they say something.
type fullMessage struct {
	ID           string  `json:"id"`
	To           string  `json:"to"`
	From         string  `json:"from"`
	Content      string  `json:"content"`
	MediaURL     *string `json:"media_url"`
	Status       string  `json:"status"`
	Direction    string  `json:"direction"`
	ErrorCode    *string `json:"error_code"`
	ErrorMessage *string `json:"error_message"`
	CreatedAt    *string `json:"created_at"`
	DeliveredAt  *string `json:"delivered_at"`
	extras
}

// extras are our own keys.
type extras struct {
	ReadAt  *string `json:"read_at,omitempty"`
	GroupID string  `json:"group_id,omitempty"`
	// MediaURLs are all files of the message, where there are several.
	MediaURLs []string `json:"media_urls,omitempty"`
	// Origin is "device" where the owner wrote it on a device of his own, "canary" of a line's daily proof.
	Origin string `json:"origin,omitempty"`
	// ReplyTo is the id of the message that this one answers in its thread.
	ReplyTo  string      `json:"reply_to,omitempty"`
	Junk     bool        `json:"junk,omitempty"`
	EditedAt *string     `json:"edited_at,omitempty"`
	UnsentAt *string     `json:"unsent_at,omitempty"`
	Edits    []formerOne `json:"edits,omitempty"`
	// ChatUnknown: Messages has not said yet which conversation it belongs to; a
	// message.updated follows when it does.
	ChatUnknown bool    `json:"chat_unknown,omitempty"`
	ExpiresAt   *string `json:"expires_at,omitempty"`
	// CancelRequested: the Mac has been asked to cancel it and has not answered yet.
	CancelRequested bool `json:"cancel_requested,omitempty"`
	// ResendOf is the id of the message that this one repeats.
	ResendOf string `json:"resend_of,omitempty"`
	// Service is how it went, or is to go, where that is not iMessage.
	Service string `json:"service,omitempty"`
	// RequestedService is the one that was asked for, where it went by another.
	RequestedService string `json:"requested_service,omitempty"`
	// Downgraded: it went by SMS though iMessage came first.
	Downgraded bool `json:"downgraded,omitempty"`
	// ReplacedBy is the id of the number's own message that this one is in truth.
	ReplacedBy string `json:"replaced_by,omitempty"`
	// WaitingFor is only looked up for a single message.
	WaitingFor *waitingFor `json:"waiting_for,omitempty"`
}

// formerOne is one text that a part of an edited message had.
type formerOne struct {
	Part    int     `json:"part"`
	Content string  `json:"content"`
	At      *string `json:"at"`
}

// states are the five of the API's lifecycle, and received, for each of ours.
var states = map[wire.Status]string{
	wire.Queued:          "queued",
	wire.StatusAccepted:  "polling",
	wire.StatusSending:   "polling",
	wire.StatusUnknown:   "polling",
	wire.StatusSent:      "sent",
	wire.StatusDelivered: "delivered",
	wire.StatusRead:      "delivered",
	wire.StatusFailed:    "failed",
	wire.Canceled:        "failed",
	wire.Expired:         "failed",
	wire.StatusReceived:  "received",
}

// mayHaveBeenSent is what everybody must read before sending again.
const mayHaveBeenSent = "May have been sent. Do not send again without checking."

func renderSent(m store.Message) sentMessage {
	more := renderExtras(m)
	return sentMessage{ID: m.ID, Status: states[m.Status], To: m.To, From: m.From, Content: m.Content, MediaURL: text(m.MediaURL), CreatedAt: stamp(m.CreatedAt),
		ExpiresAt: more.ExpiresAt, ResendOf: more.ResendOf, GroupID: more.GroupID, Service: more.Service}
}

func renderListed(m store.Message) listedMessage {
	return listedMessage{
		ID: m.ID, To: m.To, From: m.From, Content: m.Content, MediaURL: text(m.MediaURL), Status: states[m.Status], Direction: m.Direction,
		CreatedAt: stamp(m.CreatedAt), DeliveredAt: stamp(m.DeliveredAt), extras: renderExtras(m),
	}
}

func renderFull(m store.Message) fullMessage {
	full := fullMessage{
		ID: m.ID, To: m.To, From: m.From, Content: m.Content, MediaURL: text(m.MediaURL), Status: states[m.Status], Direction: m.Direction,
		CreatedAt: stamp(m.CreatedAt), DeliveredAt: stamp(m.DeliveredAt), extras: renderExtras(m),
	}
	switch m.Status {
	case wire.StatusFailed, wire.StatusUnknown, wire.Canceled, wire.Expired:
		full.ErrorCode, full.ErrorMessage = text(m.ErrorCode), text(m.ErrorMessage)
	}
	if full.ErrorCode != nil && m.ErrorCode == wire.FaultUnknown {
		full.ErrorMessage = new(mayHaveBeenSent)
	}
	return full
}

func renderExtras(m store.Message) extras {
	e := extras{
		MediaURLs: m.MediaURLs, ReadAt: stamp(m.ReadAt), Origin: m.Origin, ReplyTo: m.ReplyTo, Junk: m.Junk,
		EditedAt: stamp(m.EditedAt), UnsentAt: stamp(m.UnsentAt),
		ChatUnknown: m.Direction == store.Inbound && m.ChatGUID == "",
		ExpiresAt:   stamp(m.ExpiresAt), CancelRequested: m.CancelRequested != 0, ResendOf: m.ResendOf, ReplacedBy: m.ReplacedBy,
	}
	if m.Direction == store.Inbound && m.Peer != m.From || m.ToGroup() {
		e.GroupID = m.Peer
	}
	if m.Service != wire.ServiceIMessage {
		e.Service = m.Service
	}
	if m.Requested != wire.ServiceAuto && m.Requested != m.Service {
		e.RequestedService = m.Requested
	}
	e.Downgraded = m.Downgraded || m.Fallback
	for _, one := range m.EditList() {
		e.Edits = append(e.Edits, formerOne{Part: one.Part, Content: one.Text, At: stamp(one.At)})
	}
	return e
}
