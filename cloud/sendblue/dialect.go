package sendblue

import (
	"net/http"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// Dialect is what package cloud needs to tell this API's webhooks and callbacks.
func Dialect() cloud.Dialect {
	return cloud.Dialect{Events: append([]string{"message.received"}, outcomes...), Completes: true, Outcomes: outcomes, Body: eventBody, Sign: sign}
}

// posted is the body of every webhook and callback: 25 keys, no envelope. Receivers
// tell the kinds apart by the URL.
type posted struct {
	AccountEmail     string   `json:"accountEmail"`
	Content          string   `json:"content"`
	IsOutbound       bool     `json:"is_outbound"`
	Status           string   `json:"status"`
	ErrorCode        *int     `json:"error_code"`
	ErrorMessage     *string  `json:"error_message"`
	ErrorReason      *string  `json:"error_reason"`
	Handle           string   `json:"message_handle"`
	DateSent         string   `json:"date_sent"`
	DateUpdated      string   `json:"date_updated"`
	FromNumber       string   `json:"from_number"`
	Number           string   `json:"number"`
	ToNumber         string   `json:"to_number"`
	WasDowngraded    *bool    `json:"was_downgraded"` // null for inbound
	Plan             string   `json:"plan"`
	MediaURL         string   `json:"media_url"`
	MessageType      string   `json:"message_type"`
	GroupID          string   `json:"group_id"`
	Participants     []string `json:"participants"`
	SendStyle        string   `json:"send_style"`
	OptedOut         bool     `json:"opted_out"`
	ErrorDetail      *string  `json:"error_detail"`
	SendblueNumber   string   `json:"sendblue_number"`
	Service          string   `json:"service"`
	GroupDisplayName string   `json:"group_display_name"`
	// ReplacedBy is the line's own message that this one is in truth: a key of ours.
	ReplacedBy string `json:"replaced_by_handle,omitempty"`
}

func post(a store.Account, m store.Message) posted {
	full := render(a, m)
	out := posted{
		AccountEmail: full.AccountEmail, Content: full.Content, IsOutbound: full.IsOutbound, Status: full.Status,
		ErrorCode: full.Code, ErrorMessage: full.failure.Message, ErrorReason: full.Reason, ErrorDetail: full.Detail,
		Handle: full.Handle, DateSent: full.DateSent, DateUpdated: full.DateUpdated,
		FromNumber: full.FromNumber, Number: full.Number, ToNumber: full.ToNumber, Plan: full.Plan, MediaURL: full.MediaURL,
		MessageType: full.MessageType, GroupID: full.GroupID, Participants: full.Participants, OptedOut: full.OptedOut,
		SendblueNumber: full.SendblueNumber, Service: full.Service, GroupDisplayName: full.GroupDisplayName,
		ReplacedBy: cloud.Handle(m.ReplacedBy),
	}
	if full.IsOutbound {
		out.WasDowngraded = &full.WasDowngraded
	}
	return out
}

// eventBody renders what becomes of messages and of lines; nothing else is told here.
func eventBody(e store.Event, m store.Message) (string, error) {
	var v any
	switch {
	case e.Type == "message.failed" && m.ErrorCode == cloud.OutcomeUnknown:
		return "", nil // a day after message.unknown: it has been ERROR 10002 since then
	case e.Tapback == nil && strings.HasPrefix(e.Type, "message."):
		v = post(e.Account, m)
	case streamed[e.Type] == lineStatusChanged:
		status := statusAfter(e)
		if status == "" {
			return "", nil
		}
		v = lineStatus{e.Line.PhoneNumber, status}
	default:
		return "", nil
	}
	body, err := cloud.JSON(v)
	return string(body), err
}

// sign shows the secret that the customer has chosen, as it is.
func sign(h http.Header, w store.Webhook, _ store.Delivery) {
	if w.GivenSecret != "" {
		h.Set("sb-signing-secret", w.GivenSecret)
	}
}
