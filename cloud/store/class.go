package store

import (
	"bluerelay/wire"
)

// Phase is how far a message is, as a reader of lists tells it: finer than its status
// while it waits, coarser once a relay has it. It is stored with the message, as a part
// of its class, by every statement that changes one.
type Phase string

// The phases.
const (
	PhaseRegistered Phase = "registered" // queued, and its line has never had a relay
	PhasePending    Phase = "pending"    // queued, and its file is being fetched
	PhaseQueued     Phase = "queued"
	PhaseAccepted   Phase = "accepted" // with a relay: accepted or sending
	PhaseSent       Phase = "sent"
	PhaseDelivered  Phase = "delivered" // delivered or read
	PhaseFailed     Phase = "failed"    // failed, canceled or expired
	PhaseDeclined   Phase = "declined"  // failed, because our own rules refused it
	PhaseUnknown    Phase = "unknown"
	PhaseReceived   Phase = "received"
)

// The error codes of a message that our own rules refused: it has failed with one of
// them, and no relay has ever had it. They make PhaseDeclined.
const (
	CodeOptedOut = "opted_out" // its recipient wants no messages
	CodeDeclined = "declined"  // its recipient is one that nothing is sent to
)

// The types of a message.
const (
	TypeMessage = "message" // with one person
	TypeGroup   = "group"
)

// A class is what counts and filters of few values have in common for a message: its
// line, direction, type, service and phase, and whether it is an aside, packed into one
// number, of which the line's ordinal is the upper part. A list by any of them is then one by a set of classes, and
// a total is the sum of their counts. A hidden message has the negative of its class.
const (
	classPhase    = 0x0f
	classService  = 0x30
	classGroup    = 0x40
	classOutbound = 0x80
	classAside    = 0x100
	classCodes    = 0x200 // a line has that many
)

// phases are in the order of their numbers, which start with 1.
var phases = []Phase{"", PhaseRegistered, PhasePending, PhaseQueued, PhaseAccepted, PhaseSent, PhaseDelivered, PhaseFailed, PhaseDeclined, PhaseUnknown, PhaseReceived}

// services are in the order of their numbers; whatever else Messages may come to name
// is the first.
var services = []string{"", wire.ServiceIMessage, wire.ServiceSMS, wire.ServiceRCS}

func numberOf[T comparable](list []T, v T) int64 {
	for i, known := range list {
		if known == v {
			return int64(i)
		}
	}
	return 0
}

// phaseIn is the phase that a class says.
func phaseIn(class int64) Phase { return phases[max(class, -class)&classPhase] }

// phase is the phase that a message is in by its members. One that is registered stays
// so while it is queued: CreateRelay ends that.
func (m Message) phase() Phase {
	switch m.Status {
	case wire.Queued:
		switch {
		case m.Phase == PhaseRegistered:
			return PhaseRegistered
		case m.AwaitsMedia:
			return PhasePending
		}
		return PhaseQueued
	case wire.StatusAccepted, wire.StatusSending:
		return PhaseAccepted
	case wire.StatusSent:
		return PhaseSent
	case wire.StatusDelivered, wire.StatusRead:
		return PhaseDelivered
	case wire.StatusUnknown:
		return PhaseUnknown
	case wire.StatusReceived:
		return PhaseReceived
	case wire.StatusFailed:
		if m.ErrorCode == CodeOptedOut || m.ErrorCode == CodeDeclined {
			return PhaseDeclined
		}
	}
	return PhaseFailed
}

// code is the class of a message by its members, without its line.
func (m Message) code() int64 {
	code := numberOf(phases, m.phase()) | numberOf(services, m.Service)<<4
	if m.InGroup() {
		code |= classGroup
	}
	if m.Direction == Outbound {
		code |= classOutbound
	}
	if m.Aside {
		code |= classAside
	}
	return code
}

// classify gives a new message its class.
func (m *Message) classify(ordinal int64, hadRelay bool) {
	m.Phase = ""
	if m.Status == wire.Queued && !hadRelay {
		m.Phase = PhaseRegistered
	}
	m.Class = ordinal*classCodes + m.code()
	m.Phase = phaseIn(m.Class)
}

// settle sees to it that the class of a message says what its members say. Every change
// of a status, a service, a chat, or of waiting for a file ends with it. It notes the
// message's times as well.
func (tx *Tx) settle(m *Message) error {
	class := max(m.Class, -m.Class)/classCodes*classCodes + m.code()
	if m.Class < 0 {
		class = -class
	}
	if class == m.Class {
		tx.date(*m)
		return nil
	}
	if err := tx.one("UPDATE messages SET class = $1 WHERE id = $2", class, m.ID); err != nil {
		return err
	}
	tx.count(*m, m.Class, -1)
	tx.count(*m, class, 1)
	m.Class, m.Phase = class, phaseIn(class)
	return nil
}

// settled is settle for what a statement has returned.
func (tx *Tx) settled(m Message, err error) (Message, error) {
	if err != nil {
		return m, err
	}
	err = tx.settle(&m)
	return m, err
}

// Hide takes a message out of every list and total, or returns ErrNotFound where there
// is none that is shown. Whatever becomes of it is still stored and told.
func (tx *Tx) Hide(accountID, id string, now int64) error {
	m, err := scanMessage(tx.stmts.row(tx.ctx, "UPDATE messages SET hidden_at = $1, updated_at = $1, class = -class WHERE id = $2 AND account_id = $3 AND hidden_at = 0 RETURNING "+messageColumns, now, id, accountID))
	if err != nil {
		return err
	}
	tx.count(m, -m.Class, -1)
	tx.text(m, "", true)
	return nil
}
