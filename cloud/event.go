package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// OutcomeUnknown is the error code of a message that may have been sent.
const OutcomeUnknown = wire.FaultUnknown

// eventTypes are the events that a status brings about; a status without one is
// between the relay and us.
var eventTypes = map[wire.Status]string{
	wire.StatusSent:      "message.sent",
	wire.StatusDelivered: "message.delivered",
	wire.StatusRead:      "message.read",
	wire.StatusFailed:    "message.failed",
	wire.StatusUnknown:   "message.unknown",
	wire.Canceled:        "message.failed",
	wire.Expired:         "message.failed",
	wire.StatusReceived:  receivedEvent,
}

// advance changes a message's status, if that is still due, and records the event
// in the same transaction.
func (s *Service) advance(tx *store.Tx, step store.Step) error {
	m, changed, err := tx.Advance(step)
	if err != nil || !changed {
		return err
	}
	tx.OnCommit(func() {
		s.waiters.wake(m.ID)
		s.metrics.moved(m, step)
	})
	return s.record(tx, m)
}

const (
	receivedEvent = "message.received"
	// updatedEvent says that something of a message is other than it was told before.
	updatedEvent = "message.updated"
)

// record writes the event of a message's present status.
func (s *Service) record(tx *store.Tx, m store.Message) error {
	kind, ok := eventTypes[m.Status]
	if !ok {
		return nil
	}
	return s.recordEvent(tx, m, store.Event{Type: kind})
}

// recordEvent writes an event of a message, with the type and the detail of e, and
// one delivery for each webhook that wants it. The body is rendered here, once: what
// is signed later is what was true now.
func (s *Service) recordEvent(tx *store.Tx, m store.Message, e store.Event) error {
	first, err := s.tellHeld(tx, m, e.Type)
	if err != nil {
		return err
	}
	m = s.absolute(m)
	if m.OptedOut, err = isOptedOut(tx, m); err != nil {
		return err
	}
	if m, err = withGroup(tx, m); err != nil {
		return err
	}
	e.AccountID, e.MessageID, e.LineID, e.CreatedAt = m.AccountID, m.ID, m.LineID, cmp.Or(e.CreatedAt, m.UpdatedAt)
	again := !first && completes(e, m)
	return s.publish(tx, e, m, func(w store.Webhook) bool {
		return wants(w, e, m) || again && s.cfg.Dialects[w.Dialect].Completes && wants(w, store.Event{Type: receivedEvent}, m)
	})
}

// recordOf writes an event of a line, as it is now, that is about none of its messages, with
// the type and what else is set of e.
func (s *Service) recordOf(tx *store.Tx, line store.Line, e store.Event, now time.Time) error {
	e.AccountID, e.LineID, e.Line, e.CreatedAt = line.AccountID, line.ID, &line, now.UnixMilli()
	return s.publish(tx, e, store.Message{}, func(w store.Webhook) bool {
		return slices.Contains(w.Events, e.Type) && (w.PhoneNumber == "" || w.PhoneNumber == line.PhoneNumber)
	})
}

// publish writes an event, how each dialect tells it, and its deliveries.
func (s *Service) publish(tx *store.Tx, e store.Event, m store.Message, wanted func(store.Webhook) bool) error {
	e.ID = cmp.Or(e.ID, newID("evt_"))
	if err := tx.CreateEvent(&e); err != nil {
		return fmt.Errorf("record an event: %w", err)
	}
	bodies := make(map[string]string, len(s.cfg.Dialects))
	for name, d := range s.cfg.Dialects {
		body, err := d.Body(e, m)
		if err != nil {
			return fmt.Errorf("render an event: %w", err)
		}
		bodies[name] = body
		told := store.Told{AccountID: e.AccountID, Dialect: name, Seq: e.Seq, EventID: e.ID, Type: e.Type, LineID: e.LineID, Own: ownDoing(e, m), Body: body, CreatedAt: e.CreatedAt}
		if err := tx.Tell(told); err != nil {
			return fmt.Errorf("keep a rendered event: %w", err)
		}
	}
	hooks, err := tx.Webhooks(tx.Context(), e.AccountID, "")
	if err != nil {
		return fmt.Errorf("find webhooks: %w", err)
	}
	for _, w := range hooks {
		if bodies[w.Dialect] == "" || withheld(e, w) || !wanted(w) {
			continue
		}
		if err := tx.CreateDelivery(newDelivery(e, w, bodies[w.Dialect])); err != nil {
			return fmt.Errorf("record a delivery: %w", err)
		}
	}
	if err := s.callBack(tx, e, m, bodies); err != nil {
		return err
	}
	tx.OnCommit(func() {
		s.feeds.wake(e.AccountID)
		s.metrics.events.WithLabelValues(e.Type).Inc()
	})
	return nil
}

func newDelivery(e store.Event, w store.Webhook, body string) store.Delivery {
	return store.Delivery{
		ID: newID("dlv_"), AccountID: w.AccountID, WebhookID: w.ID, EventID: e.ID, EventType: e.Type, Body: body,
		State: store.DeliveryPending, DueAt: e.CreatedAt, CreatedAt: e.CreatedAt, UpdatedAt: e.CreatedAt, Kind: kindOf(e),
	}
}

func kindOf(e store.Event) string {
	if e.Type == testEvent {
		return store.KindTest
	}
	return ""
}

// ownDoing tells whether an event is what the owner did on a device of his own, or this
// server by itself. That is nobody's order and stays in the event log.
func ownDoing(e store.Event, m store.Message) bool {
	return m.Origin != "" || e.Tapback != nil && e.Tapback.Origin == store.OriginDevice
}

// completes tells whether an event brings what a message that came in was told without:
// its text, the group that it is in, or the file that it shows itself.
func completes(e store.Event, m store.Message) bool {
	if e.Type != updatedEvent || m.Direction != store.Inbound {
		return false
	}
	switch e.Detail {
	case updateText:
		return true
	case updateChat:
		return m.InGroup()
	case updateMedia:
		return e.Place == max(m.Place, 1)
	}
	return false
}

// wants tells whether a webhook is to hear of an event of a message.
func wants(w store.Webhook, e store.Event, m store.Message) bool {
	if !slices.Contains(w.Events, e.Type) || ownDoing(e, m) {
		return false
	}
	line := m.From
	if m.Direction == store.Inbound {
		line = m.To
	}
	return (w.PhoneNumber == "" || w.PhoneNumber == line) && (len(w.Numbers) == 0 || slices.Contains(w.Numbers, line))
}

// unknownStep ends a message that nobody can account for.
func unknownStep(m store.Message, now time.Time) store.Step {
	return store.Step{
		ID: m.ID, To: wire.StatusFailed, At: now.UnixMilli(), Now: now.UnixMilli(),
		ErrorCode: OutcomeUnknown, ErrorNumber: m.ErrorNumber, ErrorMessage: m.ErrorMessage, Evidence: store.EvidenceTime,
	}
}

// lost turns what an install still held into unknown: it was retired, and only its
// Mac knows whether anything went out. Nothing of it is ever given to another.
func (s *Service) lost(tx *store.Tx, installID, lineID string, now time.Time) error {
	held, err := tx.Assigned(tx.Context(), installID, lineID)
	if err != nil {
		return err
	}
	for _, m := range held {
		err := s.advance(tx, store.Step{
			ID: m.ID, To: wire.StatusUnknown, At: now.UnixMilli(), Now: now.UnixMilli(),
			ErrorCode: OutcomeUnknown, ErrorMessage: "The Mac that was to send this is gone; the message may have been sent.", Evidence: store.EvidenceOperator,
		})
		if err != nil {
			return err
		}
	}
	return s.loseFallback(tx, installID, lineID, now)
}

// loseFallback ends what was to go by SMS, by this install and no other: the error of
// its row is the last that is known.
func (s *Service) loseFallback(tx *store.Tx, installID, lineID string, now time.Time) error {
	waiting, err := tx.FallenBack(tx.Context(), installID, lineID)
	if err != nil {
		return err
	}
	for _, m := range waiting {
		err := s.advance(tx, store.Step{
			ID: m.ID, To: wire.StatusFailed, At: now.UnixMilli(), Now: now.UnixMilli(),
			ErrorCode: m.ErrorCode, ErrorNumber: m.ErrorNumber, ErrorMessage: m.ErrorMessage, Evidence: store.EvidenceOperator,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
