package cloud

import (
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
	if r.Kind == wire.Received {
		return s.receive(tx, line, r, now)
	}
	m, err := tx.Message(tx.Context(), relay.AccountID, r.Message)
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
	}
	if r.Kind == wire.NoSend && (!r.Again || r.Attempt >= maxAttempts) {
		step.To = wire.StatusFailed
	}
	if r.Kind == wire.Unknown {
		step.ErrorCode = OutcomeUnknown
	}
	if step.To == "" {
		return nil // a kind from a newer relay
	}
	return s.advance(tx, step)
}

// receive stores an inbound message once, however often it is reported.
func (s *Service) receive(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	in := r.Inbound
	known, err := tx.HasGUID(tx.Context(), line.ID, in.GUID)
	if err != nil || known {
		return err
	}
	m := store.Message{
		ID: newID("msg_"), AccountID: line.AccountID, LineID: line.ID, Direction: store.Inbound, Status: wire.StatusReceived,
		From: in.From, To: line.PhoneNumber, Peer: in.From, Content: in.Text, Service: in.Service,
		ChatGUID: in.Chat, AppleGUID: in.GUID, SentAt: in.Sent, CreatedAt: now.UnixMilli(),
	}
	if in.Group {
		m.Peer = in.Chat
	}
	if err := tx.CreateMessage(&m); err != nil {
		return err
	}
	return s.record(tx, m)
}
