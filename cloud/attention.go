package cloud

import (
	"errors"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The events about Macs.
const (
	onlineEvent    = "relay.online"
	offlineEvent   = "relay.offline"
	readyEvent     = "relay.ready"     // one that is connected, and could not send, can
	attentionEvent = "relay.attention" // a person should look: its detail is a wire.Problem or the code of an alarm
)

// Codes of alarms that arise here. What a relay reports itself has the codes of package
// wire.
const (
	alarmForeign    = "foreign_message" // a report about a message of another line
	alarmUnreadable = "report_refused"  // a report that cannot be stored, now or ever
)

// disconnectAll notes at the start that no Mac is connected: a process that was killed
// had no time to.
func (s *Service) disconnectAll(tx *store.Tx) error {
	gone, err := tx.DisconnectRelays()
	if err != nil {
		return err
	}
	for _, relay := range gone {
		if err := s.tellRelay(tx, relay, store.Event{Type: offlineEvent}, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// noteGone notes that a Mac is not connected any more.
func (s *Service) noteGone(tx *store.Tx, id string, now time.Time) error {
	relay, err := tx.Relay(tx.Context(), id)
	if err != nil {
		return err
	}
	relay.Connected, relay.LastSeenAt = false, now.UnixMilli()
	if err := tx.UpdateRelay(relay); err != nil {
		return err
	}
	return s.tellRelay(tx, relay, store.Event{Type: offlineEvent}, now)
}

// tellRelay records an event about a Mac. One whose line was removed has nobody to be
// told.
func (s *Service) tellRelay(tx *store.Tx, relay store.Relay, e store.Event, now time.Time) error {
	line, err := tx.Line(tx.Context(), relay.LineID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.RelayID, e.Relay = relay.ID, &relay
	return s.recordOf(tx, line, e, now)
}

// tellHealth records that a Mac has begun to need a person, or that one which stayed
// connected is ready again. What passes by itself, as a start does, or what somebody has
// just brought about, needs nobody.
func (s *Service) tellHealth(tx *store.Tx, relay, before store.Relay, now time.Time) error {
	if relay.Ready {
		if before.Ready || !before.Connected {
			return nil
		}
		return s.tellRelay(tx, relay, store.Event{Type: readyEvent}, now)
	}
	switch wire.Problem(relay.Problem) {
	case "", wire.Problem(before.Problem), wire.ProblemStarting, wire.ProblemReleased:
		return nil
	}
	return s.tellRelay(tx, relay, store.Event{Type: attentionEvent, Detail: relay.Problem}, now)
}

// alarm counts what must not happen, and has it seen.
func (s *Service) alarm(tx *store.Tx, relay store.Relay, code, messageID string, now time.Time) error {
	s.log.Error("relay.alarm", "relay", relay.ID, "code", code, "message", messageID)
	if err := tx.CountAlarm(relay.ID); err != nil {
		return err
	}
	relay.Alarms++
	tx.OnCommit(func() { s.metrics.alarmed(code) })
	return s.tellRelay(tx, relay, store.Event{Type: attentionEvent, Detail: code, MessageID: messageID}, now)
}

// alarmed takes an alarm that a relay reports. Its message is named only where it is
// the line's own.
func (s *Service) alarmed(tx *store.Tx, relay store.Relay, r wire.Report, now time.Time) error {
	m, err := s.subject(tx, relay, "", r)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && m.LineID == relay.LineID {
		step := store.TimelineEntry{
			Status: m.Status, At: r.At, RecordedAt: now.UnixMilli(), Attempt: m.Attempt, Evidence: store.EvidenceAlarm,
			Code: clip(r.Fault.Code), Number: r.Fault.Number, Detail: r.Fault.Text,
		}
		if known, err := alarmKnown(tx, m, step); err != nil || known {
			return err
		}
		if err := tx.AddStep(m.AccountID, m.ID, step); err != nil {
			return err
		}
	} else {
		m.ID = ""
	}
	return s.alarm(tx, relay, clip(r.Fault.Code), m.ID, now)
}

// alarmKnown tells whether a message has had that alarm: a Mac that is paired anew tells
// all again that it has not forgotten.
func alarmKnown(tx *store.Tx, m store.Message, step store.TimelineEntry) (bool, error) {
	list, err := tx.Timeline(tx.Context(), m)
	return slices.ContainsFunc(list, func(e store.TimelineEntry) bool {
		return e.Evidence == store.EvidenceAlarm && e.At == step.At && e.Code == step.Code
	}), err
}
