package sendblue

import (
	"cmp"

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
	ToNumber         string   `json:"to_number"`
	Number           string   `json:"number"`
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
	ErrorCode        *int     `json:"error_code"`
	ErrorMessage     *string  `json:"error_message"`
	ErrorReason      *string  `json:"error_reason"`
	ErrorDetail      *string  `json:"error_detail"`
	Plan             string   `json:"plan"`
	extras
}

// extras are our own keys.
type extras struct {
	// DateRead is when the recipient read it.
	DateRead string `json:"date_read,omitempty"`
	// AppleGUID is the guid that Messages on the Mac gave it.
	AppleGUID string `json:"apple_guid,omitempty"`
	// Origin is "device" where the owner wrote it on a device of his own.
	Origin string `json:"origin,omitempty"`
}

// states are the API's statuses for each of ours.
var states = map[wire.Status]string{
	wire.Queued:          "QUEUED",
	wire.StatusAccepted:  "ACCEPTED",
	wire.StatusSending:   "ACCEPTED",
	wire.StatusSent:      "SENT",
	wire.StatusDelivered: "DELIVERED",
	wire.StatusRead:      "DELIVERED",
	wire.StatusFailed:    "ERROR",
	wire.StatusUnknown:   "ERROR",
	wire.Canceled:        "ERROR",
	wire.Expired:         "ERROR",
	wire.StatusReceived:  "RECEIVED",
}

func render(a store.Account, m store.Message) message {
	out := message{
		Handle: cloud.Handle(m.ID), AccountEmail: a.Email, Content: m.Content, FromNumber: m.From, ToNumber: m.To, Number: m.To,
		Status: states[m.Status], Service: service(m.Service), IsOutbound: m.Direction == store.Outbound,
		DateSent: stamp(cmp.Or(m.SentAt, m.CreatedAt)), DateUpdated: stamp(m.UpdatedAt), MediaURL: m.MediaURL,
		WasDowngraded: m.Downgraded || m.Fallback, MessageType: "message", Participants: []string{}, Plan: a.Plan,
		SendblueNumber: m.From,
		extras:         extras{DateRead: stamp(m.ReadAt), AppleGUID: m.AppleGUID, Origin: m.Origin},
	}
	if m.Direction == store.Inbound {
		out.Number, out.SendblueNumber = m.From, m.To
	}
	return out
}

// service is what a service is called here: until a row says otherwise it is iMessage.
func service(s string) string { return cmp.Or(s, wire.ServiceIMessage) }
