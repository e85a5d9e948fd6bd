package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bluerelay/cloud/store"
)

// EventPage is a part of an account's log, in its order and without a hole.
type EventPage struct {
	Events []FeedEvent
	Cursor string // to go on from, also where there are no events
	More   bool   // there are events after these already
	// New are messages that have begun here since the page before, for whoever follows
	// live. They come before the events of their own, and the log does not have them.
	New []store.Message
}

// FeedEvent is one event with the place after it.
type FeedEvent struct {
	store.Told
	Cursor string
}

// How far Events looks for something that may be shown.
const (
	eventsRead   = 100 // events that are read at a time, at least
	eventBatches = 10  // how often, for one page
)

// Events returns the page of the account's log after a cursor, as a dialect tells it,
// or its oldest page for "". What the dialect does not tell, or the key may not hear, is
// left out of it, and passed by; where that is much the page is empty, and there is more
// after its cursor. Where events after the cursor are not kept any more it returns
// CursorExpired.
func (s *Service) Events(ctx context.Context, p Principal, dialect, after string, limit int) (EventPage, error) {
	var at place
	var err error
	if after == "" {
		at, err = s.oldestPlace(ctx, p, dialect)
	} else {
		at, err = s.readCursor(ctx, p, dialect, after)
	}
	if err != nil {
		return EventPage{}, err
	}
	var page EventPage
	for range eventBatches {
		if page, at, err = s.eventsAfter(ctx, p, dialect, at, max(limit, eventsRead)); err != nil {
			return EventPage{}, err
		}
		page.Events = slices.DeleteFunc(page.Events, func(e FeedEvent) bool { return e.Body == "" })
		if len(page.Events) > 0 || !page.More {
			break
		}
	}
	if len(page.Events) > limit {
		page.Events = page.Events[:limit]
		page.Cursor, page.More = page.Events[limit-1].Cursor, true
	}
	return page, nil
}

func (s *Service) readCursor(ctx context.Context, p Principal, dialect, cursor string) (place, error) {
	at, ok := parseEventCursor(p.Account.ID, cursor)
	if !ok {
		return at, Invalid("after", "The 'after' cursor must be one that this API has given.")
	}
	return at, s.verify(ctx, p, dialect, "after", at)
}

// verify returns CursorExpired for a place after an event of which another has the number
// now. One that is not there is left to the reading: it may have been removed, with all before
// it, or be ahead of the log.
func (s *Service) verify(ctx context.Context, p Principal, dialect, param string, at place) error {
	if at.mark == 0 {
		return nil
	}
	id, err := s.store.EventID(ctx, p.Account.ID, at.seq)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("find the event of a cursor: %w", err)
	case markOf(id) != at.mark:
		return s.expired(ctx, p, dialect, param)
	}
	return nil
}

// oldestPlace is the place before the oldest event that is kept.
func (s *Service) oldestPlace(ctx context.Context, p Principal, dialect string) (place, error) {
	last, err := s.store.LastEvent(ctx, p.Account.ID)
	if err != nil {
		return place{}, fmt.Errorf("find the newest event: %w", err)
	}
	first, err := s.store.Told(ctx, p.Account.ID, dialect, 0, 1)
	if err != nil {
		return place{}, fmt.Errorf("find the oldest event: %w", err)
	}
	if len(first) == 0 {
		return place{seq: last}, nil
	}
	return place{seq: first[0].Seq - 1}, nil
}

// newestPlace is the place after the newest event.
func (s *Service) newestPlace(ctx context.Context, p Principal) (place, error) {
	last, err := s.store.LastEvent(ctx, p.Account.ID)
	if err != nil {
		return place{}, fmt.Errorf("find the newest event: %w", err)
	}
	id, err := s.store.EventID(ctx, p.Account.ID, last)
	if errors.Is(err, store.ErrNotFound) {
		return place{seq: last}, nil // none yet, or it is not kept any more
	}
	return placeAfter(last, id), err
}

// eventsAfter reads what follows a place, and the place after that. The newest number
// is read first: if there is one ahead and nothing follows, it has been removed.
func (s *Service) eventsAfter(ctx context.Context, p Principal, dialect string, after place, limit int) (EventPage, place, error) {
	last, err := s.store.LastEvent(ctx, p.Account.ID)
	if err != nil {
		return EventPage{}, after, fmt.Errorf("find the newest event: %w", err)
	}
	list, err := s.store.Told(ctx, p.Account.ID, dialect, after.seq, limit+1)
	if err != nil {
		return EventPage{}, after, fmt.Errorf("read events: %w", err)
	}
	// A place ahead of the log is one of a database that was restored from a copy.
	if len(list) == 0 && last != after.seq || len(list) > 0 && list[0].Seq != after.seq+1 {
		return EventPage{}, after, s.expired(ctx, p, dialect, "after")
	}
	page := EventPage{More: len(list) > limit}
	list = list[:min(len(list), limit)]
	for _, t := range list {
		after = placeAfter(t.Seq, t.EventID)
		if p.mayRead(t.Type) == nil {
			page.Events = append(page.Events, FeedEvent{t, eventCursor(p.Account.ID, after)})
		}
	}
	page.Cursor = eventCursor(p.Account.ID, after)
	return page, after, nil
}

func (s *Service) expired(ctx context.Context, p Principal, dialect, param string) error {
	oldest, err := s.oldestPlace(ctx, p, dialect)
	if err != nil {
		return err
	}
	return &Error{
		Code: CursorExpired, Param: param, Cursor: eventCursor(p.Account.ID, oldest),
		Message: "The events after this cursor are not kept any more. Go on from the oldest cursor.",
	}
}

// Where a stream of events begins.
const (
	FromNow    = "now"
	FromOldest = ""
)

// The stream's limits.
const (
	streamPage = 100         // events at once
	keyLook    = time.Second // a key that was revoked hears nothing after it

	streamPause = 5 * time.Second // after which one that found no place may try again
)

// FollowEvents gives tell the account's events that the key may hear from a place on, a
// cursor or one of the two names, until ctx ends, the server stops, the key is revoked, or
// tell fails, and returns why. An account may have Config.Streams of them. tell is called
// at once, with what there is, then with whatever is new, also where the key may hear none of
// it, and with an empty page at least every Config.Heartbeat. With births the pages also have
// the messages that have begun meanwhile, each before its first event.
//
// The bell is hung up before the log is read, and whatever it says, the log is read
// from the last event told: nothing is lost in between and nothing comes twice.
func (s *Service) FollowEvents(ctx context.Context, p Principal, dialect, from string, births bool, tell func(EventPage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	end, ok := s.transfers.begin("", cancel)
	if !ok {
		return &Error{Code: Unavailable, Message: "The server is stopping: try again.", RetryAfter: time.Second}
	}
	defer end()
	bell, hangUp, ok := s.feeds.join(p.Account.ID, s.cfg.Streams)
	if !ok {
		return &Error{
			Code: RateLimited, RetryAfter: streamPause,
			Message: fmt.Sprintf("The account has %d streams of events open, and may have no more. Close one, or retry after %d seconds.", s.cfg.Streams, int(streamPause.Seconds())),
		}
	}
	defer hangUp()
	take := func() []store.Message { return nil }
	if births {
		var stop func()
		take, stop = s.newborn.listen(p.Account.ID)
		defer stop()
	}
	after, err := s.placeOf(ctx, p, dialect, from)
	if err != nil {
		return err
	}
	beat := time.NewTicker(s.cfg.Heartbeat)
	defer beat.Stop()
	due, looked := true, time.Now()
	for {
		if time.Since(looked) >= min(keyLook, s.cfg.Heartbeat) {
			if _, err := stillGood(ctx, s.store, p); err != nil {
				return err
			}
			looked = time.Now()
		}
		page, read, err := s.eventsAfter(ctx, p, dialect, after, streamPage)
		if err != nil {
			return err
		}
		if births && len(page.Events) > 0 {
			s.store.Settle() // whoever's events were read has been born
		}
		page.New = s.allAbsolute(take())
		if due || read != after || len(page.New) > 0 {
			if err := tell(page); err != nil {
				return err
			}
		}
		after = read
		if due = false; page.More {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-bell:
		case <-beat.C:
			due = true
		}
	}
}

func (s *Service) placeOf(ctx context.Context, p Principal, dialect, from string) (place, error) {
	switch from {
	case FromNow:
		return s.newestPlace(ctx, p)
	case FromOldest:
		return s.oldestPlace(ctx, p, dialect)
	}
	return s.readCursor(ctx, p, dialect, from)
}

// lookForEvents wakes those who wait for events that another process has written: the
// commands that work on the database beside the server ring no bell here.
func (s *Service) lookForEvents(ctx context.Context) error {
	for _, id := range s.feeds.ids() {
		last, err := s.store.LastEvent(ctx, id)
		if err != nil {
			return err
		}
		if last != s.heads[id] {
			s.heads[id] = last
			s.feeds.wake(id)
		}
	}
	return nil
}

// forgetBatchEvents is how many events are removed in one transaction.
const forgetBatchEvents = 500

// forgetEvery is how many sweeps go by between two looks for events that are too old.
const forgetEvery = 60

// forgetEvents removes events that are older than Config.EventLife, and their
// deliveries.
func (s *Service) forgetEvents(ctx context.Context) error {
	if s.sweeps++; s.sweeps%forgetEvery != 1 {
		return nil
	}
	accounts, err := s.store.Accounts(ctx)
	if err != nil {
		return err
	}
	before := time.Now().Add(-s.cfg.EventLife).UnixMilli()
	for _, a := range accounts {
		for n := forgetBatchEvents; n == forgetBatchEvents; {
			var last int64
			if last, n, err = s.store.EventsBefore(ctx, a.ID, before, forgetBatchEvents); err != nil || n == 0 {
				break
			}
			if err = s.store.Write(ctx, func(tx *store.Tx) error { return tx.RemoveEvents(a.ID, last) }); err != nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("forget old events: %w", err)
		}
	}
	return nil
}
