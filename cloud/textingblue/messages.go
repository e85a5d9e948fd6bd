package textingblue

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// maxContent is the length of a text in characters (Unicode code points).
const maxContent = 5000

func (a *API) sendMessage(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	var out cloud.Outgoing
	for _, field := range []struct {
		name string
		into *string
	}{{"to", &out.To}, {"from", &out.From}, {"content", &out.Content}} {
		if *field.into, err = f.text(field.name); err != nil {
			return reply{}, err
		}
	}
	if utf8.RuneCountInString(out.Content) > maxContent {
		return reply{}, cloud.Invalid("content", "The 'content' field must not exceed %d characters.", maxContent)
	}
	if err := checkMedia(f); err != nil {
		return reply{}, err
	}
	m, err := a.cloud.Send(ctx, c.who, out)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, renderSent(m)}, nil
}

// checkMedia refuses media: what is not an HTTPS URL in the API's own words, and the
// rest because a file that is accepted must also be sent.
func checkMedia(f fields) error {
	raw, err := f.text("media_url")
	if err != nil || raw == "" {
		return err
	}
	if u, err := url.Parse(raw); err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return cloud.Invalid("media_url", "The 'media_url' field must be a valid HTTPS URL.")
	}
	return cloud.Invalid("media_url", "This version of the server does not send media. Send the text without 'media_url'.")
}

func (a *API) listMessages(ctx context.Context, c call) (reply, error) {
	q := c.URL.Query()
	filter := store.MessageFilter{From: number(q.Get("from")), To: number(q.Get("to")), Direction: q.Get("direction"), Limit: 50}
	if d := filter.Direction; d != "" && d != store.Inbound && d != store.Outbound {
		return reply{}, cloud.Invalid("direction", "The 'direction' parameter must be inbound or outbound.")
	}
	if s := q.Get("status"); s != "" {
		if filter.Statuses = statusesOf(s); len(filter.Statuses) == 0 {
			return reply{}, cloud.Invalid("status", "The 'status' parameter must be one of queued, polling, sent, delivered, failed, received.")
		}
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100 {
			return reply{}, cloud.Invalid("limit", "The 'limit' parameter must be an integer from 1 to 100.")
		}
		filter.Limit = n
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

// number restores the plus that a client forgot to escape: in a query it reads as a
// space.
func number(s string) string {
	if rest, ok := strings.CutPrefix(s, " "); ok {
		return "+" + rest
	}
	return s
}

// statusesOf lists our states that show as one of the API's.
func statusesOf(public string) []wire.Status {
	var list []wire.Status
	for _, s := range slices.Sorted(maps.Keys(states)) {
		if states[s] == public {
			list = append(list, s)
		}
	}
	return list
}

func (a *API) getMessage(ctx context.Context, c call) (reply, error) {
	m, err := a.cloud.Message(ctx, c.who, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderFull(m)}, nil
}
