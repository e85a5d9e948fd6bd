package cloud

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// StreamEvents answers a request with the account's events from a place on, as
// server-sent events, for as long as FollowEvents does. render gives the data of one,
// nil for one that is passed over. It returns an error only where nothing has been
// written yet.
func (s *Service) StreamEvents(ctx context.Context, w http.ResponseWriter, p Principal, dialect, from string, render func(FeedEvent) ([]byte, error)) error {
	out := stream{w: w, conn: http.NewResponseController(w), wait: s.cfg.WriteWait, render: render}
	err := s.FollowEvents(ctx, p, dialect, from, out.tell)
	if !out.begun {
		return err
	}
	s.log.Info("events.ended", "key", p.Key.ID, "reason", err.Error())
	return nil
}

// stream writes server-sent events.
type stream struct {
	w      http.ResponseWriter
	conn   *http.ResponseController
	wait   time.Duration // how long a reader may take to make room for one event
	render func(FeedEvent) ([]byte, error)
	begun  bool
}

// tell writes a page of events, or a sign of life.
func (s *stream) tell(page EventPage) error {
	if !s.begun {
		return s.begin(page)
	}
	if len(page.Events) == 0 {
		return s.write(": still here\n\n")
	}
	for _, e := range page.Events {
		data, err := s.render(e)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if err := s.write("id: " + e.Cursor + "\ndata: " + string(data) + "\n\n"); err != nil {
			return err
		}
	}
	return nil
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
