package cloud

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// maxAttempts is how often a message is tried when each attempt provably had no
// effect and might succeed next time. The relay pauses between them.
const maxAttempts = 20

// progressed takes a report about the state of a message.
func (s *Service) progressed(tx *store.Tx, relay store.Relay, line store.Line, install string, r wire.Report, now time.Time) error {
	m, err := s.subject(tx, relay, install, r)
	if errors.Is(err, store.ErrNotFound) {
		return s.strange(tx, relay, install, r, now)
	}
	if err != nil {
		return err // not acknowledged: it comes again
	}
	if m.LineID != relay.LineID {
		return errNotYours
	}
	if err := s.claim(tx, line, m, now, r.Rows...); err != nil {
		return err
	}
	step, ok := stepOf(m, install, r, now)
	if !ok {
		return s.claim(tx, line, m, now, r.GUID) // of an attempt after which there is another
	}
	if again, err := retold(tx, m, step, r.Version); err != nil || again {
		return err
	}
	if ok, err := s.bind(tx, line, m, install, &step); err != nil || !ok {
		return err
	}
	bySMS := fallsBack(line, m, install, r)
	if bySMS || step.To == wire.Queued || step.To == wire.Canceled {
		out, err := isOptedOut(tx, m)
		if err != nil {
			return err
		}
		if out {
			bySMS = false
			if step.To != wire.StatusFailed {
				decline(&step)
			}
		}
	}
	if bySMS {
		return s.fallBack(tx, step, install, r)
	}
	if r.Downgraded && !m.Downgraded {
		if err := tx.Downgrade(m.ID); err != nil {
			return err
		}
	}
	return s.advance(tx, step)
}

// stepOf is the change that a report asks for; false for one that must change nothing.
func stepOf(m store.Message, install string, r wire.Report, now time.Time) (store.Step, bool) {
	step := store.Step{ID: m.ID, To: r.Kind.Status(), At: r.At, Now: now.UnixMilli(), AppleGUID: r.GUID, Service: r.Service, Evidence: evidenceOf(r, m)}
	if r.Fault != nil {
		step.ErrorCode, step.ErrorNumber, step.ErrorMessage = r.Fault.Code, r.Fault.Number, r.Fault.Text
	}
	switch r.Kind {
	case wire.Accepted, wire.Sending, wire.Unknown, wire.NoSend:
		step.InstallID, step.Attempt = install, r.Attempt
	case wire.Failed:
		if overtaken(m, r) {
			return step, false
		}
		if halfByWord(r) {
			step.InstallID, step.Attempt = install, r.Attempt
		}
	case wire.Sent, wire.Delivered, wire.Read:
	default:
		return step, false // a kind from a newer relay
	}
	switch r.Kind {
	case wire.NoSend:
		if m.Status == wire.StatusSent {
			return step, false // a row is stronger than any claim that there can be none
		}
		afterNoSend(&step, m, r)
	case wire.Unknown:
		step.ErrorCode = OutcomeUnknown
	}
	return step, true
}

// overtaken tells whether a failure is that of an attempt after which there is another:
// it says nothing about how that one ends. Where the former attempt's row has become the
// message's after all, it goes on to count.
func overtaken(m store.Message, r wire.Report) bool {
	switch {
	case r.Attempt == 0:
		return false
	case r.Attempt < m.Attempt:
		return r.GUID == "" || r.GUID != m.AppleGUID
	}
	return open(m) && r.Attempt == m.Attempt && m.Fallback && m.InstallID == ""
}

// retold tells whether a step to sent or failed, which each may follow the other, is older
// than what is known of its row: a Mac that is paired again tells all that is in its
// journal once more, from its beginning, and what was true then is not true again. It goes
// by the time, unless the report's version says that the row has failed as often before as
// is known: then it is news, also from a Mac whose clock was set back.
func retold(tx *store.Tx, m store.Message, step store.Step, version int64) (bool, error) {
	if open(m) || step.To != wire.StatusSent && step.To != wire.StatusFailed || step.Evidence != store.EvidenceRow {
		return false, nil
	}
	list, err := tx.Timeline(tx.Context(), m)
	if err != nil {
		return false, err
	}
	row := cmp.Or(step.AppleGUID, m.AppleGUID)
	failures, known := int64(0), false
	for _, e := range list {
		if e.Evidence != store.EvidenceRow || e.AppleGUID != row {
			continue
		}
		if e.Code != "" {
			failures++
		}
		same := e.At == step.At && e.Code == step.ErrorCode && e.Number == step.ErrorNumber
		known = known || same || e.At > step.At
	}
	return known && version <= failures, nil
}

// open tells whether a message is still to be sent, or may be on its way.
func open(m store.Message) bool {
	return m.Status == wire.Queued || m.Status == wire.StatusAccepted || m.Status == wire.StatusSending
}

// ordered tells whether somebody has asked the API to send a message: it came from nobody
// else, and the owner has not typed it.
func ordered(m store.Message) bool {
	return m.Direction == store.Outbound && m.Origin != store.OriginDevice
}

// bind sees to it that one row is one message. One that was told as somebody's or as the
// owner's, and is this message's after all, is taken from there. Where it is another
// message's, or may be, it is evidence for that one only: two Macs of one Apple Account see
// each other's rows. Then a message that is on its way is unknown. It is false where
// nothing is left to be done.
func (s *Service) bind(tx *store.Tx, line store.Line, m store.Message, install string, step *store.Step) (bool, error) {
	if step.AppleGUID == "" || step.AppleGUID == m.AppleGUID {
		return true, nil
	}
	other, err := tx.MessageByGUID(tx.Context(), line.ID, step.AppleGUID)
	if errors.Is(err, store.ErrNotFound) {
		doubt, err := disputed(tx, m, install, step)
		return !doubt, err
	}
	if err != nil {
		return false, err
	}
	if step.InstallID == "" && !ordered(other) {
		return true, s.replace(tx, other, m.ID, time.UnixMilli(step.Now))
	}
	step.AppleGUID = ""
	if step.InstallID != "" {
		return true, nil // no fact at all
	}
	s.log.Error("report.row_bound_twice", "message", m.ID)
	step.To, step.Evidence = wire.StatusUnknown, store.EvidenceRow
	step.ErrorCode, step.ErrorNumber, step.ErrorMessage = OutcomeUnknown, 0, "What was found of it belongs to another message; it may have been sent."
	return open(m), nil
}

// disputed tells whether a row that would be evidence for a message of which nobody knew may
// be that of an equal one, which another Mac was given since: a Mac that was replaced goes
// on to look for what it had begun, and does not know what its successor sends. That one
// tells whose the row is, because it was made while its osascript ran. Where that one has
// said that the row is none of its own, install is empty.
func disputed(tx *store.Tx, m store.Message, install string, step *store.Step) (bool, error) {
	if install == "" || step.InstallID != "" || !nobodyKnows(m) {
		return false, nil
	}
	later, err := tx.Rivals(tx.Context(), m, step.At+lateRow.Milliseconds())
	return slices.ContainsFunc(later, func(other store.Message) bool { return alike(m, other) }), err
}

// alike tells whether a row of one of two messages may look like the other's.
func alike(a, b store.Message) bool {
	if a.MediaURL != "" && a.MediaURL == b.MediaURL {
		return true
	}
	return sameText(a.Content, b.Content) || wire.SameLetters(a.Content, b.Content)
}

// maxRows bounds the rows that one report names: two parts of all attempts, and some.
const maxRows = 3 * maxAttempts

// claim gives a message the rows that it has beside its own. What was told of them as
// somebody's or as the owner's is taken back, and nothing will be told of them any more.
func (s *Service) claim(tx *store.Tx, line store.Line, m store.Message, now time.Time, guids ...string) error {
	for _, guid := range guids[:min(len(guids), maxRows)] {
		if guid == "" || guid == m.AppleGUID {
			continue
		}
		other, err := tx.MessageByGUID(tx.Context(), line.ID, guid)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case !ordered(other):
			if err := s.replace(tx, other, m.ID, now); err != nil {
				return err
			}
		default:
			continue // one row is one message
		}
		if err := tx.KeepRow(line.ID, guid, m.ID); err != nil {
			return fmt.Errorf("keep a row of a message: %w", err)
		}
	}
	return nil
}

// strange takes a report about a message that this account does not have: somebody
// else's, which is no business of this relay, or one that is nowhere.
func (s *Service) strange(tx *store.Tx, relay store.Relay, install string, r wire.Report, now time.Time) error {
	elsewhere, err := tx.HasMessage(tx.Context(), r.Message)
	if err != nil {
		return err
	}
	if elsewhere {
		return errNotYours
	}
	return s.orphaned(tx, relay, install, r, now)
}

// subject is the message whose state a report tells. One without our id is about a
// message that the owner typed, or one of an install that is gone.
func (s *Service) subject(tx *store.Tx, relay store.Relay, install string, r wire.Report) (store.Message, error) {
	if r.Message != "" {
		return tx.Message(tx.Context(), relay.AccountID, r.Message)
	}
	m, err := tx.MessageByGUID(tx.Context(), relay.LineID, r.GUID)
	if err == nil && m.Origin != store.OriginDevice && (m.Direction != store.Outbound || m.InstallID == install) {
		err = store.ErrNotFound
	}
	return m, err
}
