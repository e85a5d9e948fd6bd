package relay

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

func cancel(t testing.TB, j *journal, message string, attempt int) error {
	t.Helper()
	return j.cancel(t.Context(), wire.Cancel{Message: message, Attempt: attempt}, noon)
}

// wantNoSend fails unless the outbox holds just that end of the attempt.
func wantNoSend(t testing.TB, j *journal, message string, attempt int, code string, again bool) {
	t.Helper()
	list := reportsOf(t, j)
	if len(list) != 1 {
		t.Fatalf("reports %+v", list)
	}
	if r := list[0]; r.Kind != wire.NoSend || r.Message != message || r.Attempt != attempt || r.Fault == nil || r.Fault.Code != code || r.Again != again {
		t.Errorf("got %+v %+v, want %s, again %t", r, r.Fault, code, again)
	}
}

// TestCancel: only what was not begun can be taken back; for the rest what becomes of
// it is the answer.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			before := sendIn(t, j, "msg_1")
			if err := cancel(t, j, "msg_1", 1); err != nil {
				t.Fatal(err)
			}
			after := sendIn(t, j, "msg_1")
			switch state {
			case stateReceived, stateNoSend:
				wantNoSend(t, j, "msg_1", 1, wire.FaultCanceled, false)
				if after.state != stateNoSend || after.text != "" {
					t.Errorf("left is %+v", after)
				}
				clearOutbox(t, j)
				give(t, j, order("msg_1", 2, alice, "a")) // from a cloud that has forgotten
				wantNoSend(t, j, "msg_1", 2, wire.FaultCanceled, false)
			case stateUnknown:
				wantReports(t, j, "unknown msg_1 1")
			default:
				wantReports(t, j)
			}
			if state != stateReceived && state != stateNoSend && !reflect.DeepEqual(before, after) {
				t.Errorf("%+v became %+v", before, after)
			}
		})
	}
}

// TestCancelBeforeTheOrder: the order finds itself canceled, also after a restart.
func TestCancelBeforeTheOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	if err := cancel(t, j, "msg_1", 1); err != nil {
		t.Fatal(err)
	}
	wantNoSend(t, j, "msg_1", 1, wire.FaultCanceled, false)
	j.close()
	j = reopen(t, dir)
	clearOutbox(t, j)
	give(t, j, order("msg_1", 1, alice, "a"))
	wantNoSend(t, j, "msg_1", 1, wire.FaultCanceled, false)
	if got := nextPart(t, j, noon); got != "" {
		t.Errorf("%q would be sent", got)
	}
}

// TestCancelOfAnotherAttempt: one of an attempt that is over is void; one of an
// attempt whose order never came holds for it.
func TestCancelOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	inState(t, j, stateNoSend)
	give(t, j, order("msg_1", 2, alice, "a"))
	clearOutbox(t, j)
	if err := cancel(t, j, "msg_1", 1); !errors.Is(err, errStale) {
		t.Errorf("got %v", err)
	}
	if err := cancel(t, j, "msg_1", 3); !errors.Is(err, errStale) {
		t.Errorf("attempt 2 waits; a cancel of 3 gave %v", err)
	}
	wantState(t, j, "msg_1", stateReceived)
	arm(t, j, "msg_1", noon)
	refuse(t, j, "msg_1", noon)
	clearOutbox(t, j)
	if err := cancel(t, j, "msg_1", 3); err != nil {
		t.Fatal(err)
	}
	wantNoSend(t, j, "msg_1", 3, wire.FaultCanceled, false)
}

// TestExpiry is by the clock of this Mac alone, and only of what was not begun.
func TestExpiry(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for i, in := range []time.Duration{0, time.Minute, time.Minute, time.Hour, -time.Second} {
		o := order("msg_"+string(rune('a'+i)), 1, alice, "a")
		o.ExpiresIn, o.Seq = in.Milliseconds(), int64(i)
		give(t, j, o)
	}
	arm(t, j, "msg_b", noon)
	clearOutbox(t, j)
	s := sendIn(t, j, "msg_c")
	if err := j.arm(t.Context(), &s, chatdb.Mark{}, participant, noon.Add(time.Minute)); !errors.Is(err, errStale) {
		t.Errorf("it was armed after its time: %v", err)
	}
	if due, err := j.nextDue(t.Context(), noon); err != nil || !due.Equal(noon) {
		t.Errorf("due %v, %v", due, err) // msg_e, whose time had passed when it came
	}
	for _, step := range []struct {
		at   time.Duration
		want []string
	}{
		{0, []string{"nosend msg_e 1"}},
		{59 * time.Second, nil},
		{time.Minute, []string{"nosend msg_c 1"}},
		{24 * time.Hour, []string{"nosend msg_d 1"}},
	} {
		if _, err := j.expire(t.Context(), noon.Add(step.at)); err != nil {
			t.Fatal(err)
		}
		wantReports(t, j, step.want...)
		clearOutbox(t, j)
	}
	give(t, j, order("msg_c", 2, alice, "a"))
	wantNoSend(t, j, "msg_c", 2, wire.FaultExpired, false)
	if due, err := j.nextDue(t.Context(), noon); err != nil || !due.IsZero() {
		t.Errorf("due %v, %v", due, err)
	}
}

// TestRelease gives back what was not begun, and lets the rest come to its end.
func TestRelease(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			before := sendIn(t, j, "msg_1")
			for range 2 {
				if err := j.release(t.Context(), noon); err != nil {
					t.Fatal(err)
				}
			}
			if state != stateReceived {
				wantReports(t, j)
				if after := sendIn(t, j, "msg_1"); !reflect.DeepEqual(before, after) {
					t.Errorf("%+v became %+v", before, after)
				}
				return
			}
			wantNoSend(t, j, "msg_1", 1, wire.FaultReleased, true)
			give(t, j, order("msg_1", 2, alice, "a")) // nobody came after all
			wantState(t, j, "msg_1", stateReceived)
		})
	}
}

// TestRetire drops the same without a word.
func TestRetire(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		j := newJournal(t)
		inState(t, j, state)
		clearOutbox(t, j)
		if err := j.retire(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		wantReports(t, j)
		if got := nextPart(t, j, noon); got != "" {
			t.Errorf("when %s: %q would be sent", state, got)
		}
	}
}

// TestFallback: after a row that says not on iMessage, and only then, the next attempt
// goes by SMS, with a row of its own.
func TestFallback(t *testing.T) {
	t.Parallel()
	sms := func() wire.Send {
		o := order("msg_1", 2, alice, "a")
		o.Service = wire.ServiceSMS
		return o
	}
	for number, allowed := range map[int]bool{0: false, 3: false, 20: false, 21: true, 22: true, 24: true, 25: false} {
		j := newJournal(t)
		inState(t, j, stateArmed)
		row := ownRow("G-1", 11, alice, "a", noon)
		row.Error, row.Sent = number, number == 0
		bind(t, j, "msg_1", row, chatdb.Seen{})
		if err := j.receive(t.Context(), order("msg_1", 2, alice, "a"), noon); err != nil {
			t.Fatal(err)
		}
		if got := nextPart(t, j, noon); got != "" {
			t.Errorf("error %d: %q would go by iMessage once more", number, got)
		}
		if err := j.receive(t.Context(), sms(), noon); err != nil {
			t.Fatal(err)
		}
		if got := nextPart(t, j, noon) != ""; got != allowed {
			t.Errorf("error %d: it may go by SMS is %t", number, got)
		}
	}

	j := newJournal(t)
	inState(t, j, stateArmed)
	row := ownRow("G-1", 11, alice, "a", noon)
	row.Error = 22
	seen := bind(t, j, "msg_1", row, chatdb.Seen{})
	clearOutbox(t, j)
	give(t, j, sms())
	s, err := j.next(t.Context(), noon)
	if err != nil || s.attempt != 2 || s.service != wire.ServiceSMS || s.text != "a" {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := j.arm(t.Context(), s, chatdb.Mark{RowID: 20}, participant, noon); err != nil {
		t.Fatal(err)
	}
	if first := partAt(t, j, "msg_1", 1); s.run <= first.run {
		t.Errorf("run %d would find the files of run %d, and take them for its own", s.run, first.run)
	}
	second := ownRow("G-2", 21, alice, "a", noon)
	second.Sent, second.Service = true, "SMS"
	if err := saveNow(t, j, *s, second); err != nil {
		t.Fatal(err)
	}
	wantReports(t, j, "accepted msg_1 2", "sending msg_1 2", "sent msg_1 2")
	// What the first row says now is no news, unless it says that it went out too.
	clearOutbox(t, j)
	old := partAt(t, j, "msg_1", 1)
	old.seen = seen
	row.Error = 3
	if err := saveNow(t, j, old, row); err != nil {
		t.Fatal(err)
	}
	wantReports(t, j)
	if taken, err := j.bound(t.Context(), "G-1"); err != nil || !taken {
		t.Errorf("the first row is nobody's: %t, %v", taken, err)
	}
}

// TestWithdraw: an attempt that has become needless leaves the message as its row has
// it.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	inState(t, j, stateArmed)
	row := ownRow("G-1", 11, alice, "a", noon)
	row.Error = 22
	bind(t, j, "msg_1", row, chatdb.Seen{})
	o := order("msg_1", 2, alice, "a")
	o.Service = wire.ServiceSMS
	give(t, j, o)
	clearOutbox(t, j)
	s, err := j.next(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.withdraw(t.Context(), s, noon); err != nil {
		t.Fatal(err)
	}
	wantReports(t, j, "unknown msg_1 2")
	row.Error, row.Sent = 0, true
	if err := saveNow(t, j, partAt(t, j, "msg_1", 1), row); err != nil {
		t.Fatal(err)
	}
	clearOutbox(t, j)
	give(t, j, o)
	wantReports(t, j, "sent msg_1 2")
}

func partAt(t testing.TB, j *journal, message string, attempt int) send {
	t.Helper()
	list, err := j.querySends(t.Context(), "message = ? AND attempt = ?", message, attempt)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// saveNow records how the row of a send looks.
func saveNow(t testing.TB, j *journal, s send, m chatdb.Message) error {
	t.Helper()
	changes, seen := chatdb.Diff(s.seen, m)
	return commitFinding(t, j, finding{saves: []save{{s, m, changes, seen}}})
}

// TestOrdersAreForgotten once they are over and old and the cloud has heard of their end,
// and never before: it would give them again, to a journal that does not know them.
func TestOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		for _, told := range []bool{false, true} {
			j := newJournal(t)
			inState(t, j, state)
			if told && state == stateObserved {
				row := ownRow("G-1", 11, alice, "a", noon)
				row.Sent = true
				bind(t, j, "msg_1", row, chatdb.Seen{})
			}
			over := told && (state == stateNoSend || state == stateObserved || state == stateUnknown)
			for _, age := range []time.Duration{time.Hour, keptOrders - time.Minute, keptOrders + time.Minute} {
				acked := highOf(t, j)
				if !told && state != stateObserved { // whose end there is nothing to hear of
					acked--
				}
				if err := j.forgetOrders(t.Context(), acked, noon.Add(age)); err != nil {
					t.Fatal(err)
				}
				if gone := sendIn(t, j, "msg_1").message == ""; gone != (over && age > keptOrders) {
					t.Errorf("%s after %v, acknowledged %t: forgotten is %t", state, age, told, gone)
				}
			}
		}
	}
}

// What another Mac's taking over has dropped without a word, and was not begun, is
// forgotten too.
func TestDroppedOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	inState(t, j, stateReceived)
	if err := j.retire(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	forgetAll(t, j)
}

// TestKeptReports: what was acknowledged comes again for a cloud that was restored
// from a copy, within its time.
func TestKeptReports(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	one := wire.Report{Kind: wire.Sent, Message: "msg_1"}
	report(t, j, one, one, one)
	for _, step := range []struct {
		acked int64
		at    time.Duration
		want  int
	}{{2, time.Hour, 3}, {2, keptFor, 3}, {2, keptFor + time.Second, 1}, {2 + keptReports, time.Hour, 1}, {3 + keptReports, time.Hour, 0}} {
		if err := j.forgetReports(t.Context(), step.acked, noon.Add(step.at)); err != nil {
			t.Fatal(err)
		}
		if got := len(reportsOf(t, j)); got != step.want {
			t.Errorf("%+v: %d are kept", step, got)
		}
	}
	if n := highOf(t, j); n != 3 {
		t.Errorf("the highest number is %d", n)
	}

	// A clock that was set back makes no hole.
	j = newJournal(t)
	for _, at := range []time.Duration{20 * time.Hour, 0, 20 * time.Hour} {
		if err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error { return addReport(ctx, tx, one, noon.Add(at)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.forgetReports(t.Context(), 3, noon.Add(keptFor+time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := len(reportsOf(t, j)); got != 3 {
		t.Errorf("%d are kept", got)
	}
}

func TestAddressesInLowerCase(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, order("msg_1", 1, "Alice@Example.COM", "a"))
	if got := sendIn(t, j, "msg_1").handle; got != "alice@example.com" {
		t.Errorf("got %q", got)
	}
}
