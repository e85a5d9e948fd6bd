package sendblue

import (
	"context"
	"errors"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// evaluateService tells how a person was reached last. The API knows two answers: what is
// not iMessage, RCS too, is SMS.
func (a *API) evaluateService(ctx context.Context, c call) (reply, error) {
	q, err := c.query()
	if err != nil {
		return reply{}, err
	}
	number := q.number("number")
	last, err := a.cloud.LastExchange(ctx, c.who, number)
	if errors.Is(err, store.ErrNotFound) {
		return reply{}, &cloud.Error{Code: cloud.NotFound, Message: "Nothing is known of this number: the service is told from messages that were exchanged, and there are none."}
	}
	if err != nil {
		return reply{}, err
	}
	service := wire.ServiceSMS
	if last.Service == wire.ServiceIMessage {
		service = wire.ServiceIMessage
	}
	return reply{http.StatusOK, struct {
		Number  string `json:"number"`
		Service string `json:"service"`
		AsOf    string `json:"as_of"` // the time of that exchange
	}{number, service, stamp(last.At)}}, nil
}
