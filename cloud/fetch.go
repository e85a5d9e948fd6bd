package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// The limits of fetching.
const (
	fetchesInHand    = 8
	fetchesOfAccount = 4                // of them for one account, so that its slow hosts leave others half of the places
	fetchesToHost    = 2                // of them from one host, so that a slow one costs others little
	deadHost         = 3                // timeouts in a row, after which a host has one place until it answers
	hostsInMind      = 1000             // with timeouts; where there are more, all are forgiven
	fetchTimeout     = 90 * time.Second // for one try, body included
	maxFetchPause    = time.Minute      // between two tries
	giveUpAtOnce     = 100              // files, with one sweep
)

// fetcher brings the files that messages are to be sent with. The table is the queue:
// what is not there when the process ends is fetched by the next one.
type fetcher struct {
	*Service
	client *http.Client
	bell   chan struct{}

	mu      sync.Mutex
	running map[string]bool // by the id of the file
	busy    map[string]int  // by host
	owned   map[string]int  // by account
	late    map[string]int  // timeouts in a row, by host
}

func newFetcher(s *Service) *fetcher {
	client := s.guard.mediaClient(fetchTimeout, s.cfg.MediaRoots)
	return &fetcher{Service: s, client: client, bell: make(chan struct{}, 1), running: make(map[string]bool), busy: make(map[string]int), owned: make(map[string]int), late: make(map[string]int)}
}

func (f *fetcher) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// run works until ctx ends. What is in hand then is cut, and counts as no try.
func (f *fetcher) run(ctx context.Context) {
	var all sync.WaitGroup
	defer f.client.CloseIdleConnections()
	defer all.Wait()
	for {
		one, found, err := f.next(ctx)
		if err != nil && ctx.Err() == nil {
			f.log.Error("fetch.stopped", "error", err.Error())
		}
		if found {
			all.Go(func() { f.attend(ctx, one) })
			continue
		}
		// The sweep rings each second, which also brings what is due later.
		select {
		case <-ctx.Done():
			return
		case <-f.bell:
		}
	}
}

// attend makes one try to bring a file and gives its place back.
func (f *fetcher) attend(ctx context.Context, one store.Fetch) {
	if err := f.bring(ctx, source{f.client, one}); err != nil && ctx.Err() == nil {
		f.log.Error("fetch.not_recorded", "media", one.MediaID, "error", err.Error())
		// It is still due: without a pause it would be fetched again and again.
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
	}
	f.give(one)
	f.ring()
}

// next takes a place for a file that is due, if there is one: of the accounts with the
// fewest in hand the file that has been due longest. So whoever has many waiting delays
// others by no more than those that are under way.
func (f *fetcher) next(ctx context.Context) (one store.Fetch, found bool, err error) {
	for most := 0; most < fetchesOfAccount && ctx.Err() == nil; most++ {
		hosts, accounts, room := f.full(most)
		if !room {
			return one, false, nil
		}
		// Those in hand are still due and come first.
		due, err := f.store.DueFetches(ctx, time.Now().UnixMilli(), fetchesInHand+1, hosts, accounts)
		if err != nil {
			return one, false, err
		}
		for _, one := range due {
			if f.take(one) {
				return one, true, nil
			}
		}
		if len(accounts) == 0 {
			break // nobody was left out: there is no more to be found
		}
	}
	return one, false, nil
}

// bring makes one try and writes down how it went.
func (f *fetcher) bring(ctx context.Context, from source) error {
	// What was read of the table may be over by now.
	one, err := f.store.Fetch(ctx, from.MediaID)
	if errors.Is(err, store.ErrNotFound) || err == nil && one.DueAt > time.Now().UnixMilli() {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := f.store.Message(ctx, one.AccountID, one.MessageID)
	if err != nil {
		return err
	}
	if !m.AwaitsMedia || m.Status != wire.Queued {
		return f.drop(ctx, one, nil) // canceled, or expired
	}
	from.Fetch = one
	v, err := f.load(ctx, from)
	if ctx.Err() != nil {
		return nil
	}
	f.tried(one.Host, err)
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return f.keep(ctx, v)
	}
	final, ok := errors.AsType[*unfit](err)
	if !ok && time.Now().UnixMilli() >= one.GiveUpAt {
		final, ok = overdue, true
	}
	if ok {
		return f.drop(ctx, one, final)
	}
	f.log.Warn("media.not_fetched", "message", one.MessageID, "tries", one.Tries+1, "problem", categorize(err))
	pause := min(f.cfg.FetchRetry<<min(one.Tries, 10), maxFetchPause)
	return f.store.Write(ctx, func(tx *store.Tx) error {
		return tx.RetryFetch(one.MediaID, min(time.Now().Add(pause).UnixMilli(), max(one.GiveUpAt, time.Now().UnixMilli())))
	})
}

// overdue is why a file is given up that did not come in time.
var overdue = &unfit{mediaUnavailable, "The file at 'media_url' could not be fetched within the time that there was."}

// giveUp ends the waiting for files whose time is over and which nobody is fetching: where
// hosts that are dead have all of their places, or of an account's, no try of them would
// tell.
func (f *fetcher) giveUp(ctx context.Context) error {
	if time.Since(f.began) < f.cfg.FetchFor {
		return nil // what waited while no server ran has its time yet
	}
	late, err := f.store.LateFetches(ctx, time.Now().UnixMilli(), giveUpAtOnce)
	if err != nil {
		return fmt.Errorf("find files whose time is over: %w", err)
	}
	for _, one := range late {
		if !f.reserve(one.MediaID) {
			continue // its own try comes to an end
		}
		err := f.drop(ctx, one, overdue)
		f.free(one.MediaID)
		if err != nil && !errors.Is(err, store.ErrNotFound) { // of one that has just come
			return fmt.Errorf("give a file up: %w", err)
		}
	}
	return nil
}

// keep shows a file that is on disk, and lets its message go.
func (f *fetcher) keep(ctx context.Context, v store.Media) error {
	now := time.Now()
	v.State, v.ExpiresAt = store.MediaStored, now.Add(f.cfg.MediaLife).UnixMilli()
	var m store.Message
	err := f.store.Write(ctx, func(tx *store.Tx) error {
		if err := errors.Join(tx.UpdateMedia(v), tx.EndFetch(v.ID)); err != nil {
			return err
		}
		var err error
		if m, err = tx.ShowFetched(v.MessageID, now.UnixMilli()); err != nil {
			return err
		}
		defer fault.Before(fault.CloudMediaKept)
		return tx.AddStep(m.AccountID, m.ID, store.TimelineEntry{
			Status: m.Status, At: now.UnixMilli(), RecordedAt: now.UnixMilli(), Attempt: m.Attempt, Evidence: store.EvidenceMedia, Code: "media_fetched",
		})
	})
	if err != nil {
		return err
	}
	fault.After(fault.CloudMediaKept)
	f.log.Info("media.fetched", "media", v.ID, "message", v.MessageID, "bytes", v.Size)
	f.hub.ring(m.From)
	return nil
}

// drop gives a file up. Where the message still waits for it, the message has failed.
func (f *fetcher) drop(ctx context.Context, one store.Fetch, why *unfit) error {
	if err := f.folder.remove(one.MediaID); err != nil {
		return err
	}
	now := time.Now()
	var m store.Message
	err := f.store.Write(ctx, func(tx *store.Tx) error {
		if err := errors.Join(tx.EndFetch(one.MediaID), tx.FailMedia(one.MediaID)); err != nil {
			return err
		}
		var err error
		m, err = tx.ShowFetched(one.MessageID, now.UnixMilli())
		if err != nil || why == nil || m.Status != wire.Queued {
			return err
		}
		return f.advance(tx, store.Step{
			ID: m.ID, To: wire.StatusFailed, At: now.UnixMilli(), Now: now.UnixMilli(), Evidence: store.EvidenceMedia,
			ErrorCode: why.code, ErrorMessage: why.text,
		})
	})
	if err != nil {
		return err
	}
	if why != nil {
		f.log.Warn("media.given_up", "message", one.MessageID, "code", why.code)
	}
	f.dispatch.ring()
	f.hub.ring(m.From) // the next of its conversation may go
	return nil
}

// checkOwnFile refuses a message with a file of this server that is not here.
func (s *Service) checkOwnFile(tx *store.Tx, accountID string, out Outgoing, now time.Time) error {
	token, name, own := s.ownPath(out.MediaURL)
	if !own || out.fileOf != "" {
		return nil
	}
	_, err := fileAt(tx.Context(), tx, accountID, token, name, now)
	if errors.Is(err, store.ErrNotFound) {
		return Invalid("media_url", "The 'media_url' names no file of this account that is here.")
	}
	return err
}

// attach writes down which file a new message is to be sent with. It is fetched after
// the answer, and the message waits for it.
func (s *Service) attach(tx *store.Tx, m store.Message, out Outgoing, now time.Time) error {
	if out.MediaURL == "" {
		return nil
	}
	u, err := url.Parse(out.MediaURL)
	if err != nil {
		return err
	}
	v := s.newMedia(m, "", "", 1, now)
	v.Name, v.MIME = cleanName("", ""), unknownType
	most := out.MaxMedia
	if most == 0 {
		most = wire.MaxMediaBytes
	}
	tx.OnCommit(s.fetch.ring)
	return errors.Join(tx.CreateMedia(v), tx.CreateFetch(store.Fetch{
		MediaID: v.ID, AccountID: m.AccountID, MessageID: m.ID, URL: out.MediaURL, Host: strings.ToLower(u.Host), MaxBytes: most, CopyOf: out.fileOf,
		DueAt: now.UnixMilli(), GiveUpAt: now.Add(s.cfg.FetchFor).UnixMilli(),
	}))
}

// checkMediaURL refuses what can never be fetched. It resolves no name; the guard does
// the rest at the dial.
func checkMediaURL(raw string) error {
	bad := Invalid("media_url", "The 'media_url' field must be a valid HTTPS URL.")
	if len(raw) > 2048 {
		return bad
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || slices.ContainsFunc([]rune(raw), func(r rune) bool { return r <= ' ' }) {
		return bad
	}
	return nil
}
