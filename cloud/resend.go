package cloud

import (
	"context"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Resending is how a message is to be sent again.
type Resending struct {
	// AcceptDuplicateRisk says that the sender knows that the message, or a part of it,
	// may arrive twice.
	AcceptDuplicateRisk bool
	ExpiresAt           int64 // as in Outgoing; the first message's is not taken over
	MaxMedia            int64 // as in Outgoing
	Once                *Once
}

// Resend makes a new message of one that has ended without being sent. Where that one
// may have been sent after all, it must be asked for by name.
func (s *Service) Resend(ctx context.Context, p Principal, id string, how Resending) (store.Message, error) {
	if err := checkExpiry(how.ExpiresAt, time.Now()); err != nil {
		return store.Message{}, err
	}
	return s.submit(ctx, p, how.Once, func(tx *store.Tx) (Outgoing, error) {
		m, err := visible(tx.Message(tx.Context(), p.Account.ID, id))
		if err != nil {
			return Outgoing{}, err
		}
		others, err := tx.Resends(tx.Context(), p.Account.ID, id)
		if err != nil {
			return Outgoing{}, err
		}
		if err := resendable(m, others, how.AcceptDuplicateRisk); err != nil {
			return Outgoing{}, err
		}
		return again(m, how), nil
	})
}

// resendable tells why a message cannot be sent again, if so. others are those that it
// repeats, and those by which it or they were sent again before.
func resendable(m store.Message, others []store.Message, accepted bool) error {
	if !ordered(m) {
		return &Error{Code: Conflict, Message: "Only messages that were sent through this API can be sent again."}
	}
	switch m.Status {
	case wire.Canceled, wire.Expired, wire.StatusFailed, wire.StatusUnknown:
	case wire.StatusSent, wire.StatusDelivered, wire.StatusRead:
		return &Error{Code: Conflict, Message: "The message has been sent."}
	default:
		return &Error{Code: Conflict, Message: "The message is still on its way: cancel it first."}
	}
	risk := riskOf(m)
	for _, one := range others {
		if riskOf(one) != "" {
			risk = "The same message has been sent, or may yet be, as " + one.ID + "."
		}
	}
	if risk != "" && !accepted {
		return &Error{Code: DuplicateRisk, Param: "accept_duplicate_risk", Message: risk + " Sending it again may deliver it twice; set accept_duplicate_risk to true if you want that."}
	}
	return nil
}

// riskOf says what of a message has, or may have, or may yet reach its recipient; ""
// where it is certain that nothing has.
func riskOf(m store.Message) string {
	switch m.Status {
	case wire.Canceled, wire.Expired:
		return ""
	case wire.StatusUnknown:
		return "The message may have been sent, and may yet appear."
	case wire.StatusFailed:
		switch m.ErrorCode {
		case OutcomeUnknown:
			return "The message may have been sent: nobody could tell within a day."
		case wire.FaultFile, wire.FaultText:
			return "A part of the message has been sent."
		}
		return ""
	}
	return "The message has been sent, or is on its way."
}
