// Package cloud holds the rules of the server: who may do what, how a message goes
// from a request to a relay and back, which relay is responsible for it, what is
// told to whom.
//
// It refuses to know any public API: routes, JSON and error envelopes belong to the
// dialects, which call the methods of Service and render what they return. It
// contains no SQL. It never repeats a send: a message belongs to one install of one
// relay until that install itself reports that nothing happened.
//
// All methods of Service may be called concurrently, while Run runs.
package cloud

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Config says how a Service behaves. Zero values mean the defaults.
type Config struct {
	Store     *store.Store
	Log       *slog.Logger
	PublicURL string // https://host, no slash at the end: what setup URLs begin with
	// Dialects render webhooks, by their name in the store.
	Dialects map[string]Dialect
	// WebhookAllow are private addresses that webhooks may reach, also by plain http, and
	// files may be fetched from.
	WebhookAllow []netip.Prefix
	// MediaRoots are the authorities that are believed when files are fetched; nil for
	// those of the system.
	MediaRoots *x509.CertPool
	// Sandbox is told the id of a test keys' account that has been asked for something, so
	// that its simulated Mac is started. It must not block; nil where there is none.
	Sandbox func(accountID string)

	Window       int           // messages assigned to one relay at a time: 4
	Ping         time.Duration // between pings to a relay: 20 s; silence for 2.5 of them ends the connection
	UnknownFinal time.Duration // from unknown to failed in public: 24 h
	Away         time.Duration // how long a Mac may be away until a person is told: 10 min
	CanaryWait   time.Duration // how long a canary may take to be sent: 15 min
	Sweep        time.Duration // the slow look beneath doorbells: 1 s
	SetupTTL     time.Duration // life of a setup URL: 10 min
	// InvitationLife is how long an invitation to a team can be accepted: 7 days.
	InvitationLife time.Duration
	WriteWait      time.Duration // how long a relay may take to read one frame, and a reader of a stream one event: 10 s
	ReportTime     time.Duration // how long a Mac's reports may take of a transaction, the first of them apart: 1 s
	RetiredWait    time.Duration // how long a Mac that was replaced may have no news before it is sent away: 1 min
	ReleaseWait    time.Duration // how long a Mac has to let go of what it holds when another takes its place: 15 s

	CancelWait      time.Duration // how long a relay's answer to a cancel is waited for: 3 s
	IdempotencyLife time.Duration // how long a request is recognised when it comes again: 30 days
	RepeatWindow    time.Duration // how long one without a key, whose client counts its tries: 10 min

	MediaDir   string        // where files are kept: media, beside the database; to be given where that is on a server
	MediaLife  time.Duration // how long a file is kept and its address works: 30 days
	MediaWait  time.Duration // how long message.received waits for the files: 30 s
	MediaQuota int64         // bytes that the files which an account has uploaded may take: 5 GiB
	MediaStall time.Duration // how long an upload may bring nothing: 30 s
	FetchRetry time.Duration // before the second try to fetch a file, doubled each time up to a minute: 2 s
	FetchFor   time.Duration // how long it is tried: 10 min

	// WebhookSchedule are the pauses before the second and later tries of a delivery,
	// each give or take a fifth: ten, from 5 s to 24 h, 76 h in all.
	WebhookSchedule []time.Duration
	WebhookTimeout  time.Duration // of one try, all in all: 15 s
	WebhookFailing  time.Duration // how long a webhook may do nothing but fail before it is switched off: 5 days
	SecretOverlap   time.Duration // how long a webhook's former secret signs too: 24 h

	EventLife time.Duration // how long events and their deliveries are kept: 30 days
	Heartbeat time.Duration // between signs of life on a stream of events: 15 s
	Streams   int           // of events that an account may have open at once: 1,000
}

func (c *Config) defaults() {
	c.Window = cmp.Or(c.Window, 4)
	c.Ping = cmp.Or(c.Ping, 20*time.Second)
	c.UnknownFinal = cmp.Or(c.UnknownFinal, 24*time.Hour)
	c.Away = cmp.Or(c.Away, 10*time.Minute)
	c.CanaryWait = cmp.Or(c.CanaryWait, 15*time.Minute)
	c.Sweep = cmp.Or(c.Sweep, time.Second)
	c.SetupTTL = cmp.Or(c.SetupTTL, 10*time.Minute)
	c.InvitationLife = cmp.Or(c.InvitationLife, 7*24*time.Hour)
	c.CancelWait = cmp.Or(c.CancelWait, 3*time.Second)
	c.IdempotencyLife = cmp.Or(c.IdempotencyLife, 30*24*time.Hour)
	c.RepeatWindow = cmp.Or(c.RepeatWindow, 10*time.Minute)
	c.WriteWait = cmp.Or(c.WriteWait, 10*time.Second)
	c.ReportTime = cmp.Or(c.ReportTime, time.Second)
	c.RetiredWait = cmp.Or(c.RetiredWait, time.Minute)
	c.ReleaseWait = cmp.Or(c.ReleaseWait, 15*time.Second)
	if path := c.Store.Path(); path != "" {
		c.MediaDir = cmp.Or(c.MediaDir, filepath.Join(filepath.Dir(path), "media"))
	}
	c.MediaLife = cmp.Or(c.MediaLife, 30*24*time.Hour)
	c.MediaWait = cmp.Or(c.MediaWait, 30*time.Second)
	c.MediaQuota = cmp.Or(c.MediaQuota, 5<<30)
	c.MediaStall = cmp.Or(c.MediaStall, 30*time.Second)
	c.FetchRetry = cmp.Or(c.FetchRetry, 2*time.Second)
	c.FetchFor = cmp.Or(c.FetchFor, 10*time.Minute)
	if c.WebhookSchedule == nil {
		c.WebhookSchedule = []time.Duration{
			5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
			5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
	}
	c.WebhookTimeout = cmp.Or(c.WebhookTimeout, 15*time.Second)
	c.WebhookFailing = cmp.Or(c.WebhookFailing, 5*24*time.Hour)
	c.SecretOverlap = cmp.Or(c.SecretOverlap, 24*time.Hour)
	c.EventLife = cmp.Or(c.EventLife, 30*24*time.Hour)
	c.Heartbeat = cmp.Or(c.Heartbeat, 15*time.Second)
	c.Streams = cmp.Or(c.Streams, 1000)
}

// Dialect is what the rules need of a public API to tell its webhooks.
type Dialect struct {
	// Events are the types that its webhooks may ask for.
	Events []string
	// Completes has a webhook that asks for message.received told again what of a message
	// came late: a file, its text, the group that it is in. It has no other type for them.
	Completes bool
	// Outcomes are those that a message's own callback hears of.
	Outcomes []string
	// Body renders an event, of any type, "" for one that the dialect does not tell. It
	// is called inside the event's transaction and must be quick.
	Body func(e store.Event, m store.Message) (string, error)
	// Sign sets the vendor's headers. A GivenSecret is the account's where the webhook has
	// none.
	Sign func(h http.Header, w store.Webhook, d store.Delivery)
}

// Service is the cloud.
type Service struct {
	cfg              Config
	store            *store.Store
	log              *slog.Logger
	metrics          *metrics
	guard            guard
	hub              hub
	rates            rates
	waiters          waiters // for news of a message
	feeds            waiters // for events of an account
	newborn          newborn
	heads            map[string]int64 // the sweep's: newest event of those accounts
	sweeps           int              // the sweep's own count
	began            time.Time
	lookedForMissing time.Time // the sweep's own
	dispatch         *dispatcher
	fetch            *fetcher
	sessions         sync.WaitGroup
	base             context.Context // parent of relay sessions, which outlive their HTTP request
	stop             context.CancelFunc

	folder    folder
	transfers transfers
}

// New makes a Service. Where it is to serve, call Begin before the first request comes,
// and Run once.
func New(cfg Config) *Service {
	cfg.defaults()
	s := &Service{began: time.Now(), cfg: cfg, store: cfg.Store, log: cfg.Log, metrics: newMetrics(cfg.Store), guard: newGuard(cfg.WebhookAllow)}
	s.base, s.stop = context.WithCancel(context.Background())
	s.hub.sessions = make(map[string]*session)
	s.rates.windows = make(map[string]*window)
	s.waiters.byID = make(map[string][]chan struct{})
	s.feeds.byID = make(map[string][]chan struct{})
	s.newborn.readers = make(map[string][]*cradle)
	s.heads = make(map[string]int64)
	s.folder.dir = cfg.MediaDir
	s.transfers = transfers{running: make(map[*transfer]bool), uploads: make(map[string]*transfer)}
	s.dispatch = newDispatcher(s)
	s.fetch = newFetcher(s)
	return s
}

// Begin notes that no Mac is connected: those that come from now on are.
func (s *Service) Begin(ctx context.Context) error { return s.store.Write(ctx, s.disconnectAll) }

// Run delivers webhooks, fetches files and sweeps until ctx ends. Then it closes the relays'
// connections and the streams of events, lets webhooks in hand finish, and returns when all of that is done.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.dispatch.run(ctx) })
	wg.Go(func() { s.fetch.run(ctx) })
	wg.Go(func() { s.sweep(ctx) })
	<-ctx.Done()
	s.stop()
	s.sessions.Wait()
	wg.Wait()
	return nil
}

// CutTransfers ends uploads, downloads and streams of events in hand soon and begins
// no others: the server is stopping, and whoever it was goes on where he was cut.
func (s *Service) CutTransfers() { s.transfers.close() }

// Ready tells whether the database can be read and written.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ping(ctx) }

// sweep is the net beneath the doorbells, and does what only time brings about.
func (s *Service) sweep(ctx context.Context) {
	t := time.NewTicker(s.cfg.Sweep)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.hub.ringAll()
		s.dispatch.ring()
		s.fetch.ring()
		for _, due := range []func(context.Context) error{s.expireDue, s.endRest, s.giveUpUnknown, s.releaseDue, s.expireMedia, s.expireUploads, s.sweepOrphans, s.forgetRequests, s.lookForEvents, s.forgetEvents, s.dropPending, s.fetch.giveUp, s.lookForMissing, s.lookAfterCanaries} {
			if err := due(ctx); err != nil && !errors.Is(err, context.Canceled) {
				s.log.Error("sweep.failed", "error", err.Error())
			}
		}
	}
}

// giveUpUnknown shows messages as failed that nobody has seen for a day. The words
// still say that they may have gone out, and evidence still corrects them.
func (s *Service) giveUpUnknown(ctx context.Context) error {
	now := time.Now()
	old, err := s.store.StaleUnknown(ctx, now.Add(-s.cfg.UnknownFinal).UnixMilli(), 100)
	if err != nil || len(old) == 0 {
		return err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		for _, m := range old {
			// Evidence may have come since the list was read.
			m, err := tx.Message(tx.Context(), m.AccountID, m.ID)
			if err != nil {
				return err
			}
			if m.Status != wire.StatusUnknown {
				continue
			}
			if err := s.advance(tx, unknownStep(m, now)); err != nil {
				return err
			}
		}
		return nil
	})
	s.dispatch.ring()
	return err
}
