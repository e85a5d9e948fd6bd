package chatdb_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"bluerelay/chatdb"
)

func TestDiff(t *testing.T) {
	direct := &chatdb.Chat{GUID: "any;-;+15551230001", Style: 45}
	group := &chatdb.Chat{GUID: "any;+;chat1", Style: 43}
	own := func(change func(*chatdb.Message)) chatdb.Message {
		m := chatdb.Message{FromMe: true, Service: "iMessage", Handle: "+15551230001", Chat: direct}
		change(&m)
		return m
	}
	sent := chatdb.Change{Kind: chatdb.KindSent}
	delivered := chatdb.Change{Kind: chatdb.KindDelivered, At: at(2)}
	read := chatdb.Change{Kind: chatdb.KindRead, At: at(2)}
	undated := chatdb.Change{Kind: chatdb.KindDelivered}
	failed := func(code int) chatdb.Change { return chatdb.Change{Kind: chatdb.KindFailed, Error: code} }
	receipts := func(m *chatdb.Message) {
		m.Sent, m.Delivered, m.Read, m.DateDelivered, m.DateRead = true, true, true, at(2), at(2)
	}
	for _, tt := range []struct {
		name string
		prev chatdb.Seen
		m    chatdb.Message
		want []chatdb.Change
		next chatdb.Seen
	}{
		{"new row", chatdb.Seen{}, own(func(*chatdb.Message) {}), nil, chatdb.Seen{}},
		{"sent", chatdb.Seen{}, own(func(m *chatdb.Message) { m.Sent = true }), []chatdb.Change{sent}, chatdb.Seen{Sent: true}},
		{"still sent", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { m.Sent = true }), nil, chatdb.Seen{Sent: true}},
		{"all in one look", chatdb.Seen{}, own(receipts), []chatdb.Change{sent, delivered, read}, chatdb.Seen{Sent: true, Delivered: true, Read: true}},
		{"delivered without a date", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { m.Sent, m.Delivered = true, true }), []chatdb.Change{undated}, chatdb.Seen{Sent: true, Delivered: true}},
		{"its date comes later", chatdb.Seen{Sent: true, Delivered: true}, own(func(m *chatdb.Message) { m.Sent, m.Delivered, m.DateDelivered = true, true, at(9) }), nil, chatdb.Seen{Sent: true, Delivered: true}},
		{"read alone", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { m.Sent, m.Read, m.DateRead = true, true, at(2) }), []chatdb.Change{undated, read}, chatdb.Seen{Sent: true, Delivered: true, Read: true}},
		{"failed", chatdb.Seen{}, own(func(m *chatdb.Message) { m.Error = 22 }), []chatdb.Change{failed(22)}, chatdb.Seen{Error: 22, Fails: 1}},
		{"failed with a code of the future", chatdb.Seen{}, own(func(m *chatdb.Message) { m.Error = 9999 }), []chatdb.Change{failed(9999)}, chatdb.Seen{Error: 9999, Fails: 1}},
		{"still failed", chatdb.Seen{Error: 22}, own(func(m *chatdb.Message) { m.Error = 22 }), nil, chatdb.Seen{Error: 22}},
		{"failed otherwise", chatdb.Seen{Error: 3}, own(func(m *chatdb.Message) { m.Error = 22 }), []chatdb.Change{failed(22)}, chatdb.Seen{Error: 22, Fails: 1}},
		{"failed after sent", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { m.Sent, m.Error = true, 3 }), []chatdb.Change{failed(3)}, chatdb.Seen{Error: 3, Fails: 1}},
		{"trying again", chatdb.Seen{Error: 3}, own(func(*chatdb.Message) {}), nil, chatdb.Seen{}},
		{"recovered", chatdb.Seen{Error: 3}, own(func(m *chatdb.Message) { m.Sent = true }), []chatdb.Change{sent}, chatdb.Seen{Sent: true}},
		{"SMS", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.Service = "SMS" }), []chatdb.Change{sent}, chatdb.Seen{Sent: true, NoReceipts: true}},
		{"RCS", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { receipts(m); m.Service = "rcs" }), []chatdb.Change{delivered, read}, chatdb.Seen{Sent: true, Delivered: true, Read: true}},
		{"downgraded", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.Downgraded = true }), []chatdb.Change{sent}, chatdb.Seen{Sent: true, NoReceipts: true}},
		{"group", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.Chat = group }), []chatdb.Change{sent}, chatdb.Seen{Sent: true, NoReceipts: true}},
		{"group by its room", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.RoomName = "chat1" }), []chatdb.Change{sent}, chatdb.Seen{Sent: true, NoReceipts: true}},
		{"no chat and no handle", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.Chat, m.Handle = nil, "" }), []chatdb.Change{sent}, chatdb.Seen{Sent: true, NoReceipts: true}},
		{"no chat yet", chatdb.Seen{Sent: true}, own(func(m *chatdb.Message) { receipts(m); m.Chat = nil }), []chatdb.Change{delivered, read}, chatdb.Seen{Sent: true, Delivered: true, Read: true}},
		{"waiting for a satellite", chatdb.Seen{}, own(func(m *chatdb.Message) { m.Sent, m.PendingSatellite = true, true }), nil, chatdb.Seen{}},
		{"inbound", chatdb.Seen{Joined: true}, own(func(m *chatdb.Message) { receipts(m); m.FromMe = false }), nil, chatdb.Seen{Joined: true}},
		{"event of a group", chatdb.Seen{}, own(func(m *chatdb.Message) { receipts(m); m.ItemType = 1 }), nil, chatdb.Seen{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, next := chatdb.Diff(tt.prev, tt.m)
			if !reflect.DeepEqual(got, tt.want) || next != tt.next {
				t.Errorf("got %+v, %+v; want %+v, %+v", got, next, tt.want, tt.next)
			}
			if again, same := chatdb.Diff(next, tt.m); len(again) != 0 || same != next {
				t.Errorf("the same row again gives %+v, %+v", again, same)
			}
		})
	}
}

func TestSeenJSON(t *testing.T) {
	if got := toJSON(t, chatdb.Seen{}); got != "{}" {
		t.Errorf("nothing seen is %s", got)
	}
	want := chatdb.Seen{Sent: true, Delivered: true, Read: true, Error: 22}
	var got chatdb.Seen
	if err := json.Unmarshal([]byte(toJSON(t, want)), &got); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestErrorName(t *testing.T) {
	for code, want := range map[int]string{22: "recipient is not on iMessage", 3: "timed out", 42: "text rendering failure", 0: "", 43: "", -1: "", 9999: ""} {
		if got := chatdb.ErrorName(code); got != want {
			t.Errorf("error %d is %q, want %q", code, got, want)
		}
	}
}

// What comes later than an inbound row, and what its sender does to it.
func TestDiffInbound(t *testing.T) {
	chat := &chatdb.Chat{GUID: "any;-;+15551230001", Style: 45}
	bare := chatdb.Message{Handle: "+15551230001", Service: "iMessage"}
	seen := chatdb.First(bare)
	step := func(name string, change func(*chatdb.Message), want ...string) {
		t.Helper()
		change(&bare)
		var got []string
		changes, next := chatdb.Diff(seen, bare)
		for _, c := range changes {
			got = append(got, fmt.Sprintf("%s:%d", c.Kind, c.Version))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if again, same := chatdb.Diff(next, bare); len(again) != 0 || same != next {
			t.Errorf("%s: the same row again gives %+v", name, again)
		}
		seen = next
	}
	step("read by the owner", func(m *chatdb.Message) { m.Read, m.DateRead = true, at(5) })
	step("chat and text", func(m *chatdb.Message) { m.Chat, m.HasBody, m.Text = chat, true, "a" }, "joined:0", "body:0")
	step("deleted by the owner", func(m *chatdb.Message) { m.Deleted = true })
	step("edited", func(m *chatdb.Message) { m.Revision, m.DateEdited = 1, at(6) }, "edited:1")
	step("edited twice, and a part taken back", func(m *chatdb.Message) { m.Revision, m.Unsent = 3, []int{1} }, "edited:3", "unsent:1")
	step("the rest taken back", func(m *chatdb.Message) { m.Unsent, m.Retracted, m.HasBody, m.Text = []int{0, 1}, true, false, "" }, "unsent:3")
	if fresh, _ := chatdb.Diff(chatdb.First(bare), bare); len(fresh) != 0 {
		t.Errorf("a row that is given as it is has changed: %+v", fresh)
	}
}

// An own row that was told has what an inbound one has, beside its states.
func TestDiffTold(t *testing.T) {
	m := chatdb.Message{FromMe: true, Handle: "+15551230001", Service: "iMessage", Sent: true}
	seen := chatdb.First(m)
	m.Chat, m.HasBody, m.Text, m.Delivered = &chatdb.Chat{GUID: "any;-;+15551230001", Style: 45}, true, "a", true
	changes, next := chatdb.Diff(seen, m)
	want := []chatdb.Change{{Kind: chatdb.KindJoined}, {Kind: chatdb.KindBody}, {Kind: chatdb.KindDelivered}}
	if !reflect.DeepEqual(changes, want) {
		t.Errorf("got %+v, want %+v", changes, want)
	}
	if again, same := chatdb.Diff(next, m); len(again) != 0 || same != next {
		t.Errorf("the same row again gives %+v", again)
	}
}
