package chatdb

import (
	"strings"
	"time"
)

// Seen is what a follower remembers of a row between two looks. The zero value is a
// row of which nothing is known yet.
type Seen struct {
	Sent      bool `json:"sent,omitzero"`
	Delivered bool `json:"delivered,omitzero"`
	Read      bool `json:"read,omitzero"`
	Error     int  `json:"error,omitzero"`
	Fails     int  `json:"fails,omitzero"` // failures so far
	// NoReceipts says that the recipient's receipts cannot come, as in a group or by SMS.
	NoReceipts bool `json:"no_receipts,omitzero"`

	// Told says of an own row that it was given to somebody as it was: what it lacked then
	// is news when it comes, as on any inbound row.
	Told     bool  `json:"told,omitzero"`
	Body     bool  `json:"body,omitzero"`     // it had a text
	Joined   bool  `json:"joined,omitzero"`   // it had a chat
	Revision int64 `json:"revision,omitzero"` // of the last edit
	Unsent   int   `json:"unsent,omitzero"`   // parts that were taken back; a whole message counts one more
}

// Kind names what happened to a row.
type Kind string

// What can happen to a row, in the order in which Diff reports it.
const (
	KindJoined    Kind = "joined" // its chat has come, after it was told
	KindBody      Kind = "body"   // its text has come, likewise
	KindFailed    Kind = "failed"
	KindSent      Kind = "sent"
	KindDelivered Kind = "delivered"
	KindRead      Kind = "read"
	KindEdited    Kind = "edited"
	KindUnsent    Kind = "unsent"
)

// Change is one thing that happened to a row. The row itself has what else there is
// to know: the text as it is now, all edits, the parts that are gone.
type Change struct {
	Kind  Kind      `json:"kind"`
	At    time.Time `json:"at,omitzero"`    // where the row says when, else zero; by the clock of the Mac or of the other device
	Error int       `json:"error,omitzero"` // of a failure; ErrorName has the words

	// Version tells changes of one kind on one row apart and rises with each; 0 of
	// what happens once. Of edits and unsends it is the row's own, the same on every Mac
	// of the account; of sent and failed it is how often the follower saw it fail before.
	Version int64 `json:"version,omitzero"`
}

// First is what to remember of a row that is given to somebody as it is: what has
// become of it until now is no change to them.
func First(m Message) Seen {
	_, seen := Diff(Seen{Body: true, Joined: true}, m)
	seen.Told, seen.Body, seen.Joined = m.FromMe, m.HasBody, m.Chat != nil
	return seen
}

// Diff tells what happened to a row between prev and now, and what to remember
// next. Rows of events in a group never change here.
//
// The row is the truth in both directions. A failure is final only until
// Messages or its user tries again: when the error is gone and the row is
// sent, sent is reported once more. While an error stands no other state is
// reported, and receipts that came before it are kept.
//
// Receipts exist in one-to-one chats on iMessage and RCS only. Elsewhere the
// same columns mean something else (in a group, that the row was read on one
// of the own devices) and are ignored, as they are on inbound rows. Two receipts
// may appear between two looks, or one without the other's date: read implies
// delivered, delivered implies sent, and all come in that order.
//
// An edit changes the row in place, as does taking back a part or all of it.
// Several edits between two looks are one change: the row has all their texts.
func Diff(prev Seen, m Message) ([]Change, Seen) {
	if m.ItemType != 0 {
		return nil, prev
	}
	next := prev
	var changes []Change
	if !m.FromMe || prev.Told {
		changes, next = diffArrival(prev, m)
	}
	if m.FromMe {
		var states []Change
		states, next = diffState(next, m)
		changes = append(changes, states...)
	}
	if m.Revision > prev.Revision {
		next.Revision = m.Revision
		changes = append(changes, Change{Kind: KindEdited, At: m.DateEdited, Version: m.Revision})
	}
	if n := m.unsentCount(); n > prev.Unsent {
		next.Unsent = n
		changes = append(changes, Change{Kind: KindUnsent, At: m.DateEdited, Version: int64(n)})
	}
	return changes, next
}

func (m Message) unsentCount() int {
	n := len(m.Unsent)
	if m.Retracted {
		n++
	}
	return n
}

// diffArrival is about what may come later than a row that was told.
func diffArrival(prev Seen, m Message) (changes []Change, next Seen) {
	next = prev
	if m.Chat != nil && !prev.Joined {
		next.Joined = true
		changes = append(changes, Change{Kind: KindJoined})
	}
	if m.HasBody && !prev.Body {
		next.Body = true
		changes = append(changes, Change{Kind: KindBody})
	}
	return changes, next
}

// diffState is about the sending of an own row.
func diffState(prev Seen, m Message) (changes []Change, next Seen) {
	next = prev
	next.Error, next.NoReceipts = m.Error, !m.receipts()
	if m.Error != 0 {
		next.Sent = false
		if m.Error == prev.Error {
			return nil, next
		}
		next.Fails++
		return []Change{{Kind: KindFailed, Error: m.Error, Version: int64(prev.Fails)}}, next
	}

	read := m.receipts() && (m.Read || !m.DateRead.IsZero())
	delivered := read || m.receipts() && (m.Delivered || !m.DateDelivered.IsZero())
	sent := delivered || m.Sent && !m.PendingSatellite

	if sent && !prev.Sent {
		changes = append(changes, Change{Kind: KindSent, Version: int64(prev.Fails)})
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
