package cloud

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
)

// The dispatcher's limits.
const (
	maxAnswer     = 64 << 10
	maxExcerpt    = 1 << 10 // bytes of an answer that are kept
	maxRetryAfter = 6 * time.Hour
	recordPause   = 5 * time.Second // after an attempt that could not be written down
)

// dispatcher posts deliveries whose time has come. The table is the queue: what is
// not marked as done is tried again, also after a restart.
type dispatcher struct {
	*Service
	client *http.Client
	bell   chan struct{}

	mu      sync.Mutex
	quick   places          // for webhooks that answer
	slow    places          // for those that hang
	running map[string]bool // deliveries in hand
	busy    map[string]int  // deliveries in hand by webhook
	ended   map[string]bool // deliveries that ended since the last look into the table began
	hung    map[string]int  // timeouts in a row by webhook
}

func newDispatcher(s *Service) *dispatcher {
	return &dispatcher{
		Service: s, client: s.guard.client(0), bell: make(chan struct{}, 1),
		quick:   places{most: inFlight, perAccount: perAccount, owned: make(map[string]int)},
		slow:    places{most: inFlightHanging, perAccount: perAccountHanging, owned: make(map[string]int)},
		running: make(map[string]bool), busy: make(map[string]int), ended: make(map[string]bool), hung: make(map[string]int),
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

// start begins as many due deliveries as there is room for. It takes the webhooks in
// turn and of each no more than it has places: however long the queue of one is, it
// hides nobody else's.
func (d *dispatcher) start(ctx context.Context, posts *sync.WaitGroup) error {
	d.look()
	now := time.Now().UnixMilli()
	hooks, err := d.store.DueWebhooks(ctx, now)
	if err != nil {
		return err
	}
	for _, of := range []*places{&d.quick, &d.slow} {
		for _, hook := range of.inTurn(hooks) {
			if !d.room(of, hook) {
				continue
			}
			// Those in hand are still pending and come first.
			due, err := d.store.DueDeliveries(ctx, hook.ID, now, 2*perWebhook)
			if err != nil {
				return err
			}
			for _, one := range due {
				if give := d.take(of, hook, one.ID); give != nil {
					posts.Go(func() { d.attend(ctx, one, give) })
				}
			}
		}
	}
	return nil
}

// attend makes one attempt at a delivery and gives its place back.
func (d *dispatcher) attend(ctx context.Context, one store.Delivery, give func()) {
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
	give()
	d.ring()
}

// look begins a look into the table. What ends from now on may still be pending in
// what the look finds.
func (d *dispatcher) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ended)
}

// deliver makes one attempt and writes down how it went.
func (d *dispatcher) deliver(ctx context.Context, one store.Delivery) error {
	hook, err := d.store.Webhook(ctx, one.AccountID, one.WebhookID)
	if errors.Is(err, store.ErrNotFound) {
		d.answered(one.WebhookID, "")
		return nil // removed meanwhile, and its deliveries will be
	}
	if err != nil {
		return err
	}
	if hook.Kind != "" && hook.GivenSecret == "" {
		if hook.GivenSecret, err = d.store.GivenSecret(ctx, hook.AccountID); err != nil {
			return err
		}
	}
	began := time.Now()
	one.Attempt++
	fault.Hit(fault.CloudHookPost)
	got := d.post(ctx, hook, one)
	fault.Hit(fault.CloudHookSent)
	d.answered(hook.ID, got.problem)
	now := time.Now()
	one.Response, one.Problem, one.Excerpt, one.UpdatedAt = got.status, got.problem, got.excerpt, now.UnixMilli()
	if got.status >= 200 && got.status < 300 {
		one.State = store.DeliveryDone
	} else if pause, again := d.presetOf(hook).after(one.Attempt, got); again {
		one.DueAt = now.Add(pause).UnixMilli()
	} else {
		one.State = store.DeliveryFailed
	}
	d.log.Info("webhook.attempt", "delivery", one.ID, "event", one.EventType, "attempt", one.Attempt,
		"state", one.State, "status", one.Response, "problem", one.Problem, "ms", now.Sub(began).Milliseconds())
	err = d.store.Write(ctx, func(tx *store.Tx) error {
		defer fault.Before(fault.CloudHookDone)
		if err := tx.FinishDelivery(one); err != nil {
			return err
		}
		return d.judge(tx, one, now)
	})
	d.metrics.tried(one, began)
	fault.After(fault.CloudHookDone)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// outcome is how one try went.
type outcome struct {
	status     int // 0 without an answer
	problem    string
	excerpt    string
	retryAfter time.Duration
}

// post sends the bytes once. The problem is a category: a raw error would tell a
// tenant what answers on which port of our network.
func (d *dispatcher) post(ctx context.Context, hook store.Webhook, one store.Delivery) outcome {
	ctx, cancel := context.WithTimeout(ctx, d.presetOf(hook).timeout) // reading the answer included
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cmp.Or(one.URL, hook.URL), strings.NewReader(one.Body))
	if err != nil {
		return outcome{problem: "url"}
	}
	now := time.Now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bluerelay")
	if hook.Kind != store.KindCallback { // nobody knows a secret of it
		standardHeaders(req.Header, hook, one, now)
		d.cfg.Dialects[hook.Dialect].Sign(req.Header, hook, one)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return outcome{problem: categorize(err)}
	}
	defer resp.Body.Close()
	got := outcome{status: resp.StatusCode, retryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	got.excerpt = excerpt(body)
	if err != nil {
		got.problem = categorize(err)
	}
	return got
}

// excerpt is the beginning of an answer, as text.
func excerpt(body []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(body[:min(len(body), maxExcerpt)]), ""), "\x00", "")
}

// retryAfter reads how long a receiver asks to be left alone, in seconds or as a date,
// within bounds.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
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
// over id, time and body with the decoded secret. While a former secret is still good
// there are two signatures, of which a receiver needs one.
func standardHeaders(h http.Header, hook store.Webhook, d store.Delivery, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	secrets := []string{hook.Secret}
	if hook.OldSecret != "" && now.UnixMilli() < hook.OldSecretUntil {
		secrets = append(secrets, hook.OldSecret)
	}
	var signatures []string
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			continue // not a secret of that form; the vendor's own headers still sign
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", d.EventID, at, d.Body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) == 0 {
		return
	}
	h.Set("webhook-id", d.EventID)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", strings.Join(signatures, " "))
}
