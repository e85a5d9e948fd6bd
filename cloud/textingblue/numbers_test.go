package textingblue_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

var (
	numberKeys = []string{"id", "phone_number", "label", "status", "verified", "device_name", "last_seen_at", "messages_today", "created_at"}
	shortKeys  = []string{"id", "phone_number", "label", "status", "verified"}
)

func TestNumbersOfATeam(t *testing.T) {
	w := newWorld(t, nil)
	golden(t, "numbers_unpaired", w.ok("GET", "/v1/numbers", "", http.StatusOK).body)
	w.ok("PUT", "/v1/numbers/"+w.line.ID, `{"label":"Sales Line"}`, http.StatusOK)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	w.send(somebody)
	m.inbound(2)
	list := w.ok("GET", "/v1/numbers", "", http.StatusOK)
	golden(t, "numbers", list.body)
	one := w.ok("GET", "/v1/numbers/"+w.line.ID, "", http.StatusOK)
	same(t, "a number", keys(t, one.body), numberKeys)
	golden(t, "number", one.body)
	var n struct {
		LastSeenAt time.Time `json:"last_seen_at"`
	}
	one.into(t, &n)
	if age := time.Since(n.LastSeenAt); age > time.Minute { // clients call a line dead after five
		t.Errorf("seen %s ago", age)
	}
	empty := w.call("GET", "/v1/numbers", w.newKey(w.newAccount("team_b", 0), "texting_blue", "numbers:read"), "")
	if string(empty.body) != `{"numbers":[]}` {
		t.Errorf("%s", empty.body)
	}
}

// Each number has the messages of its own, in both directions.
func TestMessagesOfTheDay(t *testing.T) {
	w := newWorld(t, nil)
	w.newLine(w.account, "+14155550006")
	second := w.newLine(w.account, "+14155550007")
	other := w.newAccount("team_b", 0)
	w.newLine(other, "+14155550008")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(2)
	w.send(somebody)
	w.ok("POST", "/v1/messages/send", sending("from", `"+14155550007"`), http.StatusAccepted)
	today := func(want map[string]int64) {
		t.Helper()
		var list struct {
			Numbers []struct {
				PhoneNumber   string `json:"phone_number"`
				MessagesToday int64  `json:"messages_today"`
			}
		}
		w.ok("GET", "/v1/numbers", "", http.StatusOK).into(t, &list)
		got := make(map[string]int64)
		for _, n := range list.Numbers {
			got[n.PhoneNumber] = n.MessagesToday
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	today(map[string]int64{line: 3, "+14155550006": 0, "+14155550007": 1})
	if one := w.ok("GET", "/v1/numbers/"+second.ID, "", http.StatusOK).member(t, "messages_today"); one != "1" {
		t.Errorf("%s of one", one)
	}
	w.exec("UPDATE message_days SET day = day - 1") // since then it was midnight
	m.inbound(1)
	today(map[string]int64{line: 1, "+14155550006": 0, "+14155550007": 0})
}

func TestNumberIsUpdated(t *testing.T) {
	w := newWorld(t, nil)
	path := "/v1/numbers/" + w.line.ID
	for _, method := range []string{"PUT", "PATCH"} {
		a := w.ok(method, path, `{"label":"Sales Line","status":"paused"}`, http.StatusOK)
		same(t, method, keys(t, a.body), shortKeys)
		golden(t, "number_paused", a.body)
		w.call("POST", "/v1/messages/send", w.key, seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "from")
		// What is not said stays.
		golden(t, "number_paused", w.ok(method, path, `{}`, http.StatusOK).body)
		golden(t, "number_paused", w.ok(method, path, `{"label":null,"status":null,"phone_number":"+14155550000","verified":false}`, http.StatusOK).body)
		golden(t, "number_plain", w.ok(method, path, `{"label":"","status":"active"}`, http.StatusOK).body)
	}
	label := strings.Repeat("😀", 100)
	if got := w.ok("PUT", path, `{"label":"`+label+`"}`, http.StatusOK).member(t, "label"); got != `"`+label+`"` {
		t.Errorf("%s", got)
	}
	w.call("PUT", path, w.key, `{"label":"`+label+`x"}`).expect(t, http.StatusBadRequest, "invalid_request", "label")
	w.send(somebody)
}

var setupURL = regexp.MustCompile(`^https://blue\.example/setup\?token=dev_[a-z2-7]{32}$`)

func TestNumberIsVerified(t *testing.T) {
	w := newWorld(t, nil)
	const number = "+14155550005"
	verify := func() string {
		a := w.ok("POST", "/v1/numbers/verify", fmt.Sprintf(`{"phone_number":%q}`, number), http.StatusOK)
		golden(t, "verify", a.body)
		var v struct {
			SetupURL string `json:"setup_url"`
		}
		a.into(t, &v)
		if !setupURL.MatchString(v.SetupURL) {
			t.Errorf("%q", v.SetupURL)
		}
		return v.SetupURL
	}
	first := verify()
	second := verify() // not paired yet: a new token
	if first == second {
		t.Error("the same token twice")
	}
	from := sending("from", `"`+number+`"`)
	w.call("POST", "/v1/messages/send", w.key, from).expect(t, http.StatusBadRequest, "invalid_request", "from")
	if status, _ := w.pair(first); status != http.StatusForbidden {
		t.Errorf("the former token: %d", status)
	}
	if status, answer := w.pair(second); status != http.StatusOK || answer.Line != number {
		t.Errorf("%d %+v", status, answer)
	}
	// The pairing has verified it; from now on it has a Mac.
	w.ok("POST", "/v1/messages/send", from, http.StatusAccepted)
	a := w.call("POST", "/v1/numbers/verify", w.key, fmt.Sprintf(`{"phone_number":%q}`, number))
	a.expect(t, http.StatusConflict, "conflict", "phone_number")
	w.ok("POST", "/v1/numbers/verify", `{"phone_number":"`+line+`"}`, http.StatusOK) // vouched for, and without one
}

// Whoever asks for a number and never pairs a Mac does not keep others out of it.
func TestUnverifiedNumberGivesWay(t *testing.T) {
	w := newWorld(t, nil)
	const body = `{"phone_number":"+14155550005"}`
	squatter := w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "*")
	age := func() {
		w.exec("UPDATE lines SET created_at = created_at - 700000")
		w.exec("UPDATE setup_tokens SET expires_at = expires_at - 700000")
	}
	has := func(key string) bool {
		t.Helper()
		a := w.call("GET", "/v1/numbers", key, "")
		return strings.Contains(string(a.body), "+14155550005")
	}
	verify := func(key string, status int) (url string) {
		t.Helper()
		a := w.call("POST", "/v1/numbers/verify", key, body)
		if a.status != status {
			t.Errorf("%d %s", a.status, a.body)
		}
		return strings.Trim(a.member(t, "setup_url"), `"`)
	}
	first := verify(squatter, http.StatusOK)
	verify(w.key, http.StatusConflict) // it may be about to be paired
	age()
	verify(squatter, http.StatusOK)
	verify(w.key, http.StatusConflict)
	age()
	mine := verify(w.key, http.StatusOK)
	if has(squatter) || !has(w.key) {
		t.Error("the number has not changed hands")
	}
	if status, _ := w.pair(first); status != http.StatusForbidden {
		t.Errorf("the former setup URL: %d", status)
	}
	if status, _ := w.pair(mine); status != http.StatusOK {
		t.Errorf("the new one: %d", status)
	}
	age()
	verify(squatter, http.StatusConflict) // from the pairing on it stays
	w.newLine(w.account, "+14155550006")  // and so does what the operator vouches for
	age()
	w.call("POST", "/v1/numbers/verify", squatter, `{"phone_number":"+14155550006"}`).expect(t, http.StatusConflict, "conflict", "phone_number")
}

func TestDeletedNumber(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window = 1 })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	held, waiting := w.send(somebody), w.send("+14155551235")
	m.order()
	a := w.ok("DELETE", "/v1/numbers/"+w.line.ID, "", http.StatusOK)
	golden(t, "number_deleted", a.body)
	golden(t, "get_canceled", w.get(waiting).body)
	if got := w.get(held); got.member(t, "status") != `"polling"` || got.member(t, "error_code") != `"outcome_unknown"` || got.member(t, "error_message") != mayHaveBeenSent {
		t.Errorf("what the Mac held: %s", got.body)
	}
	if code := m.closed(); code != wire.CloseRevoked {
		t.Errorf("the Mac was closed with %d", code)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		w.call(method, "/v1/numbers/"+w.line.ID, w.key, "{}").expect(t, http.StatusNotFound, "not_found", "")
	}
	w.call("POST", "/v1/messages/send", w.key, seedRequest).expect(t, http.StatusBadRequest, "invalid_request", "from")
	if got := w.ok("GET", "/v1/numbers", "", http.StatusOK); string(got.body) != `{"numbers":[]}` {
		t.Errorf("%s", got.body)
	}
	w.ok("POST", "/v1/numbers/verify", `{"phone_number":"`+line+`"}`, http.StatusOK) // it may come back
}
