package textingblue

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// maxContent is the length of a text in characters (Unicode code points).
const maxContent = 5000

// maxMedia is the size of a file that is sent, in bytes.
const maxMedia = 5 << 20

func (a *API) sendMessage(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	out := cloud.Outgoing{Once: c.once, MaxMedia: maxMedia, NeedsText: true}
	for _, field := range []struct {
		name string
		into *string
	}{
		{"to", &out.To}, {"from", &out.From}, {"content", &out.Content},
		{"media_url", &out.MediaURL}, {"service", &out.Service}, {"group_id", &out.Group},
	} {
		if *field.into, err = f.text(field.name); err != nil {
			return reply{}, err
		}
	}
	if utf8.RuneCountInString(out.Content) > maxContent {
		return reply{}, cloud.Invalid("content", "The 'content' field must not exceed %d characters.", maxContent)
	}
	if out.ExpiresAt, err = f.moment("expires_at"); err != nil {
		return reply{}, err
	}
	m, err := a.cloud.Send(ctx, c.who, out)
	if err != nil {
		return reply{}, err
	}
	return accepted(m), nil
}

// accepted is the answer to everything that makes a message.
func accepted(m store.Message) reply { return reply{http.StatusAccepted, renderSent(m)} }

func (a *API) listMessages(ctx context.Context, c call) (reply, error) {
	q, err := cloud.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return reply{}, err
	}
	filter := store.MessageFilter{From: cloud.RestorePlus(q.Get("from")), To: cloud.RestorePlus(q.Get("to")), Direction: q.Get("direction")}
	if d := filter.Direction; d != "" && d != store.Inbound && d != store.Outbound {
		return reply{}, cloud.Invalid("direction", "The 'direction' parameter must be inbound or outbound.")
	}
	if s := q.Get("status"); s != "" {
		if filter.Phases = phases[s]; filter.Phases == nil {
			return reply{}, cloud.Invalid("status", "The 'status' parameter must be one of queued, polling, sent, delivered, failed, received.")
		}
	}
	if filter.Text, err = cloud.SearchText(q.Get("q")); err != nil {
		return reply{}, err
	}
	if filter.Limit, err = limitOf(q); err != nil {
		return reply{}, err
	}
	list, more, err := a.cloud.Messages(ctx, c.who, filter, q.Get("cursor"))
	if err != nil {
		return reply{}, err
	}
	body := struct {
		Messages []listedMessage `json:"messages"`
		Cursor   *string         `json:"cursor"`
		HasMore  bool            `json:"has_more"`
	}{Messages: make([]listedMessage, len(list)), HasMore: more}
	for i, m := range list {
		body.Messages[i] = renderListed(m)
	}
	if more {
		body.Cursor = &list[len(list)-1].ID
	}
	return reply{http.StatusOK, body}, nil
}

// limitOf is how many items a page may have, 50 unless the query says otherwise.
func limitOf(q url.Values) (int, error) {
	s := q.Get("limit")
	if s == "" {
		return 50, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 100 {
		return 0, cloud.Invalid("limit", "The 'limit' parameter must be an integer from 1 to 100.")
	}
	return n, nil
}

// phases are those of the messages that a status of the API filters by: the stored
// counterpart of states.
var phases = map[string][]store.Phase{
	"queued":    {store.PhaseRegistered, store.PhasePending, store.PhaseQueued},
	"polling":   {store.PhaseAccepted, store.PhaseUnknown},
	"sent":      {store.PhaseSent},
	"delivered": {store.PhaseDelivered},
	"failed":    {store.PhaseFailed, store.PhaseDeclined},
	"received":  {store.PhaseReceived},
}

func (a *API) getMessage(ctx context.Context, c call) (reply, error) {
	m, err := a.cloud.Message(ctx, c.who, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	full, err := a.withReason(ctx, m)
	return reply{http.StatusOK, full}, err
}
