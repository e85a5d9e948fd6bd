package sendblue

import (
	"context"
	"errors"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// single is the answer about one message.
type single struct {
	Status string  `json:"status"`
	Data   message `json:"data"`
}

func (a *API) getMessage(ctx context.Context, c call) (reply, error) {
	m, err := a.message(ctx, c, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, single{statusOK, render(c.who.Account, m)}}, nil
}

// message finds a message of the account by its handle.
func (a *API) message(ctx context.Context, c call, handle string) (store.Message, error) {
	id := cloud.MessageOf(handle)
	if id == "" {
		return store.Message{}, errNoMessage
	}
	m, err := a.cloud.Message(ctx, c.who, id)
	if errors.Is(err, store.ErrNotFound) {
		return m, errNoMessage
	}
	return m, err
}

var errNoMessage = &cloud.Error{Code: cloud.NotFound, Message: "Message not found"}
