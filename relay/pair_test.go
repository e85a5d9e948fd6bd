package relay

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/wire"
)

const token = "dev_one_time_token"

// pairingCloud is a server that knows one request.
type pairingCloud struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
	last   atomic.Pointer[wire.PairRequest]
}

func newPairingCloud(t testing.TB) *pairingCloud {
	c := new(pairingCloud)
	c.gives(http.StatusOK, wire.PairResponse{RelayID: "rel_1", Secret: "rsk_1", Account: "Acme", Line: "+14155559876"})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /relay/v1/pair", func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		var req wire.PairRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		c.last.Store(&req)
		(*c.answer.Load())(w, r)
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *pairingCloud) gives(status int, answer any) {
	c.answer.Store(new(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if text, ok := answer.(string); ok {
			_, _ = w.Write([]byte(text))
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	})))
}

// pairing is an act of pairing with c on a fresh Mac.
func (c *pairingCloud) pairing(t testing.TB) Pairing {
	return Pairing{
		SetupURL: c.URL + "/setup?token=" + token, StateDir: filepath.Join(t.TempDir(), "state"),
		ChatDB: filepath.Join(t.TempDir(), "no-chat.db"), Version: "1.2.3",
	}
}

func pair(t testing.TB, p Pairing) Credential {
	t.Helper()
	c, err := p.Pair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPair(t *testing.T) {
	t.Parallel()
	cloud := newPairingCloud(t)
	for scope, want := range map[Scope]Scope{"": ScopeAll, ScopeAll: ScopeAll, ScopeStarted: ScopeStarted, ScopeAllow: ScopeAllow} {
		p := cloud.pairing(t)
		p.Scope = scope
		if scope == ScopeAllow {
			p.Allow = []string{alice}
		}
		got := pair(t, p)
		wanted := Credential{Server: cloud.URL, RelayID: "rel_1", Secret: "rsk_1", Account: "Acme", Line: "+14155559876", Scope: want, Allow: p.Allow}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("got %+v, want %+v", got, wanted)
		}
		loaded, err := LoadCredential(p.StateDir)
		if err != nil || !reflect.DeepEqual(loaded, wanted) {
			t.Errorf("on disk is %+v, %v", loaded, err)
		}
		for name, mode := range map[string]os.FileMode{".": 0o700, credentialFile: 0o600, "journal.db": 0o600} {
			info, err := os.Stat(filepath.Join(p.StateDir, name))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	if req := cloud.last.Load(); req.Token != token || req.OS != runtime.GOOS || req.Version != "1.2.3" || strings.HasSuffix(req.Host, ".local") {
		t.Errorf("the cloud was asked %+v", req)
	}
}

func TestPairBelowAPath(t *testing.T) {
	t.Parallel()
	cloud := newPairingCloud(t)
	outer := httptest.NewServer(http.StripPrefix("/blue", cloud.Config.Handler))
	t.Cleanup(outer.Close)
	p := cloud.pairing(t)
	p.SetupURL = outer.URL + "/blue/setup/?lang=en&token=" + token
	if c := pair(t, p); c.Server != outer.URL+"/blue" {
		t.Errorf("the server is %s", c.Server)
	}
}

// TestPairRefused: whatever the server says, a refusal leaves nothing behind that
// looks like a pairing, and no token in its words.
func TestPairRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		answer any
		want   string
	}{
		"used token":       {http.StatusConflict, wire.PairResponse{Error: "This setup address was used already: make a new one."}, "This setup address was used already: make a new one."},
		"unknown token":    {http.StatusUnauthorized, wire.PairResponse{Error: "This setup address is not known."}, "is not known"},
		"no words":         {http.StatusForbidden, wire.PairResponse{}, "refused to pair (HTTP 403)"},
		"no secret":        {http.StatusOK, wire.PairResponse{RelayID: "rel_1"}, "refused to pair (HTTP 200)"},
		"error and secret": {http.StatusInternalServerError, wire.PairResponse{Secret: "rsk_1"}, "HTTP 500"},
		"an old server":    {http.StatusNotFound, "404 page not found\n", "did not answer like a bluecloud (HTTP 404)"},
		"a web page":       {http.StatusOK, "<!doctype html><title>Welcome</title>", "did not answer like a bluecloud (HTTP 200)"},
		"nothing":          {http.StatusOK, "", "did not answer like a bluecloud"},
		"a list":           {http.StatusOK, "[]", "did not answer like a bluecloud"},
		"without an end":   {http.StatusOK, `{"secret":"` + strings.Repeat("x", wire.MaxFrame) + `"}`, "did not answer like a bluecloud"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newPairingCloud(t)
			cloud.gives(tt.status, tt.answer)
			p := cloud.pairing(t)
			_, err := p.Pair(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the token is in %q", err)
			}
			if _, err := LoadCredential(p.StateDir); !errors.Is(err, ErrNotPaired) {
				t.Errorf("a credential was left: %v", err)
			}
		})
	}
}

// TestPairNotTried: what is wrong on this side must not use the token up.
func TestPairNotTried(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*testing.T, *Pairing)
		want   string
	}{
		"no address":             {func(_ *testing.T, p *Pairing) { p.SetupURL = "" }, "not a setup URL"},
		"no URL":                 {func(_ *testing.T, p *Pairing) { p.SetupURL = "::" }, "not a setup URL"},
		"a token alone":          {func(_ *testing.T, p *Pairing) { p.SetupURL = token }, "not a setup URL"},
		"without token":          {func(_ *testing.T, p *Pairing) { p.SetupURL = strings.Split(p.SetupURL, "?")[0] }, "/setup?token="},
		"another page":           {func(_ *testing.T, p *Pairing) { p.SetupURL = strings.Replace(p.SetupURL, "/setup", "/login", 1) }, "/setup?token="},
		"plain http":             {func(_ *testing.T, p *Pairing) { p.SetupURL = "http://cloud.example.com/setup?token=" + token }, "--insecure"},
		"plain http, private":    {func(_ *testing.T, p *Pairing) { p.SetupURL = "http://192.168.1.5/setup?token=" + token }, "--insecure"},
		"another scheme":         {func(_ *testing.T, p *Pairing) { p.SetupURL = "ftp://cloud.example.com/setup?token=" + token }, "https://"},
		"a wide state folder":    {func(t *testing.T, p *Pairing) { p.StateDir = wideFolder(t, 0o755) }, "chmod 700"},
		"a shared state folder":  {func(t *testing.T, p *Pairing) { p.StateDir = wideFolder(t, 0o770) }, "chmod 700"},
		"a file as state folder": {func(t *testing.T, p *Pairing) { p.StateDir = notAFolder(t) }, "state folder"},
		"a running relay":        {func(t *testing.T, p *Pairing) { p.StateDir = busyFolder(t) }, "already running"},
		"a broken journal":       {func(t *testing.T, p *Pairing) { p.StateDir = brokenFolder(t) }, "journal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newPairingCloud(t)
			p := cloud.pairing(t)
			tt.change(t, &p)
			_, err := p.Pair(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the token is in %q", err)
			}
			if cloud.asked.Load() > 0 {
				t.Error("the token was used up")
			}
		})
	}
}

func wideFolder(t testing.TB, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func privateFolder(t testing.TB) string { return wideFolder(t, 0o700) }

func notAFolder(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func busyFolder(t testing.TB) string {
	t.Helper()
	dir := privateFolder(t)
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	return dir
}

func brokenFolder(t testing.TB) string {
	t.Helper()
	dir := privateFolder(t)
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), []byte(strings.Repeat("x", 8192)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPairInsecure: the one flag that lets the secret go over plain http.
func TestPairInsecure(t *testing.T) {
	t.Parallel()
	cloud := newPairingCloud(t)
	p := cloud.pairing(t)
	p.SetupURL, p.Insecure = "http://cloud.example.com/setup?token="+token, true
	way := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, cloud.Listener.Addr().String())
	}}
	p.Transport = way
	t.Cleanup(way.CloseIdleConnections)
	if c := pair(t, p); c.Server != "http://cloud.example.com" {
		t.Errorf("the server is %s", c.Server)
	}
}

func TestPairWithoutACloud(t *testing.T) {
	t.Parallel()
	cloud := newPairingCloud(t)
	p := cloud.pairing(t)
	cloud.Close()
	_, err := p.Pair(t.Context())
	if err == nil || !strings.Contains(err.Error(), "reach the cloud at "+cloud.URL) || strings.Contains(err.Error(), token) {
		t.Errorf("got %v", err)
	}
}

// TestPairAgain: the same line goes on where it was, for any other the past is not
// meant; the identity is new in each case.
func TestPairAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer wire.PairResponse
		moved  bool // to another server
		keeps  bool
	}{
		"the same line":     {wire.PairResponse{RelayID: "rel_2", Secret: "rsk_2", Account: "Acme Inc", Line: "+14155559876"}, false, true},
		"another line":      {wire.PairResponse{RelayID: "rel_2", Secret: "rsk_2", Account: "Acme", Line: "+14155550000"}, false, false},
		"another server":    {wire.PairResponse{RelayID: "rel_2", Secret: "rsk_2", Account: "Acme", Line: "+14155559876"}, true, false},
		"refused this time": {wire.PairResponse{Error: "used"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newPairingCloud(t)
			p := cloud.pairing(t)
			pair(t, p)
			j := reopen(t, p.StateDir)
			give(t, j, order("msg_armed", 1, alice, "a"), order("msg_received", 1, alice, "b"))
			arm(t, j, "msg_armed", noon)
			before, reports, at := install(t, j), kindsOf(t, j), cursor{Floor: 7, Seen: 8}
			if err := j.setCursor(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			j.close()

			if tt.moved {
				cloud = newPairingCloud(t)
				p.SetupURL = cloud.URL + "/setup?token=" + token
			}
			cloud.gives(http.StatusOK, tt.answer)
			c, err := p.Pair(t.Context())
			refused := tt.answer.Secret == ""
			if (err != nil) != refused {
				t.Fatal(err)
			}
			loaded, err := LoadCredential(p.StateDir)
			if err != nil || refused == reflect.DeepEqual(loaded, c) {
				t.Errorf("on disk is %+v, %v", loaded, err)
			}
			j = reopen(t, p.StateDir)
			if after := install(t, j); (after == before) != refused {
				t.Errorf("the install went from %s to %s", before, after)
			}
			got, err := j.cursor(t.Context())
			if err != nil || got == nil || (*got == at) != tt.keeps || !tt.keeps && (got.RowID != 0 || got.Floor <= at.Floor) {
				t.Errorf("the cursor is %+v, %v", got, err)
			}
			if !tt.keeps {
				reports = nil
			}
			wantReports(t, j, reports...)
			if s := sendIn(t, j, "msg_armed"); (s.state == stateArmed) != tt.keeps {
				t.Errorf("what may be running is %q", s.state)
			}
			if s := sendIn(t, j, "msg_received"); (s.state == stateReceived) != refused {
				t.Errorf("what was not begun is %q", s.state)
			}
		})
	}
}

// TestPairTakesTheMark: what came before the pairing stays on the Mac.
func TestPairTakesTheMark(t *testing.T) {
	t.Parallel()
	cloud, m := newPairingCloud(t), newMessages(t)
	m.say("G-1", alice, "before", false, time.Now().Add(-time.Hour))
	p := cloud.pairing(t)
	p.ChatDB = m.path
	began := time.Now().Add(-time.Second).UnixMilli()
	pair(t, p)
	j := reopen(t, p.StateDir)
	first, err := j.cursor(t.Context())
	if err != nil || first == nil || first.RowID != 1 || first.GUID != "G-1" || first.File == "" || first.Floor < began {
		t.Fatalf("the cursor is %+v, %v", first, err)
	}
	j.close()
	m.say("G-2", alice, "between", false, time.Now())
	credential := pair(t, p)
	j = reopen(t, p.StateDir)
	if again, err := j.cursor(t.Context()); err != nil || *again != *first {
		t.Errorf("the second pairing moved the cursor from %+v to %+v, %v", first, again, err)
	}
	scan(t, m.look(j, credential))
	if list := reportsOf(t, j); len(list) != 1 || list[0].GUID != "G-2" {
		t.Errorf("what leaves the Mac is %+v", list)
	}
}

// TestPairWithoutAccess: what comes while nobody may read chat.db is told when access is
// granted, once; what came before the pairing is history, also where iCloud brings it anew.
func TestPairWithoutAccess(t *testing.T) {
	t.Parallel()
	cloud, m := newPairingCloud(t), newMessages(t)
	m.say("G-1", alice, "long before", false, time.Now().Add(-time.Hour))
	m.say("G-2", alice, "just before", false, time.Now().Add(-time.Minute))
	p := cloud.pairing(t) // without a chat.db that can be read
	pair(t, p)
	j := reopen(t, p.StateDir)
	first, err := j.cursor(t.Context())
	if err != nil || first == nil || first.File != "" || first.Floor == 0 {
		t.Fatalf("the cursor is %+v, %v", first, err)
	}
	j.close()
	m.say("G-3", alice, "between", false, time.Now())
	m.say("G-4", alice, "from iCloud", false, time.Now().Add(-90*24*time.Hour))
	m.say("G-5", alice, "and after", false, time.Now())
	p.ChatDB = m.path
	credential := pair(t, p) // with the access that it may have by now: it is the same line
	j = reopen(t, p.StateDir)
	if again, err := j.cursor(t.Context()); err != nil || *again != *first {
		t.Errorf("the second pairing moved the cursor from %+v to %+v, %v", first, again, err)
	}
	for range 2 {
		o := m.look(j, credential)
		scan(t, o)
		var got []string
		for _, r := range reportsOf(t, j) {
			got = append(got, r.GUID)
		}
		if want := []string{"G-3", "G-5"}; !slices.Equal(got, want) {
			t.Errorf("what leaves the Mac is %q, want %q", got, want)
		}
		if c := o.cursor; c.Floor != first.Floor || c.File == "" || c.RowID != 5 {
			t.Errorf("the cursor is %+v", c)
		}
	}
}

func TestOpenWithoutAPairing(t *testing.T) {
	t.Parallel()
	dir := privateFolder(t)
	if _, err := Open(t.Context(), Config{StateDir: dir}); !errors.Is(err, ErrNotPaired) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal was made: %v", err)
	}
	if err := paired.save(dir); err != nil {
		t.Fatal(err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := Open(t.Context(), Config{StateDir: dir}); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}
