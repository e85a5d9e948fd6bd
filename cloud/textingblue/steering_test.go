package textingblue_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// withdrawn waits for the next request to cancel.
func (m *mac) withdrawn() wire.Cancel {
	m.w.t.Helper()
	for {
		f := m.frame()
		if f.Send != nil {
			m.orders = append(m.orders, *f.Send)
		}
		if f.Cancel != nil {
			return *f.Cancel
		}
	}
}

// idle makes the server look for work and returns the orders that have come by then.
func (m *mac) idle() []wire.Send {
	m.w.t.Helper()
	m.inbound(2) // what follows the first one's acknowledgement is there before the second's
	list := m.orders
	m.orders = nil
	return list
}

// refused is a report that an attempt had no effect.
func refused(id string, attempt int, code string, again bool) wire.Report {
	return wire.Report{Kind: wire.NoSend, Message: id, Attempt: attempt, Again: again, Fault: &wire.Fault{Code: code, Text: "A sentence."}}
}

func (w *world) post(id, verb, body string) answer {
	w.t.Helper()
	return w.call("POST", "/v1/messages/"+id+"/"+verb, w.key, body)
}

func (w *world) sendText(to, content string) string {
	w.t.Helper()
	return w.ok("POST", sendPath, fmt.Sprintf(`{"to":%q,"from":%q,"content":%q}`, to, line, content), http.StatusAccepted).id(w.t)
}

// steps is what of a timeline does not depend on the clock.
func (w *world) steps(id string) []string {
	w.t.Helper()
	var body struct {
		MessageID string `json:"message_id"`
		Timeline  []struct {
			N                   int
			Status, Evidence    string
			At                  time.Time
			RecordedAt          time.Time `json:"recorded_at"`
			Attempt             int
			AppleGUID           string `json:"apple_guid"`
			Code, Detail, Extra string
		}
	}
	w.ok("GET", "/v1/messages/"+id+"/timeline", "", http.StatusOK).into(w.t, &body)
	if body.MessageID != id {
		w.t.Errorf("the timeline of %s is that of %s", id, body.MessageID)
	}
	var list []string
	for i, e := range body.Timeline {
		if e.N != i+1 || e.At.IsZero() || e.RecordedAt.IsZero() {
			w.t.Errorf("%+v", e)
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %d %s %s %s", e.Status, e.Attempt, e.Evidence, e.AppleGUID, e.Code)))
	}
	for i := range list {
		list[i] = strings.Join(strings.Fields(list[i]), " ")
	}
	return list
}

func TestCancelBeforeAnyMacHasIt(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(somebody)
	for range 2 { // canceling twice is canceling once
		a := w.post(id, "cancel", "")
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		golden(t, "get_withdrawn", a.body)
	}
	golden(t, "get_withdrawn", w.get(id).body)
	same(t, "timeline", w.steps(id), []string{"queued 0 api", "canceled 0 cancel canceled"})
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	if list := m.idle(); len(list) != 0 {
		t.Errorf("it was sent: %+v", list)
	}
	w.post("msg_nobody", "cancel", "").expect(t, http.StatusNotFound, "not_found", "")
	w.call("POST", "/v1/messages/"+id+"/cancel", w.newKey(w.account, store.TextingBlue, "messages:read"), "").expect(t, http.StatusForbidden, "forbidden", "")
}

// A relay that has the message is asked, and its answer is the answer.
func TestCancelAsksTheMac(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.CancelWait = patience })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for name, c := range map[string]struct {
		report wire.Report
		status int
		code   string
	}{
		"it had not begun":      {refused("", 1, wire.FaultCanceled, false), http.StatusOK, ""},
		"it was refused anyway": {refused("", 1, "messages_down", true), http.StatusOK, ""},
		"it has just begun":     {wire.Report{Kind: wire.Sending, Attempt: 1}, http.StatusConflict, "too_late"},
		"it has been sent":      {wire.Report{Kind: wire.Sent, Attempt: 1, GUID: "guid"}, http.StatusConflict, "too_late"},
		"nobody knows":          {wire.Report{Kind: wire.Unknown, Attempt: 1, Fault: &wire.Fault{Code: "outcome_unknown"}}, http.StatusConflict, "too_late"},
	} {
		t.Run(name, func(t *testing.T) {
			id := w.send(somebody)
			m.order()
			m.report(wire.Report{Kind: wire.Accepted, Message: id, Attempt: 1})
			done := make(chan answer)
			go func() { done <- w.post(id, "cancel", "") }()
			if got := m.withdrawn(); got.Message != id || got.Attempt != 1 {
				t.Errorf("%+v", got)
			}
			c.report.Message = id
			m.report(c.report)
			a := <-done
			if a.status != c.status {
				t.Errorf("%d %s", a.status, a.body)
			}
			if c.code != "" {
				a.expect(t, c.status, c.code, "")
			} else {
				golden(t, "get_withdrawn", a.body)
			}
			if c.report.Kind == wire.Sending { // makes room for the next
				m.report(wire.Report{Kind: wire.Sent, Message: id})
			}
		})
	}
	if list := m.idle(); len(list) != 0 {
		t.Errorf("a canceled message was ordered again: %+v", list)
	}
}

// While the Mac is away the request waits on disk; when it comes back it is asked
// before it can be told to send.
func TestCancelWaitsForTheMac(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.CancelWait = time.Nanosecond })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	// It is there and does not answer.
	a := w.post(id, "cancel", "")
	if a.status != http.StatusAccepted || a.member(t, "cancel_requested") != "true" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	m.withdrawn()
	m.leave()
	eventually(t, "the Mac is away", func() bool { return strings.Contains(string(w.get(id).body), "mac_offline") })
	for range 2 {
		a = w.post(id, "cancel", "")
		if a.status != http.StatusAccepted || a.member(t, "cancel_requested") != "true" || a.member(t, "status") != `"queued"` {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	w.stop()
	w.start()
	m = w.connect(secret, hello("ins_a", 0))
	if got := m.withdrawn(); got.Message != id || len(m.orders) != 0 {
		t.Fatalf("%+v after %+v", got, m.orders)
	}
	m.report(refused(id, 1, wire.FaultCanceled, false))
	if a := w.get(id); a.member(t, "error_code") != `"canceled"` || a.member(t, "cancel_requested") != "" {
		t.Errorf("%s", a.body)
	}
	same(t, "timeline", w.steps(id), []string{"queued 0 api", "queued 1 assigned", "queued 1 cancel cancel_requested", "canceled 1 cancel canceled"})
	if a := w.post(id, "cancel", ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A later state answers a request that came too late.
func TestALaterStateClearsTheRequest(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.CancelWait = time.Nanosecond })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	w.post(id, "cancel", "")
	m.report(wire.Report{Kind: wire.Accepted, Message: id, Attempt: 1})
	if a := w.get(id); a.member(t, "cancel_requested") != "true" {
		t.Errorf("%s", a.body)
	}
	m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
	if a := w.get(id); a.member(t, "cancel_requested") != "" {
		t.Errorf("%s", a.body)
	}
	w.post(id, "cancel", "").expect(t, http.StatusConflict, "too_late", "")
	m.report(wire.Report{Kind: wire.Delivered, Message: id})
	w.post(id, "cancel", "").expect(t, http.StatusConflict, "too_late", "")
}

func TestWhatCannotBeCanceled(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1)
	inbound := w.messages()[0].ID
	w.post(inbound, "cancel", "").expect(t, http.StatusConflict, "conflict", "")
	failed := w.send(somebody)
	m.order()
	m.report(refused(failed, 1, "no_such_service", false))
	w.post(failed, "cancel", "").expect(t, http.StatusConflict, "conflict", "")
}

// Many cancels of one message at once end in one cancel.
func TestManyCancelsAtOnce(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.CancelWait = patience })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if a := w.post(id, "cancel", ""); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	m.withdrawn()
	m.report(refused(id, 1, wire.FaultCanceled, false))
	all.Wait()
	same(t, "timeline", w.steps(id), []string{"queued 0 api", "queued 1 assigned", "queued 1 cancel cancel_requested", "canceled 1 cancel canceled"})
}

func TestExpiry(t *testing.T) {
	w := newWorld(t, nil)
	hour := time.Now().Add(time.Hour)
	for _, at := range []string{`"` + hour.Format(time.RFC3339) + `"`, `"` + hour.UTC().Format(time.RFC3339Nano) + `"`, fmt.Sprint(hour.UnixMilli())} {
		a := w.ok("POST", sendPath, fmt.Sprintf(`{"to":%q,"from":%q,"content":"Hi","expires_at":%s}`, somebody, line, at), http.StatusAccepted)
		want := `"` + hour.UTC().Format(time.RFC3339) + `"`
		if got := a.member(t, "expires_at"); got != want {
			t.Errorf("%s: %s", at, a.body)
		}
		if got := w.get(a.id(t)).member(t, "expires_at"); got != want {
			t.Errorf("%s: %s", at, got)
		}
		w.post(a.id(t), "cancel", "")
	}
	for _, bad := range []string{`"2026-02-07T12:00:00Z"`, fmt.Sprint(hour.Unix()), "0", "-1", `"soon"`, `"2026-02-07"`, "1e400", "1.5", "true", `{"a":1}`, "9999999999999999", fmt.Sprint(time.Now().UnixMilli())} {
		w.call("POST", sendPath, w.key, fmt.Sprintf(`{"to":%q,"from":%q,"content":"Hi","expires_at":%s}`, somebody, line, bad)).
			expect(t, http.StatusBadRequest, "invalid_request", "expires_at")
	}
}

// sendFor sends with so much time.
func (w *world) sendFor(to string, life time.Duration) string {
	w.t.Helper()
	return w.ok("POST", sendPath, fmt.Sprintf(`{"to":%q,"from":%q,"content":"Hi","expires_at":%d}`, to, line, time.Now().Add(life).UnixMilli()), http.StatusAccepted).id(w.t)
}

// pass has the time of a message pass. A short one might be over before the server reads
// the request, which it then refuses.
func (w *world) pass(id string) {
	w.t.Helper()
	w.exec("UPDATE messages SET expires_at = created_at WHERE id = '" + id + "'")
}

// A message that no relay has when its time passes ends, tells so, and is never sent.
func TestWaitingMessagesExpire(t *testing.T) {
	w := newWorld(t, nil)
	id := w.sendFor(somebody, time.Hour)
	after := w.send(somebody)
	w.pass(id)
	eventually(t, "it expires", func() bool { return w.get(id).member(t, "status") == `"failed"` })
	if a := w.get(id); a.member(t, "error_code") != `"expired"` {
		t.Errorf("%s", a.body)
	}
	same(t, "timeline", w.steps(id), []string{"queued 0 api", "expired 0 expiry expired"})
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	if o := m.order(); o.Message != after {
		t.Errorf("%+v", o)
	}
	w.post(id, "cancel", "").expect(t, http.StatusConflict, "conflict", "")
}

// A relay learns how much time is left, and says itself that it was too late.
func TestTheMacExpiresWhatItHas(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.sendFor(somebody, time.Hour)
	if o := m.order(); o.ExpiresIn <= 0 || o.ExpiresIn > time.Hour.Milliseconds() {
		t.Errorf("%+v", o)
	}
	never := w.send("+14155550001")
	if o := m.order(); o.Message != never || o.ExpiresIn != 0 {
		t.Errorf("%+v", o)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: never})
	late := w.sendFor("+14155550002", time.Hour)
	m.order()
	m.leave()
	// Its time passes while the relay is away: only the relay knows whether it began.
	w.pass(late)
	m = w.connect(secret, hello("ins_a", m.seq))
	for range 2 {
		if o := m.order(); o.Message == late && o.ExpiresIn != 1 {
			t.Errorf("%+v", o)
		}
	}
	m.report(refused(late, 1, wire.FaultExpired, false))
	if a := w.get(late); a.member(t, "error_code") != `"expired"` || a.member(t, "status") != `"failed"` {
		t.Errorf("%s", a.body)
	}
	same(t, "timeline", w.steps(late), []string{"queued 0 api", "queued 1 assigned", "expired 1 expiry expired"})
	m.report(wire.Report{Kind: wire.Sent, Message: id})
}

func TestResend(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.UnknownFinal = time.Hour })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	unknown := &wire.Fault{Code: "outcome_unknown", Text: "A sentence."}
	for name, c := range map[string]struct {
		end   []wire.Report
		risky bool
		never bool
	}{
		"failed":           {end: []wire.Report{refused("", 1, "no_such_service", false)}},
		"failed row":       {end: []wire.Report{{Kind: wire.Failed, Attempt: 1, GUID: "g1", Fault: &wire.Fault{Code: "messages_error", Number: 22}}}},
		"canceled":         {end: []wire.Report{refused("", 1, wire.FaultCanceled, false)}},
		"expired":          {end: []wire.Report{refused("", 1, wire.FaultExpired, false)}},
		"unknown":          {end: []wire.Report{{Kind: wire.Unknown, Attempt: 1, Fault: unknown}}, risky: true},
		"file without its": {end: []wire.Report{{Kind: wire.Failed, Attempt: 1, Fault: &wire.Fault{Code: "text_failed"}}}, risky: true},
		"sent":             {end: []wire.Report{{Kind: wire.Sent, Attempt: 1, GUID: "g2"}}, never: true},
		"read":             {end: []wire.Report{{Kind: wire.Read, Attempt: 1, GUID: "g3"}}, never: true},
	} {
		t.Run(name, func(t *testing.T) {
			id := w.send(somebody)
			m.order()
			w.post(id, "resend", "").expect(t, http.StatusConflict, "conflict", "") // still on its way
			for _, r := range c.end {
				r.Message = id
				m.report(r)
			}
			if c.never {
				w.post(id, "resend", `{"accept_duplicate_risk":true}`).expect(t, http.StatusConflict, "conflict", "")
				return
			}
			if c.risky {
				for _, body := range []string{"", "{}", `{"accept_duplicate_risk":false}`, `{"accept_duplicate_risk":null}`} {
					w.post(id, "resend", body).expect(t, http.StatusConflict, "duplicate_risk", "accept_duplicate_risk")
				}
			}
			body := ""
			if c.risky {
				body = `{"accept_duplicate_risk":true}`
			}
			a := w.post(id, "resend", body)
			if a.status != http.StatusAccepted || a.member(t, "resend_of") != `"`+id+`"` || a.member(t, "content") != `"`+greeting+`"` {
				t.Fatalf("%d %s", a.status, a.body)
			}
			// Once more is once too often, while that one is on its way.
			w.post(id, "resend", "").expect(t, http.StatusConflict, "duplicate_risk", "accept_duplicate_risk")
			o := m.order()
			if o.Message != a.id(t) || o.Message == id || o.Text != greeting || o.To != somebody || o.Attempt != 1 {
				t.Errorf("%+v", o)
			}
			if got := w.get(a.id(t)).member(t, "resend_of"); got != `"`+id+`"` {
				t.Errorf("resend_of is %s", got)
			}
			m.report(refused(o.Message, 1, "no_such_service", false))
			if a := w.post(id, "resend", body); a.status != http.StatusAccepted {
				t.Errorf("after both have failed: %d %s", a.status, a.body)
			}
			m.report(wire.Report{Kind: wire.Sent, Message: m.order().Message})
			w.post(id, "resend", "").expect(t, http.StatusConflict, "duplicate_risk", "accept_duplicate_risk")
		})
	}
	m.inbound(1)
	w.post(w.messages()[0].ID, "resend", "").expect(t, http.StatusConflict, "conflict", "")
	w.post("msg_nobody", "resend", "").expect(t, http.StatusNotFound, "not_found", "")
	id := w.send("+14155550001")
	w.post(id, "resend", `{"accept_duplicate_risk":"yes"}`).expect(t, http.StatusBadRequest, "invalid_request", "accept_duplicate_risk")
	w.post(id, "resend", `{"expires_at":5}`).expect(t, http.StatusBadRequest, "invalid_request", "expires_at")
	w.post(id, "resend", `[]`).expect(t, http.StatusBadRequest, "invalid_request", "")
}

// A message, what repeats it and what repeats that are one to its recipient: when one of
// them has gone out, none of the others goes without being asked for by name.
func TestResendOfAResend(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	var ids []string
	id := w.send(somebody)
	for range 3 {
		ids = append(ids, id)
		m.report(refused(m.order().Message, 1, "no_such_service", false))
		a := w.post(id, "resend", "")
		if a.status != http.StatusAccepted {
			t.Fatalf("%d %s", a.status, a.body)
		}
		id = a.id(t)
	}
	for _, state := range []string{"on its way", "sent"} {
		for _, one := range ids {
			w.post(one, "resend", "").expect(t, http.StatusConflict, "duplicate_risk", "accept_duplicate_risk")
		}
		if state == "on its way" {
			m.report(wire.Report{Kind: wire.Sent, Message: m.order().Message})
		}
	}
	if a := w.post(ids[0], "resend", `{"accept_duplicate_risk":true}`); a.status != http.StatusAccepted {
		t.Errorf("asked for by name: %d %s", a.status, a.body)
	}
}

// failed for want of evidence is as risky as unknown, and evidence still corrects it.
func TestUnknownBecomesFailedAndIsCorrected(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.UnknownFinal = time.Millisecond })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "outcome_unknown", Text: "No row."}})
	eventually(t, "nobody waits any longer", func() bool { return w.get(id).member(t, "status") == `"failed"` })
	golden(t, "get_unknown_failed", w.get(id).body)
	w.post(id, "resend", "").expect(t, http.StatusConflict, "duplicate_risk", "accept_duplicate_risk")
	w.post(id, "cancel", "").expect(t, http.StatusConflict, "too_late", "")
	m.report(wire.Report{Kind: wire.Delivered, Message: id, Attempt: 1, GUID: "late-row"})
	if a := w.get(id); a.member(t, "status") != `"delivered"` || a.member(t, "error_code") != "null" {
		t.Errorf("%s", a.body)
	}
	same(t, "timeline", w.steps(id), []string{
		"queued 0 api", "queued 1 assigned", "sending 1 relay", "unknown 1 time outcome_unknown", "failed 1 time outcome_unknown", "delivered 1 row late-row",
	})
}

// One equal text at a time to each conversation: the second waits until the first is
// bound to its row, or until nobody can tell.
func TestEqualTextsGoOneAtATime(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for _, settled := range []wire.Report{
		{Kind: wire.Sent, GUID: "row"},
		{Kind: wire.Unknown, Attempt: 1, Fault: &wire.Fault{Code: "outcome_unknown"}},
	} {
		first, second := w.send(somebody), w.send(somebody)
		if o := m.order(); o.Message != first {
			t.Fatalf("%+v", o)
		}
		for _, kind := range []wire.Kind{wire.Accepted, wire.Sending} {
			m.report(wire.Report{Kind: kind, Message: first, Attempt: 1})
			if list := m.idle(); len(list) != 0 {
				t.Fatalf("after %s: %+v", kind, list)
			}
			if got := w.get(second).member(t, "waiting_for"); !strings.Contains(got, `"equal_text"`) {
				t.Errorf("after %s it waits for %s", kind, got)
			}
		}
		settled.Message = first
		m.report(settled)
		if o := m.order(); o.Message != second {
			t.Fatalf("%+v", o)
		}
		m.report(wire.Report{Kind: wire.Sent, Message: second})
	}
}

// Each reason to wait, and nothing for what does not wait.
func TestWaitingFor(t *testing.T) {
	w := newWorld(t, nil)
	reason := func(id string) string {
		t.Helper()
		a := w.get(id)
		raw := a.member(t, "waiting_for")
		if raw == "" {
			return ""
		}
		var r struct {
			WaitingFor struct{ Code, Message string } `json:"waiting_for"`
		}
		a.into(t, &r)
		if !strings.HasSuffix(r.WaitingFor.Message, ".") {
			t.Errorf("%s is no sentence", raw)
		}
		return r.WaitingFor.Code
	}
	expect := func(id, want string) {
		t.Helper()
		if got := reason(id); got != want {
			t.Errorf("it waits for %q, want %q", got, want)
		}
	}
	first := w.send(somebody)
	expect(first, "no_mac")
	w.setLine(cloud.LineChange{Status: new(store.LinePaused)})
	expect(first, "line_paused")
	w.setLine(cloud.LineChange{Status: new(store.LineActive)})
	secret := w.paired(w.line)
	expect(first, "mac_offline")
	ill := hello("ins_a", 0)
	ill.Health = wire.Health{Code: wire.ProblemAutomation, Reason: "Switch Messages on for bluerelay."}
	m := w.connect(secret, ill)
	expect(first, "mac_not_ready")
	if got := w.get(first).member(t, "waiting_for"); !strings.Contains(got, ill.Health.Reason) {
		t.Errorf("%s", got)
	}
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}})
	m.order()
	expect(first, "") // it is on its way
	expect(w.send(somebody), "equal_text")
	expect(w.sendText(somebody, "Another text"), "conversation_busy")
	for i := range 3 {
		w.send(fmt.Sprintf("+1415555000%d", i))
		m.order()
	}
	expect(w.send("+14155550009"), "window")
	m.report(wire.Report{Kind: wire.Sent, Message: first})
	expect(first, "")
	if list := w.ok("GET", "/v1/messages", "", http.StatusOK); strings.Contains(string(list.body), "waiting_for") {
		t.Errorf("the list says what messages wait for: %s", list.body)
	}
}

func (w *world) setLine(c cloud.LineChange) {
	w.t.Helper()
	if _, err := w.service.UpdateNumber(w.t.Context(), cloud.Principal{Account: w.account}, w.line.ID, c); err != nil {
		w.t.Fatal(err)
	}
}

// A paused line keeps what it has, takes nothing new, and goes on where it was.
func TestPauseAndResume(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	url, told := receiver(t, nil)
	w.hook(fmt.Sprintf(`{"url":%q,"events":["line.paused","line.resumed"]}`, url))
	first, second := w.send(somebody), w.send(somebody)
	m.order()
	w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"status":"paused"}`, http.StatusOK)
	w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"status":"paused"}`, http.StatusOK) // changes nothing
	m.report(wire.Report{Kind: wire.Sent, Message: first})
	if list := m.idle(); len(list) != 0 {
		t.Errorf("sent while paused: %+v", list)
	}
	if got := w.get(second).member(t, "waiting_for"); !strings.Contains(got, "line_paused") {
		t.Errorf("it waits for %s", got)
	}
	w.call("POST", sendPath, w.key, seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "from")
	w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"status":"active"}`, http.StatusOK)
	if o := m.order(); o.Message != second {
		t.Errorf("%+v", o)
	}
	var kinds []string
	for line := range strings.Lines(w.contents()) {
		for _, kind := range []string{"line.paused", "line.resumed"} {
			if strings.HasPrefix(line, "events") && strings.Contains(line, " "+kind+" ") {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	same(t, "events", kinds, []string{"line.paused", "line.resumed"})
	for range 2 {
		select {
		case p := <-told:
			golden(t, "event_"+strings.ReplaceAll(p.header.Get("x-textingblue-event"), ".", "_"), p.body)
		case <-time.After(patience):
			t.Fatal("the webhook hears nothing")
		}
	}
}

func TestPaceIsShownAndKept(t *testing.T) {
	w := newWorld(t, nil)
	w.setLine(cloud.LineChange{Pace: new("0.001"), Burst: new(2)})
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	var sent []string
	for i := range 2 {
		sent = append(sent, w.send(fmt.Sprintf("+1415555000%d", i)))
		if o := m.order(); o.Message != sent[i] {
			t.Fatalf("%+v", o)
		}
	}
	third := w.send("+14155550003")
	if got := w.get(third).member(t, "waiting_for"); !strings.Contains(got, `"pace"`) {
		t.Errorf("it waits for %s", got)
	}
	// Neither another connection nor another process begins with a new burst.
	for range 2 {
		m.leave()
		w.stop()
		w.start()
		m = w.connect(secret, hello("ins_a", m.seq))
		for range 2 {
			if o := m.order(); !slices.Contains(sent, o.Message) {
				t.Errorf("%+v", o)
			}
		}
		if list := m.idle(); len(list) != 0 {
			t.Errorf("reconnecting got %+v", list)
		}
	}
	w.setLine(cloud.LineChange{Pace: new("off")})
	if o := m.order(); o.Message != third {
		t.Errorf("%+v", o)
	}
}

func TestNewConversationsOfALine(t *testing.T) {
	w := newWorld(t, nil)
	w.setLine(cloud.LineChange{NewConversations: new("1")})
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1) // from somebody, who is no stranger then
	first := w.send("+14155550001")
	if o := m.order(); o.Message != first {
		t.Fatalf("%+v", o)
	}
	stranger := w.send("+14155550002")
	if got := w.get(stranger).member(t, "waiting_for"); !strings.Contains(got, `"new_conversations"`) {
		t.Errorf("it waits for %s", got)
	}
	known := w.send(somebody)
	if o := m.order(); o.Message != known {
		t.Fatalf("a stranger in front held up a known one: %+v", o)
	}
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "hello", From: "+14155550002", Chat: "c", Text: "Hi", Service: "iMessage"}})
	if o := m.order(); o.Message != stranger {
		t.Errorf("%+v", o)
	}
}

// Nobody's Mac calls for help or spends its owner's money.
func TestRecipientsThatAreDeclined(t *testing.T) {
	w := newWorld(t, nil)
	for _, to := range []string{"911", "112", "+911", "+1911", "+44999", "+49110", "72345", "+172345", "999999", "+19005551234", "+449098790000"} {
		a := w.call("POST", sendPath, w.key, fmt.Sprintf(`{"to":%q,"from":%q,"content":"Hi"}`, to, line))
		a.expect(t, http.StatusBadRequest, "invalid_request", "to")
		t.Logf("%s: %s", to, a.body)
	}
	for _, to := range []string{somebody, "+15005550001", "+447700900123", "+4915112345678", "+33612345678", "+818012345678", "+6590123456", "+2905012"} {
		w.send(to)
	}
}

// Another account finds none of it.
func TestSteeringIsOnesOwn(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(somebody)
	other := w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "*")
	before := w.contents()
	for _, verb := range []string{"cancel", "resend"} {
		w.call("POST", "/v1/messages/"+id+"/"+verb, other, "").expect(t, http.StatusNotFound, "not_found", "")
	}
	w.call("GET", "/v1/messages/"+id+"/timeline", other, "").expect(t, http.StatusNotFound, "not_found", "")
	if w.contents() != before {
		t.Error("something has changed")
	}
	w.call("DELETE", "/v1/messages/"+id+"/cancel", w.key, "").expect(t, http.StatusMethodNotAllowed, "invalid_request", "")
}
