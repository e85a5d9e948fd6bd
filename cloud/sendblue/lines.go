package sendblue

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

func (a *API) lineRoutes() {
	a.handle("GET /api/lines", cloud.NumbersRead, a.listLines)
	a.handle("GET /api/v2/lines/state", cloud.NumbersRead, a.lineStates)
}

// listLines names the numbers that messages can be sent from: from a paused one they are
// refused.
func (a *API) listLines(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Relays(ctx, c.who)
	numbers := []string{}
	for _, n := range list {
		if n.Verified && n.Line.Status == store.LineActive {
			numbers = append(numbers, n.PhoneNumber)
		}
	}
	return reply{http.StatusOK, struct {
		Numbers []string `json:"numbers"`
	}{numbers}}, err
}

// stateOfLine is how a line is.
type stateOfLine struct {
	WorkerID       string `json:"worker_id"` // of its Mac, or of the line where it has none
	SendblueNumber string `json:"sendblue_number"`
	Assignment     string `json:"assignment"`
	Status         string `json:"status"`
	// StatusChangedAt is when an offline Mac was last there; of the other states it is not
	// known.
	StatusChangedAt string `json:"status_changed_at,omitempty"`
	// Reason says what a person could do about it.
	Reason string `json:"reason,omitempty"`
}

func (a *API) lineStates(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Relays(ctx, c.who)
	states := make([]stateOfLine, len(list))
	for i, n := range list {
		states[i] = stateOf(n)
	}
	return reply{http.StatusOK, struct {
		Status     string        `json:"status"`
		SnapshotAt string        `json:"snapshot_at"`
		Data       []stateOfLine `json:"data"`
	}{statusOK, stamp(time.Now().UnixMilli()), states}}, err
}

func stateOf(n cloud.NumberState) stateOfLine {
	s := stateOfLine{WorkerID: n.ID, SendblueNumber: n.PhoneNumber, Assignment: "assigned"}
	s.Status, s.Reason = statusOf(n.Line, n.Relay)
	if n.Relay != nil {
		s.WorkerID = n.Relay.ID
	}
	if s.Status == lineOffline {
		s.StatusChangedAt = stamp(n.Relay.LastSeenAt)
	}
	return s
}

// The statuses of a line.
const (
	lineOnline   = "ONLINE"
	lineDegraded = "DEGRADED" // its Mac is there and does not send
	lineOffline  = "OFFLINE"
	lineUnknown  = "UNKNOWN" // it has no Mac
)

// statusOf is how a line with that Mac is, nil for none, and why it is not ONLINE.
func statusOf(l store.Line, mac *store.Relay) (status, reason string) {
	switch {
	case mac == nil:
		return lineUnknown, "No Mac is paired with this number."
	case !mac.Connected:
		return lineOffline, "The Mac is not connected."
	case !mac.Ready:
		return lineDegraded, cmp.Or(mac.Reason, "The Mac cannot send at the moment.")
	case l.Status == store.LinePaused:
		return lineDegraded, "The line is paused."
	}
	return lineOnline, ""
}

// lineStatus is what is told of a line.
type lineStatus struct {
	SendblueNumber string `json:"sendblue_number"`
	Status         string `json:"status"`
}

// statusAfter is how a line is after an event, "" where the event says nothing of that: it
// is about a Mac that the line had before, or about what a person should look at on one
// that sends all the same, or whose absence was told.
func statusAfter(e store.Event) string {
	mac := e.Relay
	if mac != nil && mac.ID != e.Line.RelayID {
		if e.Line.RelayID != "" {
			return ""
		}
		mac = nil
	}
	status, _ := statusOf(*e.Line, mac)
	if e.Type == "relay.attention" && status != lineDegraded {
		return ""
	}
	return status
}
