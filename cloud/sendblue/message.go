package sendblue

import (
	"cmp"
	"strconv"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// message is a message as lists show it: the documented keys with their documented
// empty values, and ours where they say something.
type message struct {
	Handle           string   `json:"message_handle"`
	AccountEmail     string   `json:"accountEmail"`
	Content          string   `json:"content"`
	FromNumber       string   `json:"from_number"`
	ToNumber         string   `json:"to_number"` // "" for what goes to a group
	Number           string   `json:"number"`    // the other party's
	Status           string   `json:"status"`
	Service          string   `json:"service"`
	IsOutbound       bool     `json:"is_outbound"`
	DateSent         string   `json:"date_sent"`
	DateUpdated      string   `json:"date_updated"`
	MediaURL         string   `json:"media_url"`
	WasDowngraded    bool     `json:"was_downgraded"`
	MessageType      string   `json:"message_type"`
	GroupID          string   `json:"group_id"`
	Participants     []string `json:"participants"`
	GroupDisplayName string   `json:"group_display_name"`
	SendStyle        string   `json:"send_style"`
	OptedOut         bool     `json:"opted_out"`
	SendblueNumber   string   `json:"sendblue_number"`
	Plan             string   `json:"plan"`
	failure
	extras
}

// failure is why a message was not sent; all null for any other.
type failure struct {
	Code    *int    `json:"error_code"`
	Message *string `json:"error_message"`
	Reason  *string `json:"error_reason"`
	Detail  *string `json:"error_detail"`
}

// extras are our own keys.
type extras struct {
	AppleGUID string   `json:"apple_guid,omitempty"` // given by Messages on the Mac
	DateRead  string   `json:"date_read,omitempty"`
	MediaURLs []string `json:"media_urls,omitempty"`     // the file and its converted copies, where there are some
	PartOf    string   `json:"part_of_handle,omitempty"` // the message that had the first file and the text
	TapbackTo string   `json:"tapback_to_handle,omitempty"`
	Origin    string   `json:"origin,omitempty"` // "device" where the owner wrote it on a device of his own, "canary" of a line's daily proof
	ReplyTo   string   `json:"reply_to_handle,omitempty"`
	EditedAt  string   `json:"date_edited,omitempty"`
	UnsentAt  string   `json:"date_unsent,omitempty"`
	ExpiresAt string   `json:"expires_at,omitempty"`
}

// statuses are the API's ten for each of our phases. SUCCESS is none of them.
var statuses = map[store.Phase]string{
	store.PhaseRegistered: "REGISTERED",
	store.PhasePending:    "PENDING",
	store.PhaseQueued:     "QUEUED",
	store.PhaseAccepted:   "ACCEPTED",
	store.PhaseSent:       "SENT",
	store.PhaseDelivered:  "DELIVERED",
	store.PhaseFailed:     statusError,
	store.PhaseUnknown:    statusError,
	store.PhaseDeclined:   "DECLINED",
	store.PhaseReceived:   "RECEIVED",
}

func render(a store.Account, m store.Message) message {
	out := message{
		Handle: cloud.Handle(m.ID), AccountEmail: a.Email, Content: m.Content, FromNumber: m.From, ToNumber: m.To, Number: m.To,
		Status: statuses[m.Phase], Service: m.Service, IsOutbound: m.Direction == store.Outbound,
		DateSent: stamp(m.DatedAt), DateUpdated: stamp(m.UpdatedAt),
		WasDowngraded: m.Downgraded || m.Fallback, MessageType: store.TypeMessage, Participants: []string{}, Plan: a.Plan,
		SendblueNumber: m.From, OptedOut: m.OptedOut, failure: failureOf(m),
		extras: extras{
			AppleGUID: m.AppleGUID, DateRead: stamp(m.ReadAt), Origin: m.Origin, ReplyTo: cloud.Handle(m.ReplyTo),
			EditedAt: stamp(m.EditedAt), UnsentAt: stamp(m.UnsentAt), ExpiresAt: stamp(m.ExpiresAt),
		},
	}
	if own := m.OwnMedia(); len(own) > 0 {
		out.MediaURL = own[0]
		if len(own) > 1 {
			out.MediaURLs = own
		}
	}
	switch {
	case m.Place > 0:
		out.PartOf = cloud.Handle(m.BelongsTo)
	case m.Aside:
		out.TapbackTo = cloud.Handle(m.BelongsTo)
	}
	if m.Direction == store.Inbound {
		out.Number, out.SendblueNumber = m.From, m.To
	}
	if m.InGroup() {
		out.MessageType, out.GroupID, out.GroupDisplayName = store.TypeGroup, m.Peer, m.GroupName
		out.Participants = append([]string{out.SendblueNumber}, m.Participants...)
		if m.Direction == store.Outbound {
			out.ToNumber, out.Number = "", ""
		}
	}
	return out
}

// The error codes of a message that the API documents.
const (
	codeDeclined = 4002  // its recipient is one that nothing is sent to
	codeFailed   = 10001 // it was not sent
	codeUnknown  = 10002 // nobody knows whether it was
)

// mayHaveBeenSent is what everybody must read before sending again.
const mayHaveBeenSent = "May have been sent. Do not send again without checking."

func failureOf(m store.Message) failure {
	switch m.Status {
	case wire.StatusFailed, wire.StatusUnknown, wire.Canceled, wire.Expired:
	default:
		return failure{}
	}
	out := failure{
		Code: new(codeFailed), Message: new(cmp.Or(m.ErrorMessage, "The message was not sent.")), Reason: text(m.ErrorCode),
	}
	switch {
	case m.Phase == store.PhaseDeclined:
		out.Code = new(codeDeclined)
	case m.Status == wire.StatusUnknown, m.ErrorCode == cloud.OutcomeUnknown:
		out.Code, out.Message = new(codeUnknown), new(mayHaveBeenSent)
	}
	if m.ErrorNumber != 0 { // Messages' own, or AppleScript's
		out.Detail = new(strconv.Itoa(m.ErrorNumber))
	}
	return out
}

// sent is the answer to a send and to the question for a status: the keys that are
// documented for the first, and those that the official SDK reads, which has another
// name for two of them.
type sent struct {
	Handle        string   `json:"message_handle"`
	AccountEmail  string   `json:"accountEmail"`
	AccountEmail2 string   `json:"account_email"`
	Content       string   `json:"content"`
	IsOutbound    bool     `json:"is_outbound"`
	Status        string   `json:"status"`
	DateSent      string   `json:"date_sent"`
	DateCreated   string   `json:"date_created"`
	DateUpdated   string   `json:"date_updated"`
	FromNumber    string   `json:"from_number"`
	Number        string   `json:"number"`
	ToNumber      string   `json:"to_number"`
	WasDowngraded *bool    `json:"was_downgraded"` // null until a row says
	Plan          string   `json:"plan"`
	MediaURL      string   `json:"media_url"`
	MessageType   string   `json:"message_type"`
	GroupID       string   `json:"group_id"`
	Participants  []string `json:"participants"`
	SendStyle     string   `json:"send_style"`
	OptedOut      bool     `json:"opted_out"`
	Service       string   `json:"service"`
	ExpiresAt     string   `json:"expires_at,omitempty"`
	failure
}

// coarse are the statuses that a client of these answers knows, for those that it does
// not.
var coarse = map[string]string{"REGISTERED": "QUEUED", "PENDING": "QUEUED", "ACCEPTED": "QUEUED"}

func renderSent(a store.Account, m store.Message) sent {
	full := render(a, m)
	out := sent{
		Handle: full.Handle, AccountEmail: full.AccountEmail, AccountEmail2: full.AccountEmail, Content: full.Content, IsOutbound: full.IsOutbound,
		Status: cmp.Or(coarse[full.Status], full.Status), DateSent: full.DateSent, DateCreated: stamp(m.CreatedAt), DateUpdated: full.DateUpdated,
		FromNumber: full.FromNumber, Number: full.Number, ToNumber: full.ToNumber, Plan: full.Plan, MediaURL: full.MediaURL,
		MessageType: full.MessageType, GroupID: full.GroupID, Participants: full.Participants, OptedOut: full.OptedOut, Service: full.Service,
		ExpiresAt: full.ExpiresAt, failure: full.failure,
	}
	if m.SentAt != 0 {
		out.WasDowngraded = &full.WasDowngraded
	}
	return out
}
