package cloud

import (
	"context"
	"errors"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Exchange is the last thing that shows by which service a person is reached.
type Exchange struct {
	Service string // iMessage, SMS or RCS
	At      int64  // Unix ms
}

// LastExchange tells by which service the account's last exchange with a person went:
// a message that came, one that was sent, or one of which Messages has said that the
// person is not on iMessage, which counts as SMS. It returns ErrNotFound where there was
// none: nobody is asked, and nothing is guessed.
func (s *Service) LastExchange(ctx context.Context, p Principal, address string) (Exchange, error) {
	address = lowerAddress(address)
	if !reachable(address) {
		return Exchange{}, Invalid("number", "The 'number' parameter must be a phone number in E.164 or an e-mail address.")
	}
	var last Exchange
	for _, read := range []func(context.Context, string, string) (store.Message, error){s.store.LastFrom, s.store.LastTo} {
		m, err := read(ctx, p.Account.ID, address)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return last, err
		}
		if m.CreatedAt > last.At {
			last = Exchange{Service: m.Service, At: m.CreatedAt}
			if m.Status == wire.StatusFailed {
				last.Service = wire.ServiceSMS
			}
		}
	}
	if last.Service == "" {
		return last, store.ErrNotFound
	}
	return last, nil
}
