package cloud

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
)

// schedule are the pauses before the second and later tries: eleven tries within
// about three days.
var schedule = []time.Duration{
	5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// The dispatcher's limits.
const (
	webhookTimeout = 15 * time.Second
	inFlight       = 64 // deliveries at a time
	perWebhook     = 4  // of them to one webhook, so that a slow one costs others nothing
	maxAnswer      = 64 << 10
	recordPause    = 5 * time.Second // after an attempt that could not be written down
)

// dispatcher posts deliveries whose time has come. The table is the queue: what is
// not marked as done is tried again, also after a restart.
type dispatcher struct {
	*Service
	client *http.Client
	bell   chan struct{}

	mu      sync.Mutex
	running map[string]bool // deliveries in hand
	busy    map[string]int  // deliveries in hand by webhook
	ended   map[string]bool // deliveries that ended since the last look into the table began
}

func newDispatcher(s *Service) *dispatcher {
	return &dispatcher{
		Service: s, client: guard{s.cfg.WebhookAllow}.client(webhookTimeout), bell: make(chan struct{}, 1),
		running: make(map[string]bool), busy: make(map[string]int), ended: make(map[string]bool),
	}
}

func (d *dispatcher) ring() {
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

// run works until ctx ends and returns when the posts in hand are done.
func (d *dispatcher) run(ctx context.Context) {
	var posts sync.WaitGroup
	defer d.client.CloseIdleConnections()
	defer posts.Wait()
	for {
		if err := d.start(ctx, &posts); err != nil && ctx.Err() == nil {
			d.log.Error("webhook.stopped", "error", err.Error())
		}
		// The sweep rings each second, which also brings what is due later.
		select {
		case <-ctx.Done():
			return
		case <-d.bell:
		}
	}
}

// start begins as many due deliveries as there is room for.
func (d *dispatcher) start(ctx context.Context, posts *sync.WaitGroup) error {
	// A webhook that has all its places must not hide what is due for others.
	due, err := d.store.DueDeliveries(ctx, time.Now().UnixMilli(), 2*inFlight, d.look()...)
	if err != nil {
		return err
	}
	for _, one := range due {
		if !d.take(one) {
			continue
		}
		posts.Go(func() {
			// A post in hand is finished and written down also while stopping.
			if err := d.deliver(context.WithoutCancel(ctx), one); err != nil {
				d.log.Error("webhook.not_recorded", "delivery", one.ID, "error", err.Error())
				// It is still due. Without a pause it would be posted again and again
				// for as long as the database cannot be used.
				select {
				case <-ctx.Done():
				case <-time.After(recordPause):
				}
			}
			d.give(one)
			d.ring()
		})
	}
	return nil
}

// look begins a look into the table and returns the webhooks with no place left.
// What ends from now on may still be pending in what the look finds.
func (d *dispatcher) look() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ended)
	var ids []string
	for id, n := range d.busy {
		if n >= perWebhook {
			ids = append(ids, id)
		}
	}
	return ids
}

func (d *dispatcher) take(one store.Delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[one.ID] || d.ended[one.ID] || len(d.running) >= inFlight || d.busy[one.WebhookID] >= perWebhook {
		return false
	}
	d.running[one.ID] = true
	d.busy[one.WebhookID]++
	return true
}

func (d *dispatcher) give(one store.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, one.ID)
	d.ended[one.ID] = true
	if d.busy[one.WebhookID]--; d.busy[one.WebhookID] == 0 {
		delete(d.busy, one.WebhookID)
	}
}

// deliver makes one attempt and writes down how it went.
func (d *dispatcher) deliver(ctx context.Context, one store.Delivery) error {
	hook, err := d.store.Webhook(ctx, one.AccountID, one.WebhookID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // removed meanwhile, and its deliveries with it
	}
	if err != nil {
		return err
	}
	began := time.Now()
	one.Attempt++
	fault.Hit(fault.CloudHookPost)
	one.Response, one.Problem = d.post(ctx, hook, one)
	fault.Hit(fault.CloudHookSent)
	now := time.Now()
	one.UpdatedAt = now.UnixMilli()
	switch {
	case one.Response >= 200 && one.Response < 300:
		one.State = store.DeliveryDone
	case one.Attempt > len(schedule):
		one.State = store.DeliveryFailed
	default:
		pause := schedule[one.Attempt-1]
		one.DueAt = now.Add(pause*4/5 + rand.N(pause*2/5)).UnixMilli() // give or take a fifth
	}
	d.log.Info("webhook.attempt", "delivery", one.ID, "event", one.EventType, "attempt", one.Attempt,
		"state", one.State, "status", one.Response, "problem", one.Problem, "ms", now.Sub(began).Milliseconds())
	err = d.store.Write(ctx, func(tx *store.Tx) error {
		defer fault.Before(fault.CloudHookDone)
		return tx.FinishDelivery(one)
	})
	fault.After(fault.CloudHookDone)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// post sends the bytes once. The problem is a category: a raw error would tell a
// tenant what answers on which port of our network.
func (d *dispatcher) post(ctx context.Context, hook store.Webhook, one store.Delivery) (status int, problem string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, strings.NewReader(one.Body))
	if err != nil {
		return 0, "url"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bluerelay")
	standardHeaders(req.Header, hook.Secret, one, time.Now())
	d.cfg.Dialects[hook.Dialect].Sign(req.Header, hook, one)
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, categorize(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return resp.StatusCode, categorize(err)
	}
	return resp.StatusCode, ""
}

func categorize(err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return "blocked_address"
	case errors.As(err, &dns):
		return "dns"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return "connect"
	}
	return "exchange"
}

// standardHeaders signs by the Standard Webhooks specification 1.0: HMAC-SHA256
// over id, time and body with the decoded secret.
func standardHeaders(h http.Header, secret string, d store.Delivery, now time.Time) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return // not a secret of that form; the vendor's own headers still sign
	}
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", d.EventID, at, d.Body)
	h.Set("webhook-id", d.EventID)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
