package cloud_test

import (
	"fmt"
	"slices"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// optedOut tells whether somebody is written down as not wanting messages.
func (w *world) optedOut(address string) bool {
	w.t.Helper()
	list, err := w.store.OptedOut(w.t.Context(), w.who.Account.ID, address)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list) == 1
}

// refuses tries to send to somebody who has opted out.
func (w *world) refuses(address string) {
	w.t.Helper()
	_, err := w.service.Send(w.t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: address, Content: secretText})
	if e := refusal(w.t, err); e.Code != cloud.InvalidRequest || e.Param != "to" {
		w.t.Errorf("%+v", e)
	}
}

// withdrawn waits until the Mac is asked to give something up.
func (m *mac) withdrawn() wire.Cancel {
	m.w.t.Helper()
	for {
		switch f := m.frame(); {
		case f.Send != nil:
			m.orders = append(m.orders, *f.Send)
		case f.Cancel != nil:
			return *f.Cancel
		}
	}
}

// What counts as opting out and in is the whole text of one person, however it is written.
func TestWordsOfConsent(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	n := 0
	say := func(text string, change ...func(*wire.Report)) bool {
		n++
		r := received(fmt.Sprintf("guid-%d", n), text)
		for _, c := range change {
			c(&r)
		}
		m.report(r)
		return w.optedOut(somebody)
	}
	for _, text := range []string{"STOP", "stop", " Stop.\n", "“Stop”", "STOPALL", "stop all", "Unsubscribe", "CANCEL", "end", "Quit!", "OPTOUT", "Opt  out", "revoke", "\u00a0STOP\u00a0"} {
		if !say(text) {
			t.Errorf("%q did not count", text)
		}
		if say("start") {
			t.Fatal("start did not count")
		}
	}
	for _, text := range []string{"", "Stop it", "STOP STOP", "Please stop", "stopp", "STOP?", "S T O P", "ＳＴＯＰ", "no", "YES", "stop\u200b"} {
		if say(text) {
			t.Errorf("%q counted", text)
			say("start")
		}
	}
	group := func(r *wire.Report) { r.Inbound.Group, r.Inbound.Chat = true, "any;+;chat1" }
	unknown := func(r *wire.Report) { r.Inbound.Chat = "" }
	file := func(r *wire.Report) { r.Inbound.Attachments = 1 }
	stranger := func(r *wire.Report) { r.Inbound.From = "BANK" }
	own := func(r *wire.Report) { r.Kind, r.Inbound.Status = wire.Typed, wire.StatusSent }
	for name, c := range map[string]func(*wire.Report){"a group": group, "an unknown chat": unknown, "a file": file, "no address": stranger, "the owner": own} {
		if say("STOP", c) {
			t.Errorf("%s: counted", name)
			say("start")
		}
	}
	m.report(wire.Report{Kind: wire.Tapped, GUID: "tap", Tapback: &wire.Tapback{Target: "guid-1", From: somebody, Kind: "emoji", Emoji: "STOP"}})
	if _, err := w.service.AddHistory(t.Context(), w.relay(w.line), []wire.Past{{GUID: "past", Handle: somebody, Text: "STOP", Status: wire.StatusReceived, At: 5, Chat: "any;-;" + somebody}}); err != nil {
		t.Fatal(err)
	}
	if w.optedOut(somebody) {
		t.Error("a tapback, or history, counted")
	}
	// START of somebody who never opted out makes no contact.
	say("START", func(r *wire.Report) { r.Inbound.From, r.Inbound.Chat = "+14155550002", "any;-;+14155550002" })
	if got := w.column("SELECT address FROM contacts"); !slices.Equal(got, []string{somebody}) {
		t.Errorf("%v", got)
	}
	// An e-mail address may opt out too.
	say("Stop", func(r *wire.Report) { r.Inbound.From, r.Inbound.Chat = "Ann@Example.com", "any;-;Ann@Example.com" })
	w.refuses("ann@example.com")
}

// A conversation that is known late counts from then on; one that turns out to be a
// group's does not.
func TestConsentOfALateChat(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for guid, group := range map[string]bool{"g1": true, "g2": false} {
		r := received(guid, "STOP")
		r.Inbound.Chat = ""
		m.report(r)
		joined := wire.Report{Kind: wire.Joined, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: "any;x;" + guid, Text: "STOP", Group: group}}
		m.report(joined)
		if w.optedOut(somebody) == group {
			t.Errorf("a group: %v", group)
		}
		w.write(func(tx *store.Tx) error {
			_, err := tx.OptIn(store.Consent{AccountID: w.who.Account.ID, Address: somebody})
			return err
		})
		m.report(joined)
		if w.optedOut(somebody) {
			t.Error("the same news counted twice")
		}
	}
}

// Nothing is sent to a person who has opted out: not what is asked for later, nor what
// waits, nor what a Mac gives back. Other people, groups and accounts are not touched.
func TestNothingGoesToWhoeverOptedOut(t *testing.T) {
	w := newWorld(t, nil)
	other := w.account("team_b")
	otherLine := w.addLine(other, "+14155550009")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	held := w.send(somebody) // with the Mac
	m.order()
	m.report(wire.Report{Kind: wire.Accepted, Message: held, Attempt: 1})
	second := w.addLine(w.who, "+14155550008")
	waits, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: second.PhoneNumber, To: somebody, Content: secretText})
	if err != nil {
		t.Fatal(err)
	}
	behind, beside := w.send(somebody), w.send("+14155550001")
	m.order()
	m.report(received("guid", "Stop"))
	for _, id := range []string{waits.ID, behind} {
		if got := w.message(id); got.Status != wire.StatusFailed || got.ErrorCode != cloud.OptedOut {
			t.Errorf("%s %s", got.Status, got.ErrorCode)
		}
	}
	if got := m.withdrawn(); got.Message != held || len(m.orders) != 0 {
		t.Errorf("%+v is withdrawn, %v was given", got, m.orders)
	}
	if got := w.message(held); got.CancelRequested == 0 || got.Status != wire.StatusAccepted {
		t.Fatalf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.NoSend, Message: held, Attempt: 1, Fault: &wire.Fault{Code: wire.FaultCanceled, Text: "It was canceled."}})
	if got := w.message(held); got.Status != wire.StatusFailed || got.ErrorCode != cloud.OptedOut {
		t.Errorf("%s %s", got.Status, got.ErrorCode)
	}
	if got := w.message(beside).Status; got != wire.Queued {
		t.Errorf("another's is %s", got)
	}
	w.refuses(somebody)
	if _, err := w.service.Resend(t.Context(), w.who, held, cloud.Resending{}); refusal(t, err).Param != "to" {
		t.Error(err)
	}
	if _, err := w.service.Send(t.Context(), other, cloud.Outgoing{From: otherLine.PhoneNumber, To: somebody, Content: secretText}); err != nil {
		t.Errorf("another account: %v", err)
	}
	kept, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: secretText, MediaURL: "https://blue.example.com/a.jpg", KeepDeclined: true})
	if err != nil || kept.Status != wire.StatusFailed || kept.ErrorCode != cloud.OptedOut || kept.AwaitsMedia || !kept.OptedOut {
		t.Errorf("%+v, %v", kept, err)
	}
	if got := w.column("SELECT type FROM events WHERE message_id = '" + kept.ID + "'"); !slices.Equal(got, []string{"message.failed"}) {
		t.Errorf("%v", got)
	}
	m.report(received("again", "START"))
	w.send(somebody)
	m.order()
}

// A message that is being sent when its recipient opts out may still go; what provably
// had no effect is not tried again, and does not go by SMS.
func TestOptingOutDuringASend(t *testing.T) {
	for name, c := range map[string]struct {
		end  wire.Report
		want wire.Status
		code string
	}{
		"it went":       {wire.Report{Kind: wire.Sent, GUID: "row"}, wire.StatusSent, ""},
		"nothing went":  {wire.Report{Kind: wire.NoSend, Again: true, Fault: &wire.Fault{Code: "x", Text: "x"}}, wire.StatusFailed, cloud.OptedOut},
		"given back":    {wire.Report{Kind: wire.NoSend, Again: true, Fault: &wire.Fault{Code: wire.FaultReleased, Text: "x"}}, wire.StatusFailed, cloud.OptedOut},
		"not iMessage":  {wire.Report{Kind: wire.Failed, GUID: "row", Fault: &wire.Fault{Code: "row_error", Number: 22, Text: "x"}}, wire.StatusFailed, "row_error"},
		"no such party": {wire.Report{Kind: wire.NoSend, Fault: &wire.Fault{Code: "no_such_target", Text: "x"}}, wire.StatusFailed, "no_such_target"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.falling(true)
			m := w.connect(w.paired(w.line), hello("ins_a", 0))
			id := w.send(somebody)
			m.order()
			m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
			m.report(received("guid", "STOP"))
			if got := w.message(id); got.Status != wire.StatusSending || got.CancelRequested != 0 {
				t.Fatalf("%+v", got)
			}
			c.end.Message, c.end.Attempt = id, 1
			m.report(c.end)
			if got := w.message(id); got.Status != c.want || got.ErrorCode != c.code {
				t.Errorf("%s %s", got.Status, got.ErrorCode)
			}
			if got := m.idle(); len(got) != 0 {
				t.Errorf("tried again: %v", got)
			}
		})
	}
}

// An account chooses its words, or none.
func TestConsentWordsOfAnAccount(t *testing.T) {
	w := newWorld(t, nil)
	ctx, id := t.Context(), w.who.Account.ID
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	choose := func(out, in []string) {
		t.Helper()
		if _, err := w.service.SetConsentWords(ctx, id, out, in); err != nil {
			t.Fatal(err)
		}
	}
	choose([]string{" Arrêt ", "stop"}, nil)
	for i, step := range []struct {
		text string
		want bool
	}{{"QUIT", false}, {"ARRÊT", true}, {"unstop", false}, {"Stop", true}, {"start", false}} {
		m.report(received(fmt.Sprint("a", i), step.text))
		if w.optedOut(somebody) != step.want {
			t.Errorf("after %q: %v", step.text, !step.want)
		}
	}
	choose([]string{}, []string{"ja"})
	m.report(received("b", "STOP"))
	if w.optedOut(somebody) {
		t.Error("STOP counts though it is off")
	}
	if got, err := w.service.SetConsentWords(ctx, id, cloud.UsualWords, cloud.UsualWords); err != nil || !slices.Contains(got.OptOut, "OPT OUT") || !slices.Contains(got.OptIn, "START") {
		t.Errorf("%v, %v", got, err)
	}
	long := make([]string, 51)
	for _, bad := range [][]string{{""}, {"."}, {string(make([]byte, 41))}, {"\xff"}, long, {"start"}} {
		if _, err := w.service.SetConsentWords(ctx, id, bad, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if got, err := w.service.ConsentWords(ctx, id); err != nil || len(got.OptOut) != 10 {
		t.Errorf("%v, %v", got, err)
	}
}

// What is shown of a message is whether its person has opted out by now.
func TestOptedOutIsShownAsItIs(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("a", "hello"))
	m.report(received("b", "STOP"))
	r := received("c", "hello")
	r.Inbound.From, r.Inbound.Chat = "+14155550001", "any;-;+14155550001"
	m.report(r)
	show := func() (out []bool) {
		list := []store.Message{w.byGUID("a"), w.byGUID("b"), w.byGUID("c")}
		if err := w.service.Mark(t.Context(), w.who, list); err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			out = append(out, m.OptedOut)
		}
		return out
	}
	if got := show(); !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("%v", got)
	}
	m.report(received("d", "start"))
	if got := show(); !slices.Equal(got, []bool{false, false, false}) {
		t.Errorf("%v", got)
	}
	if err := w.service.Mark(t.Context(), w.who, nil); err != nil {
		t.Error(err)
	}
}

// What was declined takes nothing from the plan, and a minute has room for so many of both.
func TestDeclinedMessagesAreNoneOfThePlan(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.service.SetOptOut(t.Context(), w.who, somebody, true); err != nil {
		t.Fatal(err)
	}
	w.who.Account.MessagesPerMinute, w.who.Account.MonthlyMessages = 3, 2
	send := func(to string) cloud.Code {
		t.Helper()
		_, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: to, Content: secretText, KeepDeclined: true})
		if err == nil {
			return ""
		}
		return refusal(t, err).Code
	}
	for i, step := range []struct {
		to   string
		want cloud.Code
	}{
		{somebody, ""}, {somebody, ""}, {somebody, ""}, {somebody, cloud.RateLimited},
		{"+14155550001", ""}, {"+14155550001", ""}, {"+14155550001", cloud.PlanLimitExceeded}, {somebody, cloud.RateLimited},
	} {
		if got := send(step.to); got != step.want {
			t.Errorf("%d: %q, want %q", i, got, step.want)
		}
	}
}
