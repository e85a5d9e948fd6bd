package textingblue

import (
	"context"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// delivery is one event on its way to a webhook. The body is not shown: it is that of
// the event.
type delivery struct {
	ID             string  `json:"id"`
	EventID        string  `json:"event_id"`
	Type           string  `json:"type"`
	Kind           string  `json:"kind,omitempty"` // replay or test
	Status         string  `json:"status"`         // pending, delivered or failed
	Attempts       int     `json:"attempts"`
	ResponseStatus *int    `json:"response_status"` // of the last attempt
	ResponseBody   *string `json:"response_body"`   // its beginning
	Problem        *string `json:"problem"`         // what kept the last attempt from an answer
	CreatedAt      *string `json:"created_at"`
	LastAttemptAt  *string `json:"last_attempt_at"`
	NextAttemptAt  *string `json:"next_attempt_at"`
}

// deliveryStates are the public names.
var deliveryStates = map[string]string{
	store.DeliveryPending: "pending", store.DeliveryDone: "delivered", store.DeliveryFailed: "failed",
}

func renderDelivery(d store.Delivery) delivery {
	out := delivery{
		ID: d.ID, EventID: d.EventID, Type: d.EventType, Kind: d.Kind, Status: deliveryStates[d.State], Attempts: d.Attempt,
		ResponseBody: text(d.Excerpt), Problem: text(d.Problem), CreatedAt: stamp(d.CreatedAt),
	}
	if d.Response != 0 {
		out.ResponseStatus = &d.Response
	}
	if d.Attempt > 0 {
		out.LastAttemptAt = stamp(d.UpdatedAt)
	}
	if d.State == store.DeliveryPending {
		out.NextAttemptAt = stamp(d.DueAt)
	}
	return out
}

func (a *API) listDeliveries(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	q, err := cloud.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return reply{}, err
	}
	limit, err := limitOf(q)
	if err != nil {
		return reply{}, err
	}
	list, more, err := a.cloud.Deliveries(ctx, w, q.Get("cursor"), limit)
	if err != nil {
		return reply{}, err
	}
	body := struct {
		Deliveries []delivery `json:"deliveries"`
		Cursor     *string    `json:"cursor"`
		HasMore    bool       `json:"has_more"`
	}{Deliveries: make([]delivery, len(list)), HasMore: more}
	for i, d := range list {
		body.Deliveries[i] = renderDelivery(d)
	}
	if more {
		body.Cursor = &list[len(list)-1].ID
	}
	return reply{http.StatusOK, body}, nil
}

func (a *API) replayDelivery(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	d, err := a.cloud.ReplayDelivery(ctx, c.who, w, c.PathValue("delivery"))
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, renderDelivery(d)}, nil
}

func (a *API) replayEvents(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	var again cloud.Again
	if again.After, err = f.text("after"); err != nil {
		return reply{}, err
	}
	if again.Before, err = f.text("before"); err != nil {
		return reply{}, err
	}
	if again.Events, err = f.list("events", nil); err != nil {
		return reply{}, err
	}
	done, err := a.cloud.ReplayEvents(ctx, c.who, w, again)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, struct {
		Replayed int     `json:"replayed"`
		Cursor   *string `json:"cursor"`
		HasMore  bool    `json:"has_more"`
	}{done.Count, text(done.Cursor), done.More}}, nil
}

func (a *API) testWebhook(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	d, err := a.cloud.TestWebhook(ctx, w)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, renderDelivery(d)}, nil
}

func (a *API) rotateSecret(ctx context.Context, c call) (reply, error) {
	w, err := a.ownWebhook(ctx, c)
	if err != nil {
		return reply{}, err
	}
	if w, err = a.cloud.RotateSecret(ctx, w); err != nil {
		return reply{}, err
	}
	out := renderWebhook(w)
	out.Secret = w.Secret
	return reply{http.StatusOK, out}, nil
}
