package sendblue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// blue is a message as Texting Blue's API shows it.
type blue struct {
	ID        string  `json:"id"`
	To        string  `json:"to"`
	From      string  `json:"from"`
	Content   string  `json:"content"`
	MediaURL  *string `json:"media_url"`
	Status    string  `json:"status"`
	Direction string  `json:"direction"`
	GroupID   string  `json:"group_id"`
	ErrorCode *string `json:"error_code"`
}

// blueCall makes a request of Texting Blue's API.
func (w *world) blueCall(method, path, key, body string, into any) int {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	a := w.do(req)
	if into != nil {
		a.into(w.t, into)
	}
	return a.status
}

// TestOneRuleBook sends by each API and reads by both, through every state.
func TestOneRuleBook(t *testing.T) {
	w := newWorld(t, nil)
	_, key, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	mac := w.connect(w.paired(w.line), "a")
	const group = "any;+;chat7"
	mac.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "g", From: somebody, Chat: group, Group: true, Text: "Hey all", Service: "iMessage"}})

	both := func(id string) (blue, message) {
		t.Helper()
		var b blue
		if status := w.blueCall("GET", "/v1/messages/"+id, key, "", &b); status != http.StatusOK {
			t.Fatalf("%s: %d", id, status)
		}
		s := w.get(cloud.Handle(id))
		if b.Content != s.Content || b.From != s.FromNumber || (b.Direction == "outbound") != s.IsOutbound || b.GroupID != s.GroupID || s.GroupID == "" && b.To != s.ToNumber {
			t.Errorf("%+v\n%+v", b, s)
		}
		if b.MediaURL == nil && s.MediaURL != "" || b.MediaURL != nil && *b.MediaURL != s.MediaURL {
			t.Errorf("%+v\n%+v", b, s)
		}
		return b, s
	}
	byBlue := func(body string) string {
		t.Helper()
		var b blue
		if status := w.blueCall("POST", "/v1/messages/send", key, body, &b); status != http.StatusAccepted {
			t.Fatalf("%s: %d", body, status)
		}
		return b.ID
	}
	bySendblue := func(path, body string) string {
		t.Helper()
		var s message
		w.ok("POST", path, body).into(t, &s)
		return cloud.MessageOf(s.Handle)
	}
	steps := []struct {
		kind           wire.Kind
		blue, sendblue string
	}{
		{wire.Accepted, "polling", "ACCEPTED"}, {wire.Sending, "polling", "ACCEPTED"}, {wire.Unknown, "polling", "ERROR"}, {wire.Sent, "sent", "SENT"},
		{wire.Delivered, "delivered", "DELIVERED"}, {wire.Read, "delivered", "DELIVERED"},
	}
	for i, send := range []func() string{
		func() string { return byBlue(fmt.Sprintf(`{"to":%q,"from":%q,"content":"one"}`, somebody, line)) },
		func() string {
			return bySendblue("/api/send-message", fmt.Sprintf(`{"number":%q,"from_number":%q,"content":"two"}`, somebody, line))
		},
		func() string { return byBlue(fmt.Sprintf(`{"group_id":%q,"from":%q,"content":"three"}`, group, line)) },
		func() string {
			return bySendblue("/api/send-group-message", fmt.Sprintf(`{"group_id":%q,"from_number":%q,"content":"four"}`, group, line))
		},
	} {
		id := send()
		order := mac.order()
		for order.Message != id { // one that was written twice comes again
			order = mac.order()
		}
		if b, s := both(id); b.Status != "queued" || s.Status != "QUEUED" {
			t.Errorf("%s %s", b.Status, s.Status)
		}
		if _, s := both(id); (s.MessageType == "group") != (i >= 2) || i >= 2 && s.GroupID != group {
			t.Errorf("%+v", s)
		}
		for _, step := range steps {
			mac.report(wire.Report{Kind: step.kind, Message: id, Attempt: order.Attempt, GUID: fmt.Sprintf("guid-of-%d", i), Service: "iMessage"})
			if b, s := both(id); b.Status != step.blue || s.Status != step.sendblue {
				t.Errorf("after %s: %s and %s", step.kind, b.Status, s.Status)
			}
		}
	}
	// A file is on its way.
	for _, id := range []string{
		byBlue(fmt.Sprintf(`{"to":%q,"from":%q,"content":"five","media_url":"https://127.0.0.1:1/a.jpg"}`, somebody, line)),
		bySendblue("/api/send-message", fmt.Sprintf(`{"number":%q,"from_number":%q,"media_url":"https://127.0.0.1:1/a.jpg"}`, somebody, line)),
	} {
		if b, s := both(id); b.Status != "queued" || s.Status != "PENDING" || s.MediaURL == "" {
			t.Errorf("%s and %s", b.Status, s.Status)
		}
	}
	// What one refuses the other refuses, and both say that nothing is there.
	for to, want := range map[string]int{"911": 400, "nobody": 400, "+1": 400, "+15551112222": 0} {
		b := w.blueCall("POST", "/v1/messages/send", key, fmt.Sprintf(`{"to":%q,"from":%q,"content":"x"}`, to, line), nil)
		s := w.call("POST", "/api/send-message", w.pair, fmt.Sprintf(`{"number":%q,"from_number":%q,"content":"x"}`, to, line)).status
		if want == 0 && (b != http.StatusAccepted || s != http.StatusOK) || want != 0 && (b != want || s != want) {
			t.Errorf("%s: %d and %d", to, b, s)
		}
	}
	// Both lists have the same messages.
	var blues struct{ Messages []blue }
	w.blueCall("GET", "/v1/messages?limit=100", key, "", &blues)
	var list page
	w.ok("GET", "/api/v2/messages", "").into(t, &list)
	if len(blues.Messages) != len(list.Data) {
		t.Fatalf("%d and %d", len(blues.Messages), len(list.Data))
	}
	for i, b := range blues.Messages {
		if cloud.Handle(b.ID) != list.Data[i].Handle {
			t.Errorf("%d: %s and %s", i, b.ID, list.Data[i].Handle)
		}
	}
	// The group's messages by its id, which has to be escaped.
	w.ok("GET", "/api/v2/messages?message_type=group&group_id="+url.QueryEscape(group), "").into(t, &list)
	if *list.Pagination.Total != 3 {
		raw, _ := json.Marshal(list)
		t.Errorf("%s", raw)
	}
}
