package cloud_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// posted is one request that a receiver got.
type posted struct {
	header http.Header
	body   string
}

// receiver is somebody's server. answer decides what it does with each request.
func receiver(t testing.TB, answer http.HandlerFunc) (url string, got chan posted) {
	t.Helper()
	got = make(chan posted, 4096)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got <- posted{r.Header.Clone(), string(body)}
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func next(t testing.TB, got chan posted) posted {
	t.Helper()
	select {
	case p := <-got:
		return p
	case <-time.After(patience):
		t.Fatal("the webhook never came")
	}
	return posted{}
}

func loopback(c *cloud.Config) { c.WebhookAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// unhurried is loopback where no second try comes while a test runs, unless it asks for one.
func unhurried(c *cloud.Config) {
	loopback(c)
	c.WebhookSchedule = []time.Duration{time.Hour}
}

// lenient is loopback with much time for receivers that hang.
func lenient(c *cloud.Config) {
	loopback(c)
	c.WebhookTimeout = time.Minute
}

// hangs begins an answer, for which there is a shorter limit, and then waits.
func hangs(release <-chan struct{}) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(rw).Flush()
		<-release
	}
}

func (w *world) hook(url string, events ...string) store.Webhook {
	w.t.Helper()
	return w.hookOf(w.who, url, events...)
}

func (w *world) hookOf(p cloud.Principal, url string, events ...string) store.Webhook {
	w.t.Helper()
	h, err := w.service.CreateWebhook(w.t.Context(), p, store.Webhook{Dialect: store.TextingBlue, URL: url, Events: events, Active: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// switchOn switches a webhook on or off.
func (w *world) switchOn(h store.Webhook, on bool) (store.Webhook, error) {
	w.t.Helper()
	return w.service.UpdateWebhook(w.t.Context(), w.who, h.Dialect, h.ID, cloud.WebhookChange{Active: &on})
}

func (w *world) deliveries(h store.Webhook) []store.Delivery {
	w.t.Helper()
	list, err := w.store.Deliveries(w.t.Context(), h.ID, nil, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// pending makes n deliveries to a webhook whose time has come.
func (w *world) pending(h store.Webhook, n int) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		for range n {
			w.made++
			if err := tx.CreateDelivery(store.Delivery{
				ID: fmt.Sprintf("dlv_%06d", w.made), AccountID: h.AccountID, WebhookID: h.ID, EventID: fmt.Sprintf("evt_%06d", w.made), EventType: "message.received", Body: h.AccountID,
				State: store.DeliveryPending, DueAt: 1, CreatedAt: 1,
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// inbound makes a Mac report n messages that somebody has sent it.
func (m *mac) inbound(n int) {
	m.w.t.Helper()
	for range n {
		m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: fmt.Sprintf("guid-%d", m.seq+1), From: somebody, Text: secretText}})
	}
}

func TestWebhookIsSignedAndRecorded(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, nil)
	h := w.hook(url, "message.received")
	w.hook(url+"/other", "message.sent")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	p := next(t, got)
	if !strings.HasPrefix(p.body, "message.received msg_") || p.header.Get("Content-Type") != "application/json" || p.header.Get("x-event") != "message.received" {
		t.Errorf("%+v", p)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Secret, "whsec_"))
	if err != nil || len(key) != 24 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", p.header.Get("webhook-id"), p.header.Get("webhook-timestamp"), p.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); p.header.Get("webhook-signature") != want {
		t.Errorf("signed %s, want %s", p.header.Get("webhook-signature"), want)
	}
	eventually(t, "the delivery is marked as done", func() bool {
		list := w.deliveries(h)
		return len(list) == 1 && list[0].State == store.DeliveryDone && list[0].Response == 200 && list[0].Attempt == 1 && list[0].EventID == p.header.Get("webhook-id")
	})
}

// What a receiver does wrong is a category, and the delivery stays due, a pause
// later; the next attempt carries the same id and bytes.
func TestWebhookIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		response int
		problem  string
	}{
		"refused":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, http.StatusServiceUnavailable, ""},
		"redirected": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, http.StatusFound, ""},
		"endless headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-padding", strings.Repeat("x", 64<<10))
			w.WriteHeader(http.StatusOK)
		}, 0, "exchange"},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "exchange"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, loopback)
			var well atomic.Bool
			url, got := receiver(t, func(rw http.ResponseWriter, r *http.Request) {
				if !well.Load() {
					c.answer(rw, r)
				}
			})
			h := w.hook(url, "message.received")
			m := w.connect(w.paired(w.line), hello("ins_a", 0))
			m.inbound(1)
			first := next(t, got)
			eventually(t, "the attempt is recorded", func() bool { return w.deliveries(h)[0].Attempt == 1 })
			d := w.deliveries(h)[0]
			pause := time.Duration(d.DueAt-d.UpdatedAt) * time.Millisecond
			if d.State != store.DeliveryPending || d.Response != c.response || d.Problem != c.problem || pause < 3900*time.Millisecond || pause > 6100*time.Millisecond {
				t.Errorf("%+v, due after %s", d, pause)
			}
			well.Store(true)
			d.DueAt = 0 // the pause is over
			w.write(func(tx *store.Tx) error { return tx.FinishDelivery(d) })
			again := next(t, got)
			if again.body != first.body || again.header.Get("webhook-id") != first.header.Get("webhook-id") {
				t.Errorf("%+v\n%+v", first, again)
			}
			eventually(t, "the second attempt is recorded", func() bool { d := w.deliveries(h)[0]; return d.State == store.DeliveryDone && d.Attempt == 2 })
		})
	}
}

func TestWebhookIsGivenUpAfterItsSchedule(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	h := w.hook(url, "message.received")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	for attempt := 1; attempt <= 11; attempt++ {
		next(t, got)
		eventually(t, "the attempt is recorded", func() bool { return w.deliveries(h)[0].Attempt == attempt })
		d := w.deliveries(h)[0]
		if want := map[bool]string{true: store.DeliveryFailed, false: store.DeliveryPending}[attempt == 11]; d.State != want {
			t.Fatalf("after attempt %d it is %s", attempt, d.State)
		}
		if d.State == store.DeliveryPending {
			d.DueAt = 0
			w.write(func(tx *store.Tx) error { return tx.FinishDelivery(d) })
		}
	}
}

// Down, restarted, up again: what was written with its event is delivered.
func TestWebhookSurvivesARestart(t *testing.T) {
	w := newWorld(t, unhurried)
	var up atomic.Bool
	url, got := receiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	h := w.hook(url, "message.received")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(3)
	var want []string
	for range 3 {
		want = append(want, next(t, got).body)
	}
	w.restart()
	up.Store(true)
	for _, d := range w.deliveries(h) {
		if d.State != store.DeliveryPending || d.Attempt != 1 || d.Problem != "exchange" {
			t.Errorf("%+v", d)
		}
		d.DueAt = 0
		w.write(func(tx *store.Tx) error { return tx.FinishDelivery(d) })
	}
	var have []string
	for range 3 {
		have = append(have, next(t, got).body)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("%v\n%v", want, have)
	}
}

// A receiver that hangs, with a long queue before it, costs nobody else anything.
func TestHangingReceiverCostsOthersNothing(t *testing.T) {
	w := newWorld(t, lenient)
	release := make(chan struct{})
	slow, taken := receiver(t, hangs(release))
	t.Cleanup(func() { close(release) }) // before the receiver closes, which waits
	quick, got := receiver(t, nil)
	hanging := w.hook(slow, "message.received")
	const queue = 600 // more than two looks into the table
	w.pending(hanging, queue)
	next(t, taken)
	w.hook(quick, "message.sent")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: id})
	if p := next(t, got); p.body != "message.sent "+id {
		t.Errorf("%+v", p)
	}
	if n := len(taken) + 1; n > 4 {
		t.Errorf("%d at a time to one receiver", n)
	}
	w.write(func(tx *store.Tx) error { return tx.DeleteWebhook(w.who.Account.ID, hanging.ID) })
}

// remove removes webhooks with what waits for them.
func (w *world) remove(hooks []store.Webhook) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		for _, h := range hooks {
			if err := tx.DeleteWebhook(h.AccountID, h.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// An account all of whose webhooks begin to hang, those of its test keys too, has half of
// the places, and others the rest.
func TestHangingAccountLeavesPlaces(t *testing.T) {
	w := newWorld(t, lenient)
	release := make(chan struct{})
	slow, taken := receiver(t, hangs(release))
	t.Cleanup(func() { close(release) })
	quick, got := receiver(t, nil)
	healthy := w.hookOf(w.account("team_b"), quick, "message.received")
	test := store.Account{ID: "team_t", Name: "Acme", Plan: "self_hosted", TestOf: w.who.Account.ID, CreatedAt: 1}
	w.write(func(tx *store.Tx) error { return tx.CreateAccount(test) })
	var hooks []store.Webhook
	for i := range 10 { // for four deliveries each, more than there are places
		for _, p := range []cloud.Principal{w.who, {Account: test}} {
			h := w.hookOf(p, fmt.Sprint(slow, "/", i), "message.received")
			hooks = append(hooks, h)
			w.pending(h, 4)
		}
	}
	for range 32 {
		next(t, taken)
	}
	w.pending(healthy, 1)
	if p := next(t, got); p.body != "team_b" {
		t.Errorf("%+v", p)
	}
	if n := len(taken); n > 0 {
		t.Errorf("%d more than 32 at a time for one account", n)
	}
	w.remove(hooks)
}

// Webhooks that are known to hang share a few places of their own, and have none of those
// that are there for others, however many accounts they belong to.
func TestHangingWebhooksHaveTheirOwnPlaces(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { unhurried(c); c.WebhookTimeout = 50 * time.Millisecond })
	release := make(chan struct{})
	slow, taken := receiver(t, hangs(release))
	t.Cleanup(func() { close(release) })
	quick, got := receiver(t, nil)
	const accounts, each, timeouts = 5, 14, 5 // more webhooks than there are places
	var hooks []store.Webhook
	for a := range accounts {
		p := w.account(fmt.Sprint("team_", a))
		for i := range each {
			h := w.hookOf(p, fmt.Sprint(slow, "/", i), "message.received")
			hooks = append(hooks, h)
			w.pending(h, timeouts)
		}
	}
	eventually(t, "all of them are known to hang", func() bool {
		return w.column("SELECT COUNT(*) FROM deliveries WHERE attempt = 1 AND problem = 'timeout'")[0] == fmt.Sprint(accounts*each*timeouts)
	})
	for len(taken) > 0 {
		<-taken
	}
	patient := "sendblue" // with more time than this test takes
	for _, h := range hooks {
		if _, err := w.service.UpdateWebhook(t.Context(), cloud.Principal{Account: store.Account{ID: h.AccountID}}, h.Dialect, h.ID, cloud.WebhookChange{RetryPreset: &patient}); err != nil {
			t.Fatal(err)
		}
		w.pending(h, 1)
	}
	underway := make(map[string]int)
	for range 16 {
		underway[next(t, taken).body]++
	}
	w.pending(w.hookOf(w.who, quick, "message.received"), 1)
	next(t, got)
	for account, n := range underway {
		if n > 4 {
			t.Errorf("%d at a time of %s", n, account)
		}
	}
	if n := len(taken); n > 0 {
		t.Errorf("%d more than 16 at a time", n)
	}
	w.remove(hooks)
}

// A webhook is removed in a moment, however much waits for it; that goes little by little,
// also after a restart in between, and nothing else with it.
func TestRemovedWebhookLeavesNothing(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, nil)
	gone, stays := w.hook(url, "message.sent"), w.hook(url+"/stays", "message.sent")
	for _, h := range []store.Webhook{gone, stays} {
		if _, err := w.switchOn(h, false); err != nil {
			t.Fatal(err)
		}
	}
	const queue = 1200 // more than two pieces
	w.pending(gone, queue)
	w.pending(stays, 1)
	count := func(h store.Webhook) string {
		return w.column("SELECT COUNT(*) FROM deliveries WHERE webhook_id = '" + h.ID + "'")[0]
	}
	var left []store.Delivery
	w.write(func(tx *store.Tx) error {
		if err := tx.DeleteWebhook(gone.AccountID, gone.ID); err != nil {
			return err
		}
		var err error
		left, err = tx.Deliveries(tx.Context(), gone.ID, nil, queue)
		return err
	})
	if len(left) != queue {
		t.Errorf("%d deliveries were removed together with their webhook", queue-len(left))
	}
	w.restart()
	eventually(t, "all is removed", func() bool {
		return count(gone) == "0" && w.column("SELECT COUNT(*) FROM removed_webhooks")[0] == "0"
	})
	if count(stays) != "1" || len(got) != 0 {
		t.Errorf("%s of another webhook's are left, %d were posted", count(stays), len(got))
	}
}

func TestSwitchedOffWebhookKeepsItsQueue(t *testing.T) {
	w := newWorld(t, loopback)
	url, got := receiver(t, nil)
	h := w.hook(url, "message.received")
	if _, err := w.switchOn(h, false); err != nil {
		t.Fatal(err)
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	m.idle()
	if len(got) != 0 {
		t.Error("a webhook that is switched off was called")
	}
	if _, err := w.switchOn(h, true); err != nil {
		t.Fatal(err)
	}
	next(t, got)
}

// Metadata services and the like: the attempt is refused at the dial, told as a
// category, and nothing of the address is in it.
func TestWebhookToAPrivateAddressIsBlocked(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t, nil)
	h := w.hook("https://"+strings.TrimPrefix(url, "http://"), "message.received")
	if h.URL == "" {
		t.Fatal("not created")
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	eventually(t, "the attempt is recorded", func() bool { return w.deliveries(h)[0].Attempt == 1 })
	if d := w.deliveries(h)[0]; d.Problem != "blocked_address" || d.Response != 0 || d.State != store.DeliveryPending {
		t.Errorf("%+v", d)
	}
	if len(got) != 0 {
		t.Error("it was reached")
	}
}

// A look into the table and the end of an attempt may overlap: one event is one
// request all the same.
func TestNothingIsDeliveredTwice(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { loopback(c); c.Sweep = time.Millisecond })
	url, got := receiver(t, nil)
	h := w.hook(url, "message.received")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	const events = 400
	m.inbound(events)
	eventually(t, "everything is delivered", func() bool {
		list := w.deliveries(h)
		return len(list) == events && !slices.ContainsFunc(list, func(d store.Delivery) bool { return d.State != store.DeliveryDone })
	})
	ids := make(map[string]int)
	for len(got) > 0 {
		ids[next(t, got).header.Get("webhook-id")]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(ids) != events {
		t.Errorf("%d events came", len(ids))
	}
}
