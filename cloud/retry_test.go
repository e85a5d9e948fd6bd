package cloud_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// preset makes a webhook of that preset.
func (w *world) preset(url, preset string) store.Webhook {
	w.t.Helper()
	h, err := w.service.CreateWebhook(w.t.Context(), w.who, store.Webhook{Dialect: store.TextingBlue, URL: url, Events: []string{"message.sent"}, Active: true, RetryPreset: preset})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// pauses has a delivery tried until it is given up, cutting each pause short, and
// returns the pauses.
func (w *world) pauses(h store.Webhook) (list []time.Duration) {
	w.t.Helper()
	d := w.test(h)
	for {
		d = w.attempted(d, len(list)+1)
		for len(list)+1 < d.Attempt {
			list = append(list, 0) // it went again before anybody looked
		}
		if d.State != store.DeliveryPending {
			return list
		}
		list = append(list, time.Duration(d.DueAt-d.UpdatedAt)*time.Millisecond)
		if d.DueAt > d.UpdatedAt {
			d.DueAt = 0
			w.write(func(tx *store.Tx) error { return tx.FinishDelivery(d) })
		}
	}
}

func TestPresets(t *testing.T) {
	w := newWorld(t, loopback)
	var status atomic.Int64
	url, _ := receiver(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(status.Load())) })
	for _, c := range []struct {
		preset string
		status int64
		exact  bool
		want   []time.Duration
	}{
		{"textingblue", 500, true, []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute}},
		{"textingblue", 404, true, []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute}},
		{"sendblue", 503, false, []time.Duration{5 * time.Second, 30 * time.Second}},
		{"sendblue", 404, false, nil},
		{"sendblue", 302, false, nil},
		{"default", 404, false, []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}},
	} {
		status.Store(c.status)
		h := w.preset(url, c.preset)
		got := w.pauses(h)
		same := len(got) == len(c.want)
		for i := 0; same && i < len(got); i++ {
			low, high := c.want[i], c.want[i]
			if !c.exact {
				low, high = low*4/5, high*6/5
			}
			same = got[i] >= low && got[i] <= high
		}
		if !same {
			t.Errorf("%s after %d: %v, want %v", c.preset, c.status, got, c.want)
		}
		if now := w.again(h); now.Exhausted != 1 || !now.Active {
			t.Errorf("%s: %+v", c.preset, now)
		}
		w.write(func(tx *store.Tx) error { return tx.DeleteWebhook(h.AccountID, h.ID) })
	}
	_, err := w.service.CreateWebhook(t.Context(), w.who, store.Webhook{Dialect: store.TextingBlue, URL: url, Events: []string{"message.sent"}, RetryPreset: "never"})
	if e := refusal(t, err); e.Code != cloud.InvalidRequest || e.Param != "retry_preset" {
		t.Errorf("%+v", e)
	}
}

// Ten deliveries that are given up one after the other switch a webhook of Texting
// Blue's preset off, however soon; a success between them begins a new count.
func TestTextingBluePresetSwitchesOffAfterTen(t *testing.T) {
	w := newWorld(t, loopback)
	var up atomic.Bool
	url, _ := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	h := w.preset(url, "textingblue")
	now := w.again(h)
	now.FailingSince, now.Exhausted = 1, 8 // since 1970, which does not count here
	w.write(func(tx *store.Tx) error { return tx.SetWebhookHealth(now) })
	w.pauses(h)
	if now := w.again(h); now.Exhausted != 9 || !now.Active {
		t.Errorf("%+v", now)
	}
	up.Store(true)
	w.pauses(h)
	if now := w.again(h); now.Exhausted != 0 || now.FailingSince != 0 {
		t.Errorf("%+v", now)
	}
	up.Store(false)
	now = w.again(h)
	now.FailingSince, now.Exhausted = time.Now().UnixMilli(), 9
	w.write(func(tx *store.Tx) error { return tx.SetWebhookHealth(now) })
	w.pauses(h)
	now = w.again(h)
	if now.Active || now.Disabled != store.DisabledFailing || now.Exhausted != 10 {
		t.Errorf("%+v", now)
	}
	if now, err := w.switchOn(h, true); err != nil || now.Exhausted != 0 || w.again(h).Exhausted != 0 {
		t.Errorf("%+v, %v", now, err)
	}
}

// The official library takes what we sign, by either secret while both are good, and
// nothing that was changed on the way.
func TestOfficialLibraryVerifies(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, nil)
	old := w.hook(url, "message.sent")
	verify := func(p posted, secret, body string) error {
		t.Helper()
		lib, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return lib.Verify([]byte(body), p.header)
	}
	w.test(old)
	p := next(t, got)
	if err := verify(p, old.Secret, p.body); err != nil {
		t.Error(err)
	}
	if err := verify(p, old.Secret, p.body+" "); err == nil {
		t.Error("another body is verified")
	}
	h, err := w.service.RotateSecret(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(p, h.Secret, p.body); err == nil {
		t.Error("what was signed before is verified by the new secret")
	}
	w.test(h)
	p = next(t, got)
	if err := errors.Join(verify(p, h.Secret, p.body), verify(p, old.Secret, p.body)); err != nil {
		t.Error(err)
	}
	p.header.Set("webhook-id", "evt_other")
	if err := verify(p, h.Secret, p.body); err == nil {
		t.Error("another id is verified")
	}
}
