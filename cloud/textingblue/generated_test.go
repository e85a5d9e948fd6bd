package textingblue_test

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
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/cloud/textingblue"
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
	theirKey := w.newKey(b, store.TextingBlue, "*")
	theirs := w.newLine(b, "+14155550001")
	own, others := w.belongings(w.key, line), w.belongings(theirKey, theirs.PhoneNumber)
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
		r.Header.Set("x-api-key", w.key)
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
	for _, status := range []int{200, 202, 400, 404, 405, 409} {
		if counts[status] < 20 {
			t.Errorf("%d requests were answered with %d: the generator is blind there", counts[status], status)
		}
	}
	t.Logf("%v", counts)
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
	w.cfg = cloud.Config{Store: s, Log: discard, PublicURL: "https://blue.example", Dialects: map[string]cloud.Dialect{store.TextingBlue: textingblue.Dialect()}}
	w.service = cloud.New(w.cfg)
	w.account = w.newAccount("team_a", 0)
	w.key = w.newKey(w.account, store.TextingBlue, "*")
	w.line = w.newLine(w.account, line)
	return &quietWorld{w, held(t, textingblue.New(w.service, discard))}
}

// as makes a request in this process that must succeed.
func (w *quietWorld) as(key, method, path, body string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("x-api-key", key)
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	if rec.Code >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// belongings makes one of everything that an account can have and returns the ids by
// the part of a path that comes before them, and a cursor.
func (w *quietWorld) belongings(key, from string) map[string]string {
	w.t.Helper()
	word := "own"
	if key != w.key {
		word = secretText
	}
	ids := make(map[string]string)
	made := func(method, path, body, name string) string {
		return strings.Trim(w.as(key, method, path, body).member(w.t, name), `"`)
	}
	ids["webhooks"] = made("POST", "/v1/webhooks", fmt.Sprintf(`{"url":"https://%s.example/hook","events":["message.sent","message.failed"]}`, word), "id")
	send := fmt.Sprintf(`{"to":%q,"from":%q,"content":%q}`, somebody, from, word)
	w.as(key, "POST", "/v1/messages/"+made("POST", "/v1/messages/send", send, "id")+"/cancel", "")
	ids["messages"] = made("POST", "/v1/messages/send", send, "id")
	ids["deliveries"] = made("POST", "/v1/webhooks/"+ids["webhooks"]+"/test", "", "id")
	ids["cursor"] = made("GET", "/v1/events", "", "cursor")
	team := store.Account{ID: made("GET", "/v1/team", "", "id")}
	ids["members"] = w.person(team, "usr_"+team.ID, word+"@example.com", cloud.RoleAdmin)
	ids["invitations"] = made("POST", "/v1/team/members/invite", fmt.Sprintf(`{"email":"guest@%s.example","role":"viewer"}`, word), "invitation_id")
	var list struct{ Numbers []struct{ ID string } }
	w.as(key, "GET", "/v1/numbers", "").into(w.t, &list)
	ids["numbers"] = list.Numbers[0].ID
	w.as(key, "PUT", "/v1/numbers/"+ids["numbers"], fmt.Sprintf(`{"label":%q}`, word))
	return ids
}

// contentsOf is what the database holds of an account.
func (w *world) contentsOf(account string) string {
	w.t.Helper()
	var own []string
	for row := range strings.Lines(w.contents()) {
		if strings.Contains(row, account) {
			own = append(own, row)
		}
	}
	return strings.Join(own, "")
}
