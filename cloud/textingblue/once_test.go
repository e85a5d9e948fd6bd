package textingblue_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// keyed posts with an Idempotency-Key.
func (w *world) keyed(path, key, idempotencyKey, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("Idempotency-Key", idempotencyKey)
	return w.do(req)
}

// count is how many messages the account has.
func (w *world) count() int {
	w.t.Helper()
	return len(w.messages())
}

func (w *world) messages() []store.Message {
	w.t.Helper()
	list, err := w.store.Messages(context.Background(), store.MessageFilter{AccountID: w.account.ID, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

const sendPath = "/v1/messages/send"

// A request that comes again gets the first answer, byte for byte; one that says
// something else with the same key is refused for good.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, nil)
	first := w.keyed(sendPath, w.key, "order-7", seedRequest)
	if first.status != http.StatusAccepted || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	again := []struct{ key, body string }{
		{"order-7", seedRequest},
		{`"order-7"`, seedRequest}, // a structured field's string
		{"order-7", ` { "content" : "Hello\u0020from Texting Blue!", "from":"+14155559876","to":"\u002b14155551234"} `},
		{"order-7", `{"to":"+1","to":"+14155551234","from":"+14155559876","content":"Hello from Texting Blue!"}`},
	}
	for _, one := range again {
		a := w.keyed(sendPath, w.key, one.key, one.body)
		if a.status != first.status || string(a.body) != string(first.body) || a.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s\ngot  %d %s %v\nwant %d %s", one.body, a.status, a.body, a.header, first.status, first.body)
		}
	}
	for path, body := range map[string]string{
		sendPath:                          `{"to":"+14155551234","from":"+14155559876","content":"Hello from Texting Blue"}`,
		sendPath + "?":                    `{"to":"+14155551234","from":"+14155559876","content":"Hello from Texting Blue!","more":null}`,
		"/v1/messages":                    seedRequest,
		"/v1/messages/msg_x/resend":       seedRequest,
		"/v1/messages/" + "msg_y/resend?": "",
	} {
		a := w.keyed(path, w.key, "order-7", body)
		a.expect(t, http.StatusUnprocessableEntity, "idempotency_key_reused", "")
		if a.header.Get("x-should-retry") != "false" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("%d messages", n)
	}
	// The key belongs to the account, whichever of its API keys is used, and to nobody
	// else.
	if a := w.keyed(sendPath, w.newKey(w.account, store.TextingBlue, "messages:send"), "order-7", seedRequest); string(a.body) != string(first.body) {
		t.Errorf("with another key of the account: %s", a.body)
	}
	other := w.newAccount("team_b", 0)
	w.newLine(other, "+14155550000")
	if a := w.keyed(sendPath, w.newKey(other, store.TextingBlue, "*"), "order-7", strings.Replace(seedRequest, line, "+14155550000", 1)); a.status != http.StatusAccepted || string(a.body) == string(first.body) {
		t.Errorf("another account: %d %s", a.status, a.body)
	}
	// It outlives the process.
	w.stop()
	w.start()
	if a := w.keyed(sendPath, w.key, "order-7", seedRequest); string(a.body) != string(first.body) {
		t.Errorf("after a restart: %s", a.body)
	}
}

func TestIdempotencyKeysThatAreNone(t *testing.T) {
	w := newWorld(t, nil)
	for _, bad := range []string{"", " ", "two words", "é", "\"open", `"a"b"`, `"a\n"`, `"a\"`, `""`, strings.Repeat("k", 256), `"` + strings.Repeat("k", 256) + `"`} {
		w.keyed(sendPath, w.key, bad, seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "Idempotency-Key")
	}
	for _, good := range []string{strings.Repeat("k", 255), `"` + strings.Repeat("q", 255) + `"`, `!"#$%~`, `"\"\\"`} {
		if a := w.keyed(sendPath, w.key, good, seedRequest); a.status != http.StatusAccepted {
			t.Errorf("%q: %d %s", good, a.status, a.body)
		}
	}
	// The value counts, not its writing.
	if a := w.keyed(sendPath, w.key, `"!\"#$%~"`, seedRequest); a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+sendPath, strings.NewReader(seedRequest))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Idempotency-Key"] = []string{"a", "a"}
	req.Header.Set("x-api-key", w.key)
	w.do(req).expect(t, http.StatusBadRequest, "invalid_request", "Idempotency-Key")
}

// Only successes are kept: what was refused may be right the next time.
func TestRefusalsAreNotRemembered(t *testing.T) {
	w := newWorld(t, nil)
	for _, bad := range []string{"", "{", "[]", "\xff", `{"to":"+14155551234","from":"+14155559876"}`, `{"to":"+14155551234","from":"+14155550001","content":"Hi"}`} {
		if a := w.keyed(sendPath, w.key, "k", bad); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, a.status, a.body)
		}
	}
	w.call("PATCH", "/v1/numbers/"+w.line.ID, w.key, `{"status":"paused"}`)
	w.keyed(sendPath, w.key, "k", seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "from")
	w.call("PATCH", "/v1/numbers/"+w.line.ID, w.key, `{"status":"active"}`)
	if a := w.keyed(sendPath, w.key, "k", seedRequest); a.status != http.StatusAccepted || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The first answer comes again before every limit, but to nobody who may not send.
func TestReplayComesBeforeTheLimits(t *testing.T) {
	w := newWorld(t, nil)
	w.account.RequestsPerMinute, w.account.MonthlyMessages = 2, 1
	w.write(func(tx *store.Tx) error { return tx.UpdateAccount(w.account) })
	first := w.keyed(sendPath, w.key, "k", seedRequest)
	if first.status != http.StatusAccepted || first.header.Get("x-ratelimit-remaining") != "1" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	w.keyed(sendPath, w.key, "k2", seedRequest).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	w.keyed(sendPath, w.key, "k2", seedRequest).expect(t, http.StatusTooManyRequests, "rate_limited", "")
	w.keyed(sendPath, w.key, "two words", seedRequest).expect(t, http.StatusTooManyRequests, "rate_limited", "")
	a := w.keyed(sendPath, w.key, "k", seedRequest)
	if a.status != http.StatusAccepted || string(a.body) != string(first.body) || a.header.Get("x-ratelimit-remaining") != "0" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	w.keyed(sendPath, "tb_live_nobody", "k", seedRequest).expect(t, http.StatusUnauthorized, "unauthorized", "")
	w.keyed(sendPath, w.newKey(w.account, store.TextingBlue, "messages:read"), "k", seedRequest).expect(t, http.StatusForbidden, "forbidden", "")
}

// 64 at once with one key make one message, and all hear the same.
func TestManyAtOnceWithOneKey(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	answers := make([]answer, 64)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.keyed(sendPath, w.key, "k", seedRequest) })
	}
	all.Wait()
	fresh := 0
	for _, a := range answers {
		if a.status != http.StatusAccepted || string(a.body) != string(answers[0].body) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	if n := w.count(); n != 1 || fresh != 1 {
		t.Errorf("%d messages, %d of the answers say that they are the first", n, fresh)
	}
	if o := m.order(); o.Message != answers[0].id(t) {
		t.Errorf("%+v", o)
	}
}

// Each of many keys at once makes its message, and keys that race with another body
// make one.
func TestManyKeysAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	var all sync.WaitGroup
	refused := make([]bool, 60)
	for i := range refused {
		all.Go(func() {
			body := fmt.Sprintf(`{"to":%q,"from":%q,"content":"text %d"}`, somebody, line, i%2)
			a := w.keyed(sendPath, w.key, fmt.Sprint("key-", i%10), body)
			refused[i] = a.status == http.StatusUnprocessableEntity
			if a.status != http.StatusAccepted && !refused[i] {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if n := w.count(); n != 10 {
		t.Errorf("%d messages for 10 keys", n)
	}
}

func TestKeysAreForgottenWithTime(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.IdempotencyLife = time.Nanosecond })
	first := w.keyed(sendPath, w.key, "k", seedRequest).id(t)
	eventually(t, "the key is forgotten", func() bool {
		at, err := w.store.OldestRemembered(t.Context())
		return err == nil && at == 0
	})
	if second := w.keyed(sendPath, w.key, "k", seedRequest).id(t); second == first {
		t.Error("the key still counts")
	}
}

// A resend is a send: its key counts too.
func TestIdempotentResend(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(somebody)
	w.ok("POST", "/v1/messages/"+id+"/cancel", "", http.StatusOK)
	path := "/v1/messages/" + id + "/resend"
	first := w.keyed(path, w.key, "again", "")
	if first.status != http.StatusAccepted || first.member(t, "resend_of") != `"`+id+`"` {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if a := w.keyed(path, w.key, "again", " "); string(a.body) != string(first.body) || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.keyed(path, w.key, "again", `{"accept_duplicate_risk":true}`).expect(t, http.StatusUnprocessableEntity, "idempotency_key_reused", "")
	if n := w.count(); n != 2 {
		t.Errorf("%d messages", n)
	}
}
