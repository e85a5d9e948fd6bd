package textingblue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/cloudtest"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// The keys of the seed page's three bodies, in its order.
var (
	sentKeys   = []string{"id", "status", "to", "from", "content", "media_url", "created_at"}
	listedKeys = []string{"id", "to", "from", "content", "media_url", "status", "direction", "created_at", "delivered_at"}
	fullKeys   = []string{"id", "to", "from", "content", "media_url", "status", "direction", "error_code", "error_message", "created_at", "delivered_at"}
)

// seedRequest is the body of the seed page's curl line.
const seedRequest = `{
"to": "+14155551234",
"from": "+14155559876",
"content": "Hello from Texting Blue!"
}`

// seedPage is the page whose examples must work.
const seedPage = "../../../shared/seeds/000_295dea5ec4cc3d77.txt"

// The page itself, where it is at hand: its request is the one used here, and its
// bodies have the keys that are asked for here.
func TestSeedPageIsTheOneThatIsTested(t *testing.T) {
	page, err := os.ReadFile(seedPage)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("../shared is not here; the page's request and keys are part of this file")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "-d '")
	if request, _, _ := strings.Cut(rest, "'"); request != seedRequest {
		t.Errorf("the page sends %s", request)
	}
	var bodies []json.RawMessage
	for _, part := range strings.Split(string(page), "\nStatus: 20")[1:] {
		_, text, _ := strings.Cut(part, "\n")
		var body json.RawMessage
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&body); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	if len(bodies) != 3 {
		t.Fatalf("%d bodies on the page", len(bodies))
	}
	same(t, "send", keys(t, bodies[0]), sentKeys)
	var list struct{ Messages []json.RawMessage }
	if err := json.Unmarshal(bodies[1], &list); err != nil {
		t.Fatal(err)
	}
	same(t, "list", keys(t, bodies[1]), []string{"messages", "cursor", "has_more"})
	same(t, "listed", keys(t, list.Messages[0]), listedKeys)
	same(t, "get", keys(t, bodies[2]), fullKeys)
	shows(t, "POST", "/v1/messages/send", http.StatusAccepted, bodies[0])
	shows(t, "GET", "/v1/messages", http.StatusOK, bodies[1])
	shows(t, "GET", "/v1/messages/msg_xxxxxxxxxxxx", http.StatusOK, bodies[2])
}

// The page's curl lines, as they stand there.
func TestExamplesOfThePage(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	deliver := func() {
		t.Helper()
		o := m.order()
		m.report(wire.Report{Kind: wire.Delivered, Message: o.Message, Attempt: o.Attempt, GUID: o.Message, Service: "iMessage"})
	}
	var ids []string // more than a page of the examples has
	for range 10 {
		ids = append(ids, w.send(somebody))
		deliver()
	}
	page := cloudtest.Page{
		File: seedPage, Names: []string{"send", "list", "more", "get"}, Host: "https://api.texting.blue", Headers: []string{"content-type", "x-api-key"}, Changing: changing,
		Own: []string{"id", "created_at", "delivered_at", "cursor", "content"}, // its answers are of a message with another text

		After: func(name string) {
			if name == "send" {
				deliver()
			}
		},
	}
	page.Run(t, w.server.URL, "msg_yyyyyyyyyyyy", ids[1], "msg_xxxxxxxxxxxx", ids[1], "tb_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", w.key)
}

func TestSendAsOnThePage(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/v1/messages/send", "/v1/messages"} {
		a := w.ok("POST", path, seedRequest, http.StatusAccepted)
		same(t, path, keys(t, a.body), sentKeys)
		golden(t, "send", a.body)
		var m struct {
			ID        string
			CreatedAt time.Time `json:"created_at"`
		}
		a.into(t, &m)
		if age := time.Since(m.CreatedAt); age < -time.Second || age > time.Minute || m.CreatedAt.Nanosecond() != 0 {
			t.Errorf("created %s ago", age)
		}
		full := w.get(m.ID)
		same(t, "get", keys(t, full.body), append(slices.Clone(fullKeys), "waiting_for"))
		golden(t, "get_waiting", full.body) // for a Mac
	}
	// Members that the page does not name are ignored, null is missing.
	a := w.ok("POST", "/v1/messages/send", `{"to":"+14155551234","from":"+14155559876","content":"Hello from Texting Blue!","media_url":null,"new":{"a":[1]},"expires":7}`, http.StatusAccepted)
	golden(t, "send", a.body)
	golden(t, "list", w.ok("GET", "/v1/messages?limit=2", "", http.StatusOK).body)
	golden(t, "list_empty", w.ok("GET", "/v1/messages?direction=inbound", "", http.StatusOK).body)
}

// Each step of the lifecycle as clients see it.
func TestLifecycle(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	if o := m.order(); o.Message != id || o.Text != greeting || o.To != somebody {
		t.Fatalf("%+v", o)
	}
	golden(t, "get_queued", w.get(id).body) // the relay has not acknowledged it
	at := time.Date(2026, 2, 7, 12, 0, 3, 999e6, time.UTC).UnixMilli()
	for _, step := range []struct {
		kind   wire.Kind
		status string
		golden string
	}{
		{wire.Accepted, "polling", "get_polling"}, {wire.Sending, "polling", "get_polling"}, {wire.Sent, "sent", "get_sent"},
		{wire.Delivered, "delivered", "get_delivered"}, {wire.Read, "delivered", "get_read"},
	} {
		m.report(wire.Report{Kind: step.kind, Message: id, Attempt: 1, At: at, GUID: "3F2A", Service: "iMessage"})
		a := w.get(id)
		if got := a.member(t, "status"); got != `"`+step.status+`"` {
			t.Errorf("after %s: %s", step.kind, got)
		}
		golden(t, step.golden, a.body)
	}
	a := w.get(id)
	if a.member(t, "delivered_at") != `"2026-02-07T12:00:03Z"` || a.member(t, "read_at") != `"2026-02-07T12:00:03Z"` {
		t.Errorf("%s", a.body) // cut, not rounded
	}
	golden(t, "list_read", w.ok("GET", "/v1/messages", "", http.StatusOK).body)
}

func TestFailed(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Failed, Message: id, GUID: "3F2A", Fault: &wire.Fault{Code: "not_on_imessage", Number: 22, Text: "The recipient is not on iMessage."}})
	golden(t, "get_failed", w.get(id).body)
	m.report(wire.Report{Kind: wire.Sent, Message: id, GUID: "3F2A"})
	golden(t, "get_sent", w.get(id).body) // the row has recovered, and nothing is left of the error
}

const mayHaveBeenSent = `"May have been sent. Do not send again without checking."`

func TestUnknownIsPollingWithAWarning(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "no_row", Text: "No row came."}})
	a := w.get(id)
	if a.member(t, "error_message") != mayHaveBeenSent {
		t.Errorf("%s", a.body)
	}
	golden(t, "get_unknown", a.body)
	if list := w.ok("GET", "/v1/messages?status=polling", "", http.StatusOK); !strings.Contains(string(list.body), id) {
		t.Errorf("not in the list of what is polling: %s", list.body)
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: id, GUID: "3F2A"})
	golden(t, "get_delivered", w.get(id).body)
}

func TestUnknownIsFailedInTheEnd(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.UnknownFinal = time.Millisecond })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1})
	eventually(t, "the message is given up", func() bool { return w.get(id).member(t, "status") == `"failed"` })
	golden(t, "get_unknown_failed", w.get(id).body)
}

func TestContentIsCountedInCharacters(t *testing.T) {
	w := newWorld(t, nil)
	for _, char := range []string{"x", "é", "😀", "名", "\u2028", `"`, "<"} {
		body, _ := json.Marshal(map[string]string{"to": somebody, "from": line, "content": strings.Repeat(char, 5000)})
		a := w.ok("POST", "/v1/messages/send", string(body), http.StatusAccepted)
		var m struct{ Content string }
		w.get(a.id(t)).into(t, &m)
		if m.Content != strings.Repeat(char, 5000) {
			t.Errorf("5000 times %q did not come back", char)
		}
		body, _ = json.Marshal(map[string]string{"to": somebody, "from": line, "content": strings.Repeat(char, 5001)})
		a = w.call("POST", "/v1/messages/send", w.key, string(body))
		a.expect(t, http.StatusBadRequest, "invalid_request", "content")
		if got := a.problem(t).Message; got != "The 'content' field must not exceed 5000 characters." {
			t.Errorf("%s", got)
		}
	}
	// Escaped in the longest way, the longest text still fits a request.
	escaped := strings.Repeat(`\ud83d\ude00`, 5000)
	w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"to":%q,"from":%q,"content":"%s"}`, somebody, line, escaped), http.StatusAccepted)
}

func TestNumbersThatArePossible(t *testing.T) {
	w := newWorld(t, nil)
	for _, to := range []string{"+14155551234", "+442079460000", "+4915112345678", "+33612345678", "+8613800138000", "+61412345678", "+5511987654321", "+15005550001"} {
		if id := w.send(to); w.get(id).member(t, "to") != `"`+to+`"` {
			t.Errorf("%s came back otherwise", to)
		}
	}
}

// page is one answer of the list.
type page struct {
	Messages []struct{ ID, To, From, Status, Direction string }
	Cursor   *string
	HasMore  bool `json:"has_more"`
}

func (w *world) list(query string) (p page) {
	w.t.Helper()
	w.ok("GET", "/v1/messages"+query, "", http.StatusOK).into(w.t, &p)
	if p.HasMore != (p.Cursor != nil) || p.Messages == nil {
		w.t.Errorf("%q: has_more %t, cursor %v", query, p.HasMore, p.Cursor)
	}
	return p
}

func (p page) ids() (list []string) {
	for _, m := range p.Messages {
		list = append(list, m.ID)
	}
	return list
}

// stored writes n messages straight into the table, several in one millisecond, and
// returns their ids, newest first.
func (w *world) stored(n int) []string {
	w.t.Helper()
	var ids []string
	w.write(func(tx *store.Tx) error {
		for i := range n {
			m := store.Message{
				ID: fmt.Sprintf("msg_%012d", i), AccountID: w.account.ID, LineID: w.line.ID, Direction: store.Outbound, Status: wire.StatusSent,
				From: line, To: somebody, Peer: somebody, Content: "x", CreatedAt: int64(1000 + i/7),
			}
			if err := tx.CreateMessage(&m); err != nil {
				return err
			}
			ids = append(ids, m.ID)
		}
		return nil
	})
	slices.Reverse(ids)
	return ids
}

func TestListWalksEachMessageOnce(t *testing.T) {
	w := newWorld(t, nil)
	want := w.stored(125)
	if p := w.list(""); len(p.Messages) != 50 || !p.HasMore || *p.Cursor != p.Messages[49].ID {
		t.Errorf("%d by default, more %t", len(p.Messages), p.HasMore)
	}
	for _, size := range []int{1, 7, 25, 50, 100} {
		var got []string
		query := fmt.Sprintf("?limit=%d", size)
		for next := query; ; {
			p := w.list(next)
			got = append(got, p.ids()...)
			if !p.HasMore {
				break
			}
			if len(p.Messages) != size {
				t.Fatalf("a page of %d with more to come, %d were asked for", len(p.Messages), size)
			}
			next = query + "&cursor=" + *p.Cursor
			if size > 1 { // one arrives between two pages
				w.send(somebody)
			}
		}
		// What had been there before the walk, without what came before it began.
		got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
		same(t, fmt.Sprintf("pages of %d", size), got, want)
	}
	// A last page that is exactly full says that it is the last.
	w.newLine(w.account, "+14155550000")
	for i := range 4 {
		w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"to":"+1415555200%d","from":"+14155550000","content":"x"}`, i), http.StatusAccepted)
	}
	p := w.list("?from=%2B14155550000&limit=2")
	p = w.list("?from=%2B14155550000&limit=2&cursor=" + *p.Cursor)
	if len(p.Messages) != 2 || p.HasMore || p.Cursor != nil {
		t.Errorf("%+v", p)
	}
	if p := w.list("?from=%2B14155550000&limit=2&cursor=" + p.Messages[1].ID); len(p.Messages) != 0 || p.HasMore {
		t.Errorf("beyond the end: %+v", p)
	}
}

func TestListFilters(t *testing.T) {
	w := newWorld(t, nil)
	other := w.newLine(w.account, "+14155550000")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	all := make(map[string]string) // id by what became of it
	for i, kind := range []wire.Kind{wire.Accepted, wire.Sent, wire.Delivered, wire.Read, wire.Failed, wire.Unknown} {
		id := w.send(fmt.Sprintf("+1415555100%d", i))
		m.order()
		m.report(wire.Report{Kind: kind, Message: id, Attempt: 1})
		all[string(kind)] = id
		if kind == wire.Accepted { // or it would keep its place in the window
			continue
		}
	}
	all["queued"] = w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"to":"+14155552000","from":%q,"content":"x"}`, other.PhoneNumber), http.StatusAccepted).id(t)
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "in", From: somebody, Text: "Hey"}})
	all["received"] = w.list("?direction=inbound").Messages[0].ID
	for query, want := range map[string][]string{
		"":                                       {"accepted", "sent", "delivered", "read", "failed", "unknown", "queued", "received"},
		"?status=queued":                         {"queued"},
		"?status=polling":                        {"accepted", "unknown"},
		"?status=sent":                           {"sent"},
		"?status=delivered":                      {"delivered", "read"},
		"?status=failed":                         {"failed"},
		"?status=received":                       {"received"},
		"?direction=inbound":                     {"received"},
		"?direction=outbound":                    {"accepted", "sent", "delivered", "read", "failed", "unknown", "queued"},
		"?direction=inbound&status=sent":         {},
		"?from=%2B14155550000":                   {"queued"},
		"?from=+14155550000":                     {"queued"}, // the client forgot to escape it
		"?from=%2B14155551234":                   {"received"},
		"?to=%2B14155559876":                     {"received"},
		"?to=+14155551001":                       {"sent"},
		"?to=%2B14155551001&from=%2B14155559876": {"sent"},
		"?to=%2B14155551001&from=%2B14155550000": {},
		"?q=hey":                                 {"received"},
		"?q=HE&status=received":                  {"received"},
		"?q=he%20hey":                            {},
		"?q=hey%22%20OR%20%22x":                  {},
		"?q=x%2A":                                {"queued"},
		"?to=nobody":                             {},
		"?from=&to=&status=&direction=&q=&limit=&cursor=": {"accepted", "sent", "delivered", "read", "failed", "unknown", "queued", "received"},
		"?unknown=filter&status=sent":                     {"sent"},
	} {
		got := w.list(query).ids()
		var ids []string
		for _, name := range want {
			ids = append(ids, all[name])
		}
		slices.Sort(got)
		slices.Sort(ids)
		same(t, query, got, ids)
	}
}

// Keys that are ours are there only where they have something to say.
func TestInboundAndGroupMessages(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "a", From: somebody, Text: "Hey, is this available?", Chat: "any;-;" + somebody}})
	id := w.list("").Messages[0].ID
	golden(t, "get_received", w.get(id).body)
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "b", From: "john@example.com", Text: "Hi all", Chat: "chat123", Group: true}})
	id = w.list("").Messages[0].ID
	golden(t, "get_received_group", w.get(id).body)
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "c", From: somebody, Text: ""}})
	id = w.list("").Messages[0].ID
	if got := w.get(id).member(t, "content"); got != `""` {
		t.Errorf("content without text is %s", got)
	}
}

// A person is found by his e-mail address as one writes to it, in any case of letters.
func TestListByAnAddress(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send("Ann@Example.com")
	for query, want := range map[string]int{"to=ann@example.com": 1, "to=ANN@example.COM": 1, "to=ann@example.org": 0, "from=ANN@example.com": 0} {
		var p struct{ Messages []struct{ ID string } }
		w.ok("GET", "/v1/messages?"+query, "", http.StatusOK).into(t, &p)
		if len(p.Messages) != want || want == 1 && p.Messages[0].ID != id {
			t.Errorf("%s: %+v", query, p)
		}
	}
}
