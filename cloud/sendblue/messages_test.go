package sendblue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// message is what tests read of a message, of a webhook and of a status.
type message struct {
	Handle         string   `json:"message_handle"`
	AccountEmail   string   `json:"accountEmail"`
	Content        string   `json:"content"`
	FromNumber     string   `json:"from_number"`
	ToNumber       string   `json:"to_number"`
	Number         string   `json:"number"`
	Status         string   `json:"status"`
	Service        string   `json:"service"`
	IsOutbound     bool     `json:"is_outbound"`
	MediaURL       string   `json:"media_url"`
	MessageType    string   `json:"message_type"`
	GroupID        string   `json:"group_id"`
	GroupName      string   `json:"group_display_name"`
	SendblueNumber string   `json:"sendblue_number"`
	Participants   []string `json:"participants"`
	ErrorCode      *int     `json:"error_code"`
	ErrorReason    *string  `json:"error_reason"`
	DateSent       string   `json:"date_sent"`
}

type page struct {
	Status     string    `json:"status"`
	Data       []message `json:"data"`
	Pagination struct {
		Limit, Offset, Total *int
		HasMore              *bool
	} `json:"pagination"`
}

// send sends the greeting to a number and returns the answer.
func (w *world) send(to, more string) message {
	w.t.Helper()
	var m message
	w.ok("POST", "/api/send-message", fmt.Sprintf(`{"number":%q,"from_number":%q,"content":%q%s}`, to, line, greeting, more)).into(w.t, &m)
	return m
}

// get reads a message.
func (w *world) get(handle string) message {
	w.t.Helper()
	var one struct {
		Status string
		Data   message
	}
	w.ok("GET", "/api/v2/messages/"+handle, "").into(w.t, &one)
	if one.Status != "OK" {
		w.t.Errorf("the status is %s", one.Status)
	}
	return one.Data
}

// keysOf lists the members of a JSON object in their order.
func keysOf(t testing.TB, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(object)))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		t.Fatalf("%s is no object: %v", object, err)
	}
	var list []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		list = append(list, name.(string))
	}
	return list
}

// seedKeys are the fields of the seed page's table.
var seedKeys = []string{
	"message_handle", "content", "from_number", "to_number", "status", "service", "is_outbound", "date_sent", "date_updated", "media_url", "was_downgraded",
	"message_type", "group_id", "participants", "send_style", "opted_out", "sendblue_number", "number", "accountEmail", "group_display_name",
	"error_code", "error_message", "error_reason", "error_detail",
}

func TestLifeOfASend(t *testing.T) {
	w := newWorld(t, nil)
	m := w.send(somebody, "")
	if m.Status != "QUEUED" || m.Number != somebody || m.ToNumber != somebody || m.FromNumber != line || m.AccountEmail != "owner@acme.example" || m.Content != greeting || !m.IsOutbound || m.MessageType != "message" {
		t.Errorf("%+v", m)
	}
	if got := w.get(m.Handle).Status; got != "REGISTERED" { // its line has no Mac yet
		t.Errorf("the status is %s", got)
	}
	mac := w.connect(w.paired(w.line), "a")
	order := mac.order()
	if order.Text != greeting || order.To != somebody {
		t.Errorf("the order is %+v", order)
	}
	id := cloud.MessageOf(m.Handle)
	for _, step := range []struct {
		kind wire.Kind
		want string
	}{{wire.Accepted, "ACCEPTED"}, {wire.Sending, "ACCEPTED"}, {wire.Sent, "SENT"}, {wire.Delivered, "DELIVERED"}, {wire.Read, "DELIVERED"}} {
		mac.report(wire.Report{Kind: step.kind, Message: id, Attempt: 1, GUID: "5A17", Service: "iMessage"})
		if got := w.get(m.Handle).Status; got != step.want {
			t.Errorf("after %s it is %s", step.kind, got)
		}
	}
	var status message
	w.ok("GET", "/api/status?handle="+m.Handle, "").into(t, &status)
	if status.Status != "DELIVERED" || status.Handle != m.Handle {
		t.Errorf("%+v", status)
	}
	w.ok("GET", "/api/status?message_handle="+m.Handle, "")

	one := w.ok("GET", "/api/v2/messages/"+m.Handle, "")
	var data struct{ Data json.RawMessage }
	one.into(t, &data)
	have := keysOf(t, data.Data)
	for _, key := range seedKeys {
		if !slices.Contains(have, key) {
			t.Errorf("there is no %s", key)
		}
	}
	for _, want := range []string{
		`"media_url":""`, `"was_downgraded":false`, `"group_id":""`, `"group_display_name":""`, `"send_style":""`, `"participants":[]`, `"opted_out":false`,
		`"error_code":null`, `"error_message":null`, `"error_reason":null`, `"error_detail":null`, `"apple_guid":"5A17"`, `"date_sent":"2026-02-07T12:00:03.000Z"`,
	} {
		if !strings.Contains(string(data.Data), want) {
			t.Errorf("no %s in %s", want, data.Data)
		}
	}

	if got := string(w.ok("DELETE", "/api/message/"+m.Handle, "").body); got != `{"status":"OK","message":"Message deleted"}` {
		t.Errorf("%s", got)
	}
	for _, r := range [][2]string{{"DELETE", "/api/message/" + m.Handle}, {"GET", "/api/v2/messages/" + m.Handle}, {"GET", "/api/status?handle=" + m.Handle}} {
		if p := w.call(r[0], r[1], w.pair, "").expect(t, http.StatusNotFound, 0, "not_found", ""); p.Message != "Message not found" {
			t.Errorf("%v: %s", r, p.Message)
		}
	}
	var list page
	w.ok("GET", "/api/v2/messages", "").into(t, &list)
	if len(list.Data) != 0 || *list.Pagination.Total != 0 {
		t.Errorf("%+v", list)
	}
}

// Words find one's own messages, whatever signs are among them.
func TestSearch(t *testing.T) {
	w := newWorld(t, nil)
	handle := w.send(somebody, `,"content":"Dinner at eight, says O'Neill"`).Handle // of two the last counts
	w.send(somebody, "")
	other := w.newAccount("team_b", 0)
	pair := w.newPair(other, "*")
	for q, want := range map[string]int{"dinner": 1, "DIN": 1, "o'neill%20din": 1, "dinner%20nine": 0, "%22OR%22%20*": 0, "": 2} {
		var list page
		w.ok("GET", "/api/v2/messages?q="+q, "").into(t, &list)
		if len(list.Data) != want || *list.Pagination.Total != want || want == 1 && list.Data[0].Handle != handle {
			t.Errorf("%q finds %d of %d, want %d", q, len(list.Data), *list.Pagination.Total, want)
		}
	}
	var list page
	w.call("GET", "/api/v2/messages?q=dinner", pair, "").into(t, &list)
	if len(list.Data) != 0 {
		t.Errorf("another account finds %+v", list.Data)
	}
}

func TestFailuresByTheirCodes(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	for _, c := range []struct {
		report wire.Report
		code   int
		reason string
	}{
		{wire.Report{Kind: wire.Failed, Fault: &wire.Fault{Code: "not_on_imessage", Number: 22, Text: "The recipient is not on iMessage."}}, 10001, "not_on_imessage"},
		{wire.Report{Kind: wire.Unknown, Fault: &wire.Fault{Code: "no_row", Text: "No row came."}}, 10002, "outcome_unknown"},
	} {
		m := w.send(somebody, "")
		order := mac.order()
		c.report.Message, c.report.Attempt = order.Message, order.Attempt
		mac.report(c.report)
		got := w.get(m.Handle)
		if got.Status != "ERROR" || got.ErrorCode == nil || *got.ErrorCode != c.code || got.ErrorReason == nil || *got.ErrorReason != c.reason {
			t.Errorf("%s: %s %v %v", c.report.Kind, got.Status, got.ErrorCode, got.ErrorReason)
		}
	}
}

func TestBadSends(t *testing.T) {
	w := newWorld(t, nil)
	w.newLine(w.newAccount("team_b", 0), "+14155559876")
	for body, want := range map[string]struct {
		code  int
		field string
	}{
		``: {4000, ""}, `[]`: {4000, ""}, `{`: {4000, ""}, `null`: {4000, ""},
		`{"content":"Hello"}`:                                                            {4000, "number"},
		`{"number":"+19998887777"}`:                                                      {4000, "content"},
		`{"number":"5","content":"Hello"}`:                                               {4002, "number"},
		`{"number":"911","content":"Hello"}`:                                             {4002, "number"},
		`{"number":"nobody","content":"Hello"}`:                                          {4000, "number"},
		`{"number":7,"content":"Hello"}`:                                                 {4000, "number"},
		`{"number":"+19998887777","content":7}`:                                          {4000, "content"},
		`{"number":"+19998887777","content":"Hello","from_number":"+1"}`:                 {4000, "from_number"},
		`{"number":"+19998887777","content":"x","from_number":"+14155559876"}`:           {4000, "from_number"}, // another account's
		`{"number":"+19998887777","content":"x","from_number":"+14155550000"}`:           {4000, "from_number"},
		`{"number":"+19998887777","media_url":"http://example.com/a.jpg"}`:               {4000, "media_url"},
		`{"number":"+19998887777","content":"x","status_callback":"ftp://example.com/"}`: {4000, "status_callback"},
		`{"number":"+19998887777","content":"x","send_style":"confetti"}`:                {4000, "send_style"},
		`{"number":"+19998887777","content":"x","reply_to":{"message_handle":"y"}}`:      {4000, "reply_to"},
		`{"number":"+19998887777","content":"x","expires_at":"2001-01-01T00:00:00Z"}`:    {4000, "expires_at"},
		`{"number":"+19998887777","content":"` + strings.Repeat("é", 18997) + `"}`:       {4000, "content"},
	} {
		w.call("POST", "/api/send-message", w.pair, body).expect(t, http.StatusBadRequest, want.code, "invalid_request", want.field)
	}
	for body, field := range map[string]string{
		`{"content":"x"}`: "group_id", `{"content":"x","group_id":"any;+;chat1"}`: "group_id",
		`{"content":"x","group_id":"any;+;chat1","numbers":["+19998887777"]}`: "group_id",
		`{"content":"x","numbers":["+19998887777","+15552223333"]}`:           "numbers", `{"content":"x","numbers":"y"}`: "numbers",
	} {
		w.call("POST", "/api/send-group-message", w.pair, body).expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
	var list page
	if w.ok("GET", "/api/v2/messages", "").into(t, &list); *list.Pagination.Total != 0 {
		t.Errorf("something was stored: %+v", list)
	}
	// The longest text that is allowed.
	w.ok("POST", "/api/send-message", `{"number":"+19998887777","content":"`+strings.Repeat("é", 18996)+`"}`)
	// With a second line it must be said which.
	w.newLine(w.account, "+14155550001")
	w.call("POST", "/api/send-message", w.pair, `{"number":"+19998887777","content":"x"}`).expect(t, http.StatusBadRequest, 4000, "invalid_request", "from_number")
}

func TestLenientBodies(t *testing.T) {
	w := newWorld(t, nil)
	form := url.Values{"number": {somebody}, "content": {"a&b"}}.Encode()
	for name, c := range map[string]struct{ kind, body string }{
		"JSON without a type": {"", `{"number":"+19998887777","content":"a&b"}`},
		"JSON called a form":  {"application/x-www-form-urlencoded", `  {"number":"+19998887777","content":"a&b"}`},
		"a form":              {"application/x-www-form-urlencoded", form},
		"a plus that is lost": {"application/x-www-form-urlencoded; charset=utf-8", "number=+19998887777&content=a%26b"},
		"doubled fields":      {"application/json", `{"number":"+1","number":"+19998887777","content":"","content":"a&b"}`},
		"a doubled form":      {"application/x-www-form-urlencoded", "number=1&number=%2B19998887777&content=a%26b"},
		"nulls and others":    {"text/plain", `{"number":"+19998887777","content":"a&b","media_url":null,"from_number":"","send_style":"","reply_to":null,"new":[1]}`},
	} {
		req := w.request("POST", "/api/send-message", w.pair, c.body)
		req.Header.Set("Content-Type", c.kind)
		a := w.do(req)
		var m message
		a.into(t, &m)
		if a.status != http.StatusOK || m.Number != somebody || m.Content != "a&b" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestList(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	m := w.send(somebody, "")
	order := mac.order()
	mac.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
	mac.inbound("Hey")
	total := func(query string) int {
		t.Helper()
		var list page
		w.ok("GET", "/api/v2/messages?"+query, "").into(t, &list)
		if list.Status != "OK" || len(list.Data) != min(*list.Pagination.Total, *list.Pagination.Limit) || list.Pagination.HasMore == nil {
			t.Errorf("%s: %+v", query, list)
		}
		return *list.Pagination.Total
	}
	now := time.Now().UTC()
	for query, want := range map[string]int{
		"": 2, "limit=1": 2, "status=SENT": 1, "status=received": 1, "status=ERROR": 0, "service=iMessage": 2, "service=imessage&is_outbound=true&limit=50": 1,
		"service=SMS": 0, "service=RCS": 0, "is_outbound=false": 1, "message_type=message": 2, "message_type=group": 0, "status=SUCCESS": 0, "status=DECLINED": 0,
		"from_number=%2B15551234567": 1, "from_number=+15551234567": 1, "to_number=+15551234567": 1, "number=+19998887777": 2, "number=+15551234567": 2, "number=+1": 0,
		"sendblue_number=+15551234567": 2, "sendblue_number=+19998887777": 0, "group_id=any": 0, "group_id=": 2, "status=&limit=&order_by=": 2, "worker_id=7": 2,
		"account_email=owner@acme.example": 2, "account_email=x@y.example": 0, "unknown=1": 2,
		"created_at_gte=" + now.Add(time.Hour).Format(time.RFC3339): 0, "created_at_lte=" + now.Add(time.Hour).Format(time.RFC3339): 2,
		"created_at_gte=" + now.Add(-time.Hour).Format("2006-01-02T15:04:05.000Z"): 2, "created_at_lte=1970-01-01": 0,
		"sent_at_gte=2026-02-07T12:00:03.000Z&sent_at_lte=2026-02-07T13:00:03.000+01:00": 1, "updated_at_gte=2026-01-01": 2, "updated_at_lte=2020-01-01T00:00:00": 0,
	} {
		if got := total(query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}
	var list page
	w.ok("GET", "/api/v2/messages?limit=1&offset=1", "").into(t, &list)
	if list.Data[0].Handle != m.Handle || *list.Pagination.HasMore || *list.Pagination.Limit != 1 || *list.Pagination.Offset != 1 {
		t.Errorf("%+v", list)
	}
	for _, by := range []string{"createdAt", "created_at", "updatedAt", "updated_at", "sentAt", "sent_at"} {
		w.ok("GET", "/api/v2/messages?order_by="+by+"&order_direction=asc", "").into(t, &list)
		if len(list.Data) != 2 || list.Data[0].Handle != m.Handle {
			t.Errorf("%s: %+v", by, list)
		}
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=abc": "limit", "limit=1.5": "limit", "limit=-1": "limit", "offset=-1": "offset", "offset=x": "offset", "offset=99999999999": "offset", "q=%21": "q",
		"order_by=date": "order_by", "order_direction=up": "order_direction", "status=READ": "status", "status=sent,error": "status", "service=fax": "service",
		"is_outbound=yes": "is_outbound", "message_type=inbound": "message_type", "created_at_gte=yesterday": "created_at_gte", "sent_at_lte=1": "sent_at_lte", "updated_at_gte=2026-13-01": "updated_at_gte",
	} {
		w.call("GET", "/api/v2/messages?"+query, w.pair, "").expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
	// Of a parameter that comes twice the last counts.
	if got := total("status=ERROR&status=SENT"); got != 1 {
		t.Errorf("%d", got)
	}
	other := w.newPair(w.newAccount("team_b", 0), "*")
	for _, r := range [][2]string{{"GET", "/api/v2/messages/" + m.Handle}, {"DELETE", "/api/message/" + m.Handle}, {"GET", "/api/status?handle=" + m.Handle}} {
		mine := w.call(r[0], r[1], other, "")
		none := w.call(r[0], strings.Replace(r[1], m.Handle, aHandle, 1), other, "")
		if mine.status != http.StatusNotFound || string(mine.body) != string(none.body) {
			t.Errorf("%v: %d %s", r, mine.status, mine.body)
		}
	}
}

// TestRepeatedBySDK holds the rule for requests that the official SDK repeats.
func TestRepeatedBySDK(t *testing.T) {
	w := newWorld(t, nil)
	try := func(count, body string, who pair) (string, bool) {
		t.Helper()
		req := w.request("POST", "/api/send-message", who, body)
		if count != "" {
			req.Header.Set("X-Stainless-Retry-Count", count)
		}
		a := w.do(req)
		var m message
		if a.into(t, &m); a.status != http.StatusOK {
			t.Fatalf("%s", a.body)
		}
		return m.Handle, a.header.Get("Idempotency-Replayed") == "true"
	}
	const body = `{"number":"+19998887777","content":"Hello"}`
	first, _ := try("0", body, w.pair)
	if again, replayed := try("1", `{"content":"Hello", "number":"+19998887777"}`, w.pair); again != first || !replayed {
		t.Error("the second try was another request")
	}
	w.stop()
	w.start() // it is on disk
	if again, _ := try("2", body, w.pair); again != first {
		t.Error("the third try was another request")
	}
	second, replayed := try("0", body, w.pair)
	if second == first || replayed {
		t.Error("a first try was taken for a repetition")
	}
	if again, _ := try("1", body, w.pair); again != second {
		t.Error("a repetition has the answer of an older request")
	}
	for name, c := range map[string]struct {
		count, body string
		who         pair
	}{
		"no count":       {"", body, w.pair},
		"another text":   {"1", `{"number":"+19998887777","content":"Hello!"}`, w.pair},
		"another key":    {"1", body, w.newPair(w.account, "*")},
		"no number":      {"x", body, w.pair},
		"a negative one": {"-1", body, w.pair},
	} {
		if handle, replayed := try(c.count, c.body, c.who); handle == first || handle == second || replayed {
			t.Errorf("%s: taken for a repetition", name)
		}
	}
}

// What came before the window is another request, whatever its client counts.
func TestRepeatWindow(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.RepeatWindow = -time.Second }) // it is over before it begins
	send := func(count string) string {
		req := w.request("POST", "/api/send-message", w.pair, `{"number":"+19998887777","content":"Hello"}`)
		req.Header.Set("X-Stainless-Retry-Count", count)
		var m message
		w.do(req).into(t, &m)
		return m.Handle
	}
	if send("0") == send("1") {
		t.Error("an old request is still recognised")
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, nil)
	try := func(key, body string) answer {
		req := w.request("POST", "/api/send-message", w.pair, body)
		req.Header.Set("Idempotency-Key", key)
		return w.do(req)
	}
	const body = `{"number":"+19998887777","content":"Hello"}`
	first, again := try("k", body), try(`"k"`, body)
	if first.status != http.StatusOK || string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s\n%s %v", first.body, again.body, again.header)
	}
	other := try("k", `{"number":"+19998887777","content":"Bye"}`)
	other.expect(t, http.StatusUnprocessableEntity, 4000, "idempotency_key_reused", "")
	if other.header.Get("x-should-retry") != "false" {
		t.Errorf("%v", other.header)
	}
	try("two words", body).expect(t, http.StatusBadRequest, 4000, "invalid_request", "Idempotency-Key")
}

// A person is found by his e-mail address as one writes to it, in any case of letters.
func TestListByAnAddress(t *testing.T) {
	w := newWorld(t, nil)
	w.send("Ann@Example.com", "")
	for query, want := range map[string]int64{"to_number=ANN@example.com": 1, "number=ANN@example.com": 1, "from_number=ANN@example.com": 0} {
		var p struct{ Pagination struct{ Total int64 } }
		w.ok("GET", "/api/v2/messages?"+query, "").into(t, &p)
		if p.Pagination.Total != want {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// A filter counts as it was meant, or is refused: one that is passed over shows everything.
func TestNoFilterIsPassedOver(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	mac.inbound("Hey")
	for _, chat := range []string{"any;+;chat42", "any;+;chat43"} {
		mac.report(wire.Report{Kind: wire.Received, GUID: chat, Inbound: &wire.Inbound{GUID: chat, From: somebody, Chat: chat, Group: true, Text: "Hey all", Service: "iMessage"}})
	}
	w.send("ann+blue@example.com", "")
	for query, want := range map[string]int{
		"group_id=any;+;chat42": 1, "group_id=any%3B%2B%3Bchat42": 1, "group_id=any;%2B;chat42&message_type=group": 1, "group_id=any;+;chat4": 0, "message_type=group": 2,
		"number=ann+blue@example.com": 1, "to_number=ann%2Bblue@example.com": 1, "account_email=owner+x@acme.example": 0, "q=hey;all": 2,
	} {
		var list page
		w.ok("GET", "/api/v2/messages?"+query, "").into(t, &list)
		if *list.Pagination.Total != want {
			t.Errorf("%s: %d, not %d", query, *list.Pagination.Total, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience) // a stream of everything would not end
	defer cancel()
	for path, field := range map[string]string{
		"v2/messages?group_id=%zz": "group_id", "v2/messages?limit=1&number=%2": "number", "v2/messages?service=SMS;x": "service", "v2/messages?unknown=%FF": "unknown",
		"status?handle=%": "handle", "evaluate-service?number=%": "number", "v2/contacts?cid=%": "cid", "v2/events?types=%": "types",
	} {
		w.do(w.request("GET", "/api/"+path, w.pair, "").WithContext(ctx)).expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
	form := func(path, body string) answer {
		req := w.request("POST", path, w.pair, body)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.do(req)
	}
	var m message
	if form("/api/send-group-message", "group_id=any;+;chat42&content=Hey+you").into(t, &m); m.GroupID != "any;+;chat42" || m.Content != "Hey you" {
		t.Errorf("%+v", m)
	}
	if form("/api/send-message", "number=ann+blue@example.com&content=Hey").into(t, &m); m.Number != "ann+blue@example.com" {
		t.Errorf("%+v", m)
	}
	form("/api/send-message", "number=%zz&content=Hey").expect(t, http.StatusBadRequest, 4000, "invalid_request", "number")
	w.call("POST", "/api/send-message", w.pair, `{"number":"ann blue@example.com","content":"Hey"}`).expect(t, http.StatusBadRequest, 4000, "invalid_request", "number")
}
