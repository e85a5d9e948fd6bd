package textingblue

import (
	"context"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// shortNumber is the answer to an update: five keys, and ours where it says something.
type shortNumber struct {
	ID          string  `json:"id"`
	PhoneNumber string  `json:"phone_number"`
	Label       *string `json:"label"`
	Status      string  `json:"status"`
	Verified    bool    `json:"verified"`
	SMSFallback bool    `json:"sms_fallback,omitempty"` // our own key
}

// fullNumber is a number with what is known of its Mac: nine keys.
type fullNumber struct {
	shortNumber
	DeviceName    *string `json:"device_name"`
	LastSeenAt    *string `json:"last_seen_at"`
	MessagesToday int64   `json:"messages_today"`
	CreatedAt     *string `json:"created_at"`
}

func renderShort(l store.Line) shortNumber {
	return shortNumber{ID: l.ID, PhoneNumber: l.PhoneNumber, Label: text(l.Label), Status: l.Status, Verified: l.Verified, SMSFallback: l.SMSFallback}
}

func renderNumber(n cloud.NumberState) fullNumber {
	full := fullNumber{shortNumber: renderShort(n.Line), MessagesToday: n.MessagesToday, CreatedAt: stamp(n.CreatedAt)}
	if n.Relay != nil {
		full.DeviceName, full.LastSeenAt = text(n.Relay.Host), stamp(n.Relay.LastSeenAt)
	}
	return full
}

func (a *API) listNumbers(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Numbers(ctx, c.who)
	if err != nil {
		return reply{}, err
	}
	numbers := make([]fullNumber, len(list))
	for i, n := range list {
		numbers[i] = renderNumber(n)
	}
	return reply{http.StatusOK, map[string]any{"numbers": numbers}}, nil
}

func (a *API) getNumber(ctx context.Context, c call) (reply, error) {
	n, err := a.cloud.Number(ctx, c.who, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderNumber(n)}, nil
}

func (a *API) updateNumber(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	var change cloud.LineChange
	if change.Label, err = f.optional("label"); err != nil {
		return reply{}, err
	}
	if change.Status, err = f.optional("status"); err != nil {
		return reply{}, err
	}
	if f.has("sms_fallback") {
		on, err := f.flag("sms_fallback", false)
		if err != nil {
			return reply{}, err
		}
		change.SMSFallback = &on
	}
	l, err := a.cloud.UpdateNumber(ctx, c.who, c.PathValue("id"), change)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, renderShort(l)}, nil
}

func (a *API) verifyNumber(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	number, err := f.text("phone_number")
	if err != nil {
		return reply{}, err
	}
	setup, err := a.cloud.VerifyNumber(ctx, c.who, number)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, map[string]string{
		"message":   "Open this URL on the Mac with this phone number, or run `bluerelay pair` with it there.",
		"setup_url": setup,
	}}, nil
}

func (a *API) deleteNumber(ctx context.Context, c call) (reply, error) {
	id := c.PathValue("id")
	if err := a.cloud.RemoveNumber(ctx, c.who, id); err != nil {
		return reply{}, err
	}
	return deleted(id), nil
}

// deleted is the answer to every DELETE: an object, so that clients which parse it
// and clients which do not are both served.
func deleted(id string) reply {
	return reply{http.StatusOK, map[string]any{"id": id, "deleted": true}}
}
