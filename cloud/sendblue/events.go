package sendblue

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// streamLife is how long one stream of events lives: then its reader comes back.
const streamLife = 15 * time.Minute

// The types of what is more than one of our events, or none.
const (
	messageCreated    = "message.created" // a message has begun here
	lineStatusChanged = "line.status.changed"
)

// eventVersion is the version of the form of events.
const eventVersion = 1

// eventTypes are the types that the API documents. Those that a Mac does not see never
// come.
var eventTypes = []string{
	"message.received", messageCreated, "message.updated", "typing.changed", "line.assigned", "line.unassigned", lineStatusChanged, "line.blocked",
	"contact.created", "verification.approved", "verification.expired", "verification.canceled",
}

// streamed are the types for each of our events that is told.
var streamed = map[string]string{
	"message.received":  "message.received",
	"message.sent":      "message.updated",
	"message.delivered": "message.updated",
	"message.read":      "message.updated",
	"message.failed":    "message.updated",
	"message.unknown":   "message.updated",
	"message.updated":   "message.updated",
	"relay.online":      lineStatusChanged,
	"relay.offline":     lineStatusChanged,
	"relay.ready":       lineStatusChanged,
	"relay.attention":   lineStatusChanged,
	"line.paused":       lineStatusChanged,
	"line.resumed":      lineStatusChanged,
}

// event is one item of the stream.
type event struct {
	Version    int    `json:"version"`
	ID         string `json:"id"`
	Type       string `json:"type"`
	OccurredAt string `json:"occurred_at"`
	Data       any    `json:"data"`
}

// messageNews is the data of an event about a message.
type messageNews struct {
	MessageID      string          `json:"message_id"`
	Status         string          `json:"status"`
	UpdatedAt      string          `json:"updated_at"`
	Number         string          `json:"number"`
	SendblueNumber string          `json:"sendblue_number"`
	IsOutbound     bool            `json:"is_outbound"`
	ErrorCode      *int            `json:"error_code"`
	ErrorMessage   *string         `json:"error_message"`
	Message        json.RawMessage `json:"message"` // what its webhook gets
}

// streamEvents answers with the account's events, live, or from the place of
// Last-Event-ID on.
func (a *API) streamEvents(ctx context.Context, c call) (reply, error) {
	q, err := c.query()
	if err != nil {
		return reply{}, err
	}
	var types []string
	if s := q.text("types"); s != "" {
		types = strings.Split(s, ",")
		for _, t := range types {
			if !slices.Contains(eventTypes, t) {
				return reply{}, cloud.Invalid("types", "The 'types' parameter may name only %s.", strings.Join(eventTypes, ", "))
			}
		}
	}
	from := cloud.FromNow
	if last := c.Header.Get("Last-Event-ID"); last != "" {
		from = last
	}
	ctx, cancel := context.WithTimeout(ctx, streamLife)
	defer cancel()
	wanted := func(kind string) bool { return kind != "" && (types == nil || slices.Contains(types, kind)) }
	return reply{}, a.cloud.StreamEvents(ctx, c.out, c.who, store.Sendblue, from, cloud.Renderer{
		Event: func(e cloud.FeedEvent) ([]byte, error) {
			kind := streamed[e.Type]
			if !wanted(kind) || e.Body == "" {
				return nil, nil
			}
			return renderEvent(e, kind)
		},
		New: func(m store.Message) ([]byte, error) {
			if !wanted(messageCreated) {
				return nil, nil
			}
			return renderNew(c.who.Account, m)
		},
	})
}

// renderNew tells of a message that has begun here. It is not in the log: its id is made
// of the handle, as published clients make it.
func renderNew(a store.Account, m store.Message) ([]byte, error) {
	body, err := cloud.JSON(post(a, m))
	if err != nil {
		return nil, err
	}
	news, err := newsOf(body)
	if err != nil {
		return nil, err
	}
	return cloud.JSON(event{Version: eventVersion, ID: "message:" + news.MessageID + ":created", Type: messageCreated, OccurredAt: stamp(m.CreatedAt), Data: news})
}

// newsOf is the data of an event about a message, made of what its webhook gets.
func newsOf(body []byte) (messageNews, error) {
	var m posted
	err := json.Unmarshal(body, &m)
	return messageNews{
		MessageID: m.Handle, Status: m.Status, UpdatedAt: m.DateUpdated, Number: m.Number, SendblueNumber: m.SendblueNumber,
		IsOutbound: m.IsOutbound, ErrorCode: m.ErrorCode, ErrorMessage: m.ErrorMessage, Message: body,
	}, err
}

func renderEvent(e cloud.FeedEvent, kind string) ([]byte, error) {
	out := event{Version: eventVersion, ID: e.EventID, Type: kind, OccurredAt: stamp(e.CreatedAt), Data: json.RawMessage(e.Body)}
	if strings.HasPrefix(kind, "message.") {
		news, err := newsOf([]byte(e.Body))
		if err != nil {
			return nil, err
		}
		out.Data = news
	}
	return cloud.JSON(out)
}
