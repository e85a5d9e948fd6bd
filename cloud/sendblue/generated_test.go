package sendblue_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/contract"
)

// generated is how many requests are made from the document.
const generated = 12_000

// discard logs nothing.
var discard = slog.New(slog.DiscardHandler)

// secretText is in everything of an account that another must never be shown.
const secretText = "nightingale"

// Requests made from the document, most of them wrong in some way, are never answered
// with 5xx, always as the document says, and show and change nothing of another
// account. No relay and no dispatcher runs.
func TestGeneratedRequests(t *testing.T) {
	w := newQuietWorld(t)
	b := w.newAccount("team_b", 0)
	own := w.belongings(w.pair, w.line)
	others := w.belongings(w.newPair(b, "*"), w.newLine(b, "+14155550001"))
	before := w.contentsOf(b.ID)
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	mine := slices.Sorted(maps.Values(own))
	requests := d.Bad(1, slices.Concat(mine, slices.Sorted(maps.Values(others))))
	counts, streams := make(map[int]int), 0
	for n := range generated {
		r := requests.Next().WithContext(t.Context())
		if n < generated*9/10 && r.Method == http.MethodDelete && slices.ContainsFunc(mine, func(id string) bool { return strings.Contains(r.URL.Path, id) }) {
			continue // what is gone answers everything with 404
		}
		w.pair.sign(r.Header)
		rec := contract.Cut(w.api, r)
		counts[rec.Code]++
		if strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") {
			streams++
		}
		if rec.Code >= 500 {
			t.Errorf("request %d: %s %s: %d %s", n, r.Method, r.URL, rec.Code, rec.Body)
		}
		if body := rec.Body.String(); strings.Contains(body, secretText) {
			t.Errorf("request %d: %s %s shows what is another's: %s", n, r.Method, r.URL, body)
		}
		if t.Failed() && n%100 == 0 {
			t.FailNow()
		}
	}
	if after := w.contentsOf(b.ID); after != before {
		t.Errorf("another account is not what it was\n%s\n%s", before, after)
	}
	if streams < 20 {
		t.Errorf("%d streams were opened", streams)
	}
	for _, status := range []int{200, 400, 404, 405} {
		if counts[status] < 20 {
			t.Errorf("%d requests were answered with %d: the generator is blind there", counts[status], status)
		}
	}
	t.Logf("%v", counts)
}

// sign puts the keys into a request's headers.
func (p pair) sign(h http.Header) {
	if p.id != "" {
		h.Set("sb-api-key-id", p.id)
		h.Set("sb-api-secret-key", p.secret)
	}
}

// quietWorld is an API in this process, in which nothing runs but what a request does.
type quietWorld struct {
	*world
	api http.Handler
}

func newQuietWorld(t *testing.T) *quietWorld {
	t.Helper()
	w := &world{t: t, dsn: storetest.New(t), logs: &logs{out: t.Output()}}
	s, err := store.Open(context.Background(), w.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = s
	w.cfg = cloud.Config{Store: s, Log: discard, PublicURL: "https://blue.example", Dialects: map[string]cloud.Dialect{store.Sendblue: sendblue.Dialect()}}
	w.service = cloud.New(w.cfg)
	w.account = w.newAccount("team_a", 0)
	w.pair = w.newPair(w.account, "*")
	w.line = w.newLine(w.account, line)
	return &quietWorld{w, held(t, sendblue.New(w.service, discard))}
}

// as makes a request in this process that must succeed.
func (w *quietWorld) as(who pair, method, path, body string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	who.sign(r.Header)
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	if rec.Code >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// belongings makes one of everything that an account can have and returns the ids by
// the part of a path that comes before them.
func (w *quietWorld) belongings(who pair, from store.Line) map[string]string {
	w.t.Helper()
	word, contact := "own", "+14155550111"
	if who != w.pair {
		word, contact = secretText, "+14155550222"
	}
	ids := make(map[string]string)
	w.as(who, "POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[{"url":"https://%s.example/hook","secret":%[1]q}],"globalSecret":%[1]q}`, word))
	send := fmt.Sprintf(`{"number":%q,"from_number":%q,"content":%q}`, somebody, from.PhoneNumber, word)
	ids["messages"] = w.as(who, "POST", "/api/send-message", send).member(w.t, "message_handle")
	ids["message"] = ids["messages"]
	w.as(who, "POST", "/api/v2/contacts", fmt.Sprintf(`{"number":%q,"first_name":%q}`, contact, word))
	ids["contacts"] = contact
	ids["groups"] = "any;+;" + contact
	w.write(func(tx *store.Tx) error {
		return tx.CreateGroupChange(store.GroupChange{
			ID: "grp_" + word, AccountID: from.AccountID, LineID: from.ID, AppleGUID: word, ChatGUID: ids["groups"], Kind: "renamed", Who: somebody, Name: word, MadeAt: 1, CreatedAt: 1,
		})
	})
	return ids
}
