package cloud_test

import (
	"slices"
	"testing"

	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// journal is what a relay keeps of its reports, so that a cloud that has forgotten gets
// them again.
type journal struct {
	reports []wire.Report
	known   map[string]int // attempts by message
}

// told reports something and keeps it.
func (j *journal) told(m *mac, r wire.Report) {
	m.w.t.Helper()
	m.report(r)
	r.Seq, r.At = m.seq, 1
	j.reports = append(j.reports, r)
}

// repeat says everything above what the cloud knows, as it was.
func (j *journal) repeat(m *mac) {
	m.w.t.Helper()
	for _, r := range j.reports {
		if r.Seq > m.acked {
			m.resend(r)
		}
	}
}

// begin takes an order as a relay does, and tells whether it is a new one.
func (j *journal) begin(m *mac, o wire.Send) bool {
	m.w.t.Helper()
	if o.Attempt <= j.known[o.Message] {
		return false
	}
	j.known[o.Message] = o.Attempt
	j.told(m, wire.Report{Kind: wire.Accepted, Message: o.Message, Attempt: o.Attempt})
	j.told(m, wire.Report{Kind: wire.Sending, Message: o.Message, Attempt: o.Attempt})
	return true
}

// until takes orders up to a new one for a message.
func (j *journal) until(m *mac, id string) {
	m.w.t.Helper()
	for {
		o := m.order()
		if j.begin(m, o) && o.Message == id {
			return
		}
	}
}

// idle is mac.idle with what it reports kept.
func (j *journal) idle(m *mac) []wire.Send {
	m.w.t.Helper()
	for range 2 {
		j.told(m, wire.Report{Kind: wire.Sent, Message: "msg_of_nobody"})
	}
	list := m.orders
	m.orders = nil
	return list
}

// answer says of an order that is known what became of it.
func (j *journal) answer(m *mac, o wire.Send) {
	m.w.t.Helper()
	for _, r := range slices.Backward(j.reports) {
		if r.Message == o.Message && r.Attempt == o.Attempt {
			j.told(m, r)
			return
		}
	}
}

// A database that was restored from a copy: the relay repeats what the copy does not
// know, every message ends with the truth, and nothing goes out twice.
func TestRestoredDatabase(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	j := &journal{known: make(map[string]int)}
	m := w.connect(secret, hello("ins_a", 0))
	sent, again := w.send("+14155550001"), w.send("+14155550002")
	j.until(m, sent)
	j.until(m, again)
	j.told(m, wire.Report{Kind: wire.Sent, Message: sent, Attempt: 1, GUID: "row1"})
	waiting := w.send("+14155550001") // assigned when the copy is made
	m.order()
	m.leave()
	eventually(t, "the Mac is away", func() bool { return !w.relay(w.line).Connected })
	unassigned := w.send("+14155550003")

	w.stop()
	restore := storetest.Copy(t, w.dsn)
	w.start()

	// Life goes on.
	m = w.connect(secret, hello("ins_a", int64(len(j.reports))))
	j.until(m, waiting)
	j.until(m, unassigned)
	j.told(m, wire.Report{Kind: wire.NoSend, Message: again, Attempt: 1, Again: true})
	j.until(m, again)
	j.told(m, wire.Report{Kind: wire.Delivered, Message: sent, Attempt: 1, GUID: "row1"})
	j.told(m, wire.Report{Kind: wire.Sent, Message: waiting, Attempt: 1, GUID: "row2"})
	j.told(m, wire.Report{Kind: wire.Unknown, Message: unassigned, Attempt: 1})
	forgotten := w.send("+14155550004")
	j.until(m, forgotten)
	j.told(m, wire.Report{Kind: wire.Sent, Message: forgotten, Attempt: 1, GUID: "row3"})
	j.told(m, wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "in1", From: somebody, Text: secretText}})
	j.told(m, wire.Report{Kind: wire.Sent, Message: again, Attempt: 2, GUID: "row4"})
	m.leave()

	w.stop()
	restore()
	w.start()

	for range 2 { // the second time nothing is left to be said
		m = w.connect(secret, hello("ins_a", int64(len(j.reports))))
		j.repeat(m)
		m.seq = int64(len(j.reports))
		for _, o := range j.idle(m) {
			if j.begin(m, o) {
				t.Errorf("%s would go out again, attempt %d", o.Message, o.Attempt)
			} else {
				j.answer(m, o)
			}
		}
		for id, want := range map[string]wire.Status{
			sent: wire.StatusDelivered, again: wire.StatusSent, waiting: wire.StatusSent, unassigned: wire.StatusUnknown,
		} {
			if got := w.message(id).Status; got != want {
				t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
		if got := w.inbox(); got.AppleGUID != "in1" {
			t.Errorf("%+v", got)
		}
		m.leave()
	}
	orphans, err := w.store.Orphans(t.Context(), w.relay(w.line).ID)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range orphans {
		if o.MessageID == forgotten {
			kinds = append(kinds, o.Kind)
		}
	}
	if !slices.Equal(kinds, []string{"accepted", "sending", "sent"}) {
		t.Errorf("%v", kinds)
	}
	// They are kept for their time only.
	w.sql("UPDATE orphan_reports SET created_at = 1")
	eventually(t, "they are forgotten", func() bool {
		list, err := w.store.Orphans(t.Context(), w.relay(w.line).ID)
		return err == nil && len(list) == 0
	})
}

// A database that was restored to before a message was first assigned assigns it as the
// attempt that the journal had long ago. What the Mac says of a later one counts.
func TestRestoredBeforeTheAttempt(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	unknown, again := w.send("+14155550001"), w.send("+14155550002")
	for range 2 {
		if o := m.order(); o.Attempt != 1 {
			t.Fatalf("attempt %d", o.Attempt)
		}
	}
	m.report(wire.Report{Kind: wire.Unknown, Message: unknown, Attempt: 2})
	m.report(wire.Report{Kind: wire.NoSend, Message: again, Attempt: 2, Again: true})
	if got := w.message(unknown); got.Status != wire.StatusUnknown || got.Attempt != 2 {
		t.Errorf("%s by attempt %d", got.Status, got.Attempt)
	}
	if o := m.order(); o.Message != again || o.Attempt != 3 {
		t.Errorf("%s is ordered as attempt %d", o.Message, o.Attempt)
	}
	m.report(wire.Report{Kind: wire.Unknown, Message: again, Attempt: 2}) // is late
	if got := w.message(again).Status; got != wire.Queued {
		t.Errorf("it is %s", got)
	}
}
