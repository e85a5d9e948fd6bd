package textingblue_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// limit changes the limits of the account.
func (w *world) limit(plan string, change func(*store.Limits)) {
	w.t.Helper()
	a, err := w.service.SetPlan(w.t.Context(), w.account.ID, plan, change)
	if err != nil {
		w.t.Fatal(err)
	}
	w.account = a
}

// The figures of the API's page of rate limits.
func TestPlansAreThoseOfThePage(t *testing.T) {
	w := newWorld(t, nil)
	for plan, want := range map[string]string{
		"free": "60 5 100 1 1", "starter": "300 20 1000 2 3", "pro": "1000 60 10000 5 10", "enterprise": "5000 200 0 0 0", "self_hosted": "1000 0 0 0 0",
	} {
		w.limit(plan, func(*store.Limits) {})
		a, err := w.store.Account(t.Context(), w.account.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(a.RequestsPerMinute, a.MessagesPerMinute, a.MonthlyMessages, a.Numbers, a.Limits.Members); got != want || a.Plan != plan {
			t.Errorf("%s: %s, want %s", plan, got, want)
		}
		if closed := plan == "free"; a.NoMedia != closed || a.NoReceipts != closed {
			t.Errorf("%s: %+v", plan, a.Limits)
		}
		if left := w.ok("GET", "/v1/team", "", http.StatusOK).header.Get("x-ratelimit-remaining"); left == "0" || left == "" {
			t.Errorf("%s: %s left", plan, left)
		}
	}
	if _, err := w.service.SetPlan(t.Context(), w.account.ID, "standard", func(*store.Limits) {}); err == nil {
		t.Error("a plan that is none is taken")
	}
}

// What is wrong with the request comes first, then the month, then the minute.
func TestMessagesAMinuteAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	w.limit("", func(l *store.Limits) { l.MessagesPerMinute, l.MonthlyMessages = 2, 3 })
	w.send(somebody)
	first := w.keyed(sendPath, w.key, "k", seedRequest)
	contents := w.contents()
	a := w.call("POST", "/v1/messages/send", w.key, seedRequest)
	a.expect(t, http.StatusTooManyRequests, "rate_limited", "")
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || seconds < 50 || seconds > 60 || a.problem(t).Message != fmt.Sprintf("Rate limit exceeded. Retry after %d seconds.", seconds) || a.header.Get("x-ratelimit-remaining") == "0" {
		t.Errorf("%s %v", a.body, a.header)
	}
	w.call("POST", "/v1/messages/send", w.key, "{").expect(t, http.StatusBadRequest, "invalid_request", "")
	w.call("POST", "/v1/messages/send", w.key, strings.Replace(seedRequest, "9876", "9877", 1)).expect(t, http.StatusBadRequest, "invalid_request", "from")
	w.call("POST", "/v1/messages/send", w.key, `{"from":"`+line+`","group_id":"iMessage;+;chat1","content":"Hi"}`).expect(t, http.StatusBadRequest, "invalid_request", "group_id")
	if again := w.keyed(sendPath, w.key, "k", seedRequest); again.status != http.StatusAccepted || string(again.body) != string(first.body) {
		t.Errorf("a repeated answer is limited: %s", again.body)
	}
	if w.contents() != contents {
		t.Error("a refused message left something behind")
	}
	w.ok("GET", "/v1/messages", "", http.StatusOK)
	w.limit("", func(l *store.Limits) { l.MessagesPerMinute = 3 })
	w.send(somebody)
	w.call("POST", "/v1/messages/send", w.key, seedRequest).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	// A restart forgives nothing.
	w.limit("", func(l *store.Limits) { l.MonthlyMessages = 0 })
	w.stop()
	w.start()
	w.call("POST", "/v1/messages/send", w.key, seedRequest).expect(t, http.StatusTooManyRequests, "rate_limited", "")
	// Messages older than a minute do not count.
	w.exec("UPDATE messages SET created_at = created_at - 61000")
	w.send(somebody)
}

func TestPlansWithoutFilesOrReceipts(t *testing.T) {
	w := newWorld(t, nil)
	const url = `{"url":"https://example.com/hook","events":["message.sent","message.delivered"]}`
	kept := w.ok("POST", "/v1/webhooks", strings.Replace(url, "hook", "kept", 1), http.StatusCreated).id(t)
	w.limit("free", func(*store.Limits) {})
	contents := w.contents()
	w.call("POST", "/v1/messages/send", w.key, sending("media_url", `"https://example.com/a.png"`)).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "media_url")
	w.call("POST", "/v1/messages/send", w.key, sending("media_url", `"http://example.com/a.png"`)).expect(t, http.StatusBadRequest, "invalid_request", "media_url")
	w.call("POST", "/v1/webhooks", w.key, url).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "events")
	if w.contents() != contents {
		t.Error("what was refused left something behind")
	}
	w.ok("PATCH", "/v1/webhooks/"+kept, `{"active":false}`, http.StatusOK) // what it asks for it keeps
	hook := w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":["message.sent"]}`, http.StatusCreated).id(t)
	w.call("PATCH", "/v1/webhooks/"+hook, w.key, `{"events":["message.delivered"]}`).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "events")
	w.limit("starter", func(*store.Limits) {})
	w.ok("PATCH", "/v1/webhooks/"+hook, `{"events":["message.delivered"]}`, http.StatusOK)
	w.ok("POST", "/v1/messages/send", sending("media_url", `"https://example.com/a.png"`), http.StatusAccepted)
}

func TestNumbersAndMembersAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	w.person(w.account, "usr_owner", "owner@example.com", cloud.RoleOwner)
	w.limit("", func(l *store.Limits) { l.Numbers, l.Members = 2, 2 })
	const verify, invite = "/v1/numbers/verify", "/v1/team/members/invite"
	w.ok("POST", verify, `{"phone_number":"+14155550002"}`, http.StatusOK)
	w.ok("POST", verify, `{"phone_number":"+14155550002"}`, http.StatusOK) // is there already
	made := w.ok("POST", invite, `{"email":"a@example.com","role":"member"}`, http.StatusCreated)
	contents := w.contents()
	w.call("POST", verify, w.key, `{"phone_number":"+14155550003"}`).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	w.call("POST", invite, w.key, `{"email":"b@example.com","role":"member"}`).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	w.call("POST", invite, w.key, `{"email":"owner@example.com","role":"member"}`).expect(t, http.StatusConflict, "conflict", "email")
	if w.contents() != contents {
		t.Error("what was refused left something behind")
	}
	w.limit("", func(l *store.Limits) { l.Members = 1 })
	if _, err := w.service.Join(t.Context(), inviteToken(t, made), "A", "correct horse battery"); err == nil {
		t.Error("a plan that has shrunk is exceeded")
	}
	w.limit("", func(l *store.Limits) { l.Members = 2 })
	if _, err := w.service.Join(t.Context(), inviteToken(t, made), "A", "correct horse battery"); err != nil {
		t.Error(err)
	}
	w.ok("DELETE", "/v1/numbers/"+w.line.ID, "", http.StatusOK)
	w.ok("POST", verify, `{"phone_number":"+14155550003"}`, http.StatusOK)
}

// What is wrong with a request is said before what the plan does not include.
func TestMistakesComeBeforeThePlan(t *testing.T) {
	w := newWorld(t, nil)
	w.limit("free", func(l *store.Limits) { l.MonthlyMessages, l.NoMedia = 1, false })
	w.send(somebody)
	w.call("POST", "/v1/messages/send", w.key, seedRequest).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "")
	gone := sending("media_url", `"https://blue.example/media/nothing/a.png"`)
	w.call("POST", "/v1/messages/send", w.key, gone).expect(t, http.StatusBadRequest, "invalid_request", "media_url")
	w.limit("", func(l *store.Limits) { l.NoMedia = true })
	w.call("POST", "/v1/messages/send", w.key, gone).expect(t, http.StatusBadRequest, "invalid_request", "media_url")
	w.write(func(tx *store.Tx) (err error) {
		for n := range 100 {
			err = errors.Join(err, tx.CreateWebhook(store.Webhook{ID: fmt.Sprintf("wh_%d", n), AccountID: w.account.ID, Dialect: store.TextingBlue, URL: fmt.Sprintf("https://example.com/%d", n)}))
		}
		return err
	})
	const receipts = `{"url":"https://example.com/hook","events":["message.delivered"]}`
	w.call("POST", "/v1/webhooks", w.key, receipts).expect(t, http.StatusBadRequest, "invalid_request", "url")
	w.ok("DELETE", "/v1/webhooks/wh_0", "", http.StatusOK)
	w.call("POST", "/v1/webhooks", w.key, receipts).expect(t, http.StatusPaymentRequired, "plan_limit_exceeded", "events")
}
