package cloud_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

const somebody = "+14155551234"

func TestReportsBringAMessageForward(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	o := m.order()
	if o.Message != id || o.Attempt != 1 || o.To != somebody || o.Text != secretText || o.Service != wire.ServiceAuto {
		t.Fatalf("%+v", o)
	}
	for _, step := range []struct {
		kind wire.Kind
		want wire.Status
	}{
		{wire.Accepted, wire.StatusAccepted}, {wire.Sending, wire.StatusSending}, {wire.Sent, wire.StatusSent},
		{wire.Delivered, wire.StatusDelivered}, {wire.Read, wire.StatusRead},
	} {
		m.report(wire.Report{Kind: step.kind, Message: id, Attempt: 1})
		if got := w.message(id).Status; got != step.want {
			t.Errorf("after %s it is %s", step.kind, got)
		}
	}
}

// What is committed is not applied a second time, whatever came after it: a relay
// that has missed an acknowledgement repeats old news.
func TestRepeatedReportsChangeNothing(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	fault := &wire.Fault{Code: "row_error", Number: 3, Text: "Messages could not send it."}
	story := []wire.Report{
		{Seq: 1, Kind: wire.Accepted, Message: id, Attempt: 1},
		{Seq: 2, Kind: wire.Sending, Message: id, Attempt: 1},
		{Seq: 3, Kind: wire.Failed, Message: id, GUID: "guid", Fault: fault},
		{Seq: 4, Kind: wire.Sent, Message: id, GUID: "guid"},
		{Seq: 5, Kind: wire.Received, Inbound: &wire.Inbound{GUID: "other", From: somebody, Text: secretText}},
	}
	for _, r := range story {
		m.resend(r)
	}
	settled, events := w.message(id), w.events()
	if settled.Status != wire.StatusSent || settled.ErrorCode != "" {
		t.Fatalf("%+v", settled)
	}
	for range 200 {
		// The newest is last, so that every repetition is acknowledged before it.
		m.say(wire.Frame{Type: wire.TypeReport, Report: &story[rand.N(len(story))]})
	}
	m.seq = int64(len(story)) // what idle reports is news
	m.idle()
	if got := w.message(id); !reflect.DeepEqual(got, settled) {
		t.Errorf("repetitions made of\n%+v\n%+v", settled, got)
	}
	if got := w.events(); !slices.Equal(got, events) {
		t.Errorf("repetitions made events: %v, there were %v", got, events)
	}
}

// events lists the types of all events of messages, as a pull feed would.
func (w *world) events() []string {
	w.t.Helper()
	return w.column("SELECT type FROM events AS e WHERE type LIKE 'message.%' AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.id = e.message_id AND m.belongs_to <> '') ORDER BY account_id, seq")
}

// Random news of several attempts and installs, true and false: commands and claims
// of ignorance count only from who holds the message, facts from anybody, nothing
// stronger falls back to something weaker, and each change is one event.
func TestRandomReportsKeepTheRules(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	kinds := []wire.Kind{wire.Accepted, wire.Sending, wire.NoSend, wire.Unknown, wire.Sent, wire.Delivered, wire.Read, wire.Failed}
	for round := range 25 {
		id := w.send(fmt.Sprintf("+1415555%04d", 2000+round))
		m.order()
		var story []string
		for range 12 {
			before := w.message(id)
			r := wire.Report{Kind: kinds[dice.IntN(len(kinds))], At: int64(1 + len(story)), Message: id, Attempt: dice.IntN(4), Again: dice.IntN(2) == 0}
			m.report(r)
			after := w.message(id)
			if after.Status == wire.Queued && after.InstallID == "" || after.Attempt > before.Attempt {
				for after.InstallID == "" { // it is given out again at once
					m.idle()
					after = w.message(id)
				}
			}
			story = append(story, fmt.Sprintf("%s/%d again=%t: %s/%d -> %s/%d", r.Kind, r.Attempt, r.Again, before.Status, before.Attempt, after.Status, after.Attempt))
			if want := expected(before, r); after.Status != want.Status || after.Attempt != want.Attempt {
				t.Fatalf("want %s/%d\n%s", want.Status, want.Attempt, strings.Join(story, "\n"))
			}
		}
		// Whatever it became: a fact ends it, and it stays.
		m.report(wire.Report{Kind: wire.Read, Message: id})
		if got := w.message(id).Status; got != wire.StatusRead {
			t.Fatalf("read made it %s\n%s", got, strings.Join(story, "\n"))
		}
		m.orders = nil
	}
}

// expected is the rule in words of its own, not the table of package wire.
func expected(m store.Message, r wire.Report) store.Message {
	open := m.Status == wire.Queued || m.Status == wire.StatusAccepted || m.Status == wire.StatusSending
	rank := map[wire.Status]int{wire.StatusSent: 1, wire.StatusDelivered: 2, wire.StatusRead: 3}
	was := m.Status
	own := r.Attempt >= m.Attempt // of a later one a restored database does not know
	switch r.Kind {
	case wire.Accepted:
		if own && m.Status == wire.Queued {
			m.Status = wire.StatusAccepted
		}
	case wire.Sending:
		if own && open {
			m.Status = wire.StatusSending
		}
	case wire.Unknown:
		if own && open {
			m.Status = wire.StatusUnknown
		}
	case wire.NoSend:
		switch {
		case !own || rank[m.Status] > 1:
		case r.Again && open:
			m.Status, m.Attempt = wire.Queued, r.Attempt+1 // it is assigned again
		case !r.Again && (open || m.Status == wire.StatusUnknown):
			m.Status = wire.StatusFailed
		}
	case wire.Failed:
		// One of an attempt that another has followed says nothing about that one.
		if rank[m.Status] <= 1 && (r.Attempt == 0 || r.Attempt >= m.Attempt) {
			m.Status = wire.StatusFailed
		}
	default:
		if to := r.Kind.Status(); rank[to] > rank[m.Status] {
			m.Status = to
		}
		return m
	}
	if claim := r.Kind != wire.Failed && m.Status != wire.Queued; claim && own && m.Status != was {
		m.Attempt = r.Attempt
	}
	return m
}

func TestNoSendTriesAgainAndThenGivesUp(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	fault := &wire.Fault{Code: "automation_denied", Number: -1743, Text: "Allow it."}
	for attempt := 1; attempt <= 20; attempt++ {
		o := m.order()
		if o.Message != id || o.Attempt != attempt {
			t.Fatalf("attempt %d: %+v", attempt, o)
		}
		m.report(wire.Report{Kind: wire.NoSend, Message: id, Attempt: attempt, Again: true, Fault: fault})
	}
	if got := w.message(id); got.Status != wire.StatusFailed || got.ErrorCode != "automation_denied" || got.ErrorNumber != -1743 || got.ErrorMessage != "Allow it." {
		t.Errorf("%+v", got)
	}
	if list := m.idle(); len(list) != 0 {
		t.Errorf("it was ordered again: %+v", list)
	}
	final := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.NoSend, Message: final, Attempt: 1, Fault: fault})
	if got := w.message(final).Status; got != wire.StatusFailed {
		t.Errorf("a permanent refusal made it %s", got)
	}
}

// What a newer relay may say, or a confused one: the connection stays and the rest
// of the journal gets through.
func TestOddReportsAreAcknowledged(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	first, second := w.send(somebody), w.send("+14155551235")
	m.order()
	m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: first, GUID: "guid"})
	for _, r := range []wire.Report{
		{Kind: "from_the_future", Message: second, Attempt: 1},
		{Kind: wire.Kind(wire.Canceled), Message: second, Attempt: 1},
		{Kind: wire.Kind(wire.Expired), Message: second, Attempt: 1},
		{Kind: wire.Kind(wire.Queued), Message: second, Attempt: 1},
		{Kind: wire.Sent, Message: "msg_of_nobody"},
	} {
		m.report(r)
		if got := w.message(second); got.Status != wire.Queued || got.InstallID != "ins_a" {
			t.Errorf("%s made it %s", r.Kind, got.Status)
		}
	}
	// The same row cannot be two messages: it says nothing about the second.
	for range 2 {
		m.report(wire.Report{Kind: wire.Sent, Message: second, Attempt: 1, GUID: "guid"})
		if got := w.message(second); got.Status != wire.StatusUnknown || got.AppleGUID != "" || got.ErrorCode != cloud.OutcomeUnknown {
			t.Errorf("%+v", got)
		}
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: second, Attempt: 1, GUID: "its own"})
	if got := w.message(second); got.Status != wire.StatusDelivered || got.AppleGUID != "its own" {
		t.Errorf("%+v", got)
	}
	// What was taken for the owner's own writing, and is ours after all, counts there.
	third := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Typed, Inbound: &wire.Inbound{GUID: "typed", From: somebody, Text: secretText, Status: wire.StatusSent}})
	m.report(wire.Report{Kind: wire.Sent, Message: third, Attempt: 1, GUID: "typed"})
	if got := w.message(third); got.Status != wire.StatusSent || got.AppleGUID != "typed" {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: first, GUID: "guid"})
	if got := w.message(first); got.Status != wire.StatusDelivered || got.AppleGUID != "guid" {
		t.Errorf("%+v", got)
	}
}

func TestInboundIsStoredOnce(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	in := wire.Inbound{GUID: "guid", From: somebody, Chat: "any;-;" + somebody, Service: "iMessage", Text: secretText, Sent: 1}
	for range 3 {
		m.report(wire.Report{Kind: wire.Received, Inbound: &in})
	}
	group := wire.Inbound{GUID: "guid2", From: "somebody@example.com", Chat: "chat1", Group: true, Text: secretText}
	m.report(wire.Report{Kind: wire.Received, Inbound: &group})
	nobody := wire.Inbound{GUID: "guid3", Chat: "chat1", Group: true, Text: "stop"} // a clean-up took the sender
	m.report(wire.Report{Kind: wire.Received, Inbound: &nobody})
	list, more, err := w.service.Messages(t.Context(), w.who, store.MessageFilter{Direction: store.Inbound, Limit: 10}, "")
	if err != nil || more || len(list) != 3 {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	if got := list[0]; got.From != "" || got.Peer != "chat1" || !got.InGroup() {
		t.Errorf("%+v", got)
	}
	if got := list[2]; got.From != somebody || got.To != w.line.PhoneNumber || got.Peer != somebody || got.Content != secretText || got.Status != wire.StatusReceived || got.AppleGUID != "guid" || got.SentAt != 1 {
		t.Errorf("%+v", got)
	}
	if got := list[1]; got.From != "somebody@example.com" || got.Peer != "chat1" {
		t.Errorf("%+v", got)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.received", "message.received", "message.received"}) {
		t.Errorf("%v", got)
	}
	// Another journal tells of the same row.
	again := w.connect(w.paired(w.line), hello("ins_b", 0))
	again.report(wire.Report{Kind: wire.Received, Inbound: &in})
	if n, err := w.store.CountByLine(t.Context(), w.who.Account.ID, 0); err != nil || n[w.line.ID] != 3 {
		t.Errorf("%v messages, %v", n, err)
	}
}
