package cloud

import (
	"errors"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// maxAttempts is how often a message is tried when each attempt provably had no
// effect and might succeed next time. The relay pauses between them.
const maxAttempts = 20

// apply writes one report of a relay. Late, repeated and contradicted reports change
// nothing; that is not an error, because the relay must get its acknowledgement.
func (s *Service) apply(tx *store.Tx, relay store.Relay, line store.Line, install string, r wire.Report, now time.Time) error {
	switch r.Kind {
	case wire.Received:
		return s.receive(tx, line, r, now)
	case wire.Typed:
		return s.typed(tx, line, r, now)
	case wire.Joined:
		return s.joined(tx, line, r, now)
	case wire.Edited, wire.Unsent:
		return s.changed(tx, line, r, now)
	case wire.Tapped:
		return s.tapped(tx, line, r, now)
	}
	m, err := s.subject(tx, relay, r)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err // not acknowledged: it comes again
	}
	if err != nil || m.LineID != relay.LineID {
		// Not ours to change, or gone: a database restored from a copy may be older
		// than the relay's journal.
		s.log.Warn("report.without_message", "message", r.Message, "kind", string(r.Kind))
		return nil
	}
	step := store.Step{ID: m.ID, To: r.Kind.Status(), At: r.At, Now: now.UnixMilli(), AppleGUID: r.GUID, Service: r.Service}
	if r.Fault != nil {
		step.ErrorCode, step.ErrorNumber, step.ErrorMessage = r.Fault.Code, r.Fault.Number, r.Fault.Text
	}
	switch r.Kind {
	case wire.Accepted, wire.Sending, wire.Unknown, wire.NoSend:
		step.InstallID, step.Attempt = install, r.Attempt
	case wire.Sent, wire.Delivered, wire.Read, wire.Failed:
	default:
		return nil // a kind from a newer relay
	}
	if r.Kind == wire.NoSend && m.Status == wire.StatusSent {
		return nil // a row is stronger than any claim that there can be none
	}
	if step.AppleGUID != "" && step.AppleGUID != m.AppleGUID {
		taken, err := tx.HasGUID(tx.Context(), line.ID, step.AppleGUID)
		if err != nil {
			return err
		}
		if taken { // the fact counts all the same
			s.log.Error("report.row_bound_twice", "message", m.ID)
			step.AppleGUID = ""
		}
	}
	if r.Kind == wire.NoSend && (!r.Again || r.Attempt >= maxAttempts) {
		step.To = wire.StatusFailed
	}
	if r.Kind == wire.Unknown {
		step.ErrorCode = OutcomeUnknown
	}
	return s.advance(tx, step)
}

// subject is the message whose state a report tells. One without our id is about a
// message that the owner typed.
func (s *Service) subject(tx *store.Tx, relay store.Relay, r wire.Report) (store.Message, error) {
	if r.Message != "" {
		return tx.Message(tx.Context(), relay.AccountID, r.Message)
	}
	m, err := tx.MessageByGUID(tx.Context(), relay.LineID, r.GUID)
	if err == nil && m.Origin != store.OriginDevice {
		err = store.ErrNotFound
	}
	return m, err
}

// receive stores an inbound message once, however often it is reported.
func (s *Service) receive(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	in := r.Inbound
	known, err := tx.HasGUID(tx.Context(), line.ID, in.GUID)
	if err != nil || known {
		return err
	}
	m, err := newMessage(tx, line, in, now)
	if err != nil {
		return err
	}
	m.Direction, m.Status, m.From, m.To = store.Inbound, wire.StatusReceived, in.From, line.PhoneNumber
	if err := tx.CreateMessage(&m); err != nil {
		return err
	}
	held, err := s.announce(tx, m, in.Media, now)
	if err != nil || held {
		return err
	}
	return s.record(tx, m)
}
