package cloud

import (
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
)

// replace takes back a message that was told as somebody's, because its row is that of the
// line's own message by: Messages may say of an own row at first that somebody else wrote
// it, and the Mac that follows a lost one knows nothing of what that was asked to send. It
// goes out of lists and totals, and whoever was told of it is told so. What it said
// about being written to was nobody's wish; what was ended for that stays ended.
func (s *Service) replace(tx *store.Tx, m store.Message, by string, now time.Time) error {
	unheard, err := tx.TakeHeld(m.ID)
	if err != nil {
		return err
	}
	if err := tx.TakeBackConsent(store.Consent{AccountID: m.AccountID, Address: lowerAddress(m.From), MessageID: m.ID, At: now.UnixMilli()}); err != nil {
		return fmt.Errorf("take back a wish: %w", err)
	}
	parts, err := tx.Parts(tx.Context(), m.ID)
	if err != nil {
		return err
	}
	if err := tx.GiveRow(m, by); err != nil {
		return fmt.Errorf("give a row to its own message: %w", err)
	}
	s.log.Warn("message.replaced", "message", m.ID, "by", by)
	for _, one := range append([]store.Message{m}, parts...) {
		if err := s.takeBack(tx, one, by, unheard, now); err != nil {
			return err
		}
	}
	return nil
}

// takeBack hides a message that is another one in truth and, unless nobody was told of it,
// says so.
func (s *Service) takeBack(tx *store.Tx, m store.Message, by string, unheard bool, now time.Time) error {
	if m.HiddenAt == 0 {
		if err := tx.Hide(m.AccountID, m.ID, now.UnixMilli()); err != nil {
			return fmt.Errorf("hide what was replaced: %w", err)
		}
	}
	if unheard {
		return nil
	}
	m.UpdatedAt, m.ReplacedBy = now.UnixMilli(), by
	return s.recordEvent(tx, m, store.Event{Type: updatedEvent, Detail: updateReplaced})
}

// ownTapback makes a tapback the owner's that was told as somebody's: that one is told to
// be gone, where it said that he reacted.
func (s *Service) ownTapback(tx *store.Tx, line store.Line, t store.Tapback, now time.Time) error {
	if err := tx.OwnTapback(t.ID, line.PhoneNumber); err != nil {
		return fmt.Errorf("make a tapback the owner's: %w", err)
	}
	m, err := tx.Message(tx.Context(), t.AccountID, t.MessageID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nobody was told
	}
	if err != nil {
		return err
	}
	m.UpdatedAt = now.UnixMilli()
	asides, err := tx.Asides(tx.Context(), m.ID)
	if err != nil {
		return err
	}
	own := t
	own.From, own.Origin, own.CreatedAt = line.PhoneNumber, store.OriginDevice, now.UnixMilli()
	if !t.Removed {
		t.Removed = true
		if err := s.recordEvent(tx, m, store.Event{Type: tapbackEvent, Detail: t.ID, Tapback: &t}); err != nil {
			return err
		}
	}
	if err := s.recordEvent(tx, m, store.Event{Type: tapbackEvent, Detail: t.ID, Tapback: &own}); err != nil {
		return err
	}
	made, err := s.createTapback(tx, line, own, m)
	if err != nil {
		return err
	}
	for _, a := range asides {
		if a.Place == 0 && a.From == t.From && a.CreatedAt == t.CreatedAt && a.HiddenAt == 0 {
			return s.takeBack(tx, a, made.ID, false, now)
		}
	}
	return nil
}
