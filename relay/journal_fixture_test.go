package relay

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// noon is the time of these tests; times in the journal are whole milliseconds.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	alice = "+14155550101"
	bob   = "+14155550102"

	ownNumber = "+14155559876" // the line's
)

func newJournal(t testing.TB) *journal {
	t.Helper()
	return reopen(t, t.TempDir())
}

func reopen(t testing.TB, dir string) *journal {
	t.Helper()
	j, err := openJournal(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	return j
}

// kindsOf are the reports in the outbox as "kind message attempt", oldest first.
func kindsOf(t testing.TB, j *journal) []string {
	t.Helper()
	var list []string
	for _, r := range reportsOf(t, j) {
		list = append(list, fmt.Sprintf("%s %s %d", r.Kind, r.Message, r.Attempt))
	}
	return list
}

func reportsOf(t testing.TB, j *journal) []wire.Report {
	t.Helper()
	list, err := j.reports(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i].Token = "" // random, and a matter between the journal and the cloud
	}
	return list
}

// clearOutbox empties the outbox, so that a test sees what comes next.
func clearOutbox(t testing.TB, j *journal) {
	t.Helper()
	if _, err := j.db.Exec("DELETE FROM outbox"); err != nil {
		t.Fatal(err)
	}
}

func install(t testing.TB, j *journal) string {
	t.Helper()
	id, err := j.install(t.Context())
	if err != nil || id == "" {
		t.Fatalf("install %q, %v", id, err)
	}
	return id
}

func order(message string, attempt int, to, text string) wire.Send {
	return wire.Send{Message: message, Attempt: attempt, Seq: 1, To: to, Text: text, Service: "iMessage"}
}

func give(t testing.TB, j *journal, orders ...wire.Send) {
	t.Helper()
	for _, o := range orders {
		if err := j.receive(t.Context(), o, noon); err != nil {
			t.Fatal(err)
		}
	}
}

// sendIn is the send as the journal has it; the zero send where there is none.
func sendIn(t testing.TB, j *journal, message string) send {
	t.Helper()
	list, err := j.querySends(t.Context(), "message = ?", message)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return send{}
	}
	return list[0]
}

var participant = applescript.Request{Verb: applescript.SendText, Kind: applescript.Participant, Target: alice}

func arm(t testing.TB, j *journal, message string, at time.Time) {
	t.Helper()
	s := sendIn(t, j, message)
	if err := j.arm(t.Context(), &s, chatdb.Mark{RowID: 10, GUID: "G-10", File: "file"}, participant, at); err != nil {
		t.Fatal(err)
	}
}

func hand(t testing.TB, j *journal, message string, at, settle time.Time) {
	t.Helper()
	s := sendIn(t, j, message)
	if err := j.handed(t.Context(), &s, wire.Fault{Code: "outcome_unknown", Text: "No message has appeared."}, at, settle); err != nil {
		t.Fatal(err)
	}
}

func refuse(t testing.TB, j *journal, message string, at time.Time) {
	t.Helper()
	s := sendIn(t, j, message)
	if err := j.noSend(t.Context(), &s, wire.Fault{Code: "no_such_target", Number: -1728}, true, true, at); err != nil {
		t.Fatal(err)
	}
}

// bind records how the row of a message looks now.
func bind(t testing.TB, j *journal, message string, m chatdb.Message, prev chatdb.Seen) chatdb.Seen {
	t.Helper()
	changes, seen := chatdb.Diff(prev, m)
	s := sendIn(t, j, message)
	err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error { return saveRow(ctx, tx, s, m, changes, seen, noon) })
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// messages is a chat.db that a test writes like Messages.
type messages struct {
	t    testing.TB
	path string
	db   *sql.DB
}

func newMessages(t testing.TB) *messages {
	t.Helper()
	return newMessagesOn(t, readSchema(t, ownSchema))
}

func newMessagesOn(t testing.TB, schema string) *messages {
	t.Helper()
	m := &messages{t: t, path: filepath.Join(t.TempDir(), "chat.db")}
	var err error
	if m.db, err = openSQLite(m.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.db.Close() })
	m.exec(schema)
	return m
}

func (m *messages) exec(query string, args ...any) {
	m.t.Helper()
	if _, err := m.db.Exec(query, args...); err != nil {
		m.t.Fatalf("%.60s: %v", query, err)
	}
}

var appleEpoch = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// say adds a message to or from a person, and gives its guid.
func (m *messages) say(guid, handle, text string, fromMe bool, at time.Time) {
	m.t.Helper()
	m.exec("INSERT INTO handle (id, service) VALUES (?, 'iMessage') ON CONFLICT DO NOTHING", handle)
	m.exec(`INSERT INTO message (guid, text, service, handle_id, is_from_me, is_sent, date)
		VALUES (?, ?, 'iMessage', (SELECT ROWID FROM handle WHERE id = ?), ?, ?, ?)`, guid, text, handle, fromMe, fromMe, at.Sub(appleEpoch).Nanoseconds())
	m.exec("INSERT INTO chat (guid, style, chat_identifier, service_name) VALUES (?, 45, ?, 'iMessage') ON CONFLICT DO NOTHING", "any;-;"+handle, handle)
	m.exec(`INSERT INTO chat_message_join (chat_id, message_id, message_date)
		SELECT chat.ROWID, message.ROWID, date FROM chat, message WHERE chat.guid = ? AND message.guid = ?`, "any;-;"+handle, guid)
}

// look is an observer over these messages, as after a start of the daemon.
func (m *messages) look(j *journal, c Credential) *observer {
	m.t.Helper()
	db, err := chatdb.Open(m.t.Context(), m.path)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { db.Close() })
	cfg := Config{}
	cfg.defaults()
	o := &observer{db: db, Relay: &Relay{cfg: cfg, log: slog.New(slog.DiscardHandler), credential: c, journal: j, health: newHealth(), outboxBell: make(chan struct{}, 1)}}
	if err := o.resume(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	return o
}

func scan(t testing.TB, o *observer) {
	t.Helper()
	if err := o.scan(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// commitFinding writes what a look at rows came to.
func commitFinding(t testing.TB, j *journal, f finding) error {
	t.Helper()
	return j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error { return f.commit(ctx, tx, cursor{}, noon) })
}
