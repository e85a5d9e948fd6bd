package textingblue

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// feedEvent is an item of the event feed: the body of its webhook, and two keys more.
type feedEvent struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Timestamp *string         `json:"timestamp"`
	Change    string          `json:"change,omitempty"`
	Test      bool            `json:"test,omitempty"`
	Data      json.RawMessage `json:"data"`
	CreatedAt string          `json:"created_at"` // the timestamp, with its milliseconds
	Cursor    string          `json:"cursor"`
}

func renderFeedEvent(e cloud.FeedEvent) (feedEvent, error) {
	var out feedEvent
	if err := json.Unmarshal([]byte(e.Body), &out); err != nil {
		return out, fmt.Errorf("read a stored event: %w", err)
	}
	out.CreatedAt, out.Cursor = instant(e.CreatedAt), e.Cursor
	return out, nil
}

// listEvents answers with a page of the account's events, or with a stream of them for
// those who accept text/event-stream.
func (a *API) listEvents(ctx context.Context, c call) (reply, error) {
	q, err := cloud.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return reply{}, err
	}
	limit, err := limitOf(q)
	if err != nil {
		return reply{}, err
	}
	if len(q["after"]) > 1 {
		return reply{}, cloud.Invalid("after", "The 'after' parameter must be given once.")
	}
	if c.Method == http.MethodGet && wantsStream(c.Header) {
		return reply{}, a.streamEvents(ctx, c, q)
	}
	page, err := a.cloud.Events(ctx, c.who, store.TextingBlue, q.Get("after"), limit)
	if err != nil {
		return reply{}, err
	}
	body := struct {
		Events  []feedEvent `json:"events"`
		Cursor  string      `json:"cursor"`
		HasMore bool        `json:"has_more"`
	}{make([]feedEvent, len(page.Events)), page.Cursor, page.More}
	for i, e := range page.Events {
		if body.Events[i], err = renderFeedEvent(e); err != nil {
			return reply{}, err
		}
	}
	return reply{http.StatusOK, body}, nil
}

func wantsStream(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for one := range strings.SplitSeq(value, ",") {
			if kind, _, err := mime.ParseMediaType(one); err == nil && kind == "text/event-stream" {
				return true
			}
		}
	}
	return false
}

// streamEvents returns an error only where nothing has been written yet.
func (a *API) streamEvents(ctx context.Context, c call, q url.Values) error {
	from := cloud.FromNow
	if after, said := q["after"]; said {
		from = after[0]
	}
	if last := c.Header.Get("Last-Event-ID"); last != "" {
		from = last
	}
	return a.cloud.StreamEvents(ctx, c.out, c.who, store.TextingBlue, from, cloud.Renderer{Event: func(e cloud.FeedEvent) ([]byte, error) {
		if e.Body == "" {
			return nil, nil
		}
		item, err := renderFeedEvent(e)
		if err != nil {
			return nil, err
		}
		return cloud.JSON(item)
	}})
}
