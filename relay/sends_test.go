package relay

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// wantReports fails unless the outbox holds exactly these.
func wantReports(t testing.TB, j *journal, want ...string) {
	t.Helper()
	if got := kindsOf(t, j); !slices.Equal(got, want) {
		t.Errorf("reports %q, want %q", got, want)
	}
}

func wantState(t testing.TB, j *journal, message, want string) {
	t.Helper()
	if got := sendIn(t, j, message).state; got != want {
		t.Errorf("%s is %q, want %q", message, got, want)
	}
}

func TestReceiveOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	for range 3 {
		give(t, j, order("msg_1", 1, alice, "a"))
	}
	wantReports(t, j, "accepted msg_1 1")
	j.close()
	j = reopen(t, dir)
	give(t, j, order("msg_1", 1, alice, "a"))
	wantReports(t, j, "accepted msg_1 1")
	clearOutbox(t, j)
	give(t, j, order("msg_1", 1, alice, "a"))
	wantReports(t, j)

	got := sendIn(t, j, "msg_1")
	want := send{message: "msg_1", part: partText, attempt: 1, state: stateReceived, seq: 1, handle: alice, service: "iMessage", text: "a"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// inState brings msg_1 to a state.
func inState(t *testing.T, j *journal, state string) {
	t.Helper()
	give(t, j, order("msg_1", 1, alice, "a"))
	if state == stateReceived {
		return
	}
	arm(t, j, "msg_1", noon)
	switch state {
	case stateHanded:
		hand(t, j, "msg_1", noon, noon)
	case stateUnknown:
		hand(t, j, "msg_1", noon, noon)
		if n, err := j.settle(t.Context(), noon); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	case stateNoSend:
		refuse(t, j, "msg_1", noon)
	case stateObserved:
		bind(t, j, "msg_1", ownRow("G-1", 11, alice, "a", noon), chatdb.Seen{})
	}
	wantState(t, j, "msg_1", state)
}

var states = []string{stateReceived, stateArmed, stateHanded, stateObserved, stateUnknown, stateNoSend}

// TestReceiveAgain holds each order against each state: only after an end that
// provably had no effect is another attempt taken.
func TestReceiveAgain(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		for _, attempt := range []int{0, 1, 2, 5} {
			t.Run(fmt.Sprintf("attempt %d when %s", attempt, state), func(t *testing.T) {
				t.Parallel()
				j := newJournal(t)
				inState(t, j, state)
				clearOutbox(t, j)
				before := sendIn(t, j, "msg_1")
				err := j.receive(t.Context(), order("msg_1", attempt, alice, "a"), noon)
				var again []string // what the cloud is told once more
				if state == stateUnknown || state == stateNoSend {
					again = []string{fmt.Sprintf("%s msg_1 %d", state, attempt)}
				}
				switch after := sendIn(t, j, "msg_1"); {
				case attempt == 1:
					if err != nil || !reflect.DeepEqual(before, after) {
						t.Errorf("the same order changed %+v into %+v, %v", before, after, err)
					}
					wantReports(t, j, again...)
				case attempt > 1 && state == stateNoSend:
					if err != nil || after.state != stateReceived || after.attempt != attempt || after.text != "a" || !after.noChat || after.fault != nil {
						t.Errorf("the next attempt is %+v, %v", after, err)
					}
					wantReports(t, j, fmt.Sprintf("accepted msg_1 %d", attempt))
				case state == stateObserved || state == stateUnknown || state == stateNoSend:
					if err != nil || !reflect.DeepEqual(before, after) {
						t.Errorf("an order that came too late changed %+v into %+v, %v", before, after, err)
					}
					wantReports(t, j, again...)
				default:
					if !errors.Is(err, errStale) || !reflect.DeepEqual(before, after) {
						t.Errorf("a stale order changed %+v into %+v, %v", before, after, err)
					}
					wantReports(t, j)
				}
			})
		}
	}
}

func TestNextKeepsTheOrderOfTheLine(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for i, seq := range []int64{7, 3, 9} {
		o := order(fmt.Sprintf("msg_%d", i), 1, alice, "a")
		o.Seq = seq
		give(t, j, o)
	}
	var got []string
	for {
		s, err := j.next(t.Context(), noon)
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			break
		}
		got = append(got, s.message)
		arm(t, j, s.message, noon)
	}
	if want := []string{"msg_1", "msg_0", "msg_2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	give(t, j, order("msg_1", 1, alice, "a"))
	arm(t, j, "msg_1", noon)
	wantReports(t, j, "accepted msg_1 1", "sending msg_1 1")
	j.close()
	j = reopen(t, dir)
	got := sendIn(t, j, "msg_1")
	if got.state != stateArmed || got.mark != (chatdb.Mark{RowID: 10, GUID: "G-10", File: "file"}) || !got.armedAt.Equal(noon) || got.text != "a" {
		t.Errorf("after a restart it is %+v", got)
	}
	left, err := j.left(t.Context())
	if err != nil || len(left) != 1 || left[0].message != "msg_1" {
		t.Errorf("left are %+v, %v", left, err)
	}
}

// TestArmOnlyWhatWaits: the caller starts osascript when arm says so.
func TestArmOnlyWhatWaits(t *testing.T) {
	t.Parallel()
	for _, state := range states[1:] {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			s := sendIn(t, j, "msg_1")
			if err := j.arm(t.Context(), &s, chatdb.Mark{}, participant, noon); !errors.Is(err, errStale) {
				t.Errorf("got %v", err)
			}
			wantState(t, j, "msg_1", state)
			wantReports(t, j)
		})
	}
	j := newJournal(t)
	inState(t, j, stateReceived)
	s := sendIn(t, j, "msg_1")
	s.attempt = 2
	if err := j.arm(t.Context(), &s, chatdb.Mark{}, participant, noon); !errors.Is(err, errStale) {
		t.Errorf("another attempt: got %v", err)
	}
}

func TestNoSend(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	inState(t, j, stateArmed)
	refuse(t, j, "msg_1", noon)
	wantReports(t, j, "accepted msg_1 1", "sending msg_1 1", "nosend msg_1 1")
	list := reportsOf(t, j)
	want := wire.Report{Seq: 3, Kind: wire.NoSend, At: noon.UnixMilli(), Message: "msg_1", Attempt: 1, Again: true, Fault: &wire.Fault{Code: "no_such_target", Number: -1728}}
	if !reflect.DeepEqual(list[2], want) {
		t.Errorf("got %+v, want %+v", list[2], want)
	}
	if s := sendIn(t, j, "msg_1"); s.text != "" || !s.noChat {
		t.Errorf("left is %+v", s)
	}

	// The next attempt remembers that the chat's guid does not work, whatever that
	// attempt finds out.
	give(t, j, order("msg_1", 2, alice, "a"))
	arm(t, j, "msg_1", noon)
	s := sendIn(t, j, "msg_1")
	if err := j.noSend(t.Context(), &s, wire.Fault{Code: "messages_down"}, true, false, noon); err != nil {
		t.Fatal(err)
	}
	if s := sendIn(t, j, "msg_1"); !s.noChat || s.attempt != 2 {
		t.Errorf("left is %+v", s)
	}
}

// TestNoSendChangesNothingLater: a row that was bound meanwhile is the truth, and
// what may have had an effect never becomes what had none.
func TestNoSendChangesNothingLater(t *testing.T) {
	t.Parallel()
	for _, state := range []string{stateObserved, stateHanded, stateUnknown, stateNoSend} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			before := sendIn(t, j, "msg_1")
			refuse(t, j, "msg_1", noon)
			if after := sendIn(t, j, "msg_1"); !reflect.DeepEqual(before, after) {
				t.Errorf("%+v became %+v", before, after)
			}
			wantReports(t, j)
		})
	}
}

// TestHanded: osascript's end is news only while no row is bound, and no news for
// the cloud.
func TestHanded(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			before := sendIn(t, j, "msg_1")
			hand(t, j, "msg_1", noon.Add(time.Second), noon.Add(time.Minute))
			after := sendIn(t, j, "msg_1")
			wantReports(t, j)
			if state == stateObserved {
				before.endedAt = time.UnixMilli(noon.Add(time.Second).UnixMilli()) // all that is still worth knowing
			}
			if state != stateArmed {
				if !reflect.DeepEqual(before, after) {
					t.Errorf("%+v became %+v", before, after)
				}
				return
			}
			if after.state != stateHanded || !after.endedAt.Equal(noon.Add(time.Second)) || after.fault == nil || after.fault.Code != "outcome_unknown" || after.text != "a" {
				t.Errorf("left is %+v", after)
			}
			if wake, err := j.nextDue(t.Context(), noon); err != nil || !wake.Equal(noon.Add(time.Minute)) {
				t.Errorf("the window ends at %v, %v", wake, err)
			}
		})
	}
}

func TestSettleOnlyWhenDue(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if wake, err := j.nextDue(t.Context(), noon); err != nil || !wake.IsZero() {
		t.Errorf("no window is open, but one ends at %v, %v", wake, err)
	}
	for i := range 3 {
		message := fmt.Sprintf("msg_%d", i)
		give(t, j, order(message, 1, alice, message))
		arm(t, j, message, noon)
		hand(t, j, message, noon, noon.Add(time.Duration(i)*time.Second))
	}
	clearOutbox(t, j)
	settle := func(at time.Time, want int) {
		t.Helper()
		if n, err := j.settle(t.Context(), at); n != want || err != nil {
			t.Errorf("%d were settled, want %d (%v)", n, want, err)
		}
	}
	settle(noon.Add(-time.Millisecond), 0)
	wantReports(t, j)
	settle(noon.Add(time.Second), 2)
	wantReports(t, j, "unknown msg_0 1", "unknown msg_1 1")
	settle(noon.Add(time.Second), 0)
	wantState(t, j, "msg_2", stateHanded)
	bind(t, j, "msg_2", ownRow("G", 11, alice, "msg_2", noon), chatdb.Seen{})
	settle(noon.Add(time.Hour), 0)
	wantState(t, j, "msg_2", stateObserved)
	if f := reportsOf(t, j)[0].Fault; f == nil || f.Code != "outcome_unknown" {
		t.Errorf("unknown is reported with %+v", f)
	}
}

func ownRow(guid string, rowid int64, handle, text string, date time.Time) chatdb.Message {
	return chatdb.Message{GUID: guid, RowID: rowid, Handle: handle, Text: text, HasBody: true, FromMe: true, Service: "iMessage", Date: date}
}

// TestRowOfASend follows one row from its insertion to the receipt that was read.
func TestRowOfASend(t *testing.T) {
	t.Parallel()
	for _, state := range []string{stateArmed, stateHanded, stateUnknown} {
		t.Run("bound when "+state, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			inState(t, j, state)
			clearOutbox(t, j)
			row := ownRow("G-1", 11, alice, "a", noon)
			seen := bind(t, j, "msg_1", row, chatdb.Seen{})
			wantReports(t, j)
			got := sendIn(t, j, "msg_1")
			if got.state != stateObserved || got.guid != "G-1" || got.rowid != 11 || got.text != "" {
				t.Errorf("left is %+v", got)
			}
			if taken, err := j.bound(t.Context(), "G-1"); err != nil || !taken {
				t.Errorf("bound: %t, %v", taken, err)
			}
			row.Sent = true
			seen = bind(t, j, "msg_1", row, seen)
			row.Delivered, row.DateDelivered = true, noon.Add(2*time.Second)
			seen = bind(t, j, "msg_1", row, seen)
			row.Read, row.DateRead = true, noon.Add(3*time.Second)
			if list, err := j.followed(t.Context(), time.Hour, noon.Add(time.Hour), noon.Add(time.Hour)); err != nil || len(list) != 1 {
				t.Errorf("followed are %+v, %v", list, err)
			}
			bind(t, j, "msg_1", row, seen)
			wantReports(t, j, "sent msg_1 1", "delivered msg_1 1", "read msg_1 1")
			list := reportsOf(t, j)
			if list[1].At != noon.Add(2*time.Second).UnixMilli() || list[1].GUID != "G-1" || list[1].Service != "iMessage" {
				t.Errorf("delivered is reported as %+v", list[1])
			}
			if list, err := j.followed(t.Context(), time.Hour, noon.Add(time.Hour), noon.Add(time.Hour)); err != nil || len(list) != 0 {
				t.Errorf("a read message is followed: %+v, %v", list, err)
			}
			if list, err := j.unresolved(t.Context(), noon.Add(-time.Hour)); err != nil || len(list) != 0 {
				t.Errorf("a bound message is unresolved: %+v, %v", list, err)
			}
		})
	}
}

// TestRowThatFailsAndRecovers: the row is the truth in both directions.
func TestRowThatFailsAndRecovers(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	inState(t, j, stateHanded)
	clearOutbox(t, j)
	row := ownRow("G-1", 11, alice, "a", noon)
	row.Error = 22
	seen := bind(t, j, "msg_1", row, chatdb.Seen{})
	row.Error, row.Sent = 0, true
	seen = bind(t, j, "msg_1", row, seen)
	row.Error, row.Sent = 9999, false
	bind(t, j, "msg_1", row, seen)
	wantReports(t, j, "failed msg_1 1", "sent msg_1 1", "failed msg_1 1")
	list := reportsOf(t, j)
	for i, number := range map[int]int{0: 22, 2: 9999} {
		f := list[i].Fault
		if f == nil || f.Code != "messages_error" || f.Number != number || !strings.HasSuffix(f.Text, ".") {
			t.Errorf("report %d has the fault %+v", i, f)
		}
	}
	if list[1].Fault != nil {
		t.Errorf("sent has the fault %+v", list[1].Fault)
	}
}

// TestOneRowOneMessage: the journal itself refuses to give a row away twice.
func TestOneRowOneMessage(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, order("msg_1", 1, alice, "a"), order("msg_2", 1, alice, "a"))
	arm(t, j, "msg_1", noon)
	arm(t, j, "msg_2", noon)
	bind(t, j, "msg_1", ownRow("G-1", 11, alice, "a", noon), chatdb.Seen{})
	clearOutbox(t, j)
	if _, err := j.db.Exec("UPDATE sends SET guid = 'G-1' WHERE message = 'msg_2'"); err == nil {
		t.Error("one row was bound to two messages")
	}
	wantState(t, j, "msg_2", stateArmed)
	if taken, err := j.bound(t.Context(), "G-2"); err != nil || taken {
		t.Errorf("a strange row is bound: %t, %v", taken, err)
	}
}

func TestUnresolved(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for i, state := range []string{stateArmed, stateHanded, stateUnknown, stateNoSend, stateReceived} {
		message := "msg_" + state
		give(t, j, order(message, 1, alice, "a"))
		if state == stateReceived {
			continue
		}
		at := noon.Add(-time.Duration(i) * time.Hour)
		arm(t, j, message, at)
		switch state {
		case stateHanded:
			hand(t, j, message, at, noon.Add(time.Hour))
		case stateUnknown:
			hand(t, j, message, at, at)
			if _, err := j.settle(t.Context(), at); err != nil {
				t.Fatal(err)
			}
		case stateNoSend:
			refuse(t, j, message, at)
		}
	}
	for since, want := range map[time.Duration][]string{
		-9 * time.Hour: {"msg_unknown", "msg_handed", "msg_armed"},
		-1 * time.Hour: {"msg_handed", "msg_armed"},
		time.Second:    nil,
	} {
		list, err := j.unresolved(t.Context(), noon.Add(since))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			got = append(got, s.message)
		}
		if !slices.Equal(got, want) {
			t.Errorf("since %v: %q, want %q", since, got, want)
		}
	}
}
