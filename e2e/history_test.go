package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/simulator"
)

// historyStart is the date of the first row of the past; one comes each minute.
var historyStart = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// appleNano is a date column of chat.db.
func appleNano(t time.Time) int64 {
	return t.Sub(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).Nanoseconds()
}

// writePast fills chat.db with n messages, alternately received and own; every tenth
// own one was read, every tenth but one failed.
func writePast(t testing.TB, path string, n int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO handle (ROWID, id, service) VALUES (800, '+14155550800', 'iMessage')", nil},
		{"INSERT INTO chat (ROWID, guid, style, chat_identifier, service_name) VALUES (800, 'any;-;+14155550800', 45, '+14155550800', 'iMessage')", nil},
		{`INSERT INTO message (ROWID, guid, text, handle_id, service, date, is_finished, is_from_me, is_sent, is_delivered, date_delivered, is_read, date_read, error)
			WITH RECURSIVE k (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i + 1 < ?1)
			SELECT 1000 + i, 'PAST-' || i, 'past ' || i, 800, 'iMessage', ?2 + i * 60000000000, 1, i % 2, i % 2 AND i % 20 <> 3,
			i % 20 = 1, iif(i % 20 = 1, ?2 + i * 60000000000 + 1000000000, 0), i % 20 = 1, iif(i % 20 = 1, ?2 + i * 60000000000 + 2000000000, 0), iif(i % 20 = 3, 22, 0) FROM k`,
			[]any{n, appleNano(historyStart)}},
		{"INSERT INTO chat_message_join (chat_id, message_id, message_date) SELECT 800, ROWID, date FROM message WHERE guid LIKE 'PAST-%'", nil},
		// What is no message, and what the owner has thrown away.
		{"UPDATE message SET associated_message_type = 2000, associated_message_guid = 'p:0/PAST-0' WHERE guid = 'PAST-10'", nil},
		{"DELETE FROM chat_message_join WHERE message_id = (SELECT ROWID FROM message WHERE guid = 'PAST-12')", nil},
		{"INSERT INTO chat_recoverable_message_join (chat_id, message_id) SELECT 800, ROWID FROM message WHERE guid = 'PAST-12'", nil},
	} {
		if _, err := tx.Exec(q.sql, q.args...); err != nil {
			t.Fatalf("%.60s: %v", q.sql, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// pairAgain gives the Mac a fresh state folder.
func (w *world) pairAgain(more ...string) {
	w.t.Helper()
	if err := os.RemoveAll(w.state()); err != nil {
		w.t.Fatal(err)
	}
	run(w.t, bluerelay, append([]string{"pair", w.setupURL(), "--state", w.state(), "--chat-db", w.mac.ChatDB()}, more...)...)
}

// setupURL is for another Mac.
func (w *world) setupURL() string {
	w.t.Helper()
	return decode[struct {
		SetupURL string `json:"setup_url"`
	}](w.t, run(w.t, bluecloud, "line", "pair", line, "--replace", "--json", "--database", w.database())).SetupURL
}

// imported is what `import --json` prints.
type imported struct{ New, Known, Withheld, Unreadable, Files int }

func (w *world) importSince(date string) imported {
	w.t.Helper()
	return decode[imported](w.t, run(w.t, bluerelay, "import", "--since", date, "--json", "--state", w.state(), "--chat-db", w.mac.ChatDB()))
}

// The past is brought while the daemon works: killed in the middle, gone on with,
// repeated. Every message is there once and at its date, and nobody is told.
func TestImport(t *testing.T) {
	t.Parallel()
	const rows, before = 12_000, 100 // the first hundred are older than --since
	const wanted = rows - before
	w := newWorld(t, 25)
	hook := newReceiver(t)
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"message.received", "message.sent", "message.failed"}}); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	writePast(t, w.mac.ChatDB(), rows)
	w.pairAgain()
	w.startRelay()
	w.relay.out.await(t, "link.up", 20*time.Second)
	w.relay.out.await(t, "chatdb.reading", 20*time.Second)

	since := historyStart.Add(before * time.Minute).Format(time.RFC3339)
	first := start(t, bluerelay, "import", "--since", since, "--state", w.state(), "--chat-db", w.mac.ChatDB())
	first.out.await(t, "20 %", 30*time.Second)
	first.kill()
	if _, err := os.Stat(filepath.Join(w.state(), "import.json")); err != nil {
		t.Fatalf("the first run has left no mark, or was not cut short: %v", err)
	}
	receive := func(text string) {
		t.Helper()
		if _, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155550800", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	receive("news in the middle")
	second := w.importSince(since)
	if second.New == 0 || second.New >= wanted || second.Known > 1000 {
		t.Errorf("the second run did not go on where the first was killed: %+v", second)
	}
	eventually(t, 20*time.Second, "the news", func() bool { return len(hook.counts(t, "message.received")) == 1 })
	if third := w.importSince(since); third.New != 0 || third.Known < wanted {
		t.Errorf("a repetition brought something: %+v", third)
	}
	w.judgePast(t, rows, before)

	receive("news at the end")
	eventually(t, 20*time.Second, "more news", func() bool { return len(hook.counts(t, "message.received")) == 2 })
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.bodies) != 2 {
		t.Errorf("%d events were told, want the two of the news", len(hook.bodies))
	}
}

// judgePast compares the list with what writePast wrote.
func (w *world) judgePast(t *testing.T, rows, before int) {
	t.Helper()
	list := w.all("")
	if list[0].Content != "news in the middle" {
		t.Errorf("the newest message is %q", list[0].Content)
	}
	list = list[1:]
	at := 0
	for i := rows - 1; i >= before; i-- {
		if i == 10 || i == 12 {
			continue
		}
		want := message{Content: fmt.Sprintf("past %d", i), Direction: "inbound", Status: "received", From: "+14155550800", To: line}
		if i%2 == 1 {
			want.Direction, want.Status, want.From, want.To = "outbound", "sent", line, "+14155550800"
		}
		created := historyStart.Add(time.Duration(i) * time.Minute)
		switch i % 20 {
		case 1:
			want.Status = "delivered"
			want.DeliveredAt, want.ReadAt = stamp(created.Add(time.Second)), stamp(created.Add(2*time.Second))
		case 3:
			want.Status = "failed"
		}
		if at >= len(list) {
			t.Fatalf("the list ends before %q", want.Content)
		}
		got := list[at]
		at++
		if got.CreatedAt != stamp(created) {
			t.Fatalf("%q is dated %s, want %s", got.Content, got.CreatedAt, stamp(created))
		}
		got.ID, got.CreatedAt = "", ""
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	if at != len(list) {
		t.Errorf("%d messages too many", len(list)-at)
	}
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// What was chosen at pairing holds for the past too, and an import says what is wrong.
func TestImportScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	writePast(t, w.mac.ChatDB(), 60)
	w.pairAgain("--scope", "started")
	if got := w.importSince("2024-01-01"); got != (imported{Withheld: 58}) {
		t.Errorf("%+v", got)
	}
	w.startRelay()
	w.send("+14155550800", "hello again")
	eventually(t, 20*time.Second, "sent", func() bool { l := w.all("direction=outbound"); return l[0].Status == "delivered" })
	if got := w.importSince("2024-01-01"); got != (imported{New: 58}) {
		t.Errorf("%+v", got)
	}
	if n := len(w.all("")); n != 59 {
		t.Errorf("%d messages, want 58 and the one that was sent", n)
	}
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{2, []string{}, "--since is needed"},
		{2, []string{"--since", "yesterday"}, "--since must be a date"},
		{2, []string{"--since", "2999-01-01"}, "in the future"},
		{1, []string{"--since", "2024-01-01", "--state", t.TempDir()}, "not paired"},
		{1, []string{"--since", "2024-01-01", "--state", w.state(), "--chat-db", filepath.Join(t.TempDir(), "chat.db")}, "Messages"},
	} {
		if msg := fails(t, c.code, bluerelay, append([]string{"import"}, c.args...)...); !strings.Contains(msg, c.says) {
			t.Errorf("import %v says %q, want something about %q", c.args, msg, c.says)
		}
	}
}

// A bug report made by inspect holds nothing personal unless asked.
func TestInspect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	guid, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155550123", Text: "The Sesame opens at 4711"})
	if err != nil {
		t.Fatal(err)
	}
	inspect := func(more ...string) string {
		return run(t, bluerelay, append([]string{"inspect", guid, "--chat-db", w.mac.ChatDB()}, more...)...)
	}
	for _, args := range [][]string{nil, {"--json"}} {
		eventually(t, 10*time.Second, "the row with its chat", func() bool {
			var out bytes.Buffer
			cmd := exec.Command(bluerelay, "inspect", guid, "--json", "--chat-db", w.mac.ChatDB())
			cmd.Stdout = &out
			return cmd.Run() == nil && strings.Contains(out.String(), `"any;-;+1…0123"`)
		})
		out := inspect(args...)
		for _, secret := range []string{"Sesame", "opens", "4711", "4155550123", "4155559876"} {
			if strings.Contains(out, secret) {
				t.Errorf("inspect %v tells %q:\n%s", args, secret, out)
			}
		}
		for _, known := range []string{guid, "+1…0123", "iMessage", "received"} {
			if !strings.Contains(out, known) {
				t.Errorf("inspect %v does not tell %q:\n%s", args, known, out)
			}
		}
	}
	if !json.Valid([]byte(inspect("--json"))) {
		t.Error("no JSON")
	}
	if out := inspect("--show-text"); !strings.Contains(out, "The Sesame opens at 4711") || !strings.Contains(out, "+14155550123") {
		t.Errorf("--show-text shows nothing:\n%s", out)
	}
	if msg := fails(t, 1, bluerelay, "inspect", "NO-SUCH-GUID", "--chat-db", w.mac.ChatDB()); !strings.Contains(msg, "no message") {
		t.Error(msg)
	}
}
