package textingblue

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

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
	q := c.URL.Query()
	limit, err := limitOf(q)
	if err != nil {
		return reply{}, err
	}
	if len(q["after"]) > 1 {
		return reply{}, cloud.Invalid("after", "The 'after' parameter must be given once.")
	}
	if c.Method == http.MethodGet && wantsStream(c.Header) {
		return reply{}, a.streamEvents(ctx, c)
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

// stream writes server-sent events.
type stream struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	wait  time.Duration // how long a reader may take to make room for one event
	begun bool
}

// streamEvents returns an error only where nothing has been written yet.
func (a *API) streamEvents(ctx context.Context, c call) error {
	from := cloud.FromNow
	if after, said := c.URL.Query()["after"]; said {
		from = after[0]
	}
	if last := c.Header.Get("Last-Event-ID"); last != "" {
		from = last
	}
	s := stream{w: c.out, conn: http.NewResponseController(c.out), wait: a.cloud.WriteWait()}
	err := a.cloud.FollowEvents(ctx, c.who, store.TextingBlue, from, s.tell)
	if !s.begun {
		return err
	}
	a.log.Info("events.ended", "key", c.who.Key.ID, "reason", err.Error())
	return nil
}

// tell writes a page of events, or a sign of life.
func (s *stream) tell(page cloud.EventPage) error {
	if !s.begun {
		return s.begin(page)
	}
	if len(page.Events) == 0 {
		return s.write(": still here\n\n")
	}
	for _, e := range page.Events {
		item, err := renderFeedEvent(e)
		if err != nil {
			return err
		}
		data, err := cloud.JSON(item)
		if err != nil {
			return err
		}
		if err := s.write("id: " + e.Cursor + "\ndata: " + string(data) + "\n\n"); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the stream. Where there is no event yet its first block has an id and no
// data: a reader that is cut before the first event comes back to where it began.
func (s *stream) begin(page cloud.EventPage) error {
	s.begun = true
	// The server's limit for reading a request would end the stream.
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("keep the connection: %w", err)
	}
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
	if len(page.Events) == 0 {
		return s.write("retry: 2000\nid: " + page.Cursor + "\n\n")
	}
	if err := s.write("retry: 2000\n\n"); err != nil {
		return err
	}
	return s.tell(page)
}

// write sends a block now. A reader that makes no room is cut: it comes back and goes
// on where it was.
func (s *stream) write(block string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.wait)); err != nil {
		return fmt.Errorf("limit the time of a write: %w", err)
	}
	if _, err := s.w.Write([]byte(block)); err != nil {
		return err
	}
	return s.conn.Flush()
}
