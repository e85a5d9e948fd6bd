package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
)

// Again says which events to send to a webhook again: those between two places, or
// those named.
type Again struct {
	After  string // a cursor, or a time in RFC 3339; "" with Events
	Before string // the same; "" for no end
	Events []string
}

// Replays are what was sent again.
type Replays struct {
	Count  int
	Cursor string // how far; "" where events were named
	More   bool   // there is more after Cursor
}

// Limits of one replay.
const (
	replayBatch = 500 // events of the log that are looked at
	replayNamed = 100 // events that may be named
)

// noSuchPlace says what a place in the log may be.
const noSuchPlace = "The '%s' field must be a cursor that this API has given, or a time in RFC 3339."

// ReplayDelivery sends the event of a delivery again, with its id and its bytes. One
// that still waits is tried now instead. It returns Forbidden for a key that could not read
// the event.
func (s *Service) ReplayDelivery(ctx context.Context, p Principal, w store.Webhook, id string) (d store.Delivery, err error) {
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if d, err = tx.Delivery(tx.Context(), w.ID, id); err != nil {
			return err
		}
		if err := p.mayRead(d.EventType); err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		if d.State == store.DeliveryPending {
			d.DueAt = now
			return tx.FinishDelivery(d)
		}
		d = replayOf(w, store.Told{EventID: d.EventID, Type: d.EventType, Body: d.Body}, now)
		return tx.CreateDelivery(d)
	})
	s.dispatch.ring()
	return d, err
}

func replayOf(w store.Webhook, t store.Told, now int64) store.Delivery {
	return store.Delivery{
		ID: newID("dlv_"), AccountID: w.AccountID, WebhookID: w.ID, EventID: t.EventID, EventType: t.Type, Body: t.Body, Kind: store.KindReplay,
		State: store.DeliveryPending, DueAt: now, CreatedAt: now, UpdatedAt: now,
	}
}

// ReplayEvents sends events to a webhook again, with their ids and their bytes: of a
// range those that it asks for, whether it has had them or not. It returns Forbidden for a
// key that could not read all that the webhook asks for: whoever may make webhooks must not
// have the past told to one.
func (s *Service) ReplayEvents(ctx context.Context, p Principal, w store.Webhook, a Again) (Replays, error) {
	var list []store.Told
	var out Replays
	err := p.mayRead(w.Events...)
	if err != nil {
		return out, err
	}
	switch {
	case a.Events != nil && a.After == "" && a.Before == "":
		list, err = s.named(ctx, w, a.Events)
	case a.Events == nil && a.After != "":
		list, out, err = s.between(ctx, p, w, a)
	default:
		return out, Invalid("", "Say which events: 'after' and perhaps 'before', or 'events'.")
	}
	if err != nil {
		return out, err
	}
	out.Count = len(list)
	now := time.Now().UnixMilli()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Webhook(tx.Context(), w.AccountID, w.ID); err != nil {
			return err // removed meanwhile
		}
		for _, t := range list {
			if err := tx.CreateDelivery(replayOf(w, t, now)); err != nil {
				return fmt.Errorf("record a delivery: %w", err)
			}
		}
		return nil
	})
	s.dispatch.ring()
	return out, err
}

func (s *Service) named(ctx context.Context, w store.Webhook, ids []string) ([]store.Told, error) {
	if len(ids) == 0 || len(ids) > replayNamed {
		return nil, Invalid("events", "The 'events' field must name 1 to %d events.", replayNamed)
	}
	lineID, err := s.lineOf(ctx, w)
	if err != nil {
		return nil, err
	}
	list := make([]store.Told, len(ids))
	for i, id := range ids {
		t, err := s.store.ToldEvent(ctx, w.AccountID, w.Dialect, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !asks(w, lineID, t) {
			return nil, Invalid("events", "The 'events' field may name only events that are kept and that this webhook asks for.")
		}
		if err != nil {
			return nil, err
		}
		list[i] = t
	}
	return list, nil
}

// between picks what the webhook asks for from the log, as far as one replay goes.
func (s *Service) between(ctx context.Context, p Principal, w store.Webhook, a Again) ([]store.Told, Replays, error) {
	after, err := s.replayFrom(ctx, p, w.Dialect, a.After)
	if err != nil {
		return nil, Replays{}, err
	}
	over, err := s.replayEnd(ctx, p, w.Dialect, a.Before)
	if err != nil {
		return nil, Replays{}, err
	}
	lineID, err := s.lineOf(ctx, w)
	if err != nil {
		return nil, Replays{}, err
	}
	page, _, err := s.eventsAfter(ctx, p, w.Dialect, after, replayBatch)
	if err != nil {
		return nil, Replays{}, err
	}
	out := Replays{Cursor: page.Cursor, More: page.More}
	var list []store.Told
	for _, e := range page.Events {
		if over(e.Told) {
			out.More = false
			break
		}
		if asks(w, lineID, e.Told) {
			list = append(list, e.Told)
		}
	}
	return list, out, nil
}

// replayFrom is the place of a cursor, or the one before the first event of a time.
func (s *Service) replayFrom(ctx context.Context, p Principal, dialect, from string) (place, error) {
	if at, ok := parseEventCursor(p.Account.ID, from); ok {
		return at, s.verify(ctx, p, dialect, "after", at)
	}
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return place{}, Invalid("after", noSuchPlace, "after")
	}
	first, err := s.store.FirstEventSince(ctx, p.Account.ID, at.UnixMilli())
	if err != nil {
		return place{}, err
	}
	if first == 0 {
		return s.newestPlace(ctx, p)
	}
	oldest, err := s.oldestPlace(ctx, p, dialect)
	return place{seq: max(first-1, oldest.seq)}, err
}

// replayEnd tells which events are no longer in the range.
func (s *Service) replayEnd(ctx context.Context, p Principal, dialect, before string) (func(store.Told) bool, error) {
	if before == "" {
		return func(store.Told) bool { return false }, nil
	}
	if end, ok := parseEventCursor(p.Account.ID, before); ok {
		return func(t store.Told) bool { return t.Seq > end.seq }, s.verify(ctx, p, dialect, "before", end)
	}
	at, err := time.Parse(time.RFC3339, before)
	if err != nil {
		return nil, Invalid("before", noSuchPlace, "before")
	}
	return func(t store.Told) bool { return t.CreatedAt >= at.UnixMilli() }, nil
}

// lineOf is the id of the line that a webhook is restricted to, "" for none.
func (s *Service) lineOf(ctx context.Context, w store.Webhook) (string, error) {
	if w.PhoneNumber == "" {
		return "", nil
	}
	l, err := s.store.LineByNumber(ctx, w.PhoneNumber)
	if errors.Is(err, store.ErrNotFound) {
		return "", Invalid("", "The number of this webhook is no longer one of this team's.")
	}
	return l.ID, err
}

// asks tells whether a webhook hears of an event of the log.
func asks(w store.Webhook, lineID string, t store.Told) bool {
	return !t.Own && t.Body != "" && slices.Contains(w.Events, t.Type) && (lineID == "" || t.LineID == "" || t.LineID == lineID)
}
