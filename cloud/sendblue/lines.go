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

// listLines names the numbers that messages can be sent from.
func (a *API) listLines(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Numbers(ctx, c.who)
	numbers := []string{}
	for _, n := range list {
		if n.Verified {
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
	list, err := a.cloud.Numbers(ctx, c.who)
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
	if n.Relay == nil {
		s.Status, s.Reason = "UNKNOWN", "No Mac is paired with this number."
		return s
	}
	s.WorkerID = n.Relay.ID
	switch {
	case !n.Relay.Connected:
		s.Status, s.StatusChangedAt, s.Reason = "OFFLINE", stamp(n.Relay.LastSeenAt), "The Mac is not connected."
	case !n.Relay.Ready:
		s.Status, s.Reason = "DEGRADED", cmp.Or(n.Relay.Reason, "The Mac cannot send at the moment.")
	case n.Line.Status == store.LinePaused:
		s.Status, s.Reason = "DEGRADED", "The line is paused."
	default:
		s.Status = "ONLINE"
	}
	return s
}
