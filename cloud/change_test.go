package cloud_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// byGUID reads the message of the first line with that Apple guid.
func (w *world) byGUID(guid string) store.Message {
	w.t.Helper()
	m, err := w.store.MessageByGUID(context.Background(), w.line.ID, guid)
	if err != nil {
		w.t.Fatalf("%s: %v", guid, err)
	}
	return m
}

func (w *world) details() []string {
	w.t.Helper()
	return w.column("SELECT type || ' ' || detail FROM events WHERE type = 'message.updated' ORDER BY account_id, seq")
}

func received(guid, text string) wire.Report {
	return wire.Report{Kind: wire.Received, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: "any;-;" + somebody, Text: text, Sent: 1}}
}

func TestEditsCountOnce(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("guid", "helo"))
	first := wire.Report{Kind: wire.Edited, GUID: "guid", Change: &wire.Change{Version: 1, At: 5, Text: "hello", Edits: []wire.Edit{{Text: "helo", At: 1}, {Text: "hello", At: 5}}}}
	second := wire.Report{Kind: wire.Edited, GUID: "guid", Change: &wire.Change{Version: 2, At: 7, Text: "hello!", Edits: []wire.Edit{{Text: "helo", At: 1}, {Text: "hello", At: 5}, {Text: "hello!", At: 7}}}}
	for _, r := range []wire.Report{first, first, second, first, {Kind: wire.Edited, GUID: "nobody's", Change: &wire.Change{Version: 1}}} {
		m.report(r)
	}
	got := w.byGUID("guid")
	if got.Content != "hello!" || got.Revision != 2 || got.EditedAt != 7 || !reflect.DeepEqual(got.EditList(), []store.Edit{{Text: "helo", At: 1}, {Text: "hello", At: 5}, {Text: "hello!", At: 7}}) {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.Unsent, GUID: "guid", Change: &wire.Change{Version: 2, At: 9, Whole: true}})
	m.report(wire.Report{Kind: wire.Unsent, GUID: "guid", Change: &wire.Change{Version: 1, At: 8, Text: "late"}})
	if got := w.byGUID("guid"); got.Content != "" || got.UnsentAt != 9 || got.Status != wire.StatusReceived {
		t.Errorf("%+v", got)
	}
	if got, want := w.details(), []string{"message.updated edited", "message.updated edited", "message.updated unsent"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An edit of what we sent is found by the row's guid and leaves its state alone.
func TestEditOfASentMessage(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	one := m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: one.Attempt, GUID: "guid"})
	m.report(wire.Report{Kind: wire.Edited, Message: id, GUID: "guid", Change: &wire.Change{Version: 1, At: 5, Text: "better"}})
	if got := w.message(id); got.Content != "better" || got.Status != wire.StatusSent {
		t.Errorf("%+v", got)
	}
}

func TestChatThatComesLater(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(wire.Report{Kind: wire.Received, GUID: "guid", Inbound: &wire.Inbound{GUID: "guid", From: somebody}})
	if got := w.byGUID("guid"); got.ChatGUID != "" || got.Peer != somebody {
		t.Errorf("%+v", got)
	}
	for range 2 {
		m.report(wire.Report{Kind: wire.Joined, GUID: "guid", Inbound: &wire.Inbound{GUID: "guid", From: somebody, Chat: "any;+;chat7", Group: true, Text: "late"}})
	}
	if got := w.byGUID("guid"); got.ChatGUID != "any;+;chat7" || got.Peer != "any;+;chat7" || got.From != somebody || got.Content != "late" {
		t.Errorf("%+v", got)
	}
	if got := w.details(); !slices.Equal(got, []string{"message.updated text", "message.updated chat"}) {
		t.Errorf("%q", got)
	}
}

// A text that comes below a subject line which was told alone is added, once; nothing else
// that is told again takes the place of what is there.
func TestTextBelowItsSubject(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("in", "Dinner"))
	m.report(wire.Report{Kind: wire.Typed, GUID: "out", Inbound: &wire.Inbound{GUID: "out", From: somebody, Text: "Dinner", Status: wire.StatusSent}})
	m.report(received("edited", "Dinner"))
	m.report(wire.Report{Kind: wire.Edited, GUID: "edited", Change: &wire.Change{Version: 1, Text: "Dinner"}})
	m.report(received("gone", "Dinner"))
	m.report(wire.Report{Kind: wire.Unsent, GUID: "gone", Change: &wire.Change{Version: 1, Whole: true}})
	for _, guid := range []string{"in", "in", "out", "out", "edited", "gone"} {
		m.report(wire.Report{Kind: wire.Joined, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: "any;-;" + somebody, Text: "Dinner\nat eight"}})
	}
	m.report(wire.Report{Kind: wire.Joined, GUID: "in", Inbound: &wire.Inbound{GUID: "in", From: somebody, Text: "Dinners"}})
	for guid, want := range map[string]string{"in": "Dinner\nat eight", "out": "Dinner\nat eight", "edited": "Dinner", "gone": ""} {
		if got := w.byGUID(guid).Content; got != want {
			t.Errorf("%s says %q, want %q", guid, got, want)
		}
	}
	want := []string{"message.updated edited", "message.updated unsent", "message.updated text", "message.updated text", "message.updated chat"}
	if got := w.details(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	list, _, err := w.service.Messages(t.Context(), w.who, store.MessageFilter{Text: "eight", Limit: 10}, "")
	if err != nil || len(list) != 2 {
		t.Errorf("%d are found by the words that came, %v", len(list), err)
	}
}

// What the owner types is in the list and in the log, is never given to a relay, and
// no webhook hears of it.
func TestTypedMessages(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, loopback)
	h := w.hook(url, "message.received", "message.sent", "message.delivered", "message.failed")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	typed := wire.Report{Kind: wire.Typed, GUID: "guid", Inbound: &wire.Inbound{GUID: "guid", From: somebody, Chat: "any;-;" + somebody, Text: secretText, Sent: 1, Status: wire.StatusSent}}
	m.report(typed)
	m.report(typed)
	for _, bad := range []wire.Status{wire.Queued, wire.StatusSending, wire.StatusReceived, ""} {
		r := wire.Report{Kind: wire.Typed, GUID: "bad", Inbound: &wire.Inbound{GUID: "bad", From: somebody, Status: bad}}
		m.report(r)
	}
	if orders := m.idle(); len(orders) != 0 {
		t.Fatalf("%d orders for what was typed", len(orders))
	}
	m.report(wire.Report{Kind: wire.Delivered, GUID: "guid", At: 4})
	m.report(received("in", "answer"))
	m.report(wire.Report{Kind: wire.Delivered, GUID: "in"}) // no state of ours
	one := w.byGUID("guid")
	if one.Direction != store.Outbound || one.Origin != store.OriginDevice || one.Status != wire.StatusDelivered || one.DeliveredAt != 4 ||
		one.From != w.line.PhoneNumber || one.To != somebody || one.InstallID != "" {
		t.Errorf("%+v", one)
	}
	if in := w.byGUID("in"); in.Status != wire.StatusReceived {
		t.Errorf("%+v", in)
	}
	list, _, err := w.service.Messages(t.Context(), w.who, store.MessageFilter{Direction: store.Outbound, Limit: 10}, "")
	if err != nil || len(list) != 1 || list[0].ID != one.ID {
		t.Errorf("%d listed, %v", len(list), err)
	}
	if n, err := w.store.SentInMonth(t.Context(), w.who.Account.ID, time.Now().UnixMilli()); err != nil || n != 0 {
		t.Errorf("%d count against the plan, %v", n, err)
	}
	if events := w.events(); !slices.Equal(events, []string{"message.sent", "message.delivered", "message.received"}) {
		t.Errorf("%q", events)
	}
	next(t, got)
	if list := w.deliveries(h); len(list) != 1 || list[0].EventType != "message.received" {
		t.Errorf("%+v", list)
	}
}

func TestTapbacks(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, rendering(func(e store.Event, m store.Message) (string, error) {
		if e.Tapback == nil { // the Mac has come
			return e.Type, nil
		}
		return e.Type + " " + m.AppleGUID + " " + e.Tapback.Kind + " " + e.Tapback.From, nil
	}, "message.tapback"))
	w.hook(url, "message.tapback")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("guid", "hello"))
	tap := func(guid, target string, own bool) {
		t.Helper()
		r := wire.Report{Kind: wire.Tapped, GUID: guid, Tapback: &wire.Tapback{Target: target, From: somebody, Kind: "love", Own: own}}
		m.report(r)
		m.report(r)
	}
	tap("t1", "guid", false)
	tap("t2", "nobody's", false)
	tap("t3", "guid", true)
	if p := next(t, got); p.body != "message.tapback guid love "+somebody {
		t.Errorf("%q", p.body)
	}
	if events := w.events(); !slices.Equal(events, []string{"message.received", "message.tapback", "message.tapback"}) {
		t.Errorf("%q", events)
	}
	if n := w.column("SELECT apple_guid || ' ' || origin FROM tapbacks ORDER BY apple_guid"); !slices.Equal(n, []string{"t1 ", "t2 ", "t3 device"}) {
		t.Errorf("%q", n)
	}
	list, _, err := w.service.Messages(t.Context(), w.who, store.MessageFilter{Limit: 10}, "")
	if err != nil || len(list) != 1 {
		t.Errorf("%d messages are listed, %v", len(list), err)
	}
}

func TestReplyNamesItsMessage(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("guid", "hello"))
	for _, to := range []string{"guid", "nobody's"} {
		r := received("answer "+to, "yes")
		r.Inbound.ReplyTo, r.Inbound.Junk = to, true
		m.report(r)
	}
	if got := w.byGUID("answer guid"); got.ReplyTo != w.byGUID("guid").ID || !got.Junk {
		t.Errorf("%+v", got)
	}
	if got := w.byGUID("answer nobody's"); got.ReplyTo != "" {
		t.Errorf("%+v", got)
	}
}
