package cloud

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"bluerelay/cloud/store"
)

// StreamEvents answers a request with the account's events from a place on, as
// server-sent events, for as long as FollowEvents does. It returns an error only where
// nothing has been written yet.
func (s *Service) StreamEvents(ctx context.Context, w http.ResponseWriter, p Principal, dialect, from string, r Renderer) error {
	out := stream{w: w, conn: http.NewResponseController(w), wait: s.cfg.WriteWait, Renderer: r}
	err := s.FollowEvents(ctx, p, dialect, from, r.New != nil, out.tell)
	if !out.begun {
		return err
	}
	s.log.Info("events.ended", "key", p.Key.ID, "reason", err.Error())
	return nil
}

// eventStream is the type of server-sent events.
const eventStream = "text/event-stream"

// Renderer gives the data of a stream's items, nil for one that is passed over.
type Renderer struct {
	Event func(FeedEvent) ([]byte, error)
	New   func(store.Message) ([]byte, error) // nil where new messages are not told
}

// stream writes server-sent events.
type stream struct {
	Renderer
	w     http.ResponseWriter
	conn  *http.ResponseController
	wait  time.Duration // how long a reader may take to make room for one event
	begun bool
	at    string // cursor of the last id that the reader was given
}

// tell writes what is to be shown of a page. Where that is nothing, it writes a sign of life
// and how far the log has been looked through: a reader who is shown little comes back to
// there, not to the last event that he was shown, which may not be kept any more. A block of an
// id without data changes the place to come back to, and is no event (HTML, 9.2.6).
func (s *stream) tell(page EventPage) error {
	if !s.begun {
		return s.begin(page)
	}
	shown := false
	for _, m := range page.New {
		data, err := s.New(m)
		if err := s.item("", data, err); err != nil { // no place of the log
			return err
		}
		shown = shown || data != nil
	}
	for _, e := range page.Events {
		data, err := s.Event(e)
		if err := s.item("id: "+e.Cursor+"\n", data, err); err != nil {
			return err
		}
		if data != nil {
			shown, s.at = true, e.Cursor
		}
	}
	switch {
	case shown:
		return nil
	case page.Cursor == s.at:
		return s.write(": still here\n\n")
	}
	s.at = page.Cursor
	return s.write(": still here\nid: " + s.at + "\n\n")
}

// item writes one item, if there is anything to be said of it.
func (s *stream) item(id string, data []byte, err error) error {
	if err != nil || data == nil {
		return err
	}
	return s.write(id + "data: " + string(data) + "\n\n")
}

// begin opens the stream. Where there is no event yet its first block has an id and no
// data: a reader that is cut before the first event comes back to where it began.
func (s *stream) begin(page EventPage) error {
	s.begun = true
	// The server's limit for reading a request would end the stream.
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("keep the connection: %w", err)
	}
	h := s.w.Header()
	h.Set("Content-Type", eventStream+"; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
	if len(page.Events) == 0 {
		s.at = page.Cursor
		if err := s.write("retry: 2000\nid: " + s.at + "\n\n"); err != nil || len(page.New) == 0 {
			return err
		}
	} else if err := s.write("retry: 2000\n\n"); err != nil {
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
