package sendblue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/cloud/textingblue"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, store.Open)) }

// patience is how long a test waits for what must come; nothing waits that long
// while all is well.
const patience = 20 * time.Second

// The numbers and the text of the seed page's example.
const (
	line     = "+15551234567"
	somebody = "+19998887777"
	greeting = "Hello"
)

// world is a server with one account, its pair of keys and its line.
type world struct {
	t       testing.TB
	cfg     cloud.Config
	dsn     string
	logs    *logs
	store   *store.Store
	service *cloud.Service
	server  *httptest.Server
	account store.Account
	pair    pair
	line    store.Line
	stop    func()
}

// pair is a Sendblue key.
type pair struct{ id, secret string }

func newWorld(t testing.TB, change func(*cloud.Config)) *world {
	t.Helper()
	w := &world{t: t, dsn: storetest.New(t), logs: &logs{out: t.Output()}}
	w.cfg = cloud.Config{
		Log: slog.New(slog.NewTextHandler(w.logs, nil)), PublicURL: "https://blue.example", Sweep: 20 * time.Millisecond, MediaDir: filepath.Join(t.TempDir(), "media"),
		Dialects:     map[string]cloud.Dialect{store.Sendblue: sendblue.Dialect(), store.TextingBlue: textingblue.Dialect()},
		WebhookAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
	if change != nil {
		change(&w.cfg)
	}
	t.Cleanup(func() { w.stop(); w.logs.check(t) })
	w.start()
	w.account = w.newAccount("team_a", 0)
	w.pair = w.newPair(w.account, "*")
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
	api := held(w.t, sendblue.New(w.service, w.cfg.Log))
	for _, path := range sendblue.Paths {
		mux.Handle(path, api)
	}
	mux.Handle("/v1/", textingblue.New(w.service, w.cfg.Log))
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
	a := store.Account{ID: id, Name: "Acme", Email: "owner@acme.example", Plan: "self_hosted", CreatedAt: 1, Limits: store.Limits{RequestsPerMinute: requests}}
	w.write(func(tx *store.Tx) error { return tx.CreateAccount(a) })
	return a
}

func (w *world) newPair(a store.Account, permissions ...string) pair {
	w.t.Helper()
	key, secret, err := w.service.CreateKey(w.t.Context(), a.ID, store.Sendblue, permissions)
	if err != nil {
		w.t.Fatal(err)
	}
	return pair{key.Shown, secret}
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

// request makes a request with a pair of keys.
func (w *world) request(method, path string, who pair, body string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if who.id != "" {
		req.Header.Set("sb-api-key-id", who.id)
	}
	if who.secret != "" {
		req.Header.Set("sb-api-secret-key", who.secret)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// call makes a request and reads its answer.
func (w *world) call(method, path string, who pair, body string) answer {
	w.t.Helper()
	return w.do(w.request(method, path, who, body))
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

// ok makes a request with the account's keys that must succeed.
func (w *world) ok(method, path, body string) answer {
	w.t.Helper()
	a := w.call(method, path, w.pair, body)
	if a.status != http.StatusOK {
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

// problem is the body of an error.
type problem struct {
	Status       string  `json:"status"`
	Message      string  `json:"message"`
	ErrorMessage string  `json:"error_message"`
	ErrorCode    *int    `json:"error_code"`
	ErrorReason  string  `json:"error_reason"`
	ErrorDetail  *string `json:"error_detail"`
	OldestCursor string  `json:"oldest_cursor"`
}

// expect fails unless the answer is that error, about that field, "" for none. It
// returns the error.
func (a answer) expect(t testing.TB, status, code int, reason, field string) problem {
	t.Helper()
	var p problem
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Status == "" || p.Message == "" || p.Message != p.ErrorMessage {
		t.Errorf("%d %s: no envelope: %v", a.status, a.body, err)
		return p
	}
	gotCode, gotField := 0, ""
	if p.ErrorCode != nil {
		gotCode = *p.ErrorCode
	}
	if p.ErrorDetail != nil {
		gotField = *p.ErrorDetail
	}
	if a.status != status || gotCode != code || p.ErrorReason != reason || gotField != field {
		t.Errorf("got %d %s\nwant %d %d %s %q", a.status, a.body, status, code, reason, field)
	}
	return p
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

var personal = regexp.MustCompile(greeting + `|\+\d{7,}|whsec_|dev_[a-z2-7]{8}|rly_|@acme`)

// check fails if anything personal or secret has been logged.
func (l *logs) check(t testing.TB) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := personal.FindString(l.all.String()); found != "" {
		t.Errorf("%q is in the log", found)
	}
}
