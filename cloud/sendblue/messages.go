package sendblue

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// single is the answer about one message.
type single struct {
	Status string  `json:"status"`
	Data   message `json:"data"`
}

// listed is the answer about many.
type listed struct {
	Status     string     `json:"status"`
	Data       []message  `json:"data"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Limit   int   `json:"limit"`
	Offset  int   `json:"offset"`
	Total   int64 `json:"total"` // of all pages
	HasMore bool  `json:"hasMore"`
}

// done is the answer to what leaves nothing to show.
type done struct {
	Status  string `json:"status"`
	Message string `json:"message"`
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
	m, err := a.cloud.MessageOrAside(ctx, c.who, cloud.MessageOf(handle))
	if err != nil {
		return m, unknownMessage(err)
	}
	one := []store.Message{m}
	err = a.cloud.Mark(ctx, c.who, one)
	return one[0], err
}

// unknownMessage says of a message that there is none.
func unknownMessage(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &cloud.Error{Code: cloud.NotFound, Message: "Message not found"}
	}
	return err
}

func (a *API) deleteMessage(ctx context.Context, c call) (reply, error) {
	err := a.cloud.Delete(ctx, c.who, cloud.MessageOf(c.PathValue("handle")))
	if err != nil {
		return reply{}, unknownMessage(err)
	}
	return reply{http.StatusOK, done{statusOK, "Message deleted"}}, nil
}

// getStatus answers with the bare message. Clients name the parameter in two ways.
func (a *API) getStatus(ctx context.Context, c call) (reply, error) {
	q, err := c.query()
	if err != nil {
		return reply{}, err
	}
	handle := q.text("handle")
	if handle == "" {
		handle = q.text("message_handle")
	}
	if handle == "" {
		return reply{}, cloud.Invalid("handle", "The 'handle' parameter is required.")
	}
	m, err := a.message(ctx, c, handle)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderSent(c.who.Account, m)}, nil
}

func (a *API) listMessages(ctx context.Context, c call) (reply, error) {
	f, none, err := filterOf(c)
	if err != nil {
		return reply{}, err
	}
	var list []store.Message
	var total int64
	if !none {
		if list, total, err = a.cloud.Page(ctx, c.who, f); err != nil {
			return reply{}, err
		}
	}
	if err := a.cloud.Mark(ctx, c.who, list); err != nil {
		return reply{}, err
	}
	out := listed{
		Status: statusOK, Data: make([]message, len(list)),
		Pagination: pagination{f.Limit, f.Offset, total, int64(f.Offset+len(list)) < total},
	}
	for i, m := range list {
		out.Data[i] = render(c.who.Account, m)
	}
	return reply{http.StatusOK, out}, nil
}

// The words of the filters.
var (
	services = []string{wire.ServiceIMessage, wire.ServiceSMS, wire.ServiceRCS}
	types    = []string{store.TypeMessage, store.TypeGroup}
	orders   = map[string]store.Order{
		"createdat": store.ByCreated, "created_at": store.ByCreated,
		"sentat": store.BySent, "sent_at": store.BySent,
		"updatedat": store.ByUpdated, "updated_at": store.ByUpdated,
	}
)

// filterOf reads the query of a list. none says that nothing can fulfil it.
func filterOf(c call) (f store.MessageFilter, none bool, err error) {
	q, err := c.query()
	if err != nil {
		return f, false, err
	}
	f = store.MessageFilter{
		From: q.number("from_number"), To: q.number("to_number"), Number: q.number("number"),
		Group: pluses(q.text("group_id")), Line: q.number("sendblue_number"), Asides: true,
	}
	if f.Limit, err = q.integer("limit", 100, 1, 100); err != nil {
		return f, false, err
	}
	if f.Offset, err = q.integer("offset", 0, 0, math.MaxInt32); err != nil {
		return f, false, err
	}
	for _, one := range []struct {
		name string
		into *int64
	}{
		{"created_at_gte", &f.Created.From}, {"created_at_lte", &f.Created.To},
		{"sent_at_gte", &f.Sent.From}, {"sent_at_lte", &f.Sent.To},
		{"updated_at_gte", &f.Updated.From}, {"updated_at_lte", &f.Updated.To},
	} {
		if *one.into, err = q.moment(one.name); err != nil {
			return f, false, err
		}
	}
	if f.Text, err = cloud.SearchText(q.text("q")); err != nil {
		return f, false, err
	}
	if err := order(q, &f); err != nil {
		return f, false, err
	}
	none, err = choose(q, &f)
	email := q.number("account_email")
	return f, none || email != "" && !strings.EqualFold(email, c.who.Account.Email), err
}

func order(q query, f *store.MessageFilter) error {
	by, known := orders[strings.ToLower(q.text("order_by"))]
	if !known && q.text("order_by") != "" {
		return cloud.Invalid("order_by", "The 'order_by' parameter must be createdAt, updatedAt or sentAt.")
	}
	f.Order = by
	switch strings.ToLower(q.text("order_direction")) {
	case "", "desc":
	case "asc":
		f.Ascending = true
	default:
		return cloud.Invalid("order_direction", "The 'order_direction' parameter must be asc or desc.")
	}
	return nil
}

// choose reads the filters with a fixed set of values, in any case of letters.
func choose(q query, f *store.MessageFilter) (none bool, err error) {
	if s := strings.ToUpper(q.text("status")); s != "" {
		for phase, status := range statuses {
			if s == status {
				f.Phases = append(f.Phases, phase)
			}
		}
		// It is one of the ten, and nothing here is ever in it.
		if none = s == "SUCCESS"; len(f.Phases) == 0 && !none {
			return false, cloud.Invalid("status", "The 'status' parameter must be one of REGISTERED, PENDING, QUEUED, ACCEPTED, SENT, DELIVERED, DECLINED, ERROR, RECEIVED, SUCCESS.")
		}
	}
	if f.Service, err = q.choice("service", services); err != nil {
		return false, err
	}
	if f.Type, err = q.choice("message_type", types); err != nil {
		return false, err
	}
	outbound, err := q.choice("is_outbound", []string{"true", "false"})
	switch outbound {
	case "true":
		f.Direction = store.Outbound
	case "false":
		f.Direction = store.Inbound
	}
	return none, err
}

// choice reads one of a few words, in any case of letters, "" where there is none.
func (q query) choice(name string, words []string) (string, error) {
	s := q.text(name)
	if s == "" {
		return "", nil
	}
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, s) })
	if i < 0 {
		return "", cloud.Invalid(name, "The '%s' parameter must be one of %s.", name, strings.Join(words, ", "))
	}
	return words[i], nil
}
