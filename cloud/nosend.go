package cloud

import (
	"cmp"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The words for messages that were withdrawn, wherever that was decided.
const (
	canceled       = wire.FaultCanceled
	canceledByUser = "It was canceled before it was sent."
)

// afterNoSend says what becomes of a message whose attempt provably had no effect:
// it waits for another attempt, or ends by what the sender or its time wanted, or has
// failed.
func afterNoSend(step *store.Step, m store.Message, r wire.Report) {
	switch {
	case m.CancelRequested != 0 || step.ErrorCode == wire.FaultCanceled:
		step.To, step.Evidence = wire.Canceled, store.EvidenceCancel
		step.ErrorCode, step.ErrorNumber, step.ErrorMessage = canceled, 0, canceledByUser
	case step.ErrorCode == wire.FaultExpired:
		step.To, step.Evidence = wire.Expired, store.EvidenceExpiry
	case !r.Again || r.Attempt >= maxAttempts && step.ErrorCode != wire.FaultReleased:
		step.To = wire.StatusFailed
	}
}

// halfByWord tells whether a message has failed because a part of it was not sent, which
// no row says: only the journal that the order is in can know it. AppleScript's numbers
// are below zero, those of rows above.
func halfByWord(r wire.Report) bool {
	return r.Fault != nil && r.Fault.Number <= 0 && (r.Fault.Code == wire.FaultFile || r.Fault.Code == wire.FaultText)
}

// evidenceOf is what a report about one of our messages rests on.
func evidenceOf(r wire.Report, m store.Message) string {
	switch {
	case r.Kind == wire.Failed && halfByWord(r) && r.Fault.Number == 0:
		return store.EvidenceRelay
	case r.Kind == wire.Failed && halfByWord(r):
		return store.EvidenceOsascript
	}
	switch r.Kind {
	case wire.Sent, wire.Delivered, wire.Read, wire.Failed:
		if cmp.Or(r.GUID, m.AppleGUID) != "" {
			return store.EvidenceRow
		}
	case wire.NoSend, wire.Unknown:
		if r.Fault != nil && r.Fault.Number != 0 {
			return store.EvidenceOsascript
		}
		if r.Kind == wire.Unknown {
			return store.EvidenceTime
		}
	}
	return store.EvidenceRelay
}
