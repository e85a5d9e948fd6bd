package cloud

import (
	"context"
	"fmt"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Delete takes a message out of lists, totals and single view. One that no relay has is
// canceled by it. Anything else goes on as it was: it is not taken back from anybody's
// device, and what becomes of it is still told as events. An aside goes alone, and so
// does the message that it stands beside. It returns ErrNotFound for what was deleted
// before.
func (s *Service) Delete(ctx context.Context, p Principal, id string) error {
	now := time.Now()
	var m store.Message
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if m, err = kept(tx.Message(tx.Context(), p.Account.ID, id)); err != nil {
			return err
		}
		if m.Status == wire.Queued && m.InstallID == "" {
			if err := s.advance(tx, cancelStep(m, now)); err != nil {
				return err
			}
		}
		return tx.Hide(m.AccountID, m.ID, now.UnixMilli())
	})
	if err != nil {
		return fmt.Errorf("delete a message: %w", err)
	}
	s.dispatch.ring()
	s.hub.ring(m.From) // the next of its conversation may go
	return nil
}
