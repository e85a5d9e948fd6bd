package cloud

import (
	"context"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// How much is ended at a time: whoever writes while it is done waits for one of these.
const (
	endingBatch  = 100 // messages in one transaction
	withheldNow  = 10  // to one person, with what has made them end; a request may name many people
	endingsATime = 10  // endings that a sweep works on side by side
	endingRounds = 10  // batches of each in one sweep
)

// endRest ends what RemoveNumber and withhold have left, also before the process began.
// No Mac gets any of it meanwhile: a line that was removed has none, and Assign passes by
// whoever has opted out.
func (s *Service) endRest(ctx context.Context) error {
	for range endingRounds {
		list, err := s.store.Endings(ctx, endingsATime)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			if err := s.store.Write(ctx, func(tx *store.Tx) error { return s.end(tx, e, time.Now()) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// end makes one step of an ending.
func (s *Service) end(tx *store.Tx, e store.Ending, now time.Time) error {
	if e.LineID != "" {
		return s.endLine(tx, e, now)
	}
	out, err := tx.OptedOut(tx.Context(), e.AccountID, e.Address)
	if err != nil {
		return err
	}
	if len(out) == 0 {
		return tx.DropEnding(e) // opted in again: what is left may go
	}
	return s.withhold(tx, e.AccountID, e.Address, endingBatch, now)
}

// endLine cancels what waits on a line that is being removed, or was.
func (s *Service) endLine(tx *store.Tx, e store.Ending, now time.Time) error {
	waiting, err := tx.Waiting(tx.Context(), e.LineID, endingBatch)
	if err != nil {
		return err
	}
	for _, m := range waiting {
		err := s.advance(tx, store.Step{
			ID: m.ID, To: wire.Canceled, At: now.UnixMilli(), Now: now.UnixMilli(),
			ErrorCode: canceled, ErrorMessage: "The number it was to be sent from was removed.", Evidence: store.EvidenceOperator,
		})
		if err != nil {
			return err
		}
	}
	tx.OnCommit(s.dispatch.ring)
	return left(tx, e, len(waiting) >= endingBatch)
}

// left keeps an ending while there may be more.
func left(tx *store.Tx, e store.Ending, more bool) error {
	if more {
		return tx.KeepEnding(e)
	}
	return tx.DropEnding(e)
}
