package cloud_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// canary switches that of the world's line on or off.
func (w *world) canary(on bool) {
	w.t.Helper()
	if _, err := w.service.UpdateNumber(w.t.Context(), w.who, w.line.ID, cloud.LineChange{Canary: &on}); err != nil {
		w.t.Fatal(err)
	}
}

// due lets the canary's time come, and waits until it was looked after.
func (w *world) due() store.Canary {
	w.t.Helper()
	w.sql("UPDATE canaries SET due_at = 1")
	var c store.Canary
	eventually(w.t, "the canary is looked after", func() bool {
		var ok bool
		var err error
		c, ok, err = w.service.CanaryOf(w.t.Context(), w.line.ID)
		return err == nil && ok && c.DueAt > 1
	})
	return c
}

// The whole way of a canary: an order to the line's own number, in no list and no
// webhook, proved by its row; and the copy that comes back is nobody's message.
func TestCanary(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, telling)
	w.hook(url, "message.sent", "message.delivered", "message.received", "message.failed", "relay.attention")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	w.canary(true)
	c := w.due()
	o := m.order()
	if o.To != w.line.PhoneNumber || o.Message != c.MessageID || o.Service != wire.ServiceIMessage || o.ExpiresIn <= 0 || !strings.Contains(o.Text, "daily check") {
		t.Errorf("%+v", o)
	}
	m.report(wire.Report{Kind: wire.Accepted, Message: o.Message, Attempt: 1})
	m.report(wire.Report{Kind: wire.Sent, Message: o.Message, Attempt: 1, GUID: "OWN", Service: "iMessage"})
	m.report(wire.Report{Kind: wire.Received, GUID: "BACK", Inbound: &wire.Inbound{GUID: "BACK", From: w.line.PhoneNumber, Text: o.Text, Service: "iMessage"}})
	m.report(wire.Report{Kind: wire.Delivered, Message: o.Message, Attempt: 1, GUID: "OWN", Service: "iMessage"})
	w.canary(true) // it is on already
	if c = w.due(); c.ProvedAt == 0 || c.Failure != "" || c.Waiting {
		t.Errorf("%+v", c)
	}
	if list := w.list(); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
	if want := []string{"relay.online", "message.sent", "message.delivered"}; !slices.Equal(w.column("SELECT type FROM events ORDER BY seq"), want) {
		t.Errorf("%q", w.column("SELECT type FROM events ORDER BY seq"))
	}
	// What the owner writes to himself otherwise is a message, and the hook's first.
	m.report(wire.Report{Kind: wire.Received, GUID: "NOTE", Inbound: &wire.Inbound{GUID: "NOTE", From: w.line.PhoneNumber, Text: "milk"}})
	if p := next(t, got); p.body != "message.received" {
		t.Errorf("%q", p.body)
	}
	if n := w.column("SELECT COUNT(*) FROM deliveries"); n[0] != "1" {
		t.Errorf("%s deliveries", n[0])
	}
	w.canary(false)
	if _, ok, err := w.service.CanaryOf(t.Context(), w.line.ID); ok || err != nil {
		t.Errorf("it is still on: %v", err)
	}
}

// One that is not seen to be sent has a person told, with a sentence; it does not, where
// the Mac's own trouble was told already.
func TestCanaryFails(t *testing.T) {
	w := newWorld(t, telling)
	secret := w.paired(w.line)
	w.canary(true)
	// No Mac is there: it is for later.
	if c := w.due(); c.MessageID != "" || c.Waiting {
		t.Errorf("%+v", c)
	}
	m := w.connect(secret, hello("ins_a", 0))
	w.due()
	o := m.order()
	m.report(wire.Report{Kind: wire.Failed, Message: o.Message, Attempt: 1, GUID: "ROW", Fault: &wire.Fault{Code: "messages_error", Number: 22, Text: "Not reachable."}})
	if c := w.due(); !strings.Contains(c.Failure, "Not reachable.") || c.ProvedAt != 0 {
		t.Errorf("%+v", c)
	}
	w.due()
	o = m.order()
	if c := w.due(); !strings.Contains(c.Failure, "bluerelay doctor") {
		t.Errorf("%+v", c)
	}
	want := []string{"relay.online", "relay.attention canary_failed", "relay.attention canary_failed"}
	if events := w.macEvents(); !slices.Equal(events, want) {
		t.Errorf("%q", events)
	}
	m.report(wire.Report{Kind: wire.NoSend, Message: o.Message, Attempt: 1, Fault: &wire.Fault{Code: wire.FaultExpired}})
	w.due()
	m.order()
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Code: wire.ProblemAccount, Reason: "Sign in."}})
	m.idle()
	if c := w.due(); c.Failure == "" {
		t.Errorf("%+v", c)
	}
	if events := w.macEvents(); !slices.Equal(events, append(want, "relay.attention account")) {
		t.Errorf("%q", events)
	}
	if r := w.relay(w.line); r.Alarms != 0 || r.Reason != "Sign in." {
		t.Errorf("%+v", r)
	}
}

// One that has others before it is put off as long as these go; where nothing goes, it has
// failed.
func TestCanaryBehindOthers(t *testing.T) {
	w := newWorld(t, telling)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for i := range 6 {
		w.send(fmt.Sprintf("+1415555%04d", i))
	}
	first := m.order()
	for range 3 {
		m.order()
	}
	w.canary(true)
	w.due()
	m.report(wire.Report{Kind: wire.Sent, Message: first.Message, Attempt: 1, GUID: "ROW", Service: "iMessage"})
	m.order() // the fifth
	putOff := func(c store.Canary) {
		t.Helper()
		if wait := time.Until(time.UnixMilli(c.DueAt)); c.Failure != "" || c.Waiting || wait < 50*time.Minute || wait > time.Hour {
			t.Errorf("%+v", c)
		}
	}
	putOff(w.due())
	if events := w.macEvents(); !slices.Equal(events, []string{"relay.online"}) {
		t.Errorf("%q", events)
	}
	w.due()
	if c := w.due(); !strings.Contains(c.Failure, "bluerelay doctor") {
		t.Errorf("%+v", c)
	}
	if events := w.macEvents(); !slices.Equal(events, []string{"relay.online", "relay.attention canary_failed"}) {
		t.Errorf("%q", events)
	}
}

// A line that its pace holds back is busy too, whatever its Mac has in hand.
func TestCanaryWaitsForThePace(t *testing.T) {
	w := newWorld(t, telling)
	w.connect(w.paired(w.line), hello("ins_a", 0))
	w.sql("UPDATE lines SET pace = '0.001', paced_until = 4000000000000000")
	w.canary(true)
	w.due()
	if c := w.due(); c.Failure != "" || c.Waiting || c.MessageID == "" {
		t.Errorf("%+v", c)
	}
	if events := w.macEvents(); !slices.Equal(events, []string{"relay.online"}) {
		t.Errorf("%q", events)
	}
}
