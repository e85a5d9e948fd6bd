package sendblue_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/contract"
)

// permissions are all that a key may have.
var permissions = []string{"messages:send", "messages:read", "webhooks:manage", "numbers:read", "numbers:write", "team:read", "team:write"}

// Each route of the router's own table with no keys, revoked ones, a pair that lacks the
// permission, a body that is none, and another account's ids, which are no different
// from ids that never were. A route that the document does not have, or whose ids
// nothing makes in belongings, fails.
func TestEveryRouteRefuses(t *testing.T) {
	w := newQuietWorld(t)
	other := w.newAccount("team_b", 0)
	theirs := w.belongings(w.newPair(other, "*"), w.newLine(other, "+14155550001"))
	own := w.belongings(w.pair, w.line)
	key, secret, err := w.service.CreateKey(t.Context(), w.account.ID, store.Sendblue, []string{"*"})
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
	lacking := make(map[string]pair)
	for _, p := range permissions {
		lacking[p] = w.newPair(w.account, p)
	}
	before := w.contentsOf("")
	for _, r := range sendblue.New(nil, nil).Routes() {
		if r.Pattern == "/" {
			continue
		}
		o, ok := operations[r.Pattern]
		if !ok {
			t.Errorf("%s is not in the document", r.Pattern)
			continue
		}
		never := o.At(nil)
		for _, who := range []pair{{}, {key.Shown, secret}} {
			w.ask(o, who, never, o.BodyExample()).expect(t, http.StatusUnauthorized, 0, "unauthorized", "")
		}
		for p, who := range lacking {
			if r.Need != "" && p != r.Need {
				w.ask(o, who, never, o.BodyExample()).expect(t, http.StatusForbidden, 0, "forbidden", "")
			}
		}
		if !o.Answers(http.StatusOK) && !o.Answers(http.StatusCreated) {
			continue // it is refused to everybody, whatever it says
		}
		if o.ReadsBody() {
			if a := w.ask(o, w.pair, o.At(w.places(o, own)), "{"); a.status != http.StatusBadRequest {
				t.Errorf("%s with half an object: %d %s", r.Pattern, a.status, a.body)
			}
		}
		if !strings.Contains(o.Path, "{") {
			continue
		}
		foreign := w.ask(o, w.pair, o.At(w.places(o, theirs)), o.BodyExample())
		foreign.expect(t, http.StatusNotFound, 0, "not_found", "")
		if a := w.ask(o, w.pair, never, o.BodyExample()); a.status != foreign.status || string(a.body) != string(foreign.body) {
			t.Errorf("%s: %s, of an id that never was: %s", r.Pattern, foreign.body, a.body)
		}
	}
	if w.contentsOf("") != before {
		t.Error("a request that was refused changed something")
	}
}

// ask makes a request of the document in this process.
func (w *quietWorld) ask(o contract.Operation, who pair, path, body string) answer {
	r := httptest.NewRequestWithContext(w.t.Context(), o.Method, path, strings.NewReader(body))
	who.sign(r.Header)
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
