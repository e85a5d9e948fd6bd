package e2e_test

import (
	"maps"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testKey is what `key create --test` prints.
type testKey struct {
	KeyID  string `json:"key_id"`
	APIKey string `json:"api_key"`
	Line   string `json:"line"`
}

func (w *world) newTestKey() testKey {
	w.t.Helper()
	return decode[testKey](w.t, run(w.t, bluecloud, "key", "create", "--account", w.account, "--permission", "*", "--test", "--json", "--database", w.database()))
}

// with is the same server through another key.
func (w *world) with(key string) *world {
	other := *w
	other.key = key
	return &other
}

// A customer's CI: a test key reaches every outcome by its recipient with no Mac there,
// and neither sees nor touches what is real.
func TestTestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25) // its Mac's relay is never started
	key := w.newTestKey()
	if !strings.HasPrefix(key.APIKey, "tb_test_") || len(key.APIKey) != len("tb_test_")+32 {
		t.Fatalf("%q is no test key", key.APIKey)
	}
	live, test := w, w.with(key.APIKey)

	sent := make(map[string]string)
	for to, want := range map[string]string{"+14155551234": "delivered", "+15005550001": "failed", "+15005550008": "sent"} {
		status, body, err := test.call("POST", "/v1/messages/send", map[string]string{"to": to, "from": key.Line, "content": "try"})
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("send to %s: %d %s %v", to, status, body, err)
		}
		sent[decode[message](t, body).ID] = want
	}
	for id, want := range sent {
		test.ends(id, want)
	}

	// Nothing of one is seen by the other, in either direction.
	if list := live.all(""); len(list) != 0 {
		t.Errorf("the live key sees %d test messages", len(list))
	}
	real := live.send("+14155551234", "real")
	for id, other := range map[string]*world{real.ID: test, firstKey(sent): live} {
		if status, body, _ := other.call("GET", "/v1/messages/"+id, nil); status != http.StatusNotFound {
			t.Errorf("another's message: %d %s", status, body)
		}
	}
	// Neither may send from the other's number, and no real Mac comes to the test line.
	for _, c := range []struct {
		who  *world
		from string
	}{{test, line}, {live, key.Line}} {
		if status, body, _ := c.who.call("POST", "/v1/messages/send", map[string]string{"to": "+14155551234", "from": c.from, "content": "no"}); status != http.StatusBadRequest {
			t.Errorf("from another's number: %d %s", status, body)
		}
	}
	if status, body, _ := test.call("POST", "/v1/numbers/verify", map[string]string{"phone_number": "+14155550199"}); status != http.StatusForbidden {
		t.Errorf("a test key adds a number: %d %s", status, body)
	}
	if status, body, _ := live.call("POST", "/v1/numbers/verify", map[string]string{"phone_number": key.Line}); status != http.StatusConflict {
		t.Errorf("a live key takes the test number: %d %s", status, body)
	}
	if said := fails(t, 1, bluecloud, "line", "pair", key.Line, "--replace", "--database", w.database()); !strings.Contains(said, "test") {
		t.Errorf("pairing a Mac with the test line said %q", said)
	}
	// A second test key of the account works on the same line.
	if again := w.newTestKey(); again.Line != key.Line || again.APIKey == key.APIKey {
		t.Errorf("the second test key: %+v", again)
	}
	run(t, bluecloud, "key", "revoke", key.KeyID, "--database", w.database())
	if status, _, _ := test.call("GET", "/v1/messages", nil); status != http.StatusUnauthorized {
		t.Errorf("a revoked test key: %d", status)
	}
}

// What a test key has sent is finished after the server was killed and started again, by
// itself, and once.
func TestTestKeySurvivesTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	key := w.newTestKey()
	test := w.with(key.APIKey)
	status, body, err := test.call("POST", "/v1/messages/send", map[string]string{"to": "+15005550010", "from": key.Line, "content": "hello"})
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("send: %d %s %v", status, body, err)
	}
	w.cloud.kill()
	w.startCloud()
	test.ends(decode[message](t, body).ID, "delivered")
	eventually(t, 20*time.Second, "the simulator's reply", func() bool { return len(test.all("direction=inbound")) == 1 })
	if n := len(test.all("direction=outbound")); n != 1 {
		t.Errorf("%d messages", n)
	}
	if code := w.cloud.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	// The simulated Messages has gone with it.
	if procs := children(t, key.Line); len(procs) != 0 {
		t.Errorf("still running: %v", procs)
	}
}

func firstKey(m map[string]string) string {
	for k := range maps.Keys(m) {
		return k
	}
	return ""
}

// children are the processes whose command line names a number; none but on Linux.
func children(t *testing.T, number string) (list []string) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, d := range dirs {
		line, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if strings.Contains(string(line), "--number\x00"+number) {
			list = append(list, d.Name())
		}
	}
	return list
}
