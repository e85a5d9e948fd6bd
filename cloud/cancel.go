package cloud

import (
	"context"
	"fmt"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// tooLate is the honest answer to a cancel that nothing can be done about.
const tooLate = "The message has been handed to Messages and cannot be canceled any more."

// Cancel withdraws a message. One that no relay has is canceled at once. Otherwise its
// relay is asked, and for Config.CancelWait its answer is waited for: it has canceled
// the message, or it is too late. Where no answer comes, because the Mac is away, the
// message is returned as it is, with CancelRequested: the relay is asked again
// whenever it connects, before it is given anything else.
//
// Canceling twice is canceling once. A message that is with Messages, or has ended in
// another way, is an error.
func (s *Service) Cancel(ctx context.Context, p Principal, id string) (store.Message, error) {
	bell, stop := s.waiters.listen(id)
	defer stop()
	m, asked, err := s.withdraw(ctx, p, id)
	if err != nil || m.Status == wire.Canceled {
		return s.absolute(m), err
	}
	relay := s.hub.serving(m.From)
	if relay == nil || relay.install != m.InstallID {
		return s.absolute(m), nil
	}
	if asked {
		relay.hand([]store.Message{m})
	}
	return s.awaitCancel(ctx, m, bell)
}

// withdraw cancels a message, or writes down that its relay is to be asked, once.
func (s *Service) withdraw(ctx context.Context, p Principal, id string) (m store.Message, asked bool, err error) {
	now := time.Now()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if m, err = visible(tx.Message(tx.Context(), p.Account.ID, id)); err != nil {
			return err
		}
		if err := cancelable(m); err != nil || m.Status == wire.Canceled {
			return err
		}
		defer fault.Before(fault.CloudCancel)
		if m.InstallID != "" {
			m, asked, err = tx.RequestCancel(m, now.UnixMilli())
			return err
		}
		if err := s.advance(tx, cancelStep(m, now)); err != nil {
			return err
		}
		m, err = tx.Message(tx.Context(), p.Account.ID, id)
		return err
	})
	if err != nil {
		return m, false, fmt.Errorf("cancel a message: %w", err)
	}
	fault.After(fault.CloudCancel)
	s.dispatch.ring()
	s.hub.ring(m.From) // the next of its conversation may go
	return m, asked, nil
}

// cancelStep ends a message that no relay has.
func cancelStep(m store.Message, now time.Time) store.Step {
	return store.Step{
		ID: m.ID, To: wire.Canceled, At: now.UnixMilli(), Now: now.UnixMilli(), Evidence: store.EvidenceCancel,
		ErrorCode: canceled, ErrorMessage: canceledByUser,
	}
}

// cancelable tells why a message cannot be canceled, if so.
func cancelable(m store.Message) error {
	if !ordered(m) {
		return &Error{Code: Conflict, Message: "Only messages that were sent through this API can be canceled."}
	}
	switch m.Status {
	case wire.Queued, wire.StatusAccepted, wire.Canceled:
		return nil
	case wire.StatusFailed:
		if m.ErrorCode != OutcomeUnknown {
			return &Error{Code: Conflict, Message: "The message has failed already: there is nothing to cancel."}
		}
	case wire.Expired:
		return &Error{Code: Conflict, Message: "The message has expired already: there is nothing to cancel."}
	}
	return &Error{Code: TooLate, Message: tooLate}
}

// awaitCancel waits for what the relay makes of a request to cancel.
func (s *Service) awaitCancel(ctx context.Context, m store.Message, bell <-chan struct{}) (store.Message, error) {
	patience := time.NewTimer(s.cfg.CancelWait)
	defer patience.Stop()
	for waiting := true; waiting; {
		select {
		case <-ctx.Done():
			return m, ctx.Err()
		case <-patience.C:
			waiting = false
		case <-bell:
		}
		var err error
		if m, err = s.store.Message(ctx, m.AccountID, m.ID); err != nil {
			return m, fmt.Errorf("read a message: %w", err)
		}
		if m.CancelRequested == 0 {
			waiting = false
		}
	}
	return s.absolute(m), cancelable(m)
}
