package cloud_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// telling is a dialect whose webhooks may ask for everything.
var telling = rendering(func(e store.Event, m store.Message) (string, error) {
	switch {
	case e.Relay != nil:
		return fmt.Sprintf("%s connected=%t detail=%s message=%s alarms=%d", e.Type, e.Relay.Connected, e.Detail, e.MessageID, e.Relay.Alarms), nil
	case e.Group != nil:
		return strings.Join([]string{e.Type, e.Group.Kind, e.Group.ChatGUID, e.Group.Who, e.Group.Other, e.Group.Name}, " "), nil
	}
	return e.Type, nil
}, "relay.online", "relay.offline", "relay.attention", "group.updated")

// macEvents lists type and detail of the events of Macs.
func (w *world) macEvents() []string {
	w.t.Helper()
	return w.column("SELECT TRIM(type || ' ' || detail) FROM events WHERE type LIKE 'relay.%' AND relay_id <> '' ORDER BY seq")
}

func TestComingAndGoingIsTold(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, telling)
	w.hook(url, "relay.online", "relay.offline")
	other := w.addLine(w.who, "+14155550000")
	w.write(func(tx *store.Tx) error {
		return tx.CreateWebhook(store.Webhook{ID: "wh_other", AccountID: w.who.Account.ID, Dialect: store.TextingBlue, URL: url + "/other", Events: []string{"relay.online"},
			PhoneNumber: other.PhoneNumber, Secret: "whsec_x", Active: true, CreatedAt: 1})
	})
	secret := w.paired(w.line)
	w.connect(secret, hello("ins_a", 0))
	if p := next(t, got); p.body != "relay.online connected=true detail= message= alarms=0" {
		t.Errorf("%q", p.body)
	}
	// A newer connection of the same Mac is no news.
	w.connect(secret, hello("ins_a", 0)).leave()
	if p := next(t, got); p.body != "relay.offline connected=false detail= message= alarms=0" {
		t.Errorf("%q", p.body)
	}
	if events := w.macEvents(); !slices.Equal(events, []string{"relay.online", "relay.offline"}) {
		t.Errorf("%q", events)
	}
	// A process that is killed says nothing; the next one does.
	w.stop()
	w.sql("UPDATE relays SET connected = 1")
	w.start()
	if p := next(t, got); !strings.HasPrefix(p.body, "relay.offline") {
		t.Errorf("%q", p.body)
	}
}

// What a person should look at is told when it begins, once.
func TestTroubleIsTold(t *testing.T) {
	w := newWorld(t, telling)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for _, h := range []wire.Health{
		{Code: wire.ProblemStarting, Reason: "Starting."}, {Code: wire.ProblemAutomation, Reason: "Allow it."}, {Code: wire.ProblemAutomation, Reason: "Allow it."},
		{Code: wire.ProblemDisk, Reason: "Full."}, {Ready: true}, {Code: wire.ProblemAutomation, Reason: "Allow it."},
	} {
		m.say(wire.Frame{Type: wire.TypeHealth, Health: &h})
		m.idle()
	}
	want := []string{"relay.online", "relay.attention automation", "relay.attention disk", "relay.ready", "relay.attention automation"}
	if events := w.macEvents(); !slices.Equal(events, want) {
		t.Errorf("%q", events)
	}
}

func TestAlarmsAreCounted(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, telling)
	w.hook(url, "relay.attention")
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	alarm := wire.Report{Kind: wire.Alarm, Message: id, GUID: "row", Fault: &wire.Fault{Code: wire.FaultDuplicate, Text: "Two rows."}}
	m.report(alarm)
	if p := next(t, got); p.body != "relay.attention connected=true detail=duplicate_row message="+id+" alarms=1" {
		t.Errorf("%q", p.body)
	}
	m.report(wire.Report{Kind: wire.Alarm, Fault: &wire.Fault{Code: wire.FaultMisrouted}})
	m.report(wire.Report{Kind: wire.Alarm, Message: "msg_of_nobody", Fault: &wire.Fault{Code: wire.FaultMisrouted}})
	m.leave()
	w.restart()
	if n := w.relay(w.line).Alarms; n != 3 {
		t.Errorf("%d alarms", n)
	}
	if !w.logs.has("relay.alarm") {
		t.Error("nothing in the log")
	}
	// It is in the message's own story, and its state is what it was.
	if got := w.message(id).Status; got != wire.Queued {
		t.Errorf("it is %s", got)
	}
	_, list, err := w.service.Timeline(t.Context(), w.who, id)
	if err != nil || !slices.ContainsFunc(list, func(e store.TimelineEntry) bool {
		return e.Evidence == store.EvidenceAlarm && e.Code == wire.FaultDuplicate
	}) {
		t.Errorf("%+v, %v", list, err)
	}
	// A Mac that is paired anew tells the same again.
	m = w.connect(w.paired(w.line), hello("ins_b", 0))
	m.report(alarm)
	if n := w.relay(w.line).Alarms; n != 0 {
		t.Errorf("%d alarms of what was told before", n)
	}
	for _, fresh := range []wire.Report{{At: 2, Fault: alarm.Fault}, {Fault: &wire.Fault{Code: wire.FaultMisrouted}}} {
		fresh.Kind, fresh.Message = wire.Alarm, id
		m.report(fresh)
	}
	if n := w.relay(w.line).Alarms; n != 2 {
		t.Errorf("%d alarms", n)
	}
}

func TestGroupEvents(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, telling)
	w.hook(url, "group.updated")
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	r := wire.Report{Kind: wire.Grouped, GUID: "row", Group: &wire.Group{Chat: "any;+;chat1", Event: "joined", Who: somebody, Other: "+14155550001"}}
	for range 3 {
		m.report(r)
	}
	if p := next(t, got); p.body != "group.updated joined any;+;chat1 "+somebody+" +14155550001 " {
		t.Errorf("%q", p.body)
	}
	// Another Mac sees the same row.
	again := w.connect(w.paired(w.line), hello("ins_b", 0))
	again.report(r)
	if n := w.column("SELECT COUNT(*) FROM events WHERE type = 'group.updated'"); n[0] != "1" {
		t.Errorf("%s events", n[0])
	}
}
