package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/mac"
	"bluerelay/wire"
)

// keysOf is a keyring over a credential of its own.
func keysOf(t testing.TB, c Credential) *keyring {
	t.Helper()
	dir := privateFolder(t)
	if err := c.save(dir); err != nil {
		t.Fatal(err)
	}
	return &keyring{dir: dir}
}

// vault is a cloud that exchanges one secret as bluecloud does.
type vault struct {
	*httptest.Server
	mu           sync.Mutex
	secret, next string
	n            int
	seen         func(method string) // before a request has any effect
	proven       func()              // when the next secret has become the only one
}

func newVault(t testing.TB) *vault {
	v := &vault{secret: "rly_0", seen: func(string) {}, proven: func() {}}
	mux := http.NewServeMux()
	mux.HandleFunc("/relay/v1/credential", v.serve)
	v.Server = httptest.NewServer(mux)
	t.Cleanup(v.Close)
	return v
}

func (v *vault) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen(r.Method)
	switch r.Header.Get("Authorization") {
	case "Bearer " + v.secret:
	case "Bearer " + v.next:
		v.secret, v.next = v.next, ""
		v.proven()
	default:
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	v.n++
	v.next = fmt.Sprintf("rly_%d", v.n)
	_ = json.NewEncoder(w).Encode(wire.RotationResponse{Secret: v.next})
}

func (v *vault) credential() Credential {
	return Credential{Server: v.URL, RelayID: "rel_1", Secret: v.secret, Line: "+14155559876", Scope: ScopeAll}
}

// opens fails unless what is on disk opens the cloud.
func (v *vault) opens(t testing.TB, dir string, tools mac.Tools) {
	t.Helper()
	c, err := LoadCredential(dir)
	if err != nil {
		t.Fatal(err)
	}
	k := &keyring{dir: dir, tools: tools}
	client := k.client(c)
	defer client.CloseIdleConnections()
	if _, err := k.askForSecret(t.Context(), client, c, http.MethodGet, nil); err != nil {
		t.Errorf("%+v does not open the cloud, which knows %q and %q: %v", c, v.secret, v.next, err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	dir := keysOf(t, v.credential()).dir
	for n := 1; n <= 3; n++ {
		if _, err := Rotate(t.Context(), dir, mac.Tools{}, ""); err != nil {
			t.Fatal(err)
		}
		c, err := LoadCredential(dir)
		want := v.credential()
		want.Secret, want.Former, want.Since = fmt.Sprintf("rly_%d", n), fmt.Sprintf("rly_%d", n-1), c.Since
		if err != nil || fmt.Sprint(c) != fmt.Sprint(want) || time.Since(time.UnixMilli(c.Since)) > time.Minute || v.secret != want.Secret || v.next != "" {
			t.Errorf("%+v, %v; the cloud knows %q and %q", c, err, v.secret, v.next)
		}
	}
}

// A cloud that issues a secret and does not know it then has exchanged nothing.
func TestRotateInVain(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.seen = func(method string) {
		if method == http.MethodGet {
			v.next = ""
		}
	}
	dir := keysOf(t, v.credential()).dir
	if _, err := Rotate(t.Context(), dir, mac.Tools{}, ""); err == nil || !strings.Contains(err.Error(), "the present one goes on") {
		t.Errorf("%v", err)
	}
	if c, err := LoadCredential(dir); err != nil || c.Secret != "rly_0" || c.Next != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// A daemon that runs beside it shows the new secret with its next request.
func TestRotateBesideADaemon(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	daemon := keysOf(t, v.credential())
	if got, err := daemon.bearer(t.Context()); err != nil || got != "rly_0" {
		t.Fatal(got, err)
	}
	if _, err := Rotate(t.Context(), daemon.dir, mac.Tools{}, ""); err != nil {
		t.Fatal(err)
	}
	if got, err := daemon.bearer(t.Context()); err != nil || got != "rly_1" {
		t.Errorf("%q, %v", got, err)
	}
	// Without its file it goes on with what it has.
	if err := os.Remove(filepath.Join(daemon.dir, credentialFile)); err != nil {
		t.Fatal(err)
	}
	if got, err := daemon.bearer(t.Context()); err != nil || got != "rly_1" {
		t.Errorf("%q, %v", got, err)
	}
}

// Whatever the cloud knows of the secrets that are kept, the one that it takes is found, and
// is shown first from then on. What a cloud from a copy does not know stays: the copy may be
// the wrong one, and the cloud that comes back know nothing else.
func TestKeyring(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kept   Credential
		cloud  [2]string // secret and next
		secret string    // kept in the end
		next   string
		former string
	}{
		"as ever":                       {Credential{Secret: "b", Former: "a"}, [2]string{"b", ""}, "b", "", "a"},
		"issued, not shown":             {Credential{Secret: "b", Next: "c", Former: "a"}, [2]string{"b", "c"}, "c", "", "b"},
		"issued and shown":              {Credential{Secret: "b", Next: "c"}, [2]string{"c", ""}, "c", "", "b"},
		"another was issued":            {Credential{Secret: "b", Next: "c", Former: "a"}, [2]string{"b", "x"}, "b", "", "a"},
		"a cloud from a copy":           {Credential{Secret: "b", Former: "a"}, [2]string{"a", ""}, "a", "", "b"},
		"a cloud from an earlier issue": {Credential{Secret: "b", Former: "a"}, [2]string{"a", "b"}, "b", "", "a"},
		"a cloud from a copy, issued":   {Credential{Secret: "b", Next: "c", Former: "a"}, [2]string{"a", ""}, "a", "c", "b"},
		"the copy is put right again":   {Credential{Secret: "a", Former: "b"}, [2]string{"b", ""}, "b", "", "a"},
		"put right again, issued":       {Credential{Secret: "a", Next: "c", Former: "b"}, [2]string{"b", "c"}, "c", "", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			v.secret, v.next = tt.cloud[0], tt.cloud[1]
			tt.kept.Server = v.URL
			k := keysOf(t, tt.kept)
			v.opens(t, k.dir, mac.Tools{})
			c, err := LoadCredential(k.dir)
			if err != nil || c.Secret != tt.secret || c.Former != tt.former || c.Next != tt.next {
				t.Errorf("%+v, %v", c, err)
			}
			v.opens(t, k.dir, mac.Tools{})
			if got, err := k.bearer(t.Context()); err != nil || got != tt.secret {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	v := newVault(t)
	k := keysOf(t, Credential{Server: v.URL, Secret: "x", Next: "y", Former: "z"})
	client := k.client(Credential{})
	defer client.CloseIdleConnections()
	for range 2 { // the same answer each time
		if _, err := k.askForSecret(t.Context(), client, Credential{Server: v.URL}, http.MethodGet, nil); !errors.Is(err, ErrRevoked) {
			t.Errorf("a Mac that was revoked: %v", err)
		}
	}
	if c, err := LoadCredential(k.dir); err != nil || c.Secret != "x" || c.Next != "y" || c.Former != "z" {
		t.Errorf("a refusal has changed the credential: %+v, %v", c, err)
	}
}

// The environment that makes the test binary exchange a secret, as a child of
// TestRotateKilled.
const rotatorDir, rotatorTools = "RELAY_TEST_ROTATE", "RELAY_TEST_ROTATE_TOOLS"

func TestRotator(t *testing.T) {
	if os.Getenv(rotatorDir) == "" {
		t.Skip("only as a child of TestRotateKilled")
	}
	if _, err := Rotate(t.Context(), os.Getenv(rotatorDir), mac.Tools{Dir: os.Getenv(rotatorTools)}, ""); err != nil {
		t.Fatal(err)
	}
}

// TestRotateKilled kills an exchange at each of its steps, with the secrets in the file and
// in the keychain: what is kept opens the cloud every time, and another exchange goes well.
func TestRotateKilled(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(v *vault, kill func()){
		"before it is issued": func(v *vault, kill func()) { v.seen = func(m string) { killOn(m, http.MethodPost, kill) } },
		"before it is shown":  func(v *vault, kill func()) { v.seen = func(m string) { killOn(m, http.MethodGet, kill) } },
		"when it is proven":   func(v *vault, kill func()) { v.proven = kill },
	} {
		for place, tools := range map[string]mac.Tools{"file": {}, "keychain": keychainTools(t)} {
			t.Run(name+", "+place, func(t *testing.T) {
				t.Parallel()
				v := newVault(t)
				c := v.credential()
				if place == "keychain" {
					c.Keychain = strings.ReplaceAll(name, " ", "_")
				}
				dir := privateFolder(t)
				if err := c.keep(t.Context(), dir, tools); err != nil {
					t.Fatal(err)
				}
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestRotator$")
				child.Env = append(os.Environ(), rotatorDir+"="+dir, rotatorTools+"="+tools.Dir)
				dead := make(chan struct{})
				v.mu.Lock()
				at(v, func() { kill(); <-dead })
				v.mu.Unlock()
				if err := child.Start(); err != nil {
					t.Fatal(err)
				}
				err := child.Wait()
				close(dead)
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Exited() {
					t.Fatalf("the child was not killed: %v", err)
				}
				v.mu.Lock()
				v.seen, v.proven = func(string) {}, func() {}
				v.mu.Unlock()
				v.opens(t, dir, tools)
				if _, err := Rotate(t.Context(), dir, tools, ""); err != nil {
					t.Error(err)
				}
				v.opens(t, dir, tools)
			})
		}
	}
}

func killOn(method, want string, kill func()) {
	if method == want {
		kill()
	}
}

// keychainTools is a stand-in for the keychain.
func keychainTools(t testing.TB) mac.Tools {
	t.Helper()
	script, err := os.ReadFile("../mac/testdata/keychain/security")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeProgram(t, filepath.Join(dir, "security"), string(script))
	return mac.Tools{Dir: dir}
}

func TestKeychainCredential(t *testing.T) {
	t.Parallel()
	cloud, tools := newPairingCloud(t), keychainTools(t)
	p := cloud.pairing(t)
	p.Keychain, p.Tools = true, tools
	c := pair(t, p)
	data, err := os.ReadFile(filepath.Join(p.StateDir, credentialFile))
	if err != nil || strings.Contains(string(data), c.Secret) || !strings.Contains(string(data), `"keychain": "rel_1"`) {
		t.Errorf("%s, %v", data, err)
	}
	k := &keyring{dir: p.StateDir, tools: tools}
	if got, err := k.bearer(t.Context()); err != nil || got != "rsk_1" {
		t.Errorf("%q, %v", got, err)
	}
	fresh := func() error { _, err := (&keyring{dir: p.StateDir, tools: tools}).bearer(t.Context()); return err }
	lockKeychain := filepath.Join(tools.Dir, "locked")
	if err := os.WriteFile(lockKeychain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fresh(); !errors.Is(err, mac.ErrKeychainLocked) {
		t.Errorf("a locked keychain: %v", err)
	}
	if got, err := k.bearer(t.Context()); err != nil || got != "rsk_1" {
		t.Errorf("what runs goes on: %q, %v", got, err)
	}
	// What cannot be kept does not use the setup URL up.
	asked := cloud.asked.Load()
	if _, err := p.Pair(t.Context()); !errors.Is(err, mac.ErrKeychainLocked) || cloud.asked.Load() != asked {
		t.Errorf("%v", err)
	}
	if err := os.Remove(lockKeychain); err != nil {
		t.Fatal(err)
	}
	// Another pairing takes the former item away.
	cloud.gives(http.StatusOK, wire.PairResponse{RelayID: "rel_2", Secret: "rsk_2", Account: "Acme", Line: "+14155559876"})
	pair(t, p)
	items, err := os.ReadDir(filepath.Join(tools.Dir, "items"))
	if err != nil || len(items) != 1 || items[0].Name() != keychainService+"-rel_2" {
		t.Errorf("%v, %v", items, err)
	}
	if err := os.Remove(filepath.Join(tools.Dir, "items", items[0].Name())); err != nil {
		t.Fatal(err)
	}
	if err := fresh(); !errors.Is(err, mac.ErrKeychainItem) || !strings.Contains(err.Error(), "bluerelay pair") {
		t.Errorf("an item that is gone: %v", err)
	}
	if err := os.WriteFile(filepath.Join(tools.Dir, "items", items[0].Name()), []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fresh(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged item: %v", err)
	}

	// Whoever removes the state folder takes the item away first.
	forget := func() error { return ForgetSecret(t.Context(), p.StateDir, tools) }
	if err := os.WriteFile(lockKeychain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forget(); !errors.Is(err, mac.ErrKeychainLocked) || !strings.Contains(err.Error(), keychainService+", rel_2") {
		t.Errorf("a locked keychain: %v", err)
	}
	if err := os.Remove(lockKeychain); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := forget(); err != nil {
			t.Error(err)
		}
	}
	if items, err := os.ReadDir(filepath.Join(tools.Dir, "items")); err != nil || len(items) > 0 {
		t.Errorf("%v, %v", items, err)
	}
	if err := ForgetSecret(t.Context(), t.TempDir(), tools); err != nil {
		t.Errorf("a folder without a pairing: %v", err)
	}
}

// The state folder stays out of backups, and where that does not work it is said.
func TestPairExcludesFromBackups(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{"exit 0": "is left out of this Mac's backups", "exit 7": "run `tmutil addexclusion '"} {
		cloud, dir := newPairingCloud(t), t.TempDir()
		writeProgram(t, filepath.Join(dir, "tmutil"), "#!/bin/sh\n"+script)
		var said []string
		p := cloud.pairing(t)
		p.Tools, p.Say = mac.Tools{Dir: dir}, func(s string) { said = append(said, s) }
		pair(t, p)
		if len(said) != 1 || !strings.Contains(said[0], want) {
			t.Errorf("%s: %q", script, said)
		}
	}
}
