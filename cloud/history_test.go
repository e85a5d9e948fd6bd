package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// history posts messages of the past as a Mac does.
func (w *world) history(secret string, body []byte) (int, wire.HistoryAnswer) {
	w.t.Helper()
	return postAsMac[wire.HistoryAnswer](w, "/relay/v1/history", secret, string(body))
}

func historyOf(t *testing.T, list ...wire.Past) []byte {
	t.Helper()
	data, err := json.Marshal(wire.History{Messages: list})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *world) list() []store.Message {
	w.t.Helper()
	list, _, err := w.service.Messages(w.t.Context(), w.who, store.MessageFilter{Limit: 100}, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// The past stands in lists at its dates, as the rows say, once, and nobody is told.
func TestHistory(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	hook := "http://127.0.0.1:1/hook"
	w.write(func(tx *store.Tx) error {
		return tx.CreateWebhook(store.Webhook{ID: "whk_1", AccountID: w.who.Account.ID, Dialect: store.TextingBlue, URL: hook, Active: true,
			Events: []string{"message.received", "message.sent", "message.failed"}, Secret: "whsec_x", CreatedAt: 1})
	})
	day := func(n int) int64 { return time.Date(2025, 1, n, 12, 0, 0, 0, time.UTC).UnixMilli() }
	const alice, room = "+14155550101", "any;+;chat123456789"
	past := []wire.Past{
		{GUID: "IN", Handle: alice, Chat: "any;-;" + alice, Service: "iMessage", Text: secretText, Status: wire.StatusReceived, At: day(2), Junk: true},
		{GUID: "OWN", Own: true, Handle: alice, Service: "iMessage", Text: "own", Status: wire.StatusRead, At: day(4), Delivered: day(5), Read: day(6)},
		{GUID: "FAILED", Own: true, Handle: alice, Service: "SMS", Text: "failed", Status: wire.StatusFailed, At: day(1), Fault: &wire.Fault{Code: "messages_error", Number: 22, Text: "No."}},
		{GUID: "ROOM", Own: true, Chat: room, Group: true, Text: "to all", Status: wire.StatusSent, At: day(3), ReplyTo: "IN"},
	}
	now := w.send(alice)
	if status, answer := w.history(secret, historyOf(t, past...)); status != http.StatusOK || answer.New != 4 {
		t.Fatalf("%d %+v", status, answer)
	}
	// One of them again, with something new.
	past = append(past[2:], wire.Past{GUID: "GROUP", Handle: alice, Chat: room, Group: true, Text: "from one", Status: wire.StatusReceived, At: day(7)})
	if status, answer := w.history(secret, historyOf(t, past...)); status != http.StatusOK || answer.New != 1 {
		t.Fatalf("%d %+v", status, answer)
	}

	us := w.line.PhoneNumber
	want := []store.Message{
		{AppleGUID: "GROUP", Direction: store.Inbound, Status: wire.StatusReceived, From: alice, To: us, Peer: room, ChatGUID: room, Content: "from one", CreatedAt: day(7), SentAt: day(7)},
		{AppleGUID: "OWN", Direction: store.Outbound, Origin: store.OriginDevice, Status: wire.StatusRead, From: us, To: alice, Peer: alice, Service: "iMessage", Content: "own", CreatedAt: day(4), SentAt: day(4), DeliveredAt: day(5), ReadAt: day(6)},
		{AppleGUID: "ROOM", Direction: store.Outbound, Origin: store.OriginDevice, Status: wire.StatusSent, From: us, To: room, Peer: room, ChatGUID: room, Content: "to all", ReplyTo: "IN", CreatedAt: day(3), SentAt: day(3)},
		{AppleGUID: "IN", Direction: store.Inbound, Status: wire.StatusReceived, From: alice, To: us, Peer: alice, ChatGUID: "any;-;" + alice, Service: "iMessage", Content: secretText, Junk: true, CreatedAt: day(2), SentAt: day(2)},
		{AppleGUID: "FAILED", Direction: store.Outbound, Origin: store.OriginDevice, Status: wire.StatusFailed, From: us, To: alice, Peer: alice, Service: "SMS", Content: "failed", ErrorCode: "messages_error", ErrorNumber: 22, ErrorMessage: "No.", CreatedAt: day(1)},
	}
	list := w.list()
	if len(list) != 6 || list[0].ID != now {
		t.Fatalf("%d messages, the newest %+v", len(list), list[0])
	}
	for i, got := range list[1:] {
		if !strings.HasPrefix(got.ID, "msg_") || got.AccountID != w.who.Account.ID || got.LineID != w.line.ID || got.Seq == 0 || got.UpdatedAt < w.message(now).CreatedAt {
			t.Errorf("%+v", got)
		}
		if got.DatedAt != got.CreatedAt {
			t.Errorf("dated %d", got.DatedAt)
		}
		got.ID, got.AccountID, got.LineID, got.Seq, got.UpdatedAt = "", "", "", 0, 0
		got.DatedAt, got.Phase, got.Class = 0, "", 0
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
	if told := w.column("SELECT type FROM events UNION ALL SELECT event_type FROM deliveries"); len(told) != 0 {
		t.Errorf("told of %q", told)
	}

	// A report that repeats one of them is no news either.
	mac := w.connect(secret, hello("ins_1", 0))
	mac.report(wire.Report{Kind: wire.Received, GUID: "IN", Inbound: &wire.Inbound{GUID: "IN", From: alice, Text: secretText, Sent: day(2)}})
	if n := len(w.list()); n != 6 {
		t.Errorf("%d messages", n)
	}
}

// Who has left a group may be named nowhere any more; what he said is there.
func TestHistoryOfNobody(t *testing.T) {
	w := newWorld(t, nil)
	const room = "any;+;chat123456789"
	if status, answer := w.history(w.paired(w.line), historyOf(t, wire.Past{GUID: "LEFT", Chat: room, Group: true, Text: "bye", Status: wire.StatusReceived, At: 1})); status != http.StatusOK || answer.New != 1 {
		t.Fatalf("%d %+v", status, answer)
	}
	if list := w.list(); len(list) != 1 || list[0].From != "" || list[0].Peer != room || list[0].Content != "bye" {
		t.Errorf("%+v", list)
	}
}

// What the owner sent by himself is not counted against the account's plan.
func TestHistoryIsNoUsage(t *testing.T) {
	w := newWorld(t, nil)
	w.who.Account.MonthlyMessages = 1
	now := time.Now().UnixMilli()
	if status, answer := w.history(w.paired(w.line), historyOf(t, wire.Past{GUID: "OWN", Own: true, Handle: "+14155550101", Text: "own", Status: wire.StatusSent, At: now})); status != http.StatusOK || answer.New != 1 {
		t.Fatalf("%d %+v", status, answer)
	}
	w.send("+14155550101")
}

// Only the Mac that a line has may bring a past, and only for that line.
func TestHistoryIsTheLinesOwn(t *testing.T) {
	w := newWorld(t, nil)
	other := w.account("team_b")
	theirs := w.addLine(other, "+14155559877")
	old, secret := w.paired(w.line), w.paired(theirs)
	body := historyOf(t, wire.Past{GUID: "IN", Handle: "+14155550101", Text: "hi", Status: wire.StatusReceived, At: 1})
	if status, answer := w.history(secret, body); status != http.StatusOK || answer.New != 1 {
		t.Fatalf("%d %+v", status, answer)
	}
	if n := len(w.list()); n != 0 {
		t.Errorf("%d messages of another account", n)
	}
	// The same guid on another line is another message.
	if status, answer := w.history(old, body); status != http.StatusOK || answer.New != 1 {
		t.Fatalf("%d %+v", status, answer)
	}
	w.paired(w.line)
	for _, credential := range []string{old, "", "rly_nobody"} {
		if status, _ := w.history(credential, body); status != http.StatusUnauthorized {
			t.Errorf("a credential that counts no more: %d", status)
		}
	}
}

// What no relay of ours sends is refused whole.
func TestHistoryRefuses(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	good := wire.Past{GUID: "IN", Handle: "+14155550101", Text: "hi", Status: wire.StatusReceived, At: 1}
	var many []wire.Past
	for i := range wire.MaxHistory + 1 {
		one := good
		one.GUID = fmt.Sprint(i)
		many = append(many, one)
	}
	bad := func(change func(*wire.Past)) []byte {
		one := good
		one.GUID = "BAD"
		change(&one)
		return historyOf(t, good, one)
	}
	for name, body := range map[string][]byte{
		"no JSON":            []byte("messages"),
		"too many":           historyOf(t, many...),
		"too large":          historyOf(t, wire.Past{GUID: "L", Handle: "+14155550101", Text: strings.Repeat("x", wire.MaxHistoryBytes), Status: wire.StatusReceived, At: 1}),
		"no guid":            bad(func(p *wire.Past) { p.GUID = "" }),
		"no date":            bad(func(p *wire.Past) { p.At = 0 }),
		"nobody":             bad(func(p *wire.Past) { p.Handle = "" }),
		"nobody in a chat":   bad(func(p *wire.Past) { p.Handle, p.Chat = "", "any;-;x" }),
		"nobody in no chat":  bad(func(p *wire.Past) { p.Handle, p.Group = "", true }),
		"queued":             bad(func(p *wire.Past) { p.Own, p.Status = true, wire.Queued }),
		"received and own":   bad(func(p *wire.Past) { p.Own = true }),
		"sent by the other":  bad(func(p *wire.Past) { p.Status = wire.StatusSent }),
		"own to nobody":      bad(func(p *wire.Past) { p.Own, p.Status, p.Handle = true, wire.StatusSent, "" }),
		"of an unknown kind": bad(func(p *wire.Past) { p.Status = "lost" }),
	} {
		if status, answer := w.history(secret, body); status != http.StatusBadRequest || answer.Error == "" {
			t.Errorf("%s: %d %+v", name, status, answer)
		}
	}
	if n := len(w.list()); n != 0 {
		t.Errorf("%d messages", n)
	}
}
