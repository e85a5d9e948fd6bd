package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Waiting says why a message has not been sent yet: a code for programs, a sentence
// for people.
type Waiting struct {
	Code    string
	Message string
}

// The reasons to wait, in the order in which they are looked for.
const (
	WaitingLinePaused       = "line_paused"
	WaitingNoMac            = "no_mac"
	WaitingMacOffline       = "mac_offline"
	WaitingMacNotReady      = "mac_not_ready" // with the relay's own sentence
	WaitingMedia            = "media"
	WaitingEqualText        = "equal_text"
	WaitingConversationBusy = "conversation_busy"
	WaitingPace             = "pace"
	WaitingNewConversations = "new_conversations"
	WaitingWindow           = "window"
)

// WaitingFor tells what a message waits for, nil where it does not wait. It reads the
// table only, so that commands beside the server give the same answer.
func (s *Service) WaitingFor(ctx context.Context, m store.Message) (*Waiting, error) {
	if m.Direction != store.Outbound || m.Status != wire.Queued && m.Status != wire.StatusAccepted {
		return nil, nil
	}
	line, err := s.store.Line(ctx, m.LineID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // removed: what waited was canceled
	}
	if err != nil {
		return nil, fmt.Errorf("find the line: %w", err)
	}
	if m.InstallID == "" && line.Status == store.LinePaused {
		return &Waiting{WaitingLinePaused, "The line is paused: resume it to go on."}, nil
	}
	if line.RelayID == "" {
		return &Waiting{WaitingNoMac, "No Mac is paired with this number."}, nil
	}
	relay, err := s.store.Relay(ctx, line.RelayID)
	if err != nil {
		return nil, fmt.Errorf("find the relay: %w", err)
	}
	if w := waitingForMac(relay); w != nil || m.InstallID != "" {
		return w, nil
	}
	return s.waitingInQueue(ctx, m, paceOf(line, relay.OS), line.PacedUntil)
}

func waitingForMac(r store.Relay) *Waiting {
	switch {
	case !r.Connected && r.Problem == ProblemAway:
		return &Waiting{WaitingMacOffline, r.Reason}
	case !r.Connected:
		return &Waiting{WaitingMacOffline, "The Mac is not connected."}
	case !r.Ready && r.Reason != "":
		return &Waiting{WaitingMacNotReady, r.Reason}
	case !r.Ready:
		return &Waiting{WaitingMacNotReady, "The Mac cannot send at the moment."}
	}
	return nil
}

// waitingInQueue tells what keeps a message from a Mac that could send.
func (s *Service) waitingInQueue(ctx context.Context, m store.Message, p pace, pacedUntil int64) (*Waiting, error) {
	now := time.Now()
	if m.AwaitsMedia {
		return &Waiting{WaitingMedia, "The file is being fetched."}, nil
	}
	before, err := s.store.Before(ctx, m)
	switch {
	case err == nil && before.Content == m.Content:
		return &Waiting{WaitingEqualText, "The same text to the same recipient goes first: two at once could not be told apart."}, nil
	case err == nil:
		return &Waiting{WaitingConversationBusy, "An earlier message to the same recipient goes first."}, nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("find what goes first: %w", err)
	}
	if n, wait := p.room(pacedUntil, now); n == 0 {
		return &Waiting{WaitingPace, fmt.Sprintf("The line sends one message in %s: the next may go in %s.", p.interval, wait.Round(100*time.Millisecond))}, nil
	}
	if p.opening >= 0 {
		w, err := s.waitingToOpen(ctx, m, p, now)
		if err != nil || w != nil {
			return w, err
		}
	}
	held, err := s.store.CountHeld(ctx, m.LineID)
	if err != nil || held < s.cfg.Window {
		return nil, err // about to go
	}
	return &Waiting{WaitingWindow, "The Mac is busy with earlier messages."}, nil
}

func (s *Service) waitingToOpen(ctx context.Context, m store.Message, p pace, now time.Time) (*Waiting, error) {
	opens, err := s.store.Opens(ctx, m.ID)
	if err != nil || !opens {
		return nil, err
	}
	n, err := s.store.Opened(ctx, m.LineID, now.Add(-openingPeriod).UnixMilli())
	if err != nil || n < p.opening {
		return nil, err
	}
	return &Waiting{WaitingNewConversations, fmt.Sprintf("The line has begun %d new conversations in 24 hours, as many as it may.", n)}, nil
}
