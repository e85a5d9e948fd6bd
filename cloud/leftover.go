package cloud

import (
	"errors"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// A Mac that was replaced, or whose journal is gone, leaves messages of which the cloud
// cannot know. The Mac that follows it sees their rows, where both are of one Apple
// Account, as something that it was not asked to send. A row is evidence whoever sees it;
// that it sees none is not.

const (
	// lateRow is how long after its Mac was given up the row of a message may be dated:
	// later an equal text is the owner's, who has written himself what did not go. So much
	// two clocks may differ too.
	lateRow = 10 * time.Minute
	// longQueue is how long a message may have waited before it was sent.
	longQueue = 7 * 24 * time.Hour
)

// leftover takes a row that a Mac tells as the owner's for what it is: of a message that
// an earlier Mac or journal had. It returns false where it is none's.
func (s *Service) leftover(tx *store.Tx, relay store.Relay, line store.Line, r wire.Report, now time.Time) (bool, error) {
	in := r.Inbound
	if in.Sent == 0 {
		return false, nil // no Mac says so
	}
	peer := in.From
	if in.Group || peer == "" {
		peer = in.Chat
	}
	left, err := tx.Left(tx.Context(), line, peer, in.Sent-longQueue.Milliseconds(), in.Sent+lateRow.Milliseconds())
	if err != nil {
		return false, err
	}
	var altered *store.Message
	for i, m := range left {
		steps, err := tx.Timeline(tx.Context(), m)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(steps, func(e store.TimelineEntry) bool { return e.AppleGUID == in.GUID }) {
			return true, s.claim(tx, line, m, now, in.GUID) // of an attempt after which there was another
		}
		file, err := isFileOf(tx, m, in)
		if err != nil {
			return false, err
		}
		switch {
		case file && m.Content != "":
			return true, s.claim(tx, line, m, now, in.GUID) // a part of it; its text says more
		case !unknownSince(m, steps, in.Sent-lateRow.Milliseconds()): // its end is known
		case file || sameText(m.Content, in.Text):
			return true, s.found(tx, relay, line, m, r, now)
		case altered == nil && wire.SameLetters(m.Content, in.Text) && beganBefore(steps, in.Sent):
			altered = &left[i] // unless there is one of just these words
		}
	}
	if altered == nil {
		return false, nil
	}
	return true, s.found(tx, relay, line, *altered, r, now)
}

// found gives a message the state of the row that a Mac tells as the owner's.
func (s *Service) found(tx *store.Tx, relay store.Relay, line store.Line, m store.Message, r wire.Report, now time.Time) error {
	fact := wire.Report{Kind: wire.Kind(r.Inbound.Status), At: r.At, Message: m.ID, GUID: r.Inbound.GUID, Service: r.Service, Fault: r.Fault}
	return s.progressed(tx, relay, line, "", fact, now)
}

// sameText tells whether a row has a message's text; one without any has none's.
func sameText(content, row string) bool { return row != "" && wire.SameText(content, row) }

// beganBefore tells whether a message was about to be sent shortly before a row is dated. The
// Mac that sends dates both.
func beganBefore(steps []store.TimelineEntry, dated int64) bool {
	return slices.ContainsFunc(steps, func(e store.TimelineEntry) bool {
		return e.Status == wire.StatusSending && dated >= e.At-time.Second.Milliseconds() && dated <= e.At+lateRow.Milliseconds()
	})
}

// unknownSince tells whether nobody knows of a message, and has not known since a time or
// later.
func unknownSince(m store.Message, steps []store.TimelineEntry, since int64) bool {
	return nobodyKnows(m) && slices.ContainsFunc(steps, func(e store.TimelineEntry) bool {
		return e.Status == wire.StatusUnknown && e.RecordedAt >= since
	})
}

// nobodyKnows tells whether a message has ended and may have been sent.
func nobodyKnows(m store.Message) bool {
	return m.Status == wire.StatusUnknown || m.Status == wire.StatusFailed && m.ErrorCode == OutcomeUnknown
}

// isFileOf tells whether a row is nothing but the file that a message is sent with.
func isFileOf(tx *store.Tx, m store.Message, in *wire.Inbound) (bool, error) {
	if m.MediaURL == "" || in.Text != "" || len(in.Media) != 1 {
		return false, nil
	}
	v, err := tx.Outgoing(tx.Context(), m.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return v.Name == cleanName(in.Media[0].Name, in.Media[0].MIME), err
}
