package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// mediaBatch is how many files or held events are dealt with in one transaction of
// the sweep.
const mediaBatch = 100

// announce writes down which files will follow a message. Where there are any, the
// event of an inbound one waits for them, for at most Config.MediaWait: one event with
// the files is worth more than an early one without.
func (s *Service) announce(tx *store.Tx, m store.Message, list []wire.Media, now time.Time) (held bool, err error) {
	seen := make(map[string]bool)
	for _, a := range list[:min(len(list), wire.MaxMedia)] {
		if !validMediaID(a.ID) || seen[a.ID] {
			continue
		}
		seen[a.ID] = true
		v := s.newMedia(m, a.ID, "", int64(len(seen)), now)
		v.Name, v.MIME, v.Size = cleanName(a.Name, a.MIME), cleanType(a.MIME), max(a.Size, 0)
		if err := tx.CreateMedia(v); err != nil {
			return false, fmt.Errorf("announce a file: %w", err)
		}
		if v.Place == 1 || m.Direction == store.Outbound {
			continue
		}
		if err := s.createPart(tx, m, v.Place); err != nil {
			return false, err
		}
	}
	if len(seen) == 0 || m.Direction == store.Outbound {
		return false, nil
	}
	return true, tx.HoldEvent(m, now.Add(s.cfg.MediaWait).UnixMilli())
}

func (s *Service) newMedia(m store.Message, guid, variant string, place int64, now time.Time) store.Media {
	return store.Media{
		ID: newID("med_"), AccountID: m.AccountID, LineID: m.LineID, MessageID: m.ID, Place: place, GUID: guid, Variant: variant,
		State: store.MediaPending, Token: randomText(tokenLength), CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(s.cfg.MediaLife).UnixMilli(),
	}
}

// tokenLength characters of five bits: nobody guesses 160 bits.
const tokenLength = 32

// validMediaID bounds what a relay may call an attachment. A dot or two would be
// another path.
func validMediaID(id string) bool {
	return id != "" && len(id) <= wire.MaxMediaID && id != "." && id != ".."
}

// arrived shows a file that is on disk now in its message, and tells of it.
func (s *Service) arrived(tx *store.Tx, v store.Media, now time.Time) error {
	v.State, v.ExpiresAt = store.MediaStored, now.Add(s.cfg.MediaLife).UnixMilli()
	if err := tx.UpdateMedia(v); err != nil {
		return err
	}
	made, err := s.standFor(tx, v)
	if err != nil {
		return err
	}
	m, err := tx.ShowMedia(v.MessageID, now.UnixMilli())
	if err != nil {
		return err
	}
	if v.Variant != "" {
		// A converted copy comes before its original and is told with it.
		original, err := tx.Media(tx.Context(), v.MessageID, v.GUID, "")
		if errors.Is(err, store.ErrNotFound) || err == nil && original.State != store.MediaStored {
			return nil
		}
		if err != nil {
			return err
		}
	}
	told, err := s.tellMedia(tx, m)
	if err != nil || !told {
		return err
	}
	if err := s.tellFile(tx, m, v); err != nil {
		return err
	}
	return s.tellPart(tx, m, v, made)
}

// tellFile records that a message, or an aside of it, has a file that it was told without.
func (s *Service) tellFile(tx *store.Tx, m store.Message, v store.Media) error {
	e := store.Event{Type: updatedEvent, Detail: updateMedia}
	if v.Variant == "" {
		e.Place = v.Place
	}
	return s.recordEvent(tx, m, e)
}

// lostMedia notes that a file will not come.
func (s *Service) lostMedia(tx *store.Tx, v store.Media, now time.Time) error {
	v.State = store.MediaFailed
	if err := tx.UpdateMedia(v); err != nil {
		return err
	}
	m, err := tx.ShowMedia(v.MessageID, now.UnixMilli())
	if err != nil {
		return err
	}
	_, err = s.tellMedia(tx, m)
	return err
}

// tellMedia records message.received once nothing is awaited any more, and says whether
// it was recorded before.
func (s *Service) tellMedia(tx *store.Tx, m store.Message) (told bool, err error) {
	held, err := tx.Held(tx.Context(), m.ID)
	if err != nil || !held {
		return err == nil, err
	}
	pending, err := tx.MediaPending(tx.Context(), m.ID)
	if err != nil || pending {
		return false, err
	}
	_, err = s.release(tx, m)
	return false, err
}

// release records an event that was held back, once, and says whether it did.
func (s *Service) release(tx *store.Tx, m store.Message) (bool, error) {
	held, err := tx.TakeHeld(m.ID)
	if err != nil || !held {
		return false, err
	}
	if err := s.record(tx, m); err != nil {
		return false, err
	}
	return true, s.tellParts(tx, m)
}

// tellHeld makes sure that a message is told of before anything else about it is, and says
// whether it was told only now: as it is now.
func (s *Service) tellHeld(tx *store.Tx, m store.Message, kind string) (now bool, err error) {
	if m.Direction != store.Inbound || kind == receivedEvent {
		return false, nil
	}
	return s.release(tx, m)
}

// releaseDue tells of messages whose files have kept them waiting long enough. It
// reads the table, so it does not matter who was running when they came.
func (s *Service) releaseDue(ctx context.Context) error {
	now := time.Now().UnixMilli()
	due, err := s.store.DueHeld(ctx, now, mediaBatch)
	if err != nil || len(due) == 0 {
		return err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		for _, m := range due {
			m, err := tx.ShowMedia(m.ID, now) // its time of change is that of the event
			if err != nil {
				return err
			}
			if _, err := s.release(tx, m); err != nil {
				return err
			}
		}
		fault.Before(fault.CloudSweepMedia)
		return nil
	})
	fault.After(fault.CloudSweepMedia)
	s.dispatch.ring()
	return err
}

// expireMedia removes files whose time is over. The file goes before its row: a
// crash in between leaves a row that the next sweep finds again.
func (s *Service) expireMedia(ctx context.Context) error {
	now := time.Now().UnixMilli()
	over, err := s.store.ExpiredMedia(ctx, now, mediaBatch)
	if err != nil || len(over) == 0 {
		return err
	}
	for _, v := range over {
		if err := s.folder.remove(v.ID); err != nil {
			return err
		}
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		for _, v := range over {
			if err := tx.RemoveMedia(v.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if v.GUID == "" {
				continue // its message shows the URL that it was sent with
			}
			if _, err := tx.ShowMedia(v.MessageID, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// absolute gives the public addresses of a message's files. They are stored as
// paths, so that a server may move.
func (s *Service) absolute(m store.Message) store.Message {
	if m.MediaURL == "" || m.MediaURL[0] != '/' {
		return m
	}
	m.MediaURL = s.cfg.PublicURL + m.MediaURL
	m.MediaURLs = slices.Clone(m.MediaURLs)
	for i, path := range m.MediaURLs {
		m.MediaURLs[i] = s.cfg.PublicURL + path
	}
	return m
}
