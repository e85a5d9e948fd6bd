package cloud_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// falling makes the world's line fall back to SMS.
func (w *world) falling(on bool) {
	w.t.Helper()
	l, err := w.service.UpdateNumber(w.t.Context(), w.who, w.line.ID, cloud.LineChange{SMSFallback: &on})
	if err != nil || l.SMSFallback != on {
		w.t.Fatalf("%+v, %v", l, err)
	}
}

func notOniMessage(id string, attempt int) wire.Report {
	return wire.Report{Kind: wire.Failed, Message: id, Attempt: attempt, GUID: "row of " + id, Fault: &wire.Fault{Code: "messages_error", Number: 22}}
}

// What does not reach a number by iMessage goes by SMS, once, and says so.
func TestFallbackToSMS(t *testing.T) {
	w := newWorld(t, nil)
	w.falling(true)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for name, proof := range map[string]func(id string) wire.Report{
		"a row": func(id string) wire.Report { return notOniMessage(id, 1) },
		"no effect": func(id string) wire.Report {
			return wire.Report{Kind: wire.NoSend, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "no_such_target", Number: -1728}}
		},
		"no service": func(id string) wire.Report {
			return wire.Report{Kind: wire.NoSend, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "no_such_service"}}
		},
	} {
		id := w.send(somebody)
		if o := m.order(); o.Service != wire.ServiceAuto || w.message(id).Service != wire.ServiceIMessage {
			t.Errorf("%s: %+v", name, o)
		}
		m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
		r := proof(id)
		m.report(r)
		o := m.order()
		if o.Message != id || o.Attempt != 2 || o.Service != wire.ServiceSMS {
			t.Fatalf("%s: %+v", name, o)
		}
		m.resend(wire.Report{Seq: m.seq, Kind: r.Kind, Message: id, Attempt: 1, GUID: r.GUID, Fault: r.Fault}) // again, late
		m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 2, GUID: "sms of " + name, Service: "SMS"})
		if got := w.message(id); got.Status != wire.StatusSent || !got.Fallback || got.Service != "SMS" || got.AppleGUID != "sms of "+name || got.ErrorCode != "" {
			t.Errorf("%s: %+v", name, got)
		}
		_, list, err := w.service.Timeline(t.Context(), w.who, id)
		if err != nil || r.GUID != "" && !slices.ContainsFunc(list, func(e store.TimelineEntry) bool { return e.Evidence == store.EvidenceRow && e.AppleGUID == r.GUID }) {
			t.Errorf("%s: the timeline does not name the row that failed: %+v, %v", name, list, err)
		}
	}
	// The second failure is the last.
	id := w.send("+14155550001")
	m.order()
	m.report(notOniMessage(id, 1))
	m.order()
	m.report(notOniMessage(id, 2))
	if got := w.message(id); got.Status != wire.StatusFailed || got.ErrorNumber != 22 {
		t.Errorf("%+v", got)
	}
	if list := m.idle(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// While an attempt by SMS waits or is under way, what is said of the first one changes
// nothing more.
func TestFailureOfAFormerAttempt(t *testing.T) {
	w := newWorld(t, nil)
	w.falling(true)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	pause := store.LinePaused
	if _, err := w.service.UpdateNumber(t.Context(), w.who, w.line.ID, cloud.LineChange{Status: &pause}); err != nil {
		t.Fatal(err)
	}
	m.report(notOniMessage(id, 1))
	m.report(notOniMessage(id, 1)) // its row has changed again
	if got := w.message(id); got.Status != wire.Queued || got.InstallID != "" {
		t.Errorf("%+v", got)
	}
	active := store.LineActive
	if _, err := w.service.UpdateNumber(t.Context(), w.who, w.line.ID, cloud.LineChange{Status: &active}); err != nil {
		t.Fatal(err)
	}
	if o := m.order(); o.Attempt != 2 {
		t.Fatalf("%+v", o)
	}
	m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 2})
	m.report(notOniMessage(id, 1))
	if got := w.message(id); got.Status != wire.StatusSending {
		t.Errorf("%+v", got)
	}
	// Messages has sent the first by itself: a fact, whatever is under way.
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "row of " + id, Service: "SMS", Downgraded: true})
	if got := w.message(id); got.Status != wire.StatusSent {
		t.Errorf("%+v", got)
	}
}

// Only the Mac that has the failed row may try again: Messages there may still send it.
func TestFallbackIsItsMacsOwn(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.ReleaseWait = time.Minute })
	w.falling(true)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	row, nothing := w.send("+14155550001"), w.send("+14155550002")
	m.order()
	m.order()
	pause := store.LinePaused
	if _, err := w.service.UpdateNumber(t.Context(), w.who, w.line.ID, cloud.LineChange{Status: &pause}); err != nil {
		t.Fatal(err)
	}
	m.report(notOniMessage(row, 1))
	m.report(wire.Report{Kind: wire.NoSend, Message: nothing, Attempt: 1, Fault: &wire.Fault{Code: "no_such_target"}})
	secret := w.replace()()
	if got := w.message(row); got.Status != wire.StatusFailed || got.ErrorNumber != 22 || got.ErrorCode != "messages_error" {
		t.Errorf("%+v", got)
	}
	active := store.LineActive
	if _, err := w.service.UpdateNumber(t.Context(), w.who, w.line.ID, cloud.LineChange{Status: &active}); err != nil {
		t.Fatal(err)
	}
	if o := w.connect(secret, hello("ins_b", 0)).order(); o.Message != nothing || o.Service != wire.ServiceSMS {
		t.Errorf("%+v", o)
	}
}

// Where it is not certain that nothing went out, or nobody has allowed it, there is no
// fallback.
func TestNoFallback(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	order := func(out cloud.Outgoing) store.Message {
		t.Helper()
		out.From, out.Content = w.line.PhoneNumber, secretText
		got, err := w.service.Send(t.Context(), w.who, out)
		if err != nil {
			t.Fatal(err)
		}
		if o := m.order(); o.Message != got.ID {
			t.Fatalf("%+v", o)
		}
		return got
	}
	fails := func(name string, got store.Message, r wire.Report) {
		t.Helper()
		m.report(r)
		if now := w.message(got.ID); now.Fallback || now.Status == wire.Queued {
			t.Errorf("%s: %+v", name, now)
		}
	}
	one := order(cloud.Outgoing{To: somebody})
	fails("not allowed", one, notOniMessage(one.ID, 1))
	w.falling(true)
	one = order(cloud.Outgoing{To: somebody, Service: wire.ServiceIMessage})
	fails("iMessage was asked for", one, notOniMessage(one.ID, 1))
	one = order(cloud.Outgoing{To: "Somebody@Example.com"})
	fails("an address", one, notOniMessage(one.ID, 1))
	one = order(cloud.Outgoing{To: somebody})
	fails("another error", one, wire.Report{Kind: wire.Failed, Message: one.ID, Attempt: 1, Fault: &wire.Fault{Code: "messages_error", Number: 3}})
	one = order(cloud.Outgoing{To: somebody})
	fails("another attempt", one, notOniMessage(one.ID, 7))
	one = order(cloud.Outgoing{To: somebody})
	m.report(wire.Report{Kind: wire.Sent, Message: one.ID, Attempt: 1, GUID: "g"})
	fails("it was sent before", one, notOniMessage(one.ID, 1))
	one = order(cloud.Outgoing{To: somebody})
	fails("another reason", one, wire.Report{Kind: wire.NoSend, Message: one.ID, Attempt: 1, Fault: &wire.Fault{Code: "bad_request"}})
}

// A Mac that is paired again tells its whole journal once more. What was true once does
// not become true again in between: webhooks are told at once.
func TestToldAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.falling(true)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	recovered, bySMS, failed := w.send("+14155550001"), w.send("+14155550002"), w.send("+14155550003")
	at := func(r wire.Report, ms int64) wire.Report { r.At = ms; return r }
	row := func(kind wire.Kind, message, guid string, attempt int, ms int64) wire.Report {
		r := wire.Report{Kind: kind, Message: message, GUID: guid, Attempt: attempt}
		if kind == wire.Failed {
			r.Fault = &wire.Fault{Code: "messages_error", Number: 3}
		}
		return at(r, ms)
	}
	told := []wire.Report{
		row(wire.Failed, recovered, "a", 1, 1000), row(wire.Sent, recovered, "a", 1, 2000),
		at(notOniMessage(bySMS, 1), 1000), row(wire.Sent, bySMS, "b", 2, 3000),
		row(wire.Sent, failed, "c", 1, 1000), row(wire.Failed, failed, "c", 1, 2000),
	}
	for _, r := range told[:3] {
		m.report(r)
	}
	eventually(t, "there is another attempt", func() bool { return w.message(bySMS).Attempt == 2 })
	for _, r := range told[3:] {
		m.report(r)
	}
	steps := func() (n int) {
		t.Helper()
		for _, id := range []string{recovered, bySMS, failed} {
			list, err := w.store.Timeline(t.Context(), w.message(id))
			if err != nil {
				t.Fatal(err)
			}
			n += len(list)
		}
		return n
	}
	before := steps()
	again := w.connect(w.replace()(), hello("ins_b", 0))
	for _, r := range told {
		again.report(r)
	}
	if n := steps(); n != before {
		t.Errorf("%d steps more", n-before)
	}
	for id, want := range map[string]wire.Status{recovered: wire.StatusSent, bySMS: wire.StatusSent, failed: wire.StatusFailed} {
		if got := w.message(id).Status; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	// What is new is heard.
	again.report(row(wire.Failed, recovered, "a", 1, 4000))
	again.report(row(wire.Sent, failed, "c", 1, 4000))
	if one, other := w.message(recovered).Status, w.message(failed).Status; one != wire.StatusFailed || other != wire.StatusSent {
		t.Errorf("they are %s and %s", one, other)
	}
}

// What a row says after its Mac's clock was set back is no old news where the Mac counts
// the row's failures; told again, it is.
func TestToldByAClockThatWasSetBack(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	var told []wire.Report
	for _, step := range []struct {
		kind    wire.Kind
		version int64
		at      int64
	}{{wire.Sent, 1, 7000}, {wire.Failed, 1, 9000}, {wire.Sent, 2, 2000}, {wire.Failed, 2, 1000}, {wire.Sent, 3, 500}} {
		r := wire.Report{Kind: step.kind, Message: id, GUID: "a", Attempt: 1, Version: step.version, At: step.at}
		if r.Kind == wire.Failed {
			r.Fault = &wire.Fault{Code: "messages_error", Number: 3}
		}
		told = append(told, r)
		m.report(r)
		if got := w.message(id).Status; got != step.kind.Status() {
			t.Errorf("%s %d: it is %s", step.kind, step.version, got)
		}
	}
	again := w.connect(w.replace()(), hello("ins_b", 0))
	before := w.events()
	for _, r := range told {
		again.report(r)
		if got := w.message(id).Status; got != wire.StatusSent {
			t.Errorf("told again, %s %d makes it %s", r.Kind, r.Version, got)
		}
	}
	if got := w.events(); !slices.Equal(got, before) {
		t.Errorf("%q", got)
	}
}

// A row that made its message go by SMS and was sent by Messages after all, before the
// SMS was begun. It is the message's from then on: it may fail again.
func TestRecoveredBeforeTheSMS(t *testing.T) {
	w := newWorld(t, nil)
	w.falling(true)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	one, two := w.send("+14155550001"), w.send("+14155550002")
	first := func(id string, ms int64) wire.Report { r := notOniMessage(id, 1); r.At = ms; return r }
	var told []wire.Report
	say := func(r wire.Report) { t.Helper(); m.report(r); told = append(told, r) }
	say(first(one, 1000))
	say(first(two, 1000))
	eventually(t, "both go by SMS", func() bool { return w.message(one).Attempt == 2 && w.message(two).Attempt == 2 })
	say(wire.Report{Kind: wire.Unknown, Message: one, Attempt: 2, GUID: "row of " + one, At: 2000, Fault: &wire.Fault{Code: "outcome_unknown"}})
	say(wire.Report{Kind: wire.Unknown, Message: two, Attempt: 2, GUID: "row of " + two, At: 2000, Fault: &wire.Fault{Code: "outcome_unknown"}})
	say(wire.Report{Kind: wire.Sent, Message: one, Attempt: 1, GUID: "row of " + one, At: 3000})
	say(first(two, 3000))
	want := func(when string) {
		t.Helper()
		if a, b := w.message(one), w.message(two); a.Status != wire.StatusSent || b.Status != wire.StatusFailed || b.ErrorCode != "messages_error" {
			t.Errorf("%s they are %s and %s %s", when, a.Status, b.Status, b.ErrorCode)
		}
	}
	want("in the end")
	again := w.connect(w.replace()(), hello("ins_b", 0))
	for _, r := range told {
		again.report(r)
		want("told again")
	}
}

// Of a message that nobody knew of for a day it is known in the end that it failed.
func TestLateRowOfAnUnknownMessage(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.report(wire.Report{Kind: wire.Failed, Message: id, Attempt: 1, Fault: &wire.Fault{Code: cloud.OutcomeUnknown}})
	if got := w.message(id); got.Status != wire.StatusFailed || got.ErrorCode != cloud.OutcomeUnknown {
		t.Fatalf("%+v", got)
	}
	for range 2 { // the second is no news
		m.report(wire.Report{Kind: wire.Failed, Message: id, Attempt: 1, GUID: "g", Fault: &wire.Fault{Code: "messages_error", Number: 25}})
	}
	if got := w.message(id); got.ErrorCode != "messages_error" || got.ErrorNumber != 25 {
		t.Errorf("%+v", got)
	}
	if list, err := w.store.Timeline(t.Context(), w.message(id)); err != nil || len(list) != 4 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Messages chooses SMS by itself: the row says so, and the message too.
func TestDowngrade(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "g", Service: "SMS", Downgraded: true})
	if got := w.message(id); !got.Downgraded || got.Service != "SMS" || got.Requested != wire.ServiceAuto {
		t.Errorf("%+v", got)
	}
}

func TestTargets(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	const group = "any;+;chat42"
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "in", From: somebody, Chat: group, Group: true, Text: secretText}})
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "direct", From: somebody, Chat: "any;-;" + somebody, Text: secretText}})
	for name, c := range map[string]struct {
		out  cloud.Outgoing
		want wire.Send
	}{
		"a number by SMS": {cloud.Outgoing{To: "+14155550001", Service: wire.ServiceSMS}, wire.Send{To: "+14155550001", Service: wire.ServiceSMS}},
		"a number by RCS": {cloud.Outgoing{To: "+14155550002", Service: wire.ServiceRCS}, wire.Send{To: "+14155550002", Service: wire.ServiceRCS}},
		"an address":      {cloud.Outgoing{To: "Some.Body+tag@Example.COM"}, wire.Send{To: "some.body+tag@example.com", Service: wire.ServiceAuto}},
		"a group":         {cloud.Outgoing{Group: group}, wire.Send{Group: group, Service: wire.ServiceAuto}},
	} {
		c.out.From, c.out.Content = w.line.PhoneNumber, secretText
		sent, err := w.service.Send(t.Context(), w.who, c.out)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o := m.order(); o.Message != sent.ID || o.To != c.want.To || o.Group != c.want.Group || o.Service != c.want.Service {
			t.Errorf("%s: %+v", name, o)
		}
		if want := c.want.To + c.want.Group; sent.To != want || sent.Peer != want {
			t.Errorf("%s: %+v", name, sent)
		}
		// Sent again it goes the same way.
		m.report(wire.Report{Kind: wire.NoSend, Message: sent.ID, Attempt: 1, Fault: &wire.Fault{Code: "bad_request"}})
		again, err := w.service.Resend(t.Context(), w.who, sent.ID, cloud.Resending{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o := m.order(); o.Message != again.ID || o.To != c.want.To || o.Group != c.want.Group || o.Service != c.want.Service {
			t.Errorf("%s again: %+v", name, o)
		}
	}
	other := w.addLine(w.who, "+14155550000")
	for name, c := range map[string]struct {
		out   cloud.Outgoing
		param string
	}{
		"an unknown group":          {cloud.Outgoing{Group: "any;+;chat43"}, "group_id"},
		"a conversation of two":     {cloud.Outgoing{Group: "any;-;" + somebody}, "group_id"},
		"another line's group":      {cloud.Outgoing{From: other.PhoneNumber, Group: group}, "group_id"},
		"a group and a number":      {cloud.Outgoing{Group: group, To: somebody}, "group_id"},
		"a group by SMS":            {cloud.Outgoing{Group: group, Service: wire.ServiceSMS}, "service"},
		"an address by SMS":         {cloud.Outgoing{To: "a@example.com", Service: wire.ServiceSMS}, "service"},
		"an address by RCS":         {cloud.Outgoing{To: "a@example.com", Service: wire.ServiceRCS}, "service"},
		"a service that is none":    {cloud.Outgoing{To: somebody, Service: "sms"}, "service"},
		"nobody":                    {cloud.Outgoing{}, "to"},
		"half an address":           {cloud.Outgoing{To: "a@"}, "to"},
		"no domain":                 {cloud.Outgoing{To: "a@b"}, "to"},
		"two addresses":             {cloud.Outgoing{To: "a@example.com,b@example.com"}, "to"},
		"a name":                    {cloud.Outgoing{To: "A <a@example.com>"}, "to"},
		"a space":                   {cloud.Outgoing{To: "a b@example.com"}, "to"},
		"a line's end":              {cloud.Outgoing{To: "a@example.com\n"}, "to"},
		"an address without an end": {cloud.Outgoing{To: strings.Repeat("a", 250) + "@example.com"}, "to"},
	} {
		if c.out.From == "" {
			c.out.From = w.line.PhoneNumber
		}
		c.out.Content = secretText
		_, err := w.service.Send(t.Context(), w.who, c.out)
		if e := refusal(t, err); e.Param != c.param {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
