package relay

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"testing"
	"time"

	"bluerelay/wire"
)

func report(t testing.TB, j *journal, list ...wire.Report) {
	t.Helper()
	err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range list {
			if err := addReport(ctx, tx, r, noon); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func highOf(t testing.TB, j *journal) int64 {
	t.Helper()
	n, err := j.high(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReportsComeBackWhole(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	list := []wire.Report{
		{Kind: wire.Received, At: 1, GUID: "G", Service: "SMS", Inbound: &wire.Inbound{GUID: "G", From: alice, Text: "<&>\u2028\n😀 \ufffd", Attachments: 2, Group: true}},
		{Kind: wire.NoSend, At: 2, Message: "msg_1", Attempt: 3, Again: true, Fault: &wire.Fault{Code: "c", Number: -1, Text: "t"}},
	}
	report(t, j, list...)
	for i := range list {
		list[i].Seq = int64(i + 1)
	}
	if got := reportsOf(t, j); !reflect.DeepEqual(got, list) {
		t.Errorf("got  %+v\nwant %+v", got, list)
	}
}

func TestReportsInPages(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for i := range 10 {
		report(t, j, wire.Report{Kind: wire.Sent, Message: fmt.Sprintf("msg_%d", i)})
	}
	var seqs []int64
	for after := int64(0); ; {
		page, err := j.reports(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			seqs = append(seqs, r.Seq)
		}
		after = page[len(page)-1].Seq
	}
	if want := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !reflect.DeepEqual(seqs, want) {
		t.Errorf("got %v, want %v", seqs, want)
	}
}

// TestNumbersAreNeverGivenOutTwice: not after an acknowledgement of everything, and
// not after a restart.
func TestNumbersAreNeverGivenOutTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	if n := highOf(t, j); n != 0 {
		t.Errorf("a new journal gave out %d", n)
	}
	one := wire.Report{Kind: wire.Sent, Message: "msg_1"}
	report(t, j, one, one, one)
	later := noon.Add(keptFor + time.Minute)
	if err := j.forgetReports(t.Context(), 2, later); err != nil {
		t.Fatal(err)
	}
	if list := reportsOf(t, j); len(list) != 1 || list[0].Seq != 3 {
		t.Errorf("left is %+v", list)
	}
	for want := int64(4); want < 10; want++ {
		if err := j.forgetReports(t.Context(), want-1, later); err != nil {
			t.Fatal(err)
		}
		if list := reportsOf(t, j); len(list) != 0 {
			t.Errorf("left is %+v", list)
		}
		j.close()
		j = reopen(t, dir)
		if n := highOf(t, j); n != want-1 {
			t.Errorf("the highest number is %d, want %d", n, want-1)
		}
		report(t, j, one)
		if list := reportsOf(t, j); len(list) != 1 || list[0].Seq != want {
			t.Errorf("got %+v, want number %d", list, want)
		}
	}
}

func TestAckOfThePast(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	report(t, j, wire.Report{Kind: wire.Sent, Message: "msg_1"}, wire.Report{Kind: wire.Sent, Message: "msg_2"})
	for _, seq := range []int64{-1, 0, 1, 1, 0} {
		if err := j.forgetReports(t.Context(), seq, noon.Add(keptFor+time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if list := reportsOf(t, j); len(list) != 1 || list[0].Message != "msg_2" {
		t.Errorf("left is %+v", list)
	}
}
