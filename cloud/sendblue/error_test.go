package sendblue_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
)

// aHandle has the form of a handle and is no message's.
const aHandle = "5a17319e-cbcf-443e-897e-d8b0c04b1b09"

// routes are all of the API's, with the permission that each needs.
var routes = []struct{ method, path, need, body string }{
	{"GET", "/api/v2/messages", "messages:read", ""},
	{"GET", "/api/v2/messages/" + aHandle, "messages:read", ""},
	{"DELETE", "/api/message/" + aHandle, "messages:send", ""},
	{"GET", "/api/status?handle=" + aHandle, "messages:read", ""},
	{"POST", "/api/send-message", "messages:send", `{"number":"+19998887777","content":"Hello"}`},
	{"POST", "/api/send-group-message", "messages:send", `{"group_id":"any;+;chat1","content":"Hello"}`},
	{"GET", "/api/account/webhooks", "webhooks:manage", ""},
	{"POST", "/api/account/webhooks", "webhooks:manage", `{"webhooks":["https://example.com/"]}`},
	{"PUT", "/api/account/webhooks", "webhooks:manage", `{"webhooks":{}}`},
	{"DELETE", "/api/account/webhooks", "webhooks:manage", `{"webhooks":["https://example.com/"]}`},
	{"GET", "/api/v2/events?types=nonsense", "messages:read", ""},
	{"POST", "/api/send-reaction", "messages:send", `{}`},
	{"GET", "/api/v2/totp/secrets", "team:read", ""},
	{"GET", "/api/v2/contacts", "messages:read", ""},
	{"POST", "/api/v2/contacts", "messages:send", "{}"},
	{"DELETE", "/api/v2/contacts", "messages:send", "{}"},
	{"GET", "/api/v2/contacts/count", "messages:read", ""},
	{"POST", "/api/v2/contacts/bulk", "messages:send", "{}"},
	{"POST", "/api/v2/contacts/opt-out", "messages:send", "{}"},
	{"POST", "/api/v2/contacts/verify", "messages:send", "{}"},
	{"GET", "/api/v2/contacts/+19998887777", "messages:read", ""},
	{"PUT", "/api/v2/contacts/+19998887777", "messages:send", "{}"},
	{"DELETE", "/api/v2/contacts/+19998887777", "messages:send", ""},
	{"POST", "/api/upload-file", "messages:send", "x"},
	{"POST", "/api/upload-media-object", "messages:send", "{}"},
	{"GET", "/api/evaluate-service", "messages:read", ""},
	{"GET", "/api/lines", "numbers:read", ""},
	{"GET", "/api/v2/lines/state", "numbers:read", ""},
	{"GET", "/api/v2/groups/any;+;chat1", "messages:read", ""},
}

func TestKeysThatOpenNothing(t *testing.T) {
	w := newWorld(t, nil)
	other := w.newPair(w.newAccount("team_b", 0), "*")
	_, textingBlue, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	key, secret, err := w.service.CreateKey(t.Context(), w.account.ID, store.Sendblue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return tx.RevokeKey(key.ID, 1) })
	good := w.pair
	for name, who := range map[string]pair{
		"none": {}, "no secret": {id: good.id}, "no id": {secret: good.secret}, "another's id": {other.id, good.secret},
		"another's secret": {good.id, other.secret}, "exchanged": {good.secret, good.id}, "upper case": {strings.ToUpper(good.id), good.secret},
		"of the other dialect": {"tb_live_", textingBlue}, "revoked": {key.Shown, secret}, "longer": {good.id, good.secret + "a"},
		"SQL": {"' OR 1=1 --", "' OR 1=1 --"},
	} {
		for _, r := range routes {
			a := w.call(r.method, r.path, who, r.body)
			a.expect(t, http.StatusUnauthorized, 0, "unauthorized", "")
			if a.header.Get("x-ratelimit-remaining") != "0" {
				t.Errorf("%s: %v", name, a.header)
			}
		}
		w.call("GET", "/api/nothing", who, "").expect(t, http.StatusUnauthorized, 0, "unauthorized", "")
	}
}

func TestBothSpellingsOfTheKeys(t *testing.T) {
	w := newWorld(t, nil)
	for _, prefix := range []string{"sb-", "SB-", "x-sb-", "X-SB-"} {
		req := w.request("GET", "/api/v2/messages/"+aHandle, pair{}, "")
		req.Header.Set(prefix+"api-key-id", w.pair.id)
		req.Header.Set(prefix+"api-secret-key", w.pair.secret)
		w.do(req).expect(t, http.StatusNotFound, 0, "not_found", "")
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, nil)
	for _, r := range routes {
		for _, p := range []string{"messages:send", "messages:read", "webhooks:manage", "numbers:read", "numbers:write", "team:read"} {
			a := w.call(r.method, r.path, w.newPair(w.account, p), r.body)
			if p != r.need {
				a.expect(t, http.StatusForbidden, 0, "forbidden", "")
			} else if a.status == http.StatusForbidden {
				t.Errorf("%s %s with %s: %s", r.method, r.path, p, a.body)
			}
		}
	}
}

func TestWrongPathsAndMethods(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/api/", "/api/v2", "/api/v2/messages/", "/api/v2/messages/a/b", "/api/message", "/v3/auth/tokens", "/v3/verified-contacts/+1", "/accounts/messages", "/accounts/"} {
		w.call("GET", path, w.pair, "").expect(t, http.StatusNotFound, 0, "not_found", "")
	}
	a := w.call("PATCH", "/api/v2/messages/"+aHandle, w.pair, "")
	a.expect(t, http.StatusMethodNotAllowed, 0, "method_not_allowed", "")
	if got := a.header.Get("Allow"); got != "GET" {
		t.Errorf("Allow: %s", got)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	w := newWorld(t, nil)
	who := w.newPair(w.newAccount("team_b", 2), "*")
	for want := range 2 {
		a := w.call("GET", "/api/v2/messages/"+aHandle, who, "")
		a.expect(t, http.StatusNotFound, 0, "not_found", "")
		if got := a.header.Get("x-ratelimit-remaining"); got != strconv.Itoa(1-want) {
			t.Errorf("%s requests are left", got)
		}
	}
	a := w.call("GET", "/api/v2/messages/"+aHandle, who, "")
	a.expect(t, http.StatusTooManyRequests, 4001, "rate_limited", "")
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After: %s", a.header.Get("Retry-After"))
	}
}

// What may have been stored is not called something to try again.
func TestOfWhatMayBeStored(t *testing.T) {
	w := newWorld(t, nil)
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/send-message", nil)
	sendblue.New(w.service, w.cfg.Log).Refuse(rec, req, fmt.Errorf("store a message: %w", fmt.Errorf("commit: %w: broken pipe", store.ErrUnsettled)))
	a := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	p := a.expect(t, http.StatusInternalServerError, 5000, "unsettled", "")
	if strings.Contains(p.Message, "ry again") || !strings.Contains(p.Message, "Idempotency-Key") || a.header.Get("x-should-retry") != "false" {
		t.Errorf("%+v %v", p, a.header)
	}
}
