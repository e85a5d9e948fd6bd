package sendblue

import (
	"context"
	"net/http"
	"strconv"
	"unicode/utf8"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// maxContent is the length of a text in characters (Unicode code points).
const maxContent = 18996

// maxParticipants is how many people a group may have.
const maxParticipants = 25

func (a *API) sendMessage(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	out, err := a.outgoing(ctx, c, f)
	if err != nil {
		return reply{}, err
	}
	if out.To, err = f.number("number"); err != nil {
		return reply{}, err
	}
	if out.To == "" {
		return reply{}, cloud.Invalid("number", "The 'number' field is required.")
	}
	return a.send(ctx, c, out)
}

func (a *API) sendGroupMessage(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	out, err := a.outgoing(ctx, c, f)
	if err != nil {
		return reply{}, err
	}
	numbers, err := f.list("numbers")
	if err != nil {
		return reply{}, err
	}
	if out.Group, err = f.group("group_id"); err != nil {
		return reply{}, err
	}
	switch {
	case out.Group != "" && len(numbers) > 0:
		return reply{}, cloud.Invalid("group_id", "Give 'numbers' or 'group_id', not both.")
	case len(numbers) > maxParticipants:
		return reply{}, cloud.Invalid("numbers", "The 'numbers' field may name at most %d people.", maxParticipants)
	case len(numbers) > 0:
		return reply{}, cloud.Invalid("numbers", "A Mac cannot make a group, nor tell which of its groups has these members. Give the 'group_id' of one that has been written in.")
	case out.Group == "":
		return reply{}, cloud.Invalid("group_id", "The 'group_id' field is required.")
	}
	return a.send(ctx, c, out)
}

// outgoing reads what both ways of sending have in common.
func (a *API) outgoing(ctx context.Context, c call, f fields) (cloud.Outgoing, error) {
	out := cloud.Outgoing{Once: c.once, Dialect: store.Sendblue, KeepDeclined: true}
	var err error
	if out.From, err = a.sender(ctx, c, f); err != nil {
		return out, err
	}
	for _, field := range []struct {
		name string
		into *string
	}{{"content", &out.Content}, {"media_url", &out.MediaURL}, {"status_callback", &out.Callback}} {
		if *field.into, err = f.text(field.name); err != nil {
			return out, err
		}
	}
	if utf8.RuneCountInString(out.Content) > maxContent {
		return out, cloud.Invalid("content", "The 'content' field must not exceed %d characters.", maxContent)
	}
	for _, name := range []string{"send_style", "reply_to", "app_card"} {
		if f.has(name) {
			return out, cloud.Invalid(name, "The '%s' field is not supported: it needs Apple's private interfaces, which this server does not use.", name)
		}
	}
	if f.has("seat_id") {
		return out, cloud.Invalid("seat_id", "The 'seat_id' field is not supported. %s", noSeats)
	}
	out.ExpiresAt, err = f.moment("expires_at")
	return out, err
}

// sender is the line that a request names, or the account's only one.
func (a *API) sender(ctx context.Context, c call, f fields) (string, error) {
	from, err := f.number("from_number")
	if err != nil || from != "" {
		return from, err
	}
	from, ok, err := a.cloud.OnlyLine(ctx, c.who)
	if err == nil && !ok {
		err = cloud.Invalid("from_number", "The 'from_number' field is required: one of the account's lines.")
	}
	return from, err
}

func (a *API) send(ctx context.Context, c call, out cloud.Outgoing) (reply, error) {
	m, err := a.cloud.Send(ctx, c.who, out)
	if err != nil {
		return reply{}, err
	}
	return accepted(c.who.Account, m), nil
}

// accepted is the answer to everything that makes a message.
func accepted(a store.Account, m store.Message) reply { return reply{http.StatusOK, renderSent(a, m)} }

// tryHeader is how often the official SDK has repeated a request.
const tryHeader = "X-Stainless-Retry-Count"

// onceOf reads what makes a request take effect once, nil where nothing does. A body
// that cannot be read has no meaning to remember: the handler refuses it.
func onceOf(c call) (*cloud.Once, error) {
	key, err := cloud.IdempotencyKey(c.Header)
	if err != nil {
		return nil, err
	}
	try := 0
	if n, err := strconv.Atoi(c.Header.Get(tryHeader)); err == nil && n >= 0 {
		try = n + 1
	}
	f, err := c.object()
	if err != nil || key == "" && try == 0 {
		return nil, nil
	}
	body, err := cloud.JSON(f)
	if err != nil {
		return nil, err
	}
	print, err := cloud.Fingerprint(c.Method, c.URL.Path, body)
	if err != nil {
		return nil, nil
	}
	return &cloud.Once{Key: key, Fingerprint: print, Try: try, Answer: func(m store.Message) (int, []byte, error) {
		return accepted(c.who.Account, m).encode()
	}}, nil
}
