package relay

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// The environment that makes the test binary write into a journal until it is
// killed, and the number of messages that are there already.
const (
	writerDir  = "RELAY_TEST_JOURNAL"
	writerFrom = "RELAY_TEST_FROM"
)

// TestJournalWriter is the child of TestJournalKilled. It says each thing that it
// did after the journal has said that it is on disk.
func TestJournalWriter(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		t.Skip("only as a child of TestJournalKilled")
	}
	var from int
	if _, err := fmt.Sscan(os.Getenv(writerFrom), &from); err != nil {
		t.Fatal(err)
	}
	j := reopen(t, dir)
	for n := from; ; n++ {
		message := fmt.Sprintf("msg_%d", n)
		told := func(what string, number int64) { fmt.Printf("\n%s%s %s %d\n", spoken, what, message, number) }
		give(t, j, order(message, 1, alice, "text"))
		told(stateReceived, 0)
		arm(t, j, message, noon)
		told(stateArmed, 0)
		switch n % 3 {
		case 0:
			hand(t, j, message, noon, noon.Add(time.Hour))
			told(stateHanded, 0)
		case 1:
			refuse(t, j, message, noon)
			told(stateNoSend, 0)
		case 2:
			bind(t, j, message, chatdb.Message{GUID: "G-" + message, RowID: int64(n), FromMe: true, Sent: true}, chatdb.Seen{})
			told(stateObserved, 0)
		}
		if err := j.setCursor(t.Context(), cursor{Seen: int64(n)}); err != nil {
			t.Fatal(err)
		}
		told("cursor", int64(n))
		if n%5 == 4 {
			high, err := j.high(t.Context())
			if err == nil {
				err = j.forgetReports(t.Context(), high-2, noon.Add(2*keptFor))
			}
			if err != nil {
				t.Fatal(err)
			}
			told("high", high)
		}
	}
}

// spoken begins each line that the writer's parent listens to.
const spoken = "done: "

// progress orders the states of a message in the writer's hands.
var progress = map[string]int{stateReceived: 1, stateArmed: 2, stateHanded: 3, stateNoSend: 3, stateObserved: 3}

// TestJournalKilled kills the writer in the middle of its work, again and again,
// and finds everything that was said to be on disk.
func TestJournalKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := make(map[string]string)
	var lastCursor, lastHigh int64
	for round := range 12 {
		for _, line := range writeUntilKilled(t, dir, len(acknowledged), 5+round*7) {
			var what, message string
			var number int64
			if _, err := fmt.Sscan(strings.TrimPrefix(line, spoken), &what, &message, &number); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			switch what {
			case "cursor":
				lastCursor = number
			case "high":
				lastHigh = number
			default:
				acknowledged[message] = what
			}
		}
		j := reopen(t, dir)
		checkIntegrity(t, j)
		for message, state := range acknowledged {
			if got := sendIn(t, j, message); progress[got.state] < progress[state] {
				t.Errorf("%s was said to be %s and is %q", message, state, got.state)
			}
		}
		if c, err := j.cursor(t.Context()); lastCursor > 0 && (err != nil || c.Seen < lastCursor) {
			t.Errorf("the cursor is %+v, %v, after %d", c, err, lastCursor)
		}
		high, err := j.high(t.Context())
		if err != nil || high < lastHigh {
			t.Errorf("the highest number fell from %d to %d, %v", lastHigh, high, err)
		}
		for i, r := range reportsOf(t, j) {
			if want := high - int64(len(reportsOf(t, j))) + int64(i) + 1; r.Seq != want {
				t.Fatalf("report %d has number %d, want %d", i, r.Seq, want)
			}
		}
		// A message that was in the making is done with; its number is taken.
		sends, err := j.querySends(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sends {
			acknowledged[s.message] = s.state
		}
		j.close()
	}
	if len(acknowledged) < 12 {
		t.Errorf("only %d messages came about", len(acknowledged))
	}
}

// writeUntilKilled starts the writer, kills it when it has said n lines and
// returns everything that it said.
func writeUntilKilled(t *testing.T, dir string, from, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestJournalWriter$", "-test.parallel=1")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", writerDir+"="+dir, fmt.Sprintf("%s=%d", writerFrom, from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), spoken) {
			continue
		}
		said = append(said, lines.Text())
		if len(said) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(said) < n {
		t.Fatalf("the writer ended by itself after %d lines", len(said))
	}
	return said
}

func checkIntegrity(t testing.TB, j *journal) {
	t.Helper()
	var verdict string
	if err := j.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity: %s, %v", verdict, err)
	}
}
