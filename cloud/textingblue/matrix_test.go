package textingblue_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/textingblue"
	"bluerelay/contract"
)

// permissions are all that a key may have.
var permissions = []string{"messages:send", "messages:read", "webhooks:manage", "numbers:read", "numbers:write", "team:read", "team:write"}

// Each route of the router's own table with no key, a revoked one, one that lacks the
// permission, a body that is none, and another account's ids, which are no different
// from ids that never were. A route that the document does not have, or whose ids
// nothing makes in belongings, fails.
func TestEveryRouteRefuses(t *testing.T) {
	w := newQuietWorld(t)
	other := w.newAccount("team_b", 0)
	theirKey := w.newKey(other, store.TextingBlue, "*")
	theirs := w.belongings(theirKey, w.newLine(other, "+14155550001").PhoneNumber)
	own := w.belongings(w.key, line)
	key, revoked, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return tx.RevokeKey(key.ID, 1) })
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	operations := make(map[string]contract.Operation)
	for _, o := range d.Operations() {
		operations[o.Pattern()] = o
	}
	lacking := make(map[string]string)
	for _, p := range permissions {
		lacking[p] = w.newKey(w.account, store.TextingBlue, p)
	}
	before := w.contents()
	for _, r := range textingblue.New(nil, nil).Routes() {
		if r.Pattern == "/" {
			continue
		}
		o, ok := operations[r.Pattern]
		if !ok {
			t.Errorf("%s is not in the document", r.Pattern)
			continue
		}
		never := o.At(nil)
		for _, secret := range []string{"", revoked} {
			w.ask(o, secret, never, o.BodyExample()).expect(t, http.StatusUnauthorized, "unauthorized", "")
		}
		for p, secret := range lacking {
			if p != r.Need {
				w.ask(o, secret, never, o.BodyExample()).expect(t, http.StatusForbidden, "forbidden", "")
			}
		}
		if o.ReadsBody() {
			w.ask(o, w.key, o.At(w.places(o, own)), "{").expect(t, http.StatusBadRequest, "invalid_request", "")
		}
		if !strings.Contains(o.Path, "{") {
			continue
		}
		foreign := w.ask(o, w.key, o.At(w.places(o, theirs)), o.BodyExample())
		foreign.expect(t, http.StatusNotFound, "not_found", "")
		if a := w.ask(o, w.key, never, o.BodyExample()); a.status != foreign.status || string(a.body) != string(foreign.body) {
			t.Errorf("%s: %s, of an id that never was: %s", r.Pattern, foreign.body, a.body)
		}
	}
	if w.contents() != before {
		t.Error("a request that was refused changed something")
	}
}

// ask makes a request of the document in this process.
func (w *quietWorld) ask(o contract.Operation, key, path, body string) answer {
	r := httptest.NewRequestWithContext(w.t.Context(), o.Method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("x-api-key", key)
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// places are the ids for the parameters of a path, each found by the part before it.
func (w *quietWorld) places(o contract.Operation, ids map[string]string) map[string]string {
	w.t.Helper()
	found := make(map[string]string)
	parts := strings.Split(o.Path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			id := ids[parts[i-1]]
			if id == "" {
				w.t.Fatalf("%s: belongings makes none of %s", o.Pattern(), parts[i-1])
			}
			found[strings.TrimSuffix(name, "}")] = id
		}
	}
	return found
}
