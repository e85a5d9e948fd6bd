package cloud

import (
	"fmt"
	"time"

	"bluerelay/cloud/store"
)

// replace takes back a message that was told as somebody's, because its row is that of the
// line's own message by: Messages may say of an own row at first that somebody else wrote
// it. It goes out of lists and totals, and whoever was told of it is told so. What it said
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
		if one.HiddenAt == 0 {
			if err := tx.Hide(one.AccountID, one.ID, now.UnixMilli()); err != nil {
				return fmt.Errorf("hide what was replaced: %w", err)
			}
		}
		if unheard {
			continue
		}
		one.UpdatedAt, one.ReplacedBy = now.UnixMilli(), by
		if err := s.recordEvent(tx, one, store.Event{Type: updatedEvent, Detail: updateReplaced}); err != nil {
			return err
		}
	}
	return nil
}
