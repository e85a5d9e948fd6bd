package sendblue_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// posted is what a receiver got.
type posted struct {
	path   string
	header http.Header
	body   string
}

// receiver takes webhooks.
func receiver(t testing.TB) (url string, got chan posted) {
	got = make(chan posted, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- posted{r.URL.Path, r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// next waits for a post.
func next(t testing.TB, got chan posted) posted {
	t.Helper()
	select {
	case p := <-got:
		return p
	case <-time.After(patience):
		t.Fatal("no webhook came")
	}
	return posted{}
}

// hookKeys are the 25 of every body, in the order of those that were seen.
var hookKeys = []string{
	"accountEmail", "content", "is_outbound", "status", "error_code", "error_message", "error_reason", "message_handle", "date_sent", "date_updated",
	"from_number", "number", "to_number", "was_downgraded", "plan", "media_url", "message_type", "group_id", "participants", "send_style", "opted_out",
	"error_detail", "sendblue_number", "service", "group_display_name",
}

func TestWebhooks(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t)
	a := w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q],"globalSecret":"shared"}`, url+"/in"))
	if !strings.Contains(string(a.body), `"standard_webhooks":[{"type":"receive"`) {
		t.Errorf("no secret of ours: %s", a.body)
	}
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[{"url":%q,"secret":"own"}],"type":"outbound"}`, url+"/out"))
	mac := w.connect(w.paired(w.line), "a")
	mac.inbound("<Hey> & \u2028")
	p := next(t, got)
	if p.path != "/in" || p.header.Get("sb-signing-secret") != "shared" || p.header.Get("webhook-signature") == "" || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", p.path, p.header)
	}
	if keys := keysOf(t, []byte(p.body)); !slices.Equal(keys, hookKeys) {
		t.Errorf("the keys are %v", keys)
	}
	for _, want := range []string{
		`"content":"<Hey> & ` + "\u2028" + `"`, `"status":"RECEIVED"`, `"was_downgraded":null`, `"media_url":""`, `"group_id":""`, `"participants":[]`, `"error_code":null`,
		`"to_number":"` + line + `"`, `"sendblue_number":"` + line + `"`, `"number":"` + somebody + `"`, `"from_number":"` + somebody + `"`, `"service":"iMessage"`,
	} {
		if !strings.Contains(p.body, want) {
			t.Errorf("no %s in %s", want, p.body)
		}
	}

	m := w.send(somebody, fmt.Sprintf(`,"status_callback":%q`, url+"/callback?id=1"))
	order := mac.order()
	for kind, status := range map[wire.Kind]string{wire.Sent: "SENT"} {
		mac.report(wire.Report{Kind: kind, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
		seen := make(map[string]posted)
		for range 2 {
			p := next(t, got)
			seen[p.path] = p
		}
		out, callback := seen["/out"], seen["/callback"]
		if out.header.Get("sb-signing-secret") != "own" || out.body != callback.body {
			t.Errorf("%v\n%s\n%s", out.header, out.body, callback.body)
		}
		for name := range callback.header {
			if lower := strings.ToLower(name); strings.HasPrefix(lower, "sb-") || strings.HasPrefix(lower, "webhook-") {
				t.Errorf("a callback has %s", name)
			}
		}
		var told message
		if err := json.Unmarshal([]byte(out.body), &told); err != nil || told.Handle != m.Handle || told.Status != status || !told.IsOutbound {
			t.Errorf("%s, %v", out.body, err)
		}
	}
}

// A plan without message.delivered keeps it from webhooks and callbacks whose types nobody
// has chosen, for as long as it is the account's plan; that a message was delivered is still
// shown.
func TestReceiptsByPlan(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q],"type":"outbound"}`, url+"/out"))
	mac := w.connect(w.paired(w.line), "a")
	told := func(receipts bool) {
		t.Helper()
		_, err := w.service.SetPlan(t.Context(), w.account.ID, "", func(l *store.Limits) { l.NoReceipts = !receipts })
		if err != nil {
			t.Fatal(err)
		}
		m := w.send(somebody, fmt.Sprintf(`,"status_callback":%q`, url+"/callback"))
		order := mac.order()
		want := []string{"SENT /callback", "SENT /out"}
		for _, kind := range []wire.Kind{wire.Sent, wire.Delivered} {
			mac.report(wire.Report{Kind: kind, Message: order.Message, Attempt: order.Attempt, GUID: m.Handle, Service: "iMessage"})
		}
		if receipts {
			want = append([]string{"DELIVERED /callback", "DELIVERED /out"}, want...)
		}
		var have []string
		for range want {
			p := next(t, got)
			var body message
			if err := json.Unmarshal([]byte(p.body), &body); err != nil || body.Handle != m.Handle {
				t.Errorf("%s, %v", p.body, err)
			}
			have = append(have, body.Status+" "+p.path)
		}
		if slices.Sort(have); !slices.Equal(have, want) {
			t.Errorf("told were %v, want %v", have, want)
		}
		var shown struct{ Data message }
		if w.ok("GET", "/api/v2/messages/"+m.Handle, "").into(t, &shown); shown.Data.Status != "DELIVERED" {
			t.Errorf("it is shown as %+v", shown.Data)
		}
	}
	told(false)
	told(true)
	told(false)
	if n := storetest.Rows(t, w.dsn, "SELECT COUNT(*) FROM deliveries")[0]; n != "8" {
		t.Errorf("%s deliveries", n)
	}
}

func TestWebhookRegistration(t *testing.T) {
	w := newWorld(t, nil)
	w.newLine(w.newAccount("team_b", 0), "+14155559876")
	list := func() string {
		t.Helper()
		return string(w.ok("GET", "/api/account/webhooks", "").body)
	}
	if got := list(); got != `{"status":"OK","webhooks":{}}` {
		t.Errorf("%s", got)
	}
	w.ok("POST", "/api/account/webhooks", `{"webhooks":["https://a.example/","https://a.example/",{"url":"https://b.example/"}]}`)
	w.ok("POST", "/api/account/webhooks", `{"webhooks":[{"url":"https://a.example/","secret":"s","sendblue_numbers":["`+line+`"]}]}`) // the same, changed
	w.ok("POST", "/api/account/webhooks", `{"webhooks":["https://a.example/"],"type":"outbound","globalSecret":"g"}`)
	w.ok("POST", "/api/account/webhooks", `{"webhooks":["https://a.example/"],"type":"call_log"}`)
	if got := list(); got != `{"status":"OK","webhooks":{"call_log":["https://a.example/"],"globalSecret":"g","outbound":["https://a.example/"],"receive":[{"url":"https://a.example/","secret":"s","sendblue_numbers":["`+line+`"]},"https://b.example/"]}}` {
		t.Errorf("%s", got)
	}
	for body, field := range map[string]string{
		`{}`: "webhooks", `{"webhooks":[]}`: "webhooks", `{"webhooks":"https://a.example/"}`: "webhooks", `{"webhooks":[7]}`: "webhooks", `{"webhooks":[{}]}`: "webhooks",
		`{"webhooks":["ftp://a.example/"]}`: "webhooks", `{"webhooks":["https://a.example/"],"type":"typing"}`: "type",
		`{"webhooks":[{"url":"https://a.example/","secret":"a\nb"}]}`:                     "secret",
		`{"webhooks":[{"url":"https://a.example/","sendblue_numbers":["+14155559876"]}]}`: "sendblue_numbers",
	} {
		w.call("POST", "/api/account/webhooks", w.pair, body).expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
	for _, body := range []string{`{}`, `{"webhooks":null}`, `{"webhooks":[]}`, `{"webhooks":{"typing":[]}}`, `{"webhooks":{"receive":["https://a.example/","x"]}}`} {
		if a := w.call("PUT", "/api/account/webhooks", w.pair, body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	a := w.ok("PUT", "/api/account/webhooks", `{"webhooks":{"receive":["https://b.example/","https://c.example/"],"outbound":null}}`)
	if got := string(a.body); !strings.Contains(got, `"message":"Webhooks updated successfully","webhooks":{"receive":["https://b.example/","https://c.example/"]}`) || strings.Count(got, "whsec_") != 1 {
		t.Errorf("%s", got)
	}
	w.call("DELETE", "/api/account/webhooks", w.pair, `{"webhooks":["https://nobody.example/"]}`).expect(t, http.StatusNotFound, 0, "not_found", "")
	w.ok("DELETE", "/api/account/webhooks", `{"webhooks":["https://b.example/"],"type":"receive"}`)
	if got := list(); got != `{"status":"OK","webhooks":{"receive":["https://c.example/"]}}` {
		t.Errorf("%s", got)
	}
	// They are none of the other dialect's, nor of another account.
	other := w.newPair(w.newAccount("team_c", 0), "*")
	if got := string(w.call("GET", "/api/account/webhooks", other, "").body); got != `{"status":"OK","webhooks":{}}` {
		t.Errorf("%s", got)
	}
}

// TestHangingCallback: a host that does not answer delays no other.
func TestHangingCallback(t *testing.T) {
	w := newWorld(t, nil)
	stop := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(stop) })
	url, got := receiver(t)
	mac := w.connect(w.paired(w.line), "a")
	for i := range 10 {
		to := fmt.Sprintf("%s/%d", hanging.URL, i)
		if i == 9 {
			to = url + "/well"
		}
		w.send(somebody, fmt.Sprintf(`,"status_callback":%q`, to))
		order := mac.order()
		mac.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: fmt.Sprintf("guid-%d", i), Service: "iMessage"})
	}
	if p := next(t, got); p.path != "/well" {
		t.Errorf("%s", p.path)
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Heartbeat = 50 * time.Millisecond })
	mac := w.connect(w.paired(w.line), "a")
	w.call("GET", "/api/v2/events?types=nonsense", w.pair, "").expect(t, http.StatusBadRequest, 4000, "invalid_request", "types")
	read := func(types, last string) (lines func() string, end func()) {
		req := w.request("GET", "/api/v2/events"+types, w.pair, "")
		req.Header.Set("Accept", "text/event-stream")
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		in := bufio.NewScanner(resp.Body)
		return func() string {
			for in.Scan() {
				if in.Text() != "" {
					return in.Text()
				}
			}
			t.Fatalf("the stream ended: %v", in.Err())
			return ""
		}, func() { resp.Body.Close() }
	}
	lines, end := read("?types=message.received,message.updated", "")
	var start string
	for start == "" {
		start, _ = strings.CutPrefix(lines(), "id: ")
		start = strings.TrimPrefix(start, "retry: 2000")
	}
	for line := lines(); !strings.HasPrefix(line, ":"); line = lines() { // a sign of life
	}
	mac.inbound("Hey")
	data := func() (e struct {
		Version    int
		ID, Type   string
		OccurredAt string `json:"occurred_at"`
		Data       struct {
			MessageID string `json:"message_id"`
			Status    string
			Number    string
			Message   message
		}
	}) {
		t.Helper()
		for {
			if text, ok := strings.CutPrefix(lines(), "data: "); ok {
				if err := json.Unmarshal([]byte(text), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
	}
	e := data()
	if e.Version != 1 || e.Type != "message.received" || !strings.HasPrefix(e.ID, "evt_") || e.Data.Status != "RECEIVED" || e.Data.Number != somebody || e.Data.Message.Content != "Hey" || e.Data.MessageID != e.Data.Message.Handle {
		t.Errorf("%+v", e)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", e.OccurredAt); err != nil {
		t.Error(err)
	}
	end()
	// What begins here is told live, before what becomes of it, and is in no log.
	lines, end = read("?types=message.created,message.updated", "")
	for line := lines(); !strings.HasPrefix(line, "id: "); line = lines() {
	}
	sent := w.send(somebody, "")
	mac.report(wire.Report{Kind: wire.Sent, Message: mac.order().Message, Attempt: 1, GUID: "5A17", Service: "iMessage"})
	if begun := data(); begun.Type != "message.created" || begun.ID != "message:"+sent.Handle+":created" || begun.Data.Status != "QUEUED" || begun.Data.Message.Content != greeting || begun.Data.MessageID != sent.Handle {
		t.Errorf("%+v", begun)
	}
	if then := data(); then.Type != "message.updated" || then.Data.MessageID != sent.Handle || then.Data.Status != "SENT" {
		t.Errorf("%+v", then)
	}
	mac.report(wire.Report{Kind: wire.Typed, GUID: "typed", Inbound: &wire.Inbound{GUID: "typed", From: somebody, Chat: "any;-;" + somebody, Text: "By hand", Service: "iMessage", Status: wire.StatusSent}})
	if begun := data(); begun.Type != "message.created" || begun.Data.Message.Content != "By hand" || begun.Data.Status != "SENT" {
		t.Errorf("%+v", begun)
	}
	end()
	// What a reader does not ask for is passed by.
	lines, end = read("?types=line.status.changed", start)
	line := lines()
	for line == "retry: 2000" || line == "id: "+start || strings.HasPrefix(line, ":") {
		line = lines()
	}
	if !strings.HasPrefix(line, "id: ") {
		t.Errorf("%s", line)
	}
	end()
	// Whoever was cut goes on where he was.
	lines, _ = read("", start)
	if again := data(); again.ID != e.ID {
		t.Errorf("%+v", again)
	}
}

// A message is told of before anything that becomes of it, even where one commit brings
// both.
func TestMessagesBeginBeforeTheirEvents(t *testing.T) {
	const n = 300
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	req := w.request("GET", "/api/v2/events?types=message.created,message.updated", w.pair, "")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	for in.Scan() && !strings.HasPrefix(in.Text(), "id: ") { // the stream has begun
	}
	var told sync.WaitGroup
	told.Go(func() {
		for i := range n {
			guid := fmt.Sprint("typed ", i)
			mac.report(wire.Report{Kind: wire.Typed, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: "any;-;" + somebody, Text: "By hand", Service: "iMessage", Status: wire.StatusSent}})
		}
	})
	defer told.Wait()
	begun := make(map[string]bool)
	for updated := 0; updated < n && in.Scan(); {
		text, ok := strings.CutPrefix(in.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Type string
			Data struct {
				MessageID string `json:"message_id"`
			}
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Type == "message.created":
			begun[e.Data.MessageID] = true
		case !begun[e.Data.MessageID]:
			t.Fatalf("event %d is of a message that has not begun", updated)
		default:
			updated++
		}
	}
	if len(begun) != n {
		t.Errorf("%d of %d messages have begun: %v", len(begun), n, in.Err())
	}
}

// Webhooks that a replacement drops make room for the new ones.
func TestAllWebhooksAreReplaced(t *testing.T) {
	w := newWorld(t, nil)
	all := func(host string, n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"https://%s/%d"`, host, i)
		}
		return `{"webhooks":{"receive":[` + strings.Join(list, ",") + `]}}`
	}
	w.ok("PUT", "/api/account/webhooks", all("a.example", 60))
	w.ok("PUT", "/api/account/webhooks", all("b.example", 60))
	if got := string(w.ok("GET", "/api/account/webhooks", "").body); strings.Contains(got, "a.example") || strings.Count(got, "b.example") != 60 {
		t.Error(got)
	}
	w.call("PUT", "/api/account/webhooks", w.pair, all("c.example", 101)).expect(t, http.StatusBadRequest, 4000, "invalid_request", "webhooks")
}

// The hosts of callbacks are counted as webhooks are, and forgotten when they are not named
// any more.
func TestHostsOfCallbacksAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	to := func(n int) string { return fmt.Sprintf(`,"status_callback":"https://h%d.example/"`, n) }
	w.send(somebody, to(0))
	first := mac.order()
	w.write(func(tx *store.Tx) (err error) {
		for n := 1; n < 100 && err == nil; n++ {
			err = tx.CreateWebhook(store.Webhook{
				ID: fmt.Sprintf("wh_%d", n), AccountID: w.account.ID, Dialect: store.Sendblue, Kind: store.KindCallback, URL: fmt.Sprintf("https://h%d.example", n), CreatedAt: time.Now().UnixMilli(),
			})
		}
		return err
	})
	another := `{"number":"` + somebody + `","from_number":"` + line + `","content":"x"` + to(100) + `}`
	w.call("POST", "/api/send-message", w.pair, another).expect(t, http.StatusBadRequest, 4000, "invalid_request", "status_callback")
	w.send(somebody, to(99))
	used := func(n int) store.Webhook {
		h, err := w.store.CallbackHost(t.Context(), w.account.ID, store.Sendblue, fmt.Sprintf("https://h%d.example", n))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	// A month later one is still named, another is not.
	for _, n := range []int{0, 1} {
		w.write(func(tx *store.Tx) error { return tx.UseCallbackHost(used(n).ID, 1) })
	}
	w.send(somebody, to(1))
	if got := used(1).CreatedAt; got == 1 {
		t.Error("the use of a host was not noted")
	}
	w.ok("POST", "/api/send-message", another)
	if _, err := w.store.CallbackHost(t.Context(), w.account.ID, store.Sendblue, "https://h0.example"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is kept: %v", err)
	}
	// What becomes of the message that named it is recorded all the same.
	mac.report(wire.Report{Kind: wire.Sent, Message: first.Message, Attempt: first.Attempt, GUID: "5A17", Service: "iMessage"})
	if m, err := w.store.Message(t.Context(), w.account.ID, first.Message); err != nil || m.Status != wire.StatusSent {
		t.Errorf("%+v, %v", m, err)
	}
}

// That a message may have been sent is posted once, and not as another failure when it is
// given up a day later; evidence is still posted.
func TestUnknownIsPostedOnce(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.UnknownFinal = time.Millisecond })
	url, got := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q],"type":"outbound"}`, url+"/out"))
	_, err := w.service.CreateWebhook(t.Context(), cloud.Principal{Account: w.account}, store.Webhook{Dialect: store.TextingBlue, URL: url + "/blue", Events: []string{"message.failed"}, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	mac := w.connect(w.paired(w.line), "a")
	m := w.send(somebody, fmt.Sprintf(`,"status_callback":%q`, url+"/callback"))
	order := mac.order()
	mac.report(wire.Report{Kind: wire.Unknown, Message: order.Message, Attempt: order.Attempt, Fault: &wire.Fault{Code: wire.FaultUnknown, Text: "No row came."}})
	for next(t, got).path != "/blue" { // it has been given up
	}
	if again := w.get(m.Handle); again.Status != "ERROR" || again.ErrorCode == nil || *again.ErrorCode != 10002 {
		t.Errorf("%+v", again)
	}
	mac.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
	posts := storetest.Rows(t, w.dsn, "SELECT w.kind, d.event_type FROM deliveries AS d JOIN webhooks AS w ON w.id = d.webhook_id JOIN events AS e ON e.id = d.event_id WHERE w.dialect = 'sendblue' ORDER BY e.seq, w.kind")
	if want := []string{"callback message.unknown", "outbound message.unknown", "callback message.sent", "outbound message.sent"}; !slices.Equal(posts, want) {
		t.Errorf("%q", posts)
	}
}

// A webhook that the server has switched off says so, and is switched on by being added
// again; how it is tried again is its owner's to choose.
func TestSwitchedOffWebhook(t *testing.T) {
	w := newWorld(t, nil)
	gone := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) }))
	t.Cleanup(gone.Close)
	url, got := receiver(t)
	_, err := w.service.CreateWebhook(t.Context(), cloud.Principal{Account: w.account, Key: store.Key{Permissions: []string{"*"}}}, store.Webhook{Dialect: store.TextingBlue, URL: url + "/off", Events: []string{"webhook.disabled"}, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	list := func() string {
		t.Helper()
		return strings.ReplaceAll(string(w.ok("GET", "/api/account/webhooks", "").body), gone.URL, "GONE")
	}
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q]}`, gone.URL))
	if all := list(); all != `{"status":"OK","webhooks":{"receive":["GONE"]}}` {
		t.Errorf("%s", all)
	}
	mac := w.connect(w.paired(w.line), "a")
	mac.inbound("Hey")
	if p := next(t, got); p.path != "/off" {
		t.Errorf("%+v", p)
	}
	if all := list(); !strings.Contains(all, `{"receive":[{"url":"GONE","disabled_reason":"gone","disabled_at":"20`) {
		t.Errorf("%s", all)
	}
	// What was read can be written back.
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[{"url":%q,"retry_preset":"sendblue","disabled_reason":"gone"}]}`, gone.URL))
	if all := list(); all != `{"status":"OK","webhooks":{"receive":[{"url":"GONE","retry_preset":"sendblue"}]}}` {
		t.Errorf("%s", all)
	}
	mac.inbound("Ho")
	if p := next(t, got); p.path != "/off" { // it was on
		t.Errorf("%+v", p)
	}
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[{"url":%q,"retry_preset":"default"}]}`, gone.URL))
	if all := list(); all != `{"status":"OK","webhooks":{"receive":["GONE"]}}` {
		t.Errorf("%s", all)
	}
	for _, preset := range []string{`"never"`, `3`} {
		w.call("POST", "/api/account/webhooks", w.pair, fmt.Sprintf(`{"webhooks":[{"url":%q,"retry_preset":%s}]}`, gone.URL, preset)).expect(t, http.StatusBadRequest, 4000, "invalid_request", "retry_preset")
	}
}

// A place in the log that cannot be gone on from is answered by the name it was given in.
func TestBadLastEventID(t *testing.T) {
	w := newWorld(t, nil)
	stranger := w.newPair(w.newAccount("team_b", 0), "*")
	log, err := w.service.Events(t.Context(), cloud.Principal{Account: w.account}, store.Sendblue, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	for who, last := range map[pair]string{w.pair: "nonsense", stranger: log.Cursor} {
		req := w.request("GET", "/api/v2/events", who, "")
		req.Header.Set("Last-Event-ID", last)
		if p := w.do(req).expect(t, http.StatusBadRequest, 4000, "invalid_request", "Last-Event-ID"); !strings.Contains(p.Message, "'Last-Event-ID'") {
			t.Errorf("%+v", p)
		}
	}
}

// What was told as received and is the line's own message says so, and nothing else does.
func TestReplacedIsNamed(t *testing.T) {
	for by, want := range map[string]bool{"": false, "msg_abcdefghijkl": true} {
		body, err := sendblue.Dialect().Body(store.Event{Type: "message.updated"}, store.Message{ID: "msg_aaaaaaaaaaaa", Direction: store.Inbound, Status: "received", ReplacedBy: by})
		if err != nil {
			t.Fatal(err)
		}
		var told map[string]any
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatal(err)
		}
		if handle, is := told["replaced_by_handle"]; is != want || is && handle != cloud.Handle(by) {
			t.Errorf("by %q: %s", by, body)
		}
	}
}
