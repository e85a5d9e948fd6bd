package cloud_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// again reads a webhook from the table.
func (w *world) again(h store.Webhook) store.Webhook {
	w.t.Helper()
	h, err := w.store.Webhook(w.t.Context(), h.AccountID, h.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// test sends a webhook a test event.
func (w *world) test(h store.Webhook) store.Delivery {
	w.t.Helper()
	d, err := w.service.TestWebhook(w.t.Context(), h)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// attempted waits until a delivery has been tried n times and returns it.
func (w *world) attempted(d store.Delivery, n int) store.Delivery {
	w.t.Helper()
	eventually(w.t, "the attempt is recorded", func() bool {
		now, err := w.store.Delivery(w.t.Context(), d.WebhookID, d.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		d = now
		return now.Attempt >= n
	})
	return d
}

func TestScheduleIsAsConfigured(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) {
		loopback(c)
		c.WebhookSchedule = []time.Duration{time.Millisecond, time.Millisecond}
	})
	url, got := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(rw, "\x00out of order\xff"+strings.Repeat("x", 2000))
	})
	d := w.attempted(w.test(w.hook(url, "message.sent")), 3)
	if d.State != store.DeliveryFailed || d.Response != http.StatusBadGateway || d.Kind != store.KindTest || len(d.Excerpt) != 1022 || !strings.HasPrefix(d.Excerpt, "out of orderx") {
		t.Errorf("%+v", d)
	}
	if len(got) != 3 {
		t.Errorf("%d tries", len(got))
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for value, want := range map[string][2]time.Duration{
		"":        {4 * time.Second, 6 * time.Second},
		"1":       {4 * time.Second, 6 * time.Second}, // never sooner than without
		"600":     {600 * time.Second, 600 * time.Second},
		"9999999": {6 * time.Hour, 6 * time.Hour},
		"soon":    {4 * time.Second, 6 * time.Second},
		"-600":    {4 * time.Second, 6 * time.Second},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): {58 * time.Minute, time.Hour},
	} {
		w := newWorld(t, loopback)
		url, _ := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", value)
			rw.WriteHeader(http.StatusTooManyRequests)
		})
		d := w.attempted(w.test(w.hook(url, "message.sent")), 1)
		pause := time.Duration(d.DueAt-d.UpdatedAt) * time.Millisecond
		if d.State != store.DeliveryPending || pause < want[0] || pause > want[1] {
			t.Errorf("Retry-After %q: due after %s, %+v", value, pause, d)
		}
	}
}

// Who answers 410 is asked no more, and the others hear of it.
func TestGoneSwitchesOffAtOnce(t *testing.T) {
	w := newWorld(t, loopback)
	var back atomic.Bool
	url, got := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		if !back.Load() {
			rw.WriteHeader(http.StatusGone)
		}
	})
	watch, watched := receiver(t, nil)
	h := w.hook(url, "message.sent", "webhook.disabled")
	w.hook(watch, "webhook.disabled")
	first := w.attempted(w.test(h), 1)
	if first.State != store.DeliveryFailed {
		t.Errorf("%+v", first)
	}
	if now := w.again(h); now.Active || now.Disabled != store.DisabledGone || now.DisabledAt == 0 {
		t.Errorf("%+v", now)
	}
	if p := next(t, watched); p.header.Get("x-event") != "webhook.disabled" {
		t.Errorf("%+v", p)
	}
	waiting := w.test(h) // kept for later
	back.Store(true)
	if now, err := w.switchOn(h, true); err != nil || !now.Active || now.Disabled != "" || now.DisabledAt != 0 || now.FailingSince != 0 {
		t.Errorf("%+v, %v", now, err)
	}
	if d := w.attempted(waiting, 1); d.State != store.DeliveryDone {
		t.Errorf("%+v", d)
	}
	if len(got) != 2 {
		t.Errorf("%d requests", len(got))
	}
}

// Days of nothing but failures switch a webhook off; one success begins a new count.
func TestLongFailureSwitchesOff(t *testing.T) {
	w := newWorld(t, unhurried)
	var up atomic.Bool
	url, _ := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	h := w.hook(url, "message.sent")
	ago := func(d time.Duration) {
		now := w.again(h)
		now.FailingSince = time.Now().Add(-d).UnixMilli()
		w.write(func(tx *store.Tx) error { return tx.SetWebhookHealth(now) })
	}
	w.attempted(w.test(h), 1)
	if now := w.again(h); now.FailingSince == 0 || !now.Active {
		t.Errorf("%+v", now)
	}
	ago(5*24*time.Hour - time.Minute)
	w.attempted(w.test(h), 1)
	if now := w.again(h); !now.Active {
		t.Errorf("too early: %+v", now)
	}
	up.Store(true)
	w.attempted(w.test(h), 1)
	if now := w.again(h); now.FailingSince != 0 {
		t.Errorf("%+v", now)
	}
	up.Store(false)
	w.attempted(w.test(h), 1)
	ago(5 * 24 * time.Hour)
	w.attempted(w.test(h), 1)
	if now := w.again(h); now.Active || now.Disabled != store.DisabledFailing {
		t.Errorf("%+v", now)
	}
	events := w.column("SELECT type || ' ' || detail FROM events WHERE type = 'webhook.disabled'")
	if !slices.Equal(events, []string{"webhook.disabled failing"}) {
		t.Errorf("%q", events)
	}
}

// While both are good a receiver may check by either secret; later by the new one only.
func TestTwoSecretsSign(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, nil)
	old := w.hook(url, "message.sent")
	h, err := w.service.RotateSecret(t.Context(), old)
	if err != nil || h.Secret == old.Secret || h.OldSecret != old.Secret {
		t.Fatal(h, err)
	}
	signed := func(secrets ...string) {
		t.Helper()
		w.test(h)
		p := next(t, got)
		var want []string
		for _, secret := range secrets {
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
			if err != nil {
				t.Fatal(err)
			}
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", p.header.Get("webhook-id"), p.header.Get("webhook-timestamp"), p.body)
			want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		}
		if s := p.header.Get("webhook-signature"); s != strings.Join(want, " ") {
			t.Errorf("signed %s, want %q", s, want)
		}
	}
	signed(h.Secret, old.Secret)
	first := h
	if h, err = w.service.RotateSecret(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	signed(h.Secret, first.Secret)
	h.OldSecretUntil = time.Now().Add(-time.Second).UnixMilli()
	w.write(func(tx *store.Tx) error { return tx.SetWebhookSecret(h) })
	signed(h.Secret)
}

// More hanging receivers than would fill all places at four each, with queues before
// them: one that is well is served all the same, once they are known to hang.
func TestManyHangingReceiversLeaveRoom(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) {
		loopback(c)
		c.WebhookTimeout = 100 * time.Millisecond
		c.WebhookSchedule = slices.Repeat([]time.Duration{time.Millisecond}, 1000)
	})
	release := make(chan struct{})
	slow, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	var hooks []store.Webhook
	for i := range 20 {
		h := w.hook(fmt.Sprintf("%s/%d", slow, i), "message.sent")
		hooks = append(hooks, h)
		for range 5 {
			w.test(h)
		}
	}
	for _, h := range hooks {
		eventually(t, "each has had its turn", func() bool { return w.again(h).FailingSince != 0 })
	}
	quick, got := receiver(t, nil)
	well := w.hook(quick, "message.sent")
	for range 20 {
		w.test(well)
		next(t, got)
	}
	for _, h := range hooks {
		w.write(func(tx *store.Tx) error { return tx.DeleteWebhook(h.AccountID, h.ID) })
	}
}
