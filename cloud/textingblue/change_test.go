package textingblue

import (
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

func TestBodiesOfChanges(t *testing.T) {
	inbound := store.Message{ID: "msg_1", Direction: store.Inbound, Status: wire.StatusReceived, From: "+1", To: "+2", Peer: "+1", ChatGUID: "c", Content: "hello", CreatedAt: 1000}
	edited := inbound
	edited.EditedAt = 5000
	edited.SetEdits([]store.Edit{{Text: "helo", At: 1000}, {Text: "hello", At: 5000}})
	early := inbound
	early.ChatGUID = ""
	typed := store.Message{ID: "msg_2", Direction: store.Outbound, Status: wire.StatusSent, Origin: store.OriginDevice, From: "+2", To: "any;+;c", Peer: "any;+;c", ChatGUID: "any;+;c", CreatedAt: 1000}
	const received = `{"id":"msg_1","from":"+1","to":"+2","content":"hello","media_url":null,"received_at":"1970-01-01T00:00:01Z"`
	for _, tt := range []struct {
		name string
		e    store.Event
		m    store.Message
		want string
	}{
		{"edited", store.Event{ID: "evt_1", Type: "message.updated", Detail: "edited", CreatedAt: 5000}, edited,
			`{"id":"evt_1","type":"message.updated","timestamp":"1970-01-01T00:00:05Z","change":"edited","data":` + received +
				`,"edited_at":"1970-01-01T00:00:05Z","edits":[{"part":0,"content":"helo","at":"1970-01-01T00:00:01Z"},{"part":0,"content":"hello","at":"1970-01-01T00:00:05Z"}]}}`},
		{"received", store.Event{ID: "evt_1", Type: "message.received", CreatedAt: 5000}, inbound,
			`{"id":"evt_1","type":"message.received","timestamp":"1970-01-01T00:00:05Z","data":` + received + `}}`},
		{"without its chat", store.Event{ID: "evt_1", Type: "message.received", CreatedAt: 5000}, early,
			`{"id":"evt_1","type":"message.received","timestamp":"1970-01-01T00:00:05Z","data":` + received + `,"chat_unknown":true}}`},
		{"tapback", store.Event{ID: "evt_1", Type: "message.tapback", Detail: "tap_1", CreatedAt: 5000, Tapback: &store.Tapback{ID: "tap_1", MessageID: "msg_1", From: "+1", Kind: "emoji", Emoji: "🎈", Part: -1, MadeAt: 4000}}, inbound,
			`{"id":"evt_1","type":"message.tapback","timestamp":"1970-01-01T00:00:05Z","data":{"id":"tap_1","message_id":"msg_1","from":"+1","kind":"emoji","emoji":"🎈","removed":false,"created_at":"1970-01-01T00:00:04Z"}}`},
	} {
		if got, err := eventBody(tt.e, tt.m); err != nil || got != tt.want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, got, tt.want)
		}
	}
	if e := renderExtras(typed); e.Origin != "device" || e.GroupID != "any;+;c" || e.ChatUnknown {
		t.Errorf("%+v", e)
	}
}
