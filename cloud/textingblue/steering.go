package textingblue

import (
	"context"
	"net/http"
	"strings"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// cancelMessage answers 200 with a message that is canceled, and 202 with one whose
// Mac has not answered yet.
func (a *API) cancelMessage(ctx context.Context, c call) (reply, error) {
	m, err := a.cloud.Cancel(ctx, c.who, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	full, err := a.withReason(ctx, m)
	if err != nil {
		return reply{}, err
	}
	if m.Status == wire.Canceled {
		return reply{http.StatusOK, full}, nil
	}
	return reply{http.StatusAccepted, full}, nil
}

// resendMessage makes a new message of one that was not sent. Its body may be empty.
func (a *API) resendMessage(ctx context.Context, c call) (reply, error) {
	how := cloud.Resending{Once: c.once, MaxMedia: maxMedia}
	if strings.Trim(string(c.body), " \t\r\n") != "" {
		f, err := c.object()
		if err != nil {
			return reply{}, err
		}
		if how.AcceptDuplicateRisk, err = f.flag("accept_duplicate_risk", false); err != nil {
			return reply{}, err
		}
		if how.ExpiresAt, err = f.moment("expires_at"); err != nil {
			return reply{}, err
		}
	}
	m, err := a.cloud.Resend(ctx, c.who, c.PathValue("id"), how)
	if err != nil {
		return reply{}, err
	}
	return accepted(m), nil
}

// timelineEntry is one thing that became of a message. Its status is the server's own
// word, which says more than the API's five.
type timelineEntry struct {
	N          int         `json:"n"`
	Status     wire.Status `json:"status"`
	At         string      `json:"at"`
	RecordedAt string      `json:"recorded_at"`
	Evidence   string      `json:"evidence"`
	Attempt    int         `json:"attempt,omitempty"`
	AppleGUID  string      `json:"apple_guid,omitempty"`
	Code       string      `json:"code,omitempty"`
	Number     int         `json:"number,omitempty"`
	Detail     string      `json:"detail,omitempty"`
}

func (a *API) getTimeline(ctx context.Context, c call) (reply, error) {
	m, list, err := a.cloud.Timeline(ctx, c.who, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	body := struct {
		MessageID string          `json:"message_id"`
		Status    string          `json:"status"`
		Timeline  []timelineEntry `json:"timeline"`
	}{m.ID, states[m.Status], make([]timelineEntry, len(list))}
	for i, e := range list {
		body.Timeline[i] = renderEntry(e)
	}
	return reply{http.StatusOK, body}, nil
}

func renderEntry(e store.TimelineEntry) timelineEntry {
	return timelineEntry{
		N: e.N, Status: e.Status, At: instant(e.At), RecordedAt: instant(e.RecordedAt), Evidence: e.Evidence, Attempt: e.Attempt,
		AppleGUID: e.AppleGUID, Code: e.Code, Number: e.Number, Detail: e.Detail,
	}
}

// instant writes a time with its milliseconds.
func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// waitingFor says why a message has not been sent yet.
type waitingFor struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// withReason renders a message with what it waits for.
func (a *API) withReason(ctx context.Context, m store.Message) (fullMessage, error) {
	full := renderFull(m)
	w, err := a.cloud.WaitingFor(ctx, m)
	if err == nil && w != nil {
		full.WaitingFor = &waitingFor{w.Code, w.Message}
	}
	return full, err
}
