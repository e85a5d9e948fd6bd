package textingblue_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/textingblue"
)

// routes are all of the API's, with the permission that each needs.
var routes = []struct{ method, path, need, body string }{
	{"POST", "/v1/messages/send", "messages:send", seedRequest},
	{"POST", "/v1/messages", "messages:send", seedRequest},
	{"GET", "/v1/messages", "messages:read", ""},
	{"GET", "/v1/messages/msg_x", "messages:read", ""},
	{"GET", "/v1/events", "messages:read", ""},
	{"GET", "/v1/numbers", "numbers:read", ""},
	{"GET", "/v1/numbers/num_x", "numbers:read", ""},
	{"POST", "/v1/numbers/verify", "numbers:write", `{"phone_number":"+14155551234"}`},
	{"PUT", "/v1/numbers/num_x", "numbers:write", `{}`},
	{"PATCH", "/v1/numbers/num_x", "numbers:write", `{}`},
	{"DELETE", "/v1/numbers/num_x", "numbers:write", ""},
	{"GET", "/v1/webhooks", "webhooks:manage", ""},
	{"POST", "/v1/webhooks", "webhooks:manage", `{"url":"https://example.com","events":["message.sent"]}`},
	{"GET", "/v1/webhooks/wh_x", "webhooks:manage", ""},
	{"PUT", "/v1/webhooks/wh_x", "webhooks:manage", `{}`},
	{"PATCH", "/v1/webhooks/wh_x", "webhooks:manage", `{}`},
	{"DELETE", "/v1/webhooks/wh_x", "webhooks:manage", ""},
	{"GET", "/v1/webhooks/wh_x/deliveries", "webhooks:manage", ""},
	{"POST", "/v1/webhooks/wh_x/deliveries/dlv_x/replay", "webhooks:manage", ""},
	{"POST", "/v1/webhooks/wh_x/replay", "webhooks:manage", `{"events":["evt_x"]}`},
	{"POST", "/v1/webhooks/wh_x/test", "webhooks:manage", ""},
	{"POST", "/v1/webhooks/wh_x/rotate-secret", "webhooks:manage", ""},
	{"GET", "/v1/team", "team:read", ""},
	{"PUT", "/v1/team", "team:write", `{}`},
	{"PATCH", "/v1/team", "team:write", `{}`},
	{"GET", "/v1/team/members", "team:read", ""},
	{"POST", "/v1/team/members/invite", "team:write", `{"email":"a@example.com","role":"member"}`},
	{"PUT", "/v1/team/members/usr_x", "team:write", `{"role":"admin"}`},
	{"PATCH", "/v1/team/members/usr_x", "team:write", `{"role":"admin"}`},
	{"DELETE", "/v1/team/members/usr_x", "team:write", ""},
	{"GET", "/v1/team/invitations", "team:read", ""},
	{"DELETE", "/v1/team/invitations/inv_x", "team:write", ""},
}

func TestKeysThatOpenNothing(t *testing.T) {
	w := newWorld(t, nil)
	key, revoked, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	before := w.call("GET", "/v1/numbers", revoked, "")
	if before.status != http.StatusOK {
		t.Fatalf("%s", before.body)
	}
	w.write(func(tx *store.Tx) error { return tx.RevokeKey(key.ID, 1) })
	foreign := w.newKey(w.account, store.Sendblue, "*")
	contents := w.contents()
	for name, secret := range map[string]string{
		"none": "", "revoked": revoked, "of the other dialect": foreign, "unknown": "tb_live_" + strings.Repeat("a", 32),
		"its beginning": w.key[:12], "longer": w.key + "a", "upper case": strings.ToUpper(w.key), "SQL": "' OR 1=1 --", "its id": key.ID, "a bearer": "Bearer " + w.key,
	} {
		for _, r := range routes {
			a := w.call(r.method, r.path, secret, r.body)
			a.expect(t, http.StatusUnauthorized, "unauthorized", "")
			if got := a.problem(t).Message; got != "Missing or invalid API key" || a.header.Get("x-ratelimit-remaining") != "0" {
				t.Errorf("%s: %s, %v", name, got, a.header)
			}
		}
		w.call("GET", "/v1/nothing", secret, "").expect(t, http.StatusUnauthorized, "unauthorized", "")
	}
	// In another header it is no key.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/v1/numbers?x-api-key="+w.key, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.AddCookie(&http.Cookie{Name: "x-api-key", Value: w.key})
	w.do(req).expect(t, http.StatusUnauthorized, "unauthorized", "")
	if w.contents() != contents {
		t.Error("a request without a good key changed something")
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, nil)
	all := []string{"messages:send", "messages:read", "webhooks:manage", "numbers:read", "numbers:write", "team:read", "team:write"}
	with := make(map[string]string)
	for _, p := range all {
		with[p] = w.newKey(w.account, store.TextingBlue, p)
	}
	for _, r := range routes {
		for _, p := range all {
			if p == r.need {
				continue
			}
			contents := w.contents()
			a := w.call(r.method, r.path, with[p], r.body)
			a.expect(t, http.StatusForbidden, "forbidden", "")
			if got, want := a.problem(t).Message, "This API key lacks the "+r.need+" permission"; got != want {
				t.Errorf("%s %s: %s", r.method, r.path, got)
			}
			if w.contents() != contents {
				t.Errorf("%s %s with %s changed something", r.method, r.path, p)
			}
		}
		if a := w.call(r.method, r.path, with[r.need], r.body); a.status == http.StatusForbidden || a.status == http.StatusUnauthorized {
			t.Errorf("%s %s with its permission: %d %s", r.method, r.path, a.status, a.body)
		}
	}
}

func TestRequestsAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	w.account.RequestsPerMinute = 3
	w.write(func(tx *store.Tx) error { return tx.UpdateAccount(w.account) })
	reader := w.newKey(w.account, store.TextingBlue, "messages:read")
	for left := 2; left >= 0; left-- {
		a := w.call("GET", "/v1/numbers", w.key, "")
		if a.status != http.StatusOK || a.header.Get("x-ratelimit-remaining") != strconv.Itoa(left) || a.header.Get("Retry-After") != "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
	contents := w.contents()
	for _, r := range routes { // 429 comes before whatever is wrong with the rest
		a := w.call(r.method, r.path, w.key, "{")
		a.expect(t, http.StatusTooManyRequests, "rate_limited", "")
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil || seconds < 1 || seconds > 60 || a.header.Get("x-ratelimit-remaining") != "0" {
			t.Errorf("%v", a.header)
		}
		if got, want := a.problem(t).Message, fmt.Sprintf("Rate limit exceeded. Retry after %d seconds.", seconds); got != want {
			t.Errorf("%s", got)
		}
	}
	if w.contents() != contents {
		t.Error("a request over the limit changed something")
	}
	w.call("GET", "/v1/nothing", w.key, "").expect(t, http.StatusTooManyRequests, "rate_limited", "")
	w.call("GET", "/v1/numbers", "tb_live_wrong", "").expect(t, http.StatusUnauthorized, "unauthorized", "")
	// Another key has its own minute; what it may not do counts, and is said first.
	for _, left := range []string{"2", "1", "0", "0", "0"} {
		a := w.call("POST", "/v1/messages/send", reader, "{")
		a.expect(t, http.StatusForbidden, "forbidden", "")
		if got := a.header.Get("x-ratelimit-remaining"); got != left {
			t.Errorf("%s left, want %s", got, left)
		}
	}
	w.account.RequestsPerMinute = 0
	w.write(func(tx *store.Tx) error { return tx.UpdateAccount(w.account) })
	a := w.ok("GET", "/v1/numbers", "", http.StatusOK)
	if n, err := strconv.ParseInt(a.header.Get("x-ratelimit-remaining"), 10, 64); err != nil || n != math.MaxInt32 {
		t.Errorf("without a limit: %v", a.header)
	}
}

func TestMonthlyMessagesAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	w.account.MonthlyMessages = 2
	w.write(func(tx *store.Tx) error { return tx.UpdateAccount(w.account) })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(3) // do not count
	w.stored(3)  // are of another month
	w.send(somebody)
	w.send(somebody)
	contents := w.contents()
	a := w.call("POST", "/v1/messages/send", w.key, seedRequest)
	a.expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	if got := a.problem(t).Message; got != "Monthly message limit reached" {
		t.Errorf("%s", got)
	}
	// What is wrong with the request is said before.
	w.call("POST", "/v1/messages/send", w.key, "{").expect(t, http.StatusBadRequest, "invalid_request", "")
	w.call("POST", "/v1/messages/send", w.key, strings.Replace(seedRequest, "9876", "9877", 1)).expect(t, http.StatusBadRequest, "invalid_request", "from")
	if w.contents() != contents {
		t.Error("a refused message left something behind")
	}
	w.ok("GET", "/v1/messages", "", http.StatusOK)
	w.account.MonthlyMessages = 3
	w.write(func(tx *store.Tx) error { return tx.UpdateAccount(w.account) })
	w.send(somebody)
}

// Each id of an account, asked for with another account's key, is no different from
// one that never was.
func TestNobodySeesWhatIsNotTheirs(t *testing.T) {
	w := newWorld(t, nil)
	stranger := w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "*")
	hook := w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":["message.sent"]}`, http.StatusCreated).id(t)
	invited := w.ok("POST", "/v1/team/members/invite", `{"email":"a@example.com","role":"member"}`, http.StatusCreated).member(t, "invitation_id")
	theirs := map[string]string{
		"msg_x": w.send(somebody), "num_x": w.line.ID, "wh_x": hook,
		"usr_x": w.person(w.account, "usr_owner", "owner@example.com", cloud.RoleOwner), "inv_x": strings.Trim(invited, `"`),
	}
	contents := w.contents()
	for _, r := range routes {
		for place, id := range theirs {
			if !strings.Contains(r.path, place) {
				continue
			}
			a := w.call(r.method, strings.Replace(r.path, place, id, 1), stranger, r.body)
			a.expect(t, http.StatusNotFound, "not_found", "")
			never := w.call(r.method, r.path, stranger, r.body)
			if string(never.body) != string(a.body) {
				t.Errorf("%s %s: %s, of an id that never was: %s", r.method, r.path, a.body, never.body)
			}
		}
	}
	for _, path := range []string{"/v1/messages", "/v1/numbers", "/v1/webhooks"} {
		a := w.call("GET", path, stranger, "")
		for _, id := range theirs {
			if strings.Contains(string(a.body), id) {
				t.Errorf("%s shows %s", path, id)
			}
		}
	}
	w.call("GET", "/v1/messages?cursor="+theirs["msg_x"], stranger, "").expect(t, http.StatusBadRequest, "invalid_request", "cursor")
	w.call("POST", "/v1/messages/send", stranger, seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "from")
	w.call("POST", "/v1/numbers/verify", stranger, `{"phone_number":"`+line+`"}`).expect(t, http.StatusConflict, "conflict", "phone_number")
	w.call("POST", "/v1/webhooks", stranger, `{"url":"https://example.com/hook","events":["message.sent"],"phone_number":"`+line+`"}`).expect(t, http.StatusBadRequest, "invalid_request", "phone_number")
	if w.contents() != contents {
		t.Error("a stranger changed something")
	}
	// The same URL is no conflict between accounts.
	if a := w.call("POST", "/v1/webhooks", stranger, `{"url":"https://example.com/hook","events":["message.sent"]}`); a.status != http.StatusCreated {
		t.Errorf("%s", a.body)
	}
}

func TestInternalErrorsSayNothing(t *testing.T) {
	w := newWorld(t, nil)
	gone, err := store.Open(t.Context(), w.dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.cfg
	cfg.Store = gone
	api := textingblue.New(cloud.New(cfg), cfg.Log)
	if err := gone.Close(); err != nil { // as if the database had gone away
		t.Fatal(err)
	}
	for _, r := range routes {
		req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
		req.Header.Set("x-api-key", w.key)
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, req)
		a := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
		a.expect(t, http.StatusInternalServerError, "internal_error", "")
		if strings.Contains(string(a.body), "sql") || strings.Contains(string(a.body), "database") {
			t.Errorf("%s", a.body)
		}
	}
}

// What may have been stored is not called something to try again.
func TestOfWhatMayBeStored(t *testing.T) {
	w := newWorld(t, nil)
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/messages/send", nil)
	textingblue.New(w.service, w.cfg.Log).Refuse(rec, req, fmt.Errorf("store a message: %w", fmt.Errorf("commit: %w: broken pipe", store.ErrUnsettled)))
	a := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	a.expect(t, http.StatusInternalServerError, "unsettled", "")
	if got := a.problem(t).Message; strings.Contains(got, "ry again") || !strings.Contains(got, "Idempotency-Key") || strings.Contains(got, "pipe") {
		t.Error(got)
	}
	if a.header.Get("x-should-retry") != "false" || !w.logs.has("http.failed") {
		t.Errorf("%v", a.header)
	}
}
