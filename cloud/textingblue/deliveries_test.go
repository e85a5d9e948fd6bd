package textingblue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

var deliveryKeys = []string{"id", "event_id", "type", "status", "attempts", "response_status", "response_body", "problem", "created_at", "last_attempt_at", "next_attempt_at"}

// delivery is what tests look at of one.
type delivery struct {
	ID, Type, Kind, Status string
	EventID                string `json:"event_id"`
	Attempts               int
	ResponseStatus         *int    `json:"response_status"`
	ResponseBody           *string `json:"response_body"`
	Problem                *string
	NextAttemptAt          *string `json:"next_attempt_at"`
}

type deliveriesPage struct {
	Deliveries []delivery
	Cursor     *string
	More       bool `json:"has_more"`
}

// newHook makes a webhook and returns its path and secret.
func (w *world) newHook(url string, events ...string) (path, secret string) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"url": url, "events": events})
	if err != nil {
		w.t.Fatal(err)
	}
	var h struct{ ID, Secret string }
	w.ok("POST", "/v1/webhooks", string(body), http.StatusCreated).into(w.t, &h)
	return "/v1/webhooks/" + h.ID, h.Secret
}

// settled waits until all n deliveries to a webhook have been tried.
func (w *world) settled(path string, n int) deliveriesPage {
	w.t.Helper()
	return w.logged(path, n, func(d delivery) bool { return d.Attempts > 0 })
}

// logged waits until a webhook's first page has n deliveries that are all as they
// should be.
func (w *world) logged(path string, n int, good func(delivery) bool) (p deliveriesPage) {
	w.t.Helper()
	until := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		w.ok("GET", path+"/deliveries?limit=100", "", http.StatusOK).into(w.t, &p)
		if len(p.Deliveries) == n && !slices.ContainsFunc(p.Deliveries, func(d delivery) bool { return !good(d) }) {
			return p
		}
		select {
		case <-tick.C:
		case <-until:
			w.t.Fatalf("%+v", p)
		}
	}
}

func TestDeliveryLog(t *testing.T) {
	w, m, _ := feedWorld(t, unhurried)
	var up atomic.Bool
	up.Store(true)
	url, got := receiver(t, &up)
	path, _ := w.newHook(url, "message.received")
	empty := w.ok("GET", path+"/deliveries", "", http.StatusOK)
	if string(empty.body) != `{"deliveries":[],"cursor":null,"has_more":false}` {
		t.Errorf("%s", empty.body)
	}
	m.inbound(2)
	w.logged(path, 2, func(d delivery) bool { return d.Status == "delivered" })
	up.Store(false)
	m.inbound(1)
	page := w.settled(path, 3)
	failed := page.Deliveries[0]
	if failed.Status != "pending" || failed.Attempts != 1 || *failed.ResponseStatus != http.StatusBadGateway || failed.NextAttemptAt == nil || failed.Problem != nil {
		t.Errorf("%+v", failed)
	}
	if d := page.Deliveries[1]; d.Status != "delivered" || *d.ResponseStatus != http.StatusOK || d.NextAttemptAt != nil || d.Kind != "" {
		t.Errorf("%+v", d)
	}
	var raw struct{ Deliveries []json.RawMessage }
	w.ok("GET", path+"/deliveries", "", http.StatusOK).into(t, &raw)
	same(t, "a delivery", keys(t, raw.Deliveries[0]), deliveryKeys)
	var seen []string
	for query := "?limit=1"; ; {
		var p deliveriesPage
		w.ok("GET", path+"/deliveries"+query, "", http.StatusOK).into(t, &p)
		seen = append(seen, p.Deliveries[0].ID)
		if !p.More {
			break
		}
		query = "?limit=1&cursor=" + *p.Cursor
	}
	same(t, "page by page", seen, []string{page.Deliveries[0].ID, page.Deliveries[1].ID, page.Deliveries[2].ID})
	other, _ := w.newHook(url+"/other", "message.sent")
	for _, bad := range []string{"x", "%00", "dlv_never"} {
		w.call("GET", path+"/deliveries?cursor="+bad, w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "cursor")
	}
	w.call("GET", other+"/deliveries?cursor="+failed.ID, w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "cursor")
	w.call("POST", other+"/deliveries/"+failed.ID+"/replay", w.key, "").expect(t, http.StatusNotFound, "not_found", "")

	// What waits is tried now; what is over is sent again, with its id and its bytes.
	for len(got) > 0 {
		<-got
	}
	up.Store(true)
	w.ok("POST", path+"/deliveries/"+failed.ID+"/replay", "", http.StatusAccepted)
	first := next(t, got)
	delivered := func(d delivery) bool { return d.Status == "delivered" }
	if page = w.logged(path, 3, delivered); first.header.Get("webhook-id") != failed.EventID {
		t.Errorf("%v", first.header)
	}
	var again delivery
	w.ok("POST", path+"/deliveries/"+failed.ID+"/replay", "", http.StatusAccepted).into(t, &again)
	second := next(t, got)
	if again.ID == failed.ID || again.Kind != "replay" || string(first.body) != string(second.body) || second.header.Get("webhook-id") != failed.EventID {
		t.Errorf("%+v, %s", again, second.body)
	}
}

func TestReplayOfARange(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	m.inbound(4)
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: id})
	m.inbound(2)
	var ids, cursors []string
	for _, raw := range w.eventsPage("?after=" + start).Events {
		e := item(t, raw)
		ids, cursors = append(ids, e.ID), append(cursors, e.Cursor)
	}
	url, got := receiver(t, nil)
	path, secret := w.newHook(url, "message.received") // after all of it
	replay := func(body string, want ...string) {
		t.Helper()
		var done struct {
			Replayed int
			More     bool `json:"has_more"`
		}
		w.ok("POST", path+"/replay", body, http.StatusAccepted).into(t, &done)
		var have []string
		for range want {
			p := next(t, got)
			p.verify(t, secret)
			have = append(have, p.header.Get("webhook-id"))
		}
		slices.Sort(have)
		want = slices.Sorted(slices.Values(want))
		same(t, body, have, want)
		if done.Replayed != len(want) || done.More || len(got) != 0 {
			t.Errorf("%s: %+v, %d more came", body, done, len(got))
		}
	}
	replay(fmt.Sprintf(`{"after":%q}`, start), ids[0], ids[1], ids[2], ids[3], ids[5], ids[6])
	replay(fmt.Sprintf(`{"after":%q,"before":%q}`, cursors[0], cursors[2]), ids[1], ids[2])
	replay(fmt.Sprintf(`{"after":%q}`, cursors[6]))
	replay(fmt.Sprintf(`{"events":[%q,%q]}`, ids[6], ids[0]), ids[0], ids[6])
	replay(`{"after":"2100-01-01T00:00:00Z"}`)
	replay(fmt.Sprintf(`{"after":%q,"before":"2020-01-01T00:00:00Z"}`, start))
	replay(fmt.Sprintf(`{"after":"2020-01-01T00:00:00Z","before":%q}`, cursors[0]), append(earlier(t, w, start), ids[0])...)
	for body, param := range map[string]string{
		`{}`: "", `[]`: "", `{"after":""}`: "", `{"after":"x"}`: "after", `{"after":1}`: "after", fmt.Sprintf(`{"after":%q,"before":"x"}`, start): "before", `{"before":"2020-01-01T00:00:00Z"}`: "",
		`{"events":[]}`: "events", `{"events":["evt_never"]}`: "events", fmt.Sprintf(`{"events":[%q]}`, ids[4]): "events", fmt.Sprintf(`{"events":[%q],"after":%q}`, ids[0], start): "",
		`{"events":[` + strings.Repeat(`"x",`, 100) + `"x"]}`: "events",
	} {
		w.call("POST", path+"/replay", w.key, body).expect(t, http.StatusBadRequest, "invalid_request", param)
	}
}

// Whoever may make webhooks hears what happens to messages, and by that alone nothing of
// what has happened, nor anything of Macs and numbers.
func TestReplayNeedsWhatReadingNeeds(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	m.inbound(1)
	past := item(t, w.eventsPage("?after=" + start).Events[0])
	url, got := receiver(t, nil)
	key := func(permissions ...string) string {
		return w.newKey(w.account, store.TextingBlue, append(permissions, "webhooks:manage")...)
	}
	manager, reader, watcher := key(), key("messages:read"), key("numbers:read")
	kept := func() []string {
		return storetest.Rows(t, w.dsn, "SELECT id || url || events FROM webhooks UNION ALL SELECT id FROM deliveries ORDER BY 1")
	}
	refused := func(method, path, key, body, lacks string) {
		t.Helper()
		before := kept()
		a := w.call(method, path, key, body)
		a.expect(t, http.StatusForbidden, "forbidden", "")
		if want := "This API key lacks the " + lacks + " permission"; a.problem(t).Message != want {
			t.Errorf("%s %s: %s", method, path, a.body)
		}
		same(t, method+" "+path, kept(), before)
	}
	whole, named := fmt.Sprintf(`{"after":%q}`, start), fmt.Sprintf(`{"events":[%q]}`, past.ID)
	path := "/v1/webhooks/" + w.call("POST", "/v1/webhooks", manager, fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url)).id(t)
	refused("POST", path+"/replay", manager, whole, "messages:read")
	refused("POST", path+"/replay", manager, named, "messages:read")
	m.inbound(1) // and what happens from now on comes
	next(t, got)
	one := w.logged(path, 1, func(d delivery) bool { return d.Status == "delivered" }).Deliveries[0]
	refused("POST", path+"/deliveries/"+one.ID+"/replay", manager, "", "messages:read")
	w.call("PATCH", path, manager, `{"events":["message.sent"]}`) // what was delivered stays what it was
	refused("POST", path+"/deliveries/"+one.ID+"/replay", manager, "", "messages:read")
	for _, body := range []string{whole, named} {
		w.call("PATCH", path, manager, `{"events":["message.received"]}`)
		if a := w.call("POST", path+"/replay", reader, body); a.status != http.StatusAccepted || a.member(t, "replayed") == "0" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}

	macs := fmt.Sprintf(`{"url":%q,"events":["relay.online","line.paused"]}`, url+"/macs")
	refused("POST", "/v1/webhooks", reader, macs, "numbers:read")
	refused("PATCH", path, reader, `{"events":["message.sent","line.paused"]}`, "numbers:read")
	path = "/v1/webhooks/" + w.call("POST", "/v1/webhooks", watcher, macs).id(t)
	refused("PATCH", path, reader, `{"url":"https://example.com/mine"}`, "numbers:read")
	refused("POST", path+"/replay", reader, `{"after":"2020-01-01T00:00:00Z"}`, "numbers:read")
	if a := w.call("POST", path+"/replay", watcher, `{"after":"2020-01-01T00:00:00Z"}`); a.member(t, "replayed") != "1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.call("PATCH", path, reader, `{"active":false}`); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// earlier lists the events before a cursor of which webhooks for message.received are
// told.
func earlier(t testing.TB, w *world, end string) (ids []string) {
	t.Helper()
	for _, raw := range w.eventsPage("?limit=100").Events {
		e := item(t, raw)
		if e.Type == "message.received" {
			ids = append(ids, e.ID)
		}
		if e.Cursor == end {
			return ids
		}
	}
	t.Fatal("no such cursor")
	return nil
}

func TestTestEvent(t *testing.T) {
	w, _, start := feedWorld(t, nil)
	url, got := receiver(t, nil)
	path, secret := w.newHook(url, "message.sent")
	w.newHook(url+"/other", "message.sent", "webhook.disabled")
	a := w.ok("POST", path+"/test", "", http.StatusAccepted)
	p := next(t, got)
	p.verify(t, secret)
	golden(t, "event_webhook_test", p.body)
	var d delivery
	a.into(t, &d)
	if d.Kind != "test" || d.Type != "webhook.test" || d.EventID != p.header.Get("webhook-id") || p.header.Get("x-textingblue-event") != "webhook.test" {
		t.Errorf("%s, %v", a.body, p.header)
	}
	if one := w.logged(path, 1, func(d delivery) bool { return d.Status == "delivered" }).Deliveries[0]; one.ID != d.ID {
		t.Errorf("%+v", one)
	}
	if list := w.eventsPage("?after=" + start).Events; len(list) != 1 || !strings.Contains(string(list[0]), `"test":true`) {
		t.Errorf("%s", list)
	}
	if len(got) != 0 {
		t.Error("another webhook was told")
	}
}

func TestSecretIsRotated(t *testing.T) {
	w, _, _ := feedWorld(t, nil)
	url, got := receiver(t, nil)
	path, old := w.newHook(url, "message.sent")
	a := w.ok("POST", path+"/rotate-secret", "", http.StatusOK)
	same(t, "keys", keys(t, a.body), append(slices.Clone(createdKeys), "old_secret_expires_at"))
	var h struct{ Secret string }
	a.into(t, &h)
	if h.Secret == old || !strings.HasPrefix(h.Secret, "whsec_") {
		t.Errorf("%s", a.body)
	}
	if one := w.ok("GET", path, "", http.StatusOK); strings.Contains(string(one.body), "whsec_") {
		t.Errorf("the secret is shown again: %s", one.body)
	}
	w.ok("POST", path+"/test", "", http.StatusAccepted)
	p := next(t, got)
	signatures := strings.Fields(p.header.Get("webhook-signature"))
	if len(signatures) != 2 {
		t.Fatalf("%q", signatures)
	}
	p.header.Set("webhook-signature", signatures[0])
	p.verify(t, h.Secret) // the vendor's header too
}

func TestDisabledWebhookShowsWhy(t *testing.T) {
	w, _, _ := feedWorld(t, func(c *cloud.Config) { c.WebhookFailing = time.Nanosecond })
	var up atomic.Bool
	url, _ := receiver(t, &up)
	watch, watched := receiver(t, nil)
	path, _ := w.newHook(url, "message.sent")
	w.newHook(watch, "webhook.disabled")
	w.ok("POST", path+"/test", "", http.StatusAccepted)
	golden(t, "event_webhook_disabled", next(t, watched).body)
	one := w.ok("GET", path, "", http.StatusOK)
	if one.member(t, "active") != "false" || one.member(t, "disabled_reason") != `"failing"` || one.member(t, "disabled_at") == "" {
		t.Errorf("%s", one.body)
	}
	one = w.ok("PATCH", path, `{"active":true}`, http.StatusOK)
	same(t, "enabled again", keys(t, one.body), webhookKeys)
}

func TestWebhookMayBeginSwitchedOff(t *testing.T) {
	w := newWorld(t, nil)
	a := w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/","events":["message.sent"],"active":false}`, http.StatusCreated)
	if a.member(t, "active") != "false" {
		t.Errorf("%s", a.body)
	}
}
