package chatdb

import (
	"strings"
	"time"
)

// Seen is what a follower remembers of an own row between two looks. The zero
// value is a row of which nothing is known yet.
type Seen struct {
	Sent      bool `json:"sent,omitzero"`
	Delivered bool `json:"delivered,omitzero"`
	Read      bool `json:"read,omitzero"`
	Error     int  `json:"error,omitzero"`
}

// Kind names what happened to an own row.
type Kind string

// What can happen to an own row, in the order in which Diff reports it.
const (
	KindFailed    Kind = "failed"
	KindSent      Kind = "sent"
	KindDelivered Kind = "delivered"
	KindRead      Kind = "read"
)

// Change is one thing that happened to an own row.
type Change struct {
	Kind  Kind      `json:"kind"`
	At    time.Time `json:"at,omitzero"`    // where the row says when, else zero; by the clock of the Mac or of the other device
	Error int       `json:"error,omitzero"` // of a failure; ErrorName has the words
}

// Diff tells what happened to an own row between prev and now, and what to
// remember next. Inbound rows, and events of a group, never change here.
//
// The row is the truth in both directions. A failure is final only until
// Messages or its user tries again: when the error is gone and the row is
// sent, sent is reported once more. While an error stands nothing else is
// reported, and receipts that came before it are kept.
//
// Receipts exist in one-to-one chats on iMessage and RCS only. Elsewhere the
// same columns mean something else (in a group, that the row was read on one
// of the own devices) and are ignored. Two receipts may appear between two
// looks, or one without the other's date: read implies delivered, delivered
// implies sent, and all come in that order.
func Diff(prev Seen, m Message) ([]Change, Seen) {
	if !m.FromMe || m.ItemType != 0 {
		return nil, prev
	}
	next := prev
	next.Error = m.Error
	if m.Error != 0 {
		next.Sent = false
		if m.Error == prev.Error {
			return nil, next
		}
		return []Change{{Kind: KindFailed, Error: m.Error}}, next
	}

	read := m.receipts() && (m.Read || !m.DateRead.IsZero())
	delivered := read || m.receipts() && (m.Delivered || !m.DateDelivered.IsZero())
	sent := delivered || m.Sent && !m.PendingSatellite

	var changes []Change
	if sent && !prev.Sent {
		changes = append(changes, Change{Kind: KindSent})
	}
	if delivered && !prev.Delivered {
		changes = append(changes, Change{Kind: KindDelivered, At: m.DateDelivered})
	}
	if read && !prev.Read {
		changes = append(changes, Change{Kind: KindRead, At: m.DateRead})
	}
	next.Sent = prev.Sent || sent
	next.Delivered = prev.Delivered || delivered
	next.Read = prev.Read || read
	return changes, next
}

// receipts tells whether the row's delivered and read columns are the
// recipient's. It follows Apple's own index of undelivered messages: not in a
// room, on iMessage or RCS, not downgraded. A row without its chat has no
// room name yet either, but an own group row names no handle.
func (m Message) receipts() bool {
	if m.Downgraded || m.RoomName != "" {
		return false
	}
	if m.Chat == nil && m.Handle == "" || m.Chat != nil && m.Chat.Group() {
		return false
	}
	return strings.EqualFold(m.Service, "iMessage") || strings.EqualFold(m.Service, "RCS")
}
