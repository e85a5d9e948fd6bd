package cloud_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// outcomes counts the messages by how they stand.
func (w *world) outcomes() []string {
	w.t.Helper()
	return w.column("SELECT COUNT(*) || ' ' || status || ' ' || error_code FROM messages WHERE direction = 'outbound' GROUP BY status, error_code ORDER BY status")
}

// resumed is another process that goes on with what this one has left.
func (w *world) resumed() {
	w.t.Helper()
	w.stop()
	w.cfg.Sweep = 5 * time.Millisecond
	w.start()
	eventually(w.t, "nothing is left to be ended", func() bool { return len(w.column("SELECT address FROM endings")) == 0 })
}

// unswept leaves all that is not done at once to the next process.
func unswept(c *cloud.Config) { c.Sweep = time.Hour }

// However much waits on a line that is removed, no transaction has more than its part of
// it, and a process that dies in between leaves the rest to the next.
func TestMuchIsEndedInParts(t *testing.T) {
	w := newWorld(t, unswept)
	for n := range 250 {
		w.send(fmt.Sprintf("+1415555%04d", 2000+n))
	}
	if err := w.service.RemoveNumber(t.Context(), w.who, w.line.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.outcomes(); !slices.Equal(got, []string{"100 canceled canceled", "150 queued "}) {
		t.Errorf("%q", got)
	}
	// Whoever takes the number again has nothing of it.
	again := w.addLine(w.who, w.line.PhoneNumber)
	if got := w.connect(w.paired(again), hello("ins_a", 0)).idle(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	w.resumed()
	if got := w.outcomes(); !slices.Equal(got, []string{"250 canceled canceled"}) {
		t.Errorf("%q", got)
	}
	if n := len(w.events()); n != 250 {
		t.Errorf("%d events", n)
	}
}

// What waits for a person who has opted out reaches no Mac, also before it is ended.
func TestWhoeverOptedOutIsPassedBy(t *testing.T) {
	w := newWorld(t, unswept)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	held := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Accepted, Message: held, Attempt: 1})
	for range 150 {
		w.send(somebody)
	}
	m.report(received("guid", "Stop"))
	if got := w.outcomes(); !slices.Equal(got, []string{"1 accepted ", "10 failed opted_out", "140 queued "}) {
		t.Errorf("%q", got)
	}
	if got := m.withdrawn(); got.Message != held {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.NoSend, Message: held, Attempt: 1, Fault: &wire.Fault{Code: wire.FaultCanceled, Text: "It was canceled."}})
	other := w.send("+14155550001")
	if got := m.idle(); len(got) != 1 || got[0].Message != other {
		t.Errorf("%+v", got)
	}
	w.resumed()
	if got := w.outcomes(); !slices.Equal(got, []string{"151 failed opted_out", "1 queued "}) {
		t.Errorf("%q", got)
	}
}

// What is left when a person opts in again goes out.
func TestOptingInEndsTheEnding(t *testing.T) {
	w := newWorld(t, unswept)
	for range 20 {
		w.send(somebody)
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.order()
	m.report(received("guid", "Stop"))
	m.report(received("again", "Start"))
	w.resumed()
	if got := w.outcomes(); !slices.Equal(got, []string{"10 failed opted_out", "10 queued "}) {
		t.Errorf("%q", got)
	}
}
