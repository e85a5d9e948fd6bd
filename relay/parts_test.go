package relay

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

var picture = wire.File{ID: "fil_1", Name: "cat.png", MIME: "image/png", Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"} // abc

// withFile is an order of a picture, with a text where there is one.
func withFile(message string, text string) wire.Send {
	o := order(message, 1, alice, text)
	o.File = &picture
	return o
}

// partOf is the part of a message as the journal has it.
func partOf(t testing.TB, j *journal, message, part string) send {
	t.Helper()
	list, err := j.querySends(t.Context(), "message = ? AND part = ? ORDER BY attempt DESC", message, part)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return send{}
	}
	return list[0]
}

// nextPart is what may begin now, as "message part".
func nextPart(t testing.TB, j *journal, now time.Time) string {
	t.Helper()
	s, err := j.next(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		return ""
	}
	return s.message + " " + s.part
}

func stageFor(t testing.TB, j *journal, message string) {
	t.Helper()
	ok, err := j.staged(t.Context(), partOf(t, j, message, partFile), "bluerelay/x/cat.png")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// armPart arms a part whose turn it is.
func armPart(t testing.TB, j *journal, message, part string) {
	t.Helper()
	s := partOf(t, j, message, part)
	if err := j.arm(t.Context(), &s, chatdb.Mark{RowID: 10, File: "file"}, participant, noon); err != nil {
		t.Fatal(err)
	}
}

// rowOf records how the row of a part looks now.
func rowOf(t testing.TB, j *journal, message, part string, change func(*chatdb.Message)) {
	t.Helper()
	s := partOf(t, j, message, part)
	m := ownRow("G-"+part, 11, alice, "", noon)
	if part == partText {
		m.GUID, m.RowID = "G-text", 12
	}
	change(&m)
	changes, seen := chatdb.Diff(s.seen, m)
	f := finding{saves: []save{{s, m, changes, seen}}}
	if err := commitFinding(t, j, f); err != nil {
		t.Fatal(err)
	}
}

func sentRow(m *chatdb.Message)      { m.Sent = true }
func deliveredRow(m *chatdb.Message) { m.Sent, m.Delivered = true, true }
func readRow(m *chatdb.Message)      { m.Sent, m.Delivered, m.Read = true, true, true }
func failedRow(number int) func(*chatdb.Message) {
	return func(m *chatdb.Message) { m.Error = number }
}

// handPart ends osascript's run of a part; its window is over.
func handPart(t testing.TB, j *journal, message, part string) {
	t.Helper()
	s := partOf(t, j, message, part)
	if err := j.handed(t.Context(), &s, wire.Fault{Code: "outcome_unknown", Text: "No message has appeared."}, noon, noon); err != nil {
		t.Fatal(err)
	}
}

func settleAll(t testing.TB, j *journal) {
	t.Helper()
	if _, err := j.settle(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
}

func refusePart(t testing.TB, j *journal, message, part string, again bool) {
	t.Helper()
	s := partOf(t, j, message, part)
	if err := j.noSend(t.Context(), &s, wire.Fault{Code: "messages_down", Text: "Messages is down."}, again, false, noon); err != nil {
		t.Fatal(err)
	}
}

// TestFileThenText: the text waits for the file's row, and the message is as far as
// the part that is behind.
func TestFileThenText(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, withFile("msg_1", "look"), order("msg_2", 1, bob, "quick"))
	if got := nextPart(t, j, noon); got != "msg_2 text" {
		t.Errorf("%q goes first, while the file is fetched", got)
	}
	arm(t, j, "msg_2", noon)
	if got := nextPart(t, j, noon); got != "" {
		t.Errorf("%q begins without its file", got)
	}
	stageFor(t, j, "msg_1")
	if got := nextPart(t, j, noon); got != "msg_1 file" {
		t.Errorf("%q is next", got)
	}
	clearOutbox(t, j)
	armPart(t, j, "msg_1", partFile)
	rowOf(t, j, "msg_1", partFile, func(*chatdb.Message) {})
	if got := nextPart(t, j, noon); got != "" {
		t.Errorf("%q begins before the file is sent", got)
	}
	rowOf(t, j, "msg_1", partFile, readRow)
	wantReports(t, j, "sending msg_1 1")
	if got := nextPart(t, j, noon); got != "msg_1 text" {
		t.Errorf("%q is next", got)
	}
	armPart(t, j, "msg_1", partText)
	rowOf(t, j, "msg_1", partText, deliveredRow)
	wantReports(t, j, "sending msg_1 1", "sent msg_1 1", "delivered msg_1 1")
	rowOf(t, j, "msg_1", partText, readRow)
	list := reportsOf(t, j)
	for _, r := range list[1:] { // both rows are the message's, and told as such
		if r.GUID != "G-text" || !slices.Equal(r.Rows, []string{"G-file"}) || r.Fault != nil {
			t.Errorf("%+v", r)
		}
	}
	if last := list[len(list)-1]; last.Kind != wire.Read {
		t.Errorf("%+v", last)
	}
}

func TestFileAlone(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, withFile("msg_1", ""))
	stageFor(t, j, "msg_1")
	armPart(t, j, "msg_1", partFile)
	rowOf(t, j, "msg_1", partFile, deliveredRow)
	wantReports(t, j, "accepted msg_1 1", "sending msg_1 1", "sent msg_1 1", "delivered msg_1 1")
	if guid := reportsOf(t, j)[2].GUID; guid != "G-file" {
		t.Errorf("the row is %q", guid)
	}
}

// TestEndsOfTwoParts goes through what the two parts of a message may come to.
func TestEndsOfTwoParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, j *journal)
		want []string // kind, code of the fault
		text string   // state of the text in the end
	}{
		{"the file is not on iMessage", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, failedRow(22))
		}, []string{"failed messages_error 22"}, stateNoSend},
		{"the file fails and recovers", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, failedRow(3))
			rowOf(t, j, "msg_1", partFile, sentRow)
		}, []string{"failed messages_error 3", "failed text_failed 0"}, stateNoSend},
		{"nobody knows of the file", func(t *testing.T, j *journal) {
			handPart(t, j, "msg_1", partFile)
			settleAll(t, j)
		}, []string{"unknown outcome_unknown 0"}, stateNoSend},
		{"the file's row comes late", func(t *testing.T, j *journal) {
			handPart(t, j, "msg_1", partFile)
			settleAll(t, j)
			rowOf(t, j, "msg_1", partFile, sentRow)
		}, []string{"unknown outcome_unknown 0", "failed text_failed 0"}, stateNoSend},
		{"the file had no effect", func(t *testing.T, j *journal) {
			refusePart(t, j, "msg_1", partFile, true)
		}, []string{"nosend messages_down 0"}, stateNoSend},
		{"the text fails", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partText, failedRow(3))
		}, []string{"failed text_failed 3"}, stateObserved},
		{"the text fails and recovers", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partText, failedRow(3))
			rowOf(t, j, "msg_1", partText, sentRow)
		}, []string{"failed text_failed 3", "sent"}, stateObserved},
		{"the file fails after the text went out", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partText, sentRow)
			rowOf(t, j, "msg_1", partFile, failedRow(25))
		}, []string{"sent", "failed file_failed 25"}, stateObserved},
		{"the file fails while its text runs, which is sent", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partFile, failedRow(25))
			rowOf(t, j, "msg_1", partText, sentRow)
		}, []string{"failed file_failed 25"}, stateObserved},
		{"the file fails while its text runs, which was not begun", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partFile, failedRow(25))
			refusePart(t, j, "msg_1", partText, true)
		}, []string{"failed file_failed 25", "failed messages_error 25"}, stateNoSend},
		{"nobody knows of the text", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			handPart(t, j, "msg_1", partText)
			settleAll(t, j)
			rowOf(t, j, "msg_1", partText, sentRow)
		}, []string{"unknown outcome_unknown 0", "sent"}, stateObserved},
		{"the text can never go", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			refusePart(t, j, "msg_1", partText, false)
		}, []string{"failed text_failed 0"}, stateNoSend},
		{"another Mac takes over between the two", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			if err := j.retire(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			rowOf(t, j, "msg_1", partFile, deliveredRow) // no news: the journal may be a copy
		}, []string{"unknown outcome_unknown 0"}, stateUnknown},
		{"another Mac takes over before a text is tried again", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			armPart(t, j, "msg_1", partText)
			refusePart(t, j, "msg_1", partText, true)
			if err := j.retire(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			if list, err := j.unresolved(t.Context(), noon.Add(-late)); err != nil || len(list) > 0 {
				t.Errorf("a row is looked for: %+v, %v", list, err)
			}
		}, []string{"unknown outcome_unknown 0"}, stateUnknown},
		{"another Mac takes over before the file's row is there", func(t *testing.T, j *journal) {
			if err := j.retire(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			rowOf(t, j, "msg_1", partFile, sentRow)
		}, []string{"unknown outcome_unknown 0"}, stateUnknown},
		{"a release between the two", func(t *testing.T, j *journal) {
			rowOf(t, j, "msg_1", partFile, sentRow)
			if err := j.release(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			armPart(t, j, "msg_1", partText)
			rowOf(t, j, "msg_1", partText, sentRow)
		}, []string{"sent"}, stateObserved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			give(t, j, withFile("msg_1", "look"))
			stageFor(t, j, "msg_1")
			armPart(t, j, "msg_1", partFile)
			clearOutbox(t, j)
			tt.do(t, j)
			var got []string
			for _, r := range reportsOf(t, j) {
				line := string(r.Kind)
				if r.Fault != nil {
					line += fmt.Sprintf(" %s %d", r.Fault.Code, r.Fault.Number)
				}
				got = append(got, line)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
			if s := partOf(t, j, "msg_1", partText); s.state != tt.text {
				t.Errorf("the text is %q, want %q", s.state, tt.text)
			}
			// Asked again, it says the same.
			clearOutbox(t, j)
			give(t, j, withFile("msg_1", "look"))
			if last := reportsOf(t, j)[0]; string(last.Kind) != firstWord(got[len(got)-1]) {
				t.Errorf("asked again it is %s", last.Kind)
			}
		})
	}
}

func firstWord(s string) (word string) {
	fmt.Sscan(s, &word)
	return word
}

// TestTextIsTriedAgain: while its file is out, the tries at a text are the Mac's own
// business, come after pauses and have an end.
func TestTextIsTriedAgain(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, withFile("msg_1", "look"))
	stageFor(t, j, "msg_1")
	armPart(t, j, "msg_1", partFile)
	rowOf(t, j, "msg_1", partFile, sentRow)
	clearOutbox(t, j)
	runs := make(map[string]bool)
	for i := range maxRuns {
		s := partOf(t, j, "msg_1", partText)
		if s.state != stateReceived || s.text != "look" {
			t.Fatalf("before run %d it is %+v", i+1, s)
		}
		armPart(t, j, "msg_1", partText)
		s = partOf(t, j, "msg_1", partText)
		runs[fmt.Sprint(s.runID(), s.run)] = true
		refusePart(t, j, "msg_1", partText, true)
		if got := nextPart(t, j, noon); got != "" {
			t.Errorf("%q begins without a pause", got)
		}
		if i < maxRuns-1 {
			if due, err := j.nextDue(t.Context(), noon); err != nil || !due.After(noon) {
				t.Errorf("due %v, %v", due, err)
			}
			if got := nextPart(t, j, noon.Add(time.Minute)); got != "msg_1 text" {
				t.Errorf("%q begins after the pause", got)
			}
			wantReports(t, j)
		}
	}
	wantReports(t, j, "failed msg_1 1")
	if len(runs) != maxRuns {
		t.Errorf("runs share their files: %v", runs)
	}
}

// TestAnotherAttemptAtTwoParts: after no effect both parts begin again, with the file
// that is there.
func TestAnotherAttemptAtTwoParts(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, withFile("msg_1", "look"))
	stageFor(t, j, "msg_1")
	armPart(t, j, "msg_1", partFile)
	refusePart(t, j, "msg_1", partFile, true)
	o := withFile("msg_1", "look")
	o.Attempt = 2
	give(t, j, o)
	file, text := partOf(t, j, "msg_1", partFile), partOf(t, j, "msg_1", partText)
	if file.state != stateReceived || file.attempt != 2 || file.staged == "" || text.state != stateReceived || text.attempt != 2 || text.text != "look" {
		t.Errorf("%+v\n%+v", file, text)
	}
	armPart(t, j, "msg_1", partFile)
	if again := partOf(t, j, "msg_1", partFile); again.run != 2 {
		t.Errorf("run %d", again.run)
	}
}

// TestRunIDs: no two runs share their files.
func TestRunIDs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, message := range []string{"msg_1", "msg_1-file2", "msg_2"} {
		for _, part := range []string{partFile, partText} {
			for run := range 3 {
				id := fmt.Sprintf("%s.%d", send{message: message, part: part}.runID(), run)
				if seen[id] {
					t.Errorf("%s is used twice", id)
				}
				seen[id] = true
			}
		}
	}
}
