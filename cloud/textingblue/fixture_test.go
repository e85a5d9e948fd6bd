package textingblue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/cloudtest"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/cloud/textingblue"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, store.Open)) }

// patience is how long a test waits for what must come; nothing waits that long
// while all is well.
const patience = 20 * time.Second

// The numbers and the text of the seed page's own request.
const (
	line     = "+14155559876"
	somebody = "+14155551234"
	greeting = "Hello from Texting Blue!"
)

// world is a server with one account, its key and its line.
type world struct {
	t       testing.TB
	cfg     cloud.Config
	dsn     string
	logs    *logs
	store   *store.Store
	service *cloud.Service
	server  *httptest.Server
	account store.Account
	key     string
	line    store.Line
	stop    func()
}

func newWorld(t testing.TB, change func(*cloud.Config)) *world {
	t.Helper()
	w := &world{t: t, dsn: storetest.New(t), logs: &logs{out: t.Output()}}
	w.cfg = cloud.Config{
		Log: slog.New(slog.NewTextHandler(w.logs, nil)), PublicURL: "https://blue.example", Sweep: 20 * time.Millisecond, MediaDir: filepath.Join(t.TempDir(), "media"),
		Dialects:     map[string]cloud.Dialect{store.TextingBlue: textingblue.Dialect()},
		WebhookAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
	if change != nil {
		change(&w.cfg)
	}
	t.Cleanup(func() { w.stop(); w.logs.check(t) })
	w.start()
	w.account = w.newAccount("team_a", 0)
	w.key = w.newKey(w.account, store.TextingBlue, "*")
	w.line = w.newLine(w.account, line)
	return w
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
	mux.Handle("/v1/", held(w.t, textingblue.New(w.service, w.cfg.Log)))
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

func (w *world) write(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.Write(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// newAccount makes an account with a limit of requests a minute, 0 for none.
func (w *world) newAccount(id string, requests int64) store.Account {
	w.t.Helper()
	a := store.Account{ID: id, Name: "Acme", Plan: "self_hosted", CreatedAt: 1, Limits: store.Limits{RequestsPerMinute: requests}}
	w.write(func(tx *store.Tx) error { return tx.CreateAccount(a) })
	return a
}

func (w *world) newKey(a store.Account, dialect string, permissions ...string) string {
	w.t.Helper()
	_, secret, err := w.service.CreateKey(w.t.Context(), a.ID, dialect, permissions)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

func (w *world) newLine(a store.Account, number string) store.Line {
	w.t.Helper()
	l, err := w.service.AddLine(w.t.Context(), a.ID, number, cloud.LineChange{Pace: new("off")}, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call makes a request with a key, "" for none.
func (w *world) call(method, path, key, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	req.Header.Set("Content-Type", "application/json")
	return w.do(req)
}

func (w *world) do(req *http.Request) answer {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, data}
	if a.header.Get("x-ratelimit-remaining") == "" {
		w.t.Errorf("%s %s: no x-ratelimit-remaining", req.Method, req.URL.Path)
	}
	if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" && req.Method != http.MethodHead {
		w.t.Errorf("%s %s: Content-Type %q", req.Method, req.URL.Path, got)
	}
	return a
}

// ok makes a request with the account's key that must succeed.
func (w *world) ok(method, path, body string, status int) answer {
	w.t.Helper()
	a := w.call(method, path, w.key, body)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// into decodes the body.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// member is one member of the body's object, as JSON.
func (a answer) member(t testing.TB, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	a.into(t, &all)
	return string(all[name])
}

func (a answer) id(t testing.TB) string {
	t.Helper()
	return strings.Trim(a.member(t, "id"), `"`)
}

// send sends the greeting to a number and returns the message's id.
func (w *world) send(to string) string {
	w.t.Helper()
	return w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"to":%q,"from":%q,"content":%q}`, to, line, greeting), http.StatusAccepted).id(w.t)
}

// get reads a message.
func (w *world) get(id string) answer {
	w.t.Helper()
	return w.ok("GET", "/v1/messages/"+id, "", http.StatusOK)
}

// An error as the API's page has it.
type problem struct {
	Code, Message string
	Param         *string
}

// problem reads the envelope, which has nothing beside it.
func (a answer) problem(t testing.TB) problem {
	t.Helper()
	var e struct{ Error problem }
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.More() || e.Error.Code == "" || e.Error.Message == "" {
		t.Errorf("%d %s: no envelope: %v", a.status, a.body, err)
	}
	return e.Error
}

// expect fails unless the answer is that error; param "" means that the key must be
// absent.
func (a answer) expect(t testing.TB, status int, code, param string) {
	t.Helper()
	p := a.problem(t)
	if a.status != status || p.Code != code || (p.Param == nil) != (param == "") || p.Param != nil && *p.Param != param {
		t.Errorf("got %d %s\nwant %d %s %q", a.status, a.body, status, code, param)
	}
}

// keys lists the members of a JSON object in their order.
func keys(t testing.TB, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	var list []string
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		t.Fatalf("%s is no object: %v", object, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name.(string))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// changing is what differs from run to run.
var changing = cloudtest.Changing{
	{Form: regexp.MustCompile(`\b(msg|evt|wh|num|rel|grp|usr|inv)_[a-z2-7]{12}\b`), As: "${1}_xxxxxxxxxxxx"},
	{Form: regexp.MustCompile(`\b(dev|join)_[a-z2-7]{32}\b`), As: "${1}_xxxxxxxxxxxx"},
	{Form: regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/]{32}"`), As: `whsec_xxxxxxxxxxxx"`},
	{Form: regexp.MustCompile(`"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"`), As: `"2026-02-07T12:00:00Z"`},
	{Form: regexp.MustCompile(`"http://127\.0\.0\.1:\d+`), As: `"http://127.0.0.1:80`},
}

// golden compares a body with the file of that name.
func golden(t testing.TB, name string, body []byte) {
	t.Helper()
	changing.Golden(t, name+".json", string(body)+"\n")
}

// contents is all that the database holds of what clients can change, as text.
func (w *world) contents() string {
	w.t.Helper()
	var all strings.Builder
	for _, table := range []string{"accounts", "keys", "lines", "setup_tokens", "relays", "messages", "message_steps", "idempotency", "events", "webhooks", "deliveries", "members", "invitations"} {
		for _, row := range storetest.Rows(w.t, w.dsn, "SELECT * FROM "+table+" ORDER BY 1, 2, 3") {
			fmt.Fprintf(&all, "%s %q\n", table, row)
		}
	}
	return all.String()
}

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

var personal = regexp.MustCompile(greeting + `|\+\d{7,}|whsec_|dev_[a-z2-7]{8}|rly_|tb_live_`)

// check fails if anything personal or secret has been logged.
func (l *logs) check(t testing.TB) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := personal.FindString(l.all.String()); found != "" {
		t.Errorf("%q is in the log", found)
	}
}

// same fails unless two lists are equal.
func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %v\nwant %v", what, got, want)
	}
}
