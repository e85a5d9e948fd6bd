package cloud_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

// patience is how long a test waits for what must come; nothing waits that long
// while all is well.
const patience = 20 * time.Second

// world is one server on a database of its own, with one account and one line.
type world struct {
	t       testing.TB
	cfg     cloud.Config
	dsn     string
	logs    *logs
	store   *store.Store
	service *cloud.Service
	server  *httptest.Server
	who     cloud.Principal
	line    store.Line
	stop    func()
	made    int // deliveries, by pending
}

func newWorld(t testing.TB, change func(*cloud.Config)) *world {
	t.Helper()
	w := &world{t: t, dsn: storetest.New(t), logs: &logs{out: t.Output()}}
	w.cfg = cloud.Config{
		Log: slog.New(slog.NewTextHandler(w.logs, nil)), PublicURL: "https://blue.example", Sweep: 20 * time.Millisecond, RetiredWait: 20 * time.Millisecond, MediaDir: filepath.Join(t.TempDir(), "media"),
		Dialects: map[string]cloud.Dialect{store.TextingBlue: plainDialect()},
	}
	if change != nil {
		change(&w.cfg)
	}
	t.Cleanup(func() { w.stop(); w.logs.check(t); w.checkTimelines(); w.checkClasses() })
	w.start()
	w.who = w.account("team_a")
	w.line = w.addLine(w.who, "+14155559876")
	return w
}

// plainDialect renders an event as its type, message and line.
func plainDialect() cloud.Dialect {
	return cloud.Dialect{
		Events: []string{"message.received", "message.sent", "message.delivered", "message.read", "message.failed", "message.unknown", "webhook.disabled"},
		Body:   func(e store.Event, m store.Message) (string, error) { return e.Type + " " + m.ID, nil },
		Sign:   func(h http.Header, _ store.Webhook, d store.Delivery) { h.Set("x-event", d.EventType) },
	}
}

// rendering is loopback with a plain dialect whose bodies are others, and which has more
// events.
func rendering(body func(store.Event, store.Message) (string, error), events ...string) func(*cloud.Config) {
	return func(c *cloud.Config) {
		loopback(c)
		d := plainDialect()
		d.Events, d.Body = append(d.Events, events...), body
		c.Dialects = map[string]cloud.Dialect{store.TextingBlue: d}
	}
}

// start begins a server process on the database.
func (w *world) start() {
	w.t.Helper()
	s, err := store.Serve(context.Background(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.store, w.cfg.Store = s, s
	w.service = cloud.New(w.cfg)
	if err := w.service.Begin(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	mux := http.NewServeMux()
	w.service.RelayRoutes(mux)
	w.server = httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.service.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		w.server.Close()
		cancel()
		running.Wait()
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// checkTimelines fails where a message's timeline does not end with its status. That it was
// ordered is not among the rows.
func (w *world) checkTimelines() {
	w.t.Helper()
	bad := w.column(`SELECT id || ' ' || status FROM messages AS m WHERE status <> COALESCE((SELECT status FROM message_steps AS s
		WHERE s.account_id = m.account_id AND s.message_id = m.id ORDER BY n DESC LIMIT 1), 'queued')`)
	if len(bad) > 0 {
		w.t.Errorf("steps are missing of %v", bad)
	}
}

// checkClasses fails where the class of a message says something else than its members,
// or where the counts of the classes are not those of the table.
func (w *world) checkClasses() {
	w.t.Helper()
	bad := w.column(`SELECT m.id || ' ' || m.status || ' is in ' || m.class FROM messages AS m JOIN lines AS l ON l.id = m.line_id
		WHERE ABS(m.class) <> l.ordinal * 512
			+ CASE m.belongs_to WHEN '' THEN 0 ELSE 256 END
			+ CASE m.direction WHEN 'outbound' THEN 128 ELSE 0 END
			+ CASE WHEN (m.direction = 'outbound' AND m.chat_guid <> '' AND m.peer = m.chat_guid) OR (m.direction = 'inbound' AND m.peer <> m.from_addr) THEN 64 ELSE 0 END
			+ CASE m.service WHEN 'iMessage' THEN 16 WHEN 'SMS' THEN 32 WHEN 'RCS' THEN 48 ELSE 0 END
			+ CASE m.status WHEN 'queued' THEN CASE WHEN NOT EXISTS (SELECT 1 FROM relays WHERE relays.line_id = m.line_id) THEN 1 WHEN m.awaits_media = 1 THEN 2 ELSE 3 END
				WHEN 'accepted' THEN 4 WHEN 'sending' THEN 4 WHEN 'sent' THEN 5 WHEN 'delivered' THEN 6 WHEN 'read' THEN 6 WHEN 'unknown' THEN 9 WHEN 'received' THEN 10
				WHEN 'failed' THEN CASE WHEN m.error_code IN ('opted_out', 'declined') THEN 8 ELSE 7 END ELSE 7 END
			OR (m.class < 0) <> (m.hidden_at > 0)
			OR m.party <> CASE m.direction WHEN 'outbound' THEN m.to_addr ELSE m.from_addr END
			OR m.dated_at <> CASE m.sent_at WHEN 0 THEN m.created_at ELSE m.sent_at END
		UNION ALL SELECT 'class ' || class || ' counts ' || SUM(n) || ' too few' FROM (SELECT class, 1 AS n FROM messages WHERE class > 0
			UNION ALL SELECT class, -n FROM message_totals) AS counted GROUP BY class HAVING SUM(n) <> 0
		UNION ALL SELECT 'class ' || class || ' counts ' || SUM(n) || ' too few on day ' || day FROM (SELECT account_id, created_at / 86400000 AS day, class, 1 AS n FROM messages WHERE class > 0
			UNION ALL SELECT account_id, day, class, -n FROM message_days) AS counted GROUP BY account_id, day, class HAVING SUM(n) <> 0
		UNION ALL SELECT m.id || ' is beyond the bounds of its day' FROM messages AS m WHERE NOT EXISTS (SELECT 1 FROM day_bounds AS b WHERE b.account_id = m.account_id AND b.day = m.created_at / 86400000
			AND m.dated_at BETWEEN b.dated_from AND b.dated_to AND m.updated_at BETWEEN b.updated_from AND b.updated_to)`)
	if len(bad) > 0 {
		w.t.Errorf("the classes are wrong: %v", bad)
	}
}

func (w *world) restart() { w.t.Helper(); w.stop(); w.start() }

func (w *world) account(id string) cloud.Principal {
	w.t.Helper()
	a := store.Account{ID: id, Name: "Acme", Plan: "self_hosted", CreatedAt: 1}
	w.write(func(tx *store.Tx) error { return tx.CreateAccount(a) })
	return cloud.Principal{Account: a, Key: store.Key{ID: "key_" + id, Permissions: []string{"*"}}}
}

func (w *world) addLine(p cloud.Principal, number string) store.Line {
	w.t.Helper()
	l, err := w.service.AddLine(w.t.Context(), p.Account.ID, number, cloud.LineChange{Pace: new("off")}, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) write(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.Write(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// send stores a message to a number and returns its id.
func (w *world) send(to string) string {
	w.t.Helper()
	m, err := w.service.Send(w.t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: to, Content: secretText})
	if err != nil {
		w.t.Fatal(err)
	}
	return m.ID
}

// message reads a message from the table.
func (w *world) message(id string) store.Message {
	w.t.Helper()
	m, err := w.store.Message(context.Background(), w.who.Account.ID, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// eventually polls a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("this never happened: %s", what)
		}
	}
}

// secretText stands for what people write: it must never be logged.
const secretText = "a private sentence"

// logs keeps what is logged and shows it with the test.
type logs struct {
	mu  sync.Mutex
	all bytes.Buffer
	out io.Writer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	return l.out.Write(p)
}

// has tells whether something has been logged.
func (l *logs) has(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.all.Bytes(), []byte(what))
}

var personal = regexp.MustCompile(regexp.QuoteMeta(secretText) + `|\+\d{7,}|whsec_|dev_[a-z2-7]{8}|rly_|tb_live_`)

// check fails if anything personal or secret has been logged.
func (l *logs) check(t testing.TB) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := personal.FindString(l.all.String()); found != "" {
		t.Errorf("%q is in the log", found)
	}
}

// refusal is the error that a caller of the API sees.
func refusal(t testing.TB, err error) *cloud.Error {
	t.Helper()
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok {
		t.Fatalf("%v is no error for the caller", err)
	}
	return e
}
