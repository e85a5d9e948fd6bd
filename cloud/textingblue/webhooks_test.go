package textingblue_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/textingblue"
	"bluerelay/wire"
)

var (
	createdKeys = []string{"id", "url", "events", "phone_number", "secret", "active", "created_at"}
	webhookKeys = []string{"id", "url", "events", "phone_number", "active", "created_at"}
)

func TestWebhookFromBirthToDeath(t *testing.T) {
	w := newWorld(t, nil)
	const body = `{"url":"https://yourapp.com/webhook","events":["message.received","message.sent","message.failed"]}`
	a := w.ok("POST", "/v1/webhooks", body, http.StatusCreated)
	same(t, "created", keys(t, a.body), createdKeys)
	golden(t, "webhook_created", a.body)
	var hook struct{ ID, Secret string }
	a.into(t, &hook)
	path := "/v1/webhooks/" + hook.ID
	w.call("POST", "/v1/webhooks", w.key, body).expect(t, http.StatusConflict, "conflict", "url")
	w.ok("POST", "/v1/webhooks", `{"url":"https://yourapp.com/webhook?second","events":["message.read","message.unknown"],"phone_number":"`+line+`"}`, http.StatusCreated)
	list := w.ok("GET", "/v1/webhooks", "", http.StatusOK)
	golden(t, "webhooks", list.body)
	one := w.ok("GET", path, "", http.StatusOK)
	same(t, "got", keys(t, one.body), webhookKeys)
	golden(t, "webhook", one.body)
	for _, method := range []string{"PUT", "PATCH"} {
		golden(t, "webhook", w.ok(method, path, `{}`, http.StatusOK).body)
		golden(t, "webhook_updated", w.ok(method, path, `{"url":"https://yourapp.com/new","events":["message.delivered"],"phone_number":"`+line+`","active":false}`, http.StatusOK).body)
		golden(t, "webhook_updated", w.ok("GET", path, "", http.StatusOK).body)
		golden(t, "webhook_updated", w.ok(method, path, `{"url":null,"events":null,"active":null}`, http.StatusOK).body)
		golden(t, "webhook", w.ok(method, path, `{"url":"https://yourapp.com/webhook","events":["message.received","message.sent","message.failed"],"phone_number":null,"active":true}`, http.StatusOK).body)
	}
	for _, a := range []answer{list, one, w.ok("GET", "/v1/webhooks", "", http.StatusOK)} {
		if strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), hook.Secret) {
			t.Errorf("the secret is shown again: %s", a.body)
		}
	}
	golden(t, "webhook_deleted", w.ok("DELETE", path, "", http.StatusOK).body)
	w.call("DELETE", path, w.key, "").expect(t, http.StatusNotFound, "not_found", "")
	w.call("GET", path, w.key, "").expect(t, http.StatusNotFound, "not_found", "")
	w.ok("POST", "/v1/webhooks", body, http.StatusCreated) // the address is free again
}

// A change leaves what it does not name as it is then, not as it was when the request came.
func TestChangesOfAWebhookDoNotUndoEachOther(t *testing.T) {
	w := newWorld(t, nil)
	path := "/v1/webhooks/" + w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/","events":["message.sent"]}`, http.StatusCreated).id(t)
	for range 50 {
		w.ok("PUT", path, `{"events":["message.sent"],"active":true}`, http.StatusOK)
		var both sync.WaitGroup
		for _, change := range []string{`{"active":false}`, `{"events":["message.failed"]}`} {
			both.Go(func() {
				if a := w.call("PATCH", path, w.key, change); a.status != http.StatusOK {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		both.Wait()
		var now struct {
			Events []string
			Active bool
		}
		w.ok("GET", path, "", http.StatusOK).into(t, &now)
		if now.Active || !slices.Equal(now.Events, []string{"message.failed"}) {
			t.Fatalf("%+v", now)
		}
	}
}

// A webhook of a number that was removed can still be changed.
func TestWebhookOutlivesItsNumber(t *testing.T) {
	w := newWorld(t, nil)
	number := w.newLine(w.account, "+14155550199")
	path := "/v1/webhooks/" + w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/","events":["message.sent"],"phone_number":"+14155550199"}`, http.StatusCreated).id(t)
	w.ok("DELETE", "/v1/numbers/"+number.ID, "", http.StatusOK)
	w.ok("PATCH", path, `{"active":false}`, http.StatusOK)
	w.ok("PATCH", path, `{"phone_number":"`+line+`"}`, http.StatusOK)
	w.call("PATCH", path, w.key, `{"phone_number":"+14155550199"}`).expect(t, http.StatusBadRequest, "invalid_request", "phone_number")
}

func TestWebhooksAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	hook := func(n int) string {
		return fmt.Sprintf(`{"url":"https://example.com/%d","events":["message.sent"]}`, n)
	}
	w.ok("POST", "/v1/webhooks", hook(0), http.StatusCreated)
	w.write(func(tx *store.Tx) (err error) {
		for n := 1; n < 100 && err == nil; n++ {
			err = tx.CreateWebhook(store.Webhook{ID: fmt.Sprintf("wh_%d", n), AccountID: w.account.ID, Dialect: store.TextingBlue, URL: fmt.Sprintf("https://example.com/%d", n), Active: true})
		}
		return err
	})
	a := w.call("POST", "/v1/webhooks", w.key, hook(100))
	a.expect(t, http.StatusBadRequest, "invalid_request", "url")
	if got := a.problem(t).Message; got != "An account may have at most 100 webhooks." {
		t.Error(got)
	}
	w.call("POST", "/v1/webhooks", w.key, hook(1)).expect(t, http.StatusConflict, "conflict", "url")
	w.ok("DELETE", "/v1/webhooks/wh_1", "", http.StatusOK)
	w.ok("POST", "/v1/webhooks", hook(100), http.StatusCreated)
}

// Plain http is for addresses that the operator has named.
func TestPlainHTTPOnlyWhereAllowed(t *testing.T) {
	w := newWorld(t, nil)
	for url, status := range map[string]int{
		"http://127.0.0.1:9/": 201, "http://127.0.0.2:9/": 400, "http://93.184.216.34/": 400, "https://127.0.0.2/": 201, "https://example.com/": 201,
	} {
		if a := w.call("POST", "/v1/webhooks", w.key, fmt.Sprintf(`{"url":%q,"events":["message.sent"]}`, url)); a.status != status {
			t.Errorf("%s: %d %s", url, a.status, a.body)
		}
	}
	strict := newWorld(t, func(c *cloud.Config) { c.WebhookAllow = nil })
	for _, url := range []string{"http://127.0.0.1:9/", "http://example.com/"} {
		strict.call("POST", "/v1/webhooks", strict.key, fmt.Sprintf(`{"url":%q,"events":["message.sent"]}`, url)).expect(t, http.StatusBadRequest, "invalid_request", "url")
	}
}

// posted is one request that a receiver got.
type posted struct {
	header http.Header
	body   []byte
}

// receiver is a customer's server; up decides whether it answers.
func receiver(t testing.TB, up *atomic.Bool) (url string, got chan posted) {
	t.Helper()
	got = make(chan posted, 1024)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			return
		}
		got <- posted{r.Header.Clone(), body}
		if up != nil && !up.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// unhurried lets no second try come while a test runs, unless it asks for one.
func unhurried(c *cloud.Config) { c.WebhookSchedule = []time.Duration{time.Hour} }

// hook makes a webhook and returns its secret.
func (w *world) hook(body string) string {
	w.t.Helper()
	var h struct{ Secret string }
	w.ok("POST", "/v1/webhooks", body, http.StatusCreated).into(w.t, &h)
	return h.Secret
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

// verify checks a request as receivers do, by both rules.
func (p posted) verify(t testing.TB, secret string) {
	t.Helper()
	vendor := hmac.New(sha256.New, []byte(secret))
	vendor.Write(p.body)
	if got, want := p.header.Get("x-textingblue-signature"), "sha256="+hex.EncodeToString(vendor.Sum(nil)); got != want {
		t.Errorf("the vendor's signature is %q, want %q", got, want)
	}
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		t.Fatalf("the secret %q does not fit Standard Webhooks: %v", secret, err)
	}
	id, at := p.header.Get("webhook-id"), p.header.Get("webhook-timestamp")
	standard := hmac.New(sha256.New, key)
	fmt.Fprintf(standard, "%s.%s.%s", id, at, p.body)
	if got, want := p.header.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(standard.Sum(nil)); got != want {
		t.Errorf("the standard signature is %q, want %q", got, want)
	}
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("webhook-timestamp %q", at)
	}
	var event struct{ ID, Type string }
	if err := json.Unmarshal(p.body, &event); err != nil || event.ID != id || event.Type != p.header.Get("x-textingblue-event") || strings.Contains(id, ".") {
		t.Errorf("%s with %v, %v", p.body, p.header, err)
	}
	if got := p.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

// The vector that two languages agree upon, from the notes about the vendor's API.
func TestVendorsSignature(t *testing.T) {
	const body = `{"id":"evt_xxxxxxxxxxxx","type":"message.received","timestamp":"2026-02-07T12:00:00Z","data":{"id":"msg_xxxxxxxxxxxx","from":"+14155551234","to":"+14155559876","content":"Hey, is this available?","media_url":null,"received_at":"2026-02-07T12:00:00Z"}}`
	if len(body) != 251 {
		t.Fatalf("%d bytes", len(body))
	}
	h := make(http.Header)
	textingblue.Dialect().Sign(h, store.Webhook{Secret: "whsec_0123456789abcdef0123456789abcdef"}, store.Delivery{Body: body, EventType: "message.received"})
	if got := h.Get("x-textingblue-signature"); got != "sha256=eaf7a191b176e15886259b5ad3033f649f1f7b24019322b1279660731b5976ed" {
		t.Errorf("%s", got)
	}
}

func TestEventsAreDelivered(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t, nil)
	secret := w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received","message.sent","message.delivered","message.failed","message.read","message.unknown"]}`, url))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	at := time.Date(2026, 2, 7, 12, 0, 3, 0, time.UTC).UnixMilli()
	var seen []string
	expect := func(name, kind string) {
		t.Helper()
		p := next(t, got)
		p.verify(t, secret)
		if p.header.Get("x-textingblue-event") != kind {
			t.Errorf("%s came for %s", p.header.Get("x-textingblue-event"), kind)
		}
		golden(t, name, p.body)
		seen = append(seen, string(p.body))
	}
	m.inbound(1)
	expect("event_received", "message.received")
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Accepted, Message: id, Attempt: 1, At: at}) // no event
	m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1, At: at})  // no event
	m.report(wire.Report{Kind: wire.Sent, Message: id, At: at, GUID: "3F2A"})
	expect("event_sent", "message.sent")
	m.report(wire.Report{Kind: wire.Delivered, Message: id, At: at})
	expect("event_delivered", "message.delivered")
	m.report(wire.Report{Kind: wire.Read, Message: id, At: at})
	expect("event_read", "message.read")
	failed := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Failed, Message: failed, Fault: &wire.Fault{Code: "not_on_imessage", Number: 22, Text: "The recipient is not on iMessage."}})
	expect("event_failed", "message.failed")
	unknown := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: unknown, Attempt: 1})
	expect("event_unknown", "message.unknown")
	javaScriptAgrees(t, seen)
	if len(got) != 0 {
		t.Errorf("%d more came", len(got))
	}
}

// javaScriptAgrees parses each body and writes it again, as receivers do that verify
// over what they have parsed.
func javaScriptAgrees(t *testing.T, bodies []string) {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("node is needed: it is the measure of what receivers of webhooks see")
	}
	if err != nil {
		t.Log("not compared with JavaScript: there is no node on this machine")
		return
	}
	in, err := cloud.JSON(bodies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-e", `process.stdout.write(JSON.parse(require('fs').readFileSync(0, 'utf8')).map(b => JSON.stringify(JSON.parse(b))).join('\n'))`)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "JSON.stringify(JSON.parse(body))", strings.Split(string(out), "\n"), bodies)
}

// Texts in which encoders of JSON differ, through the whole server.
func TestDeliveredBytesAreJavaScripts(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t, nil)
	secret := w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	var bodies []string
	for i, text := range []string{"<b>&amp;</b>", "a\u2028b\u2029c", `\u2028 \\u2028`, "\"quoted\" \\ /", "\b\f\n\r\t\x00\x01\x7f", "👩‍👩‍👧‍👦 é e\u0301 名前", "\ufeff\ufffd\u200b", strings.Repeat("😀", 5000)} {
		m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: strconv.Itoa(i), From: "jöhn+<a>@example.com", Text: text}})
		p := next(t, got)
		p.verify(t, secret)
		var event struct {
			Data struct{ From, Content string }
		}
		if err := json.Unmarshal(p.body, &event); err != nil || event.Data.Content != text || event.Data.From != "jöhn+<a>@example.com" {
			t.Errorf("%.60q came as %.200s, %v", text, p.body, err)
		}
		bodies = append(bodies, string(p.body))
	}
	javaScriptAgrees(t, bodies)
}

func TestOnlyWhatWasAskedForIsDelivered(t *testing.T) {
	w := newWorld(t, nil)
	second := w.newLine(w.account, "+14155550005")
	allURL, all := receiver(t, nil)
	oneURL, one := receiver(t, nil)
	offURL, off := receiver(t, nil)
	w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received","message.sent"]}`, allURL))
	w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received","message.sent"],"phone_number":%q}`, oneURL, second.PhoneNumber))
	silent := w.ok("POST", "/v1/webhooks", fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, offURL), http.StatusCreated).id(t)
	w.ok("PUT", "/v1/webhooks/"+silent, `{"active":false}`, http.StatusOK)
	b := w.newAccount("team_b", 0)
	foreignURL, foreign := receiver(t, nil)
	w.call("POST", "/v1/webhooks", w.newKey(b, store.TextingBlue, "*"), fmt.Sprintf(`{"url":%q,"events":["message.received","message.sent"]}`, foreignURL))
	first := w.connect(w.paired(w.line), hello("ins_a", 0))
	other := w.connect(w.paired(second), hello("ins_b", 0))
	first.inbound(1)
	next(t, all)
	other.inbound(1)
	if p := next(t, one); !strings.Contains(string(p.body), second.PhoneNumber) {
		t.Errorf("%s", p.body)
	}
	next(t, all)
	id := w.ok("POST", "/v1/messages/send", sending("from", `"`+second.PhoneNumber+`"`), http.StatusAccepted).id(t)
	other.order()
	other.report(wire.Report{Kind: wire.Sent, Message: id})
	if p := next(t, one); p.header.Get("x-textingblue-event") != "message.sent" || !strings.Contains(string(p.body), id) {
		t.Errorf("%s", p.body)
	}
	next(t, all)
	other.report(wire.Report{Kind: wire.Delivered, Message: id}) // nobody asked
	if len(all)+len(one)+len(off)+len(foreign) != 0 {
		t.Errorf("more came: %d, %d, %d, %d", len(all), len(one), len(off), len(foreign))
	}
	if n := strings.Count(w.contents(), "deliveries "); n != 5+2 { // two wait until their webhook is switched on
		t.Errorf("%d deliveries were written", n)
	}
}

// A receiver that is down while the event happens gets it after a restart: it was
// written in the transaction of its event.
func TestDeliveryOutlivesTheServer(t *testing.T) {
	w := newWorld(t, unhurried)
	var up atomic.Bool
	url, got := receiver(t, &up)
	secret := w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	first := next(t, got)
	w.stop()
	w.start()
	up.Store(true)
	hooks, err := w.store.Webhooks(t.Context(), w.account.ID, store.TextingBlue)
	if err != nil || len(hooks) != 1 {
		t.Fatal(err)
	}
	list, err := w.store.Deliveries(t.Context(), hooks[0].ID, nil, 10)
	if err != nil || len(list) != 1 || list[0].State != store.DeliveryPending || list[0].Response != http.StatusBadGateway {
		t.Fatalf("%+v, %v", list, err)
	}
	list[0].DueAt = 0 // the pause is over
	w.write(func(tx *store.Tx) error { return tx.FinishDelivery(list[0]) })
	again := next(t, got)
	again.verify(t, secret)
	if !bytes.Equal(first.body, again.body) || first.header.Get("webhook-id") != again.header.Get("webhook-id") {
		t.Errorf("%s\n%s", first.body, again.body)
	}
}

// openBeside opens the database of a server that is stopped.
func openBeside(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The event is committed by a server that ends before it has delivered anything.
func TestDeliveryIsWrittenWithItsEvent(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t, nil)
	w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	hooks, err := w.store.Webhooks(t.Context(), w.account.ID, store.TextingBlue)
	if err != nil || len(hooks) != 1 {
		t.Fatal(err)
	}
	hooks[0].Active = false
	w.write(func(tx *store.Tx) error { return tx.UpdateWebhook(hooks[0]) })
	m.inbound(3)
	list, err := w.store.Deliveries(t.Context(), hooks[0].ID, nil, 10)
	if err != nil || len(list) != 3 { // acknowledged: so they are there
		t.Fatalf("%d deliveries, %v", len(list), err)
	}
	w.stop()
	beside := openBeside(t, w.dsn)
	hooks[0].Active = true
	if err := beside.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateWebhook(hooks[0]) }); err != nil {
		t.Fatal(err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	w.start()
	var ids []string
	for range 3 {
		ids = append(ids, next(t, got).header.Get("webhook-id"))
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 || !regexp.MustCompile(`^evt_[a-z2-7]{12}$`).MatchString(ids[0]) {
		t.Errorf("%v", ids)
	}
}
