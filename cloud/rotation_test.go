package cloud_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"bluerelay/wire"
)

// credential asks at the address of secrets and returns the status and a new secret.
func (w *world) credential(method, secret string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+"/relay/v1/credential", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer wire.RotationResponse
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			w.t.Fatal(err)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			w.t.Error("a secret may be cached")
		}
	}
	return resp.StatusCode, answer.Secret
}

func (w *world) wantSecret(what, secret string, want int) {
	w.t.Helper()
	if status, _ := w.credential(http.MethodGet, secret); status != want {
		w.t.Errorf("%s: %d, want %d", what, status, want)
	}
}

// Until the new secret is shown both count; from then on it is the only one. The
// connection that is there stays.
func TestSecretIsRotated(t *testing.T) {
	w := newWorld(t, nil)
	old := w.paired(w.line)
	m := w.connect(old, hello("ins_a", 0))
	status, lost := w.credential(http.MethodPost, old)
	if status != http.StatusOK || !strings.HasPrefix(lost, "rly_") || lost == old {
		t.Fatalf("%d %q", status, lost)
	}
	_, next := w.credential(http.MethodPost, old)
	w.wantSecret("the former one", old, http.StatusNoContent)
	w.wantSecret("one that was issued and lost", lost, http.StatusUnauthorized)
	w.wantSecret("the next", next, http.StatusNoContent)
	w.wantSecret("the former, after the next was shown", old, http.StatusUnauthorized)
	m.idle()
	w.connect(next, hello("ins_a", m.seq)).idle()
	if status, _ := w.credential(http.MethodPost, old); status != http.StatusUnauthorized {
		t.Errorf("the former one was exchanged again: %d", status)
	}
}

// The next secret may be shown by the connection itself, and by many requests at once.
func TestSecretIsProvenByAnyRequest(t *testing.T) {
	w := newWorld(t, nil)
	old := w.paired(w.line)
	_, next := w.credential(http.MethodPost, old)
	w.connect(next, hello("ins_a", 0)).idle()
	w.wantSecret("the former one", old, http.StatusUnauthorized)
	_, third := w.credential(http.MethodPost, next)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { w.wantSecret("the third", third, http.StatusNoContent) })
	}
	all.Wait()
	w.wantSecret("the second", next, http.StatusUnauthorized)
}

// Neither a Mac that was revoked nor one that was replaced gets another secret, and what
// it was issued before ends with it.
func TestSecretOfAMacThatIsOver(t *testing.T) {
	w := newWorld(t, nil)
	first := w.paired(w.line)
	_, next := w.credential(http.MethodPost, first)
	if status, answer := w.pair(w.setupURL(true)); status != http.StatusOK {
		t.Fatalf("%d %+v", status, answer)
	}
	w.wantSecret("the replaced Mac's", first, http.StatusUnauthorized)
	w.wantSecret("the replaced Mac's next", next, http.StatusUnauthorized)
	relays, err := w.store.Relays(t.Context(), "")
	if err != nil || len(relays) != 1 {
		t.Fatal(relays, err)
	}
	if err := w.service.RevokeRelay(t.Context(), relays[0].ID); err != nil {
		t.Fatal(err)
	}
	w.wantSecret("nobody's", "", http.StatusUnauthorized)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if status, _ := w.credential(method, next); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", method, status)
		}
	}
}
