package wire

import "slices"

// Status is the state of a message as the cloud stores it.
type Status string

// The states. Queued, Canceled and Expired promise that nothing left the Mac;
// Failed promises it too, or a row that Messages itself marks as failed;
// StatusUnknown promises nothing.
const (
	Queued          Status = "queued"    // stored, waiting for the relay
	StatusAccepted  Status = "accepted"  // in the relay's journal
	StatusSending   Status = "sending"   // handed to Messages
	StatusSent      Status = "sent"      // the row says is_sent
	StatusDelivered Status = "delivered" // the row says so; one-to-one iMessage and RCS only
	StatusRead      Status = "read"      // the row says so
	StatusFailed    Status = "failed"    // row error, or proven not started and given up
	StatusUnknown   Status = "unknown"   // may have been sent, corrected when evidence comes
	Canceled        Status = "canceled"  // withdrawn before the relay began
	Expired         Status = "expired"   // its time passed before the relay began
	StatusReceived  Status = "received"  // inbound
)

// begun are the states of a message that a relay holds.
var begun = []Status{Queued, StatusAccepted, StatusSending}

// from is the one table of transitions: which states a state may follow. Facts
// (sent, delivered, read, failed) may correct anything that is not stronger
// evidence; commands and claims of ignorance only what is still open.
var from = map[Status][]Status{
	Queued:          {StatusAccepted, StatusSending, Queued},
	StatusAccepted:  {Queued},
	StatusSending:   {Queued, StatusAccepted},
	StatusUnknown:   begun,
	StatusSent:      {Queued, StatusAccepted, StatusSending, StatusUnknown, StatusFailed, Canceled, Expired},
	StatusFailed:    {Queued, StatusAccepted, StatusSending, StatusUnknown, StatusSent},
	StatusDelivered: {Queued, StatusAccepted, StatusSending, StatusUnknown, StatusFailed, Canceled, Expired, StatusSent},
	StatusRead:      {Queued, StatusAccepted, StatusSending, StatusUnknown, StatusFailed, Canceled, Expired, StatusSent, StatusDelivered},
	// From accepted only as the relay's own answer that it had not begun.
	Canceled: {Queued, StatusAccepted},
	Expired:  {Queued, StatusAccepted},
}

// From lists the states that s may follow. The slice is the caller's own.
func (s Status) From() []Status { return slices.Clone(from[s]) }

// Follows says whether a message in state old may become s.
func (s Status) Follows(old Status) bool { return slices.Contains(from[s], old) }

// Status is the state that a report of this kind leads to; "" for the kinds that are
// about something else than the state of one of our messages.
func (k Kind) Status() Status {
	switch k {
	case NoSend:
		return Queued
	case Received, Typed, Joined, Edited, Unsent, Tapped, Grouped, Alarm:
		return ""
	}
	return Status(k)
}
