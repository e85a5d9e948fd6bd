package sendblue_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud"
)

// aContact is a contact as a client reads it.
type aContact struct {
	ID        string            `json:"contact_id"`
	Phone     string            `json:"phone"`
	First     string            `json:"first_name"`
	Last      string            `json:"last_name"`
	Company   string            `json:"company_name"`
	Assigned  string            `json:"assigned_to_email"`
	Number    string            `json:"sendblue_number"`
	Tags      []string          `json:"tags"`
	Variables map[string]string `json:"custom_variables"`
	OptOut    bool              `json:"opt_out"`
	Verified  bool              `json:"verified"`
	CreatedAt string            `json:"created_at"`
	OptOutAt  string            `json:"opt_out_updated_at"`
}

// contact is the contact of an answer.
func (a answer) contact(t testing.TB) aContact {
	t.Helper()
	var out struct {
		Status  string
		Contact aContact
	}
	a.into(t, &out)
	if out.Status != "OK" || out.Contact.ID == "" || out.Contact.Tags == nil || out.Contact.Variables == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return out.Contact
}

func (w *world) createContact(body string) answer {
	w.t.Helper()
	return w.call("POST", "/api/v2/contacts", w.pair, body)
}

func TestContactsAreKept(t *testing.T) {
	w := newWorld(t, nil)
	a := w.createContact(`{"number":"+19998887777","first_name":"Ann","last_name":"Lee","assigned_to_email":"bo@acme.example","sendblue_number":"+15551234567","tags":["vip"],"custom_variables":{"a":"1"}}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	made := a.contact(t)
	if made.Phone != somebody || made.First != "Ann" || made.Last != "Lee" || made.Assigned != "bo@acme.example" || made.Number != line ||
		!slices.Equal(made.Tags, []string{"vip"}) || made.Variables["a"] != "1" || made.OptOut || made.Verified || len(made.CreatedAt) != 24 || made.OptOutAt != "" {
		t.Errorf("%+v", made)
	}
	a = w.createContact(`{"number":"+19998887777"}`)
	if p := a.expect(t, http.StatusConflict, 0, "conflict", "number"); p.Message != "Contact already exists" || a.header.Get("x-should-retry") != "false" {
		t.Errorf("%+v %v", p, a.header)
	}
	// The path as the SDK writes it, and as others do.
	for _, path := range []string{"/api/v2/contacts/+19998887777", "/api/v2/contacts/%2B19998887777"} {
		if got := w.ok("GET", path, "").contact(t); got.ID != made.ID {
			t.Errorf("%+v", got)
		}
	}
	a = w.createContact(`{"phone_number":"+19998887777","firstName":"Anna","update_if_exists":true,"custom_variables":{"b":"2"}}`)
	if got := a.contact(t); a.status != http.StatusOK || got.ID != made.ID || got.First != "Anna" || got.Last != "Lee" || got.Variables["a"] != "1" || got.Variables["b"] != "2" {
		t.Errorf("%d %+v", a.status, got)
	}
	got := w.ok("PUT", "/api/v2/contacts/+19998887777", `{"company_name":"Acme","last_name":"","tags":[],"custom_variables":{"a":"3"},"opt_out":true}`).contact(t)
	if got.Company != "Acme" || got.Last != "" || len(got.Tags) != 0 || got.Variables["a"] != "3" || got.Variables["b"] != "2" || !got.OptOut || got.OptOutAt == "" {
		t.Errorf("%+v", got)
	}
	if a := w.ok("DELETE", "/api/v2/contacts/+19998887777", ""); string(a.body) != `{"status":"OK"}` {
		t.Errorf("%s", a.body)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if p := w.call(method, "/api/v2/contacts/+19998887777", w.pair, "{}").expect(t, http.StatusNotFound, 0, "not_found", ""); p.Message != "Contact not found" {
			t.Errorf("%+v", p)
		}
	}
	// That somebody has opted out outlives the contact.
	if got := w.createContact(`{"number":"+19998887777"}`).contact(t); !got.OptOut || got.First != "" || got.Company != "" {
		t.Errorf("%+v", got)
	}
}

func TestContactsAreListed(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		w.createContact(fmt.Sprintf(`{"number":"+1999888777%d"}`, i))
	}
	other := w.newPair(w.newAccount("team_b", 0), "*")
	w.call("POST", "/api/v2/contacts", other, `{"number":"+19998887770","first_name":"Theirs"}`)
	list := func(query string) (phones []string) {
		t.Helper()
		var all []aContact
		w.ok("GET", "/api/v2/contacts"+query, "").into(t, &all)
		for _, c := range all {
			phones = append(phones, c.Phone[len(c.Phone)-1:])
		}
		return phones
	}
	for query, want := range map[string]string{
		"?order_by=phone": "01234", "?order_by=phone&order_direction=desc": "43210", "?order_by=phone&limit=2&offset=1": "12", "?limit=&offset=&order_by=phone": "01234",
		"?phone_number=+19998887773": "3", "?phone_number=%2B19998887773": "3", "?phone_number=%2B15550000000": "", "?cid=con_nothing": "",
		"?created_at_gte=2100-01-01T00:00:00.000Z": "", "?created_at_gte=2020-01-01&order_by=phone": "01234", "?offset=10000": "", "?unknown=1&order_by=phone": "01234",
	} {
		if got := strings.Join(list(query), ""); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	if got := list("?order_by=created_at&order_direction=asc"); len(got) != 5 {
		t.Errorf("%v", got)
	}
	if a := w.ok("GET", "/api/v2/contacts/count", ""); string(a.body) != `{"count":5}` {
		t.Errorf("%s", a.body)
	}
	if a := w.call("GET", "/api/v2/contacts", w.newPair(w.newAccount("team_c", 0), "*"), ""); string(a.body) != "[]" {
		t.Errorf("%s", a.body)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "offset=-1": "offset", "offset=10001": "offset", "order_by=first_name": "order_by",
		"order_direction=up": "order_direction", "created_at_gte=yesterday": "created_at_gte",
	} {
		w.call("GET", "/api/v2/contacts?"+query, w.pair, "").expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
}

func TestContactsThatAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	long := strings.Repeat("x", 1001)
	for body, want := range map[string]struct{ field, message string }{
		`{}`:                      {"number", "Missing fields"},
		`{"number":null}`:         {"number", "Missing fields"},
		`{"first_name":"Ann"}`:    {"number", "Missing fields"},
		`{"number":"5551234567"}`: {"number", "Invalid phone number"},
		`{"number":"+1"}`:         {"number", "Invalid phone number"},
		`{"number":"con_x@"}`:     {"number", "Invalid phone number"},
		`{"number":19998887777}`:  {"number", ""},
		`{"number":"+19998887777","first_name":1}`:                {"first_name", ""},
		`{"number":"+19998887777","first_name":"a\u0000"}`:        {"first_name", ""},
		`{"number":"+19998887777","company_name":"` + long + `"}`: {"company_name", ""},
		`{"number":"+19998887777","tags":"vip"}`:                  {"tags", ""},
		`{"number":"+19998887777","tags":[""]}`:                   {"tags", ""},
		`{"number":"+19998887777","tags":[1]}`:                    {"tags", ""},
		`{"number":"+19998887777","custom_variables":[]}`:         {"custom_variables", ""},
		`{"number":"+19998887777","custom_variables":{"a":1}}`:    {"custom_variables", ""},
		`{"number":"+19998887777","custom_variables":{"":"a"}}`:   {"custom_variables", ""},
		`{"number":"+19998887777","opt_out":"perhaps"}`:           {"opt_out", ""},
		`{"number":"+19998887777","update_if_exists":1}`:          {"update_if_exists", ""},
		`[]`: {"", ""}, `{`: {"", ""}, `null`: {"", ""}, "": {"", ""},
	} {
		p := w.createContact(body).expect(t, http.StatusBadRequest, 4000, "invalid_request", want.field)
		if want.message != "" && p.Message != want.message {
			t.Errorf("%s: %s", body, p.Message)
		}
	}
	if a := w.ok("GET", "/api/v2/contacts/count", ""); string(a.body) != `{"count":0}` {
		t.Errorf("%s", a.body)
	}
}

func TestManyContacts(t *testing.T) {
	w := newWorld(t, nil)
	a := w.ok("POST", "/api/v2/contacts/bulk", `{"contacts":[{"phone":"+19998887771","first_name":"Ann"},{"phone":"+19998887772","tags":["a"]},{"phone":"+19998887771","last_name":"Lee"}]}`)
	var out struct {
		Status   string
		Contacts []aContact
	}
	a.into(t, &out)
	if out.Status != "OK" || len(out.Contacts) != 3 || out.Contacts[2].First != "Ann" || out.Contacts[2].Last != "Lee" {
		t.Errorf("%s", a.body)
	}
	for body, field := range map[string]string{
		`{}`: "contacts", `{"contacts":[]}`: "contacts", `{"contacts":{}}`: "contacts", `{"contacts":["+19998887773"]}`: "contacts", `{"contacts":[null]}`: "number",
		`{"contacts":[{"phone":"+19998887773"},{"phone":"nobody"}]}`: "number",
	} {
		w.call("POST", "/api/v2/contacts/bulk", w.pair, body).expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
	if a := w.ok("GET", "/api/v2/contacts/count", ""); string(a.body) != `{"count":2}` {
		t.Errorf("a part was made: %s", a.body)
	}
	a = w.ok("DELETE", "/api/v2/contacts", `{"contact_ids":["+19998887771","`+out.Contacts[1].ID+`","+15550000000"]}`)
	if string(a.body) != `{"status":"OK","amount":2}` {
		t.Errorf("%s", a.body)
	}
	for _, bad := range []string{`{}`, `{"contact_ids":[]}`, `{"contact_ids":"x"}`, `{"contact_ids":[1]}`} {
		w.call("DELETE", "/api/v2/contacts", w.pair, bad).expect(t, http.StatusBadRequest, 4000, "invalid_request", "contact_ids")
	}
}

// What names nobody removes nobody.
func TestContactsWithoutAName(t *testing.T) {
	w := newWorld(t, nil)
	w.createContact(`{"number":"` + somebody + `"}`)
	for _, bad := range []string{`{"contact_ids":[""]}`, `{"contact_ids":["` + somebody + `",""]}`} {
		w.call("DELETE", "/api/v2/contacts", w.pair, bad).expect(t, http.StatusBadRequest, 4000, "invalid_request", "contact_ids")
	}
	for _, none := range []string{" ", "con_", "@"} {
		if a := w.ok("DELETE", "/api/v2/contacts", `{"contact_ids":["`+none+`"]}`); string(a.body) != `{"status":"OK","amount":0}` {
			t.Errorf("%q: %s", none, a.body)
		}
	}
	if n, err := w.service.DeleteContacts(t.Context(), cloud.Principal{Account: w.account}, []string{""}); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if a := w.ok("GET", "/api/v2/contacts/count", ""); string(a.body) != `{"count":1}` {
		t.Errorf("%s", a.body)
	}
}

// An e-mail address that begins as ids do is an address.
func TestContactWithAnAddressLikeAnID(t *testing.T) {
	w := newWorld(t, nil)
	w.createContact(`{"number":"con_tact@example.com"}`)
	if a := w.ok("DELETE", "/api/v2/contacts/Con_tact@example.com", ""); string(a.body) != `{"status":"OK"}` {
		t.Errorf("%s", a.body)
	}
	w.createContact(`{"number":"con_tact@example.com"}`)
	if a := w.ok("DELETE", "/api/v2/contacts", `{"contact_ids":["con_tact@example.com"]}`); string(a.body) != `{"status":"OK","amount":1}` {
		t.Errorf("%s", a.body)
	}
}

func TestOptingOutByHand(t *testing.T) {
	w := newWorld(t, nil)
	for _, step := range []struct{ body, want string }{
		{`{"number":"+19998887777"}`, `{"status":"OK","number":"+19998887777","opted_out":true}`},
		{`{"number":"+19998887777","opted_out":true}`, `{"status":"OK","number":"+19998887777","opted_out":true}`},
		{`{"number":"+19998887777","opted_out":false}`, `{"status":"OK","number":"+19998887777","opted_out":false}`},
		{`{"number":"+15550000000","opted_out":false}`, `{"status":"OK","number":"+15550000000","opted_out":false}`},
	} {
		if a := w.ok("POST", "/api/v2/contacts/opt-out", step.body); string(a.body) != step.want {
			t.Errorf("%s: %s", step.body, a.body)
		}
	}
	if got := w.ok("GET", "/api/v2/contacts/+19998887777", "").contact(t); got.OptOut {
		t.Errorf("%+v", got)
	}
	for body, field := range map[string]string{`{}`: "number", `{"number":"x"}`: "number", `{"number":"+19998887777","opted_out":"x"}`: "opted_out"} {
		w.call("POST", "/api/v2/contacts/opt-out", w.pair, body).expect(t, http.StatusBadRequest, 4000, "invalid_request", field)
	}
}

// A contact is verified by writing to the account, and by nothing else.
func TestVerifyingAContact(t *testing.T) {
	w := newWorld(t, nil)
	verify := func(number string) answer {
		return w.call("POST", "/api/v2/contacts/verify", w.pair, `{"number":"`+number+`"}`)
	}
	verify("").expect(t, http.StatusBadRequest, 4000, "invalid_request", "number")
	verify(somebody).expect(t, http.StatusNotFound, 0, "not_found", "")
	w.createContact(`{"number":"` + somebody + `"}`)
	verify(somebody).expect(t, http.StatusBadRequest, 4000, "invalid_request", "number")
	w.past("received", somebody, "iMessage", 5)
	if a := verify(somebody); string(a.body) != `{"status":"OK"}` {
		t.Errorf("%s", a.body)
	}
	if got := w.ok("GET", "/api/v2/contacts/"+somebody, "").contact(t); !got.Verified {
		t.Errorf("%+v", got)
	}
}

// Other accounts' contacts do not exist.
func TestContactsOfOthers(t *testing.T) {
	w := newWorld(t, nil)
	made := w.createContact(`{"number":"+19998887777"}`).contact(t)
	other := w.newPair(w.newAccount("team_b", 0), "*")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		w.call(method, "/api/v2/contacts/+19998887777", other, "{}").expect(t, http.StatusNotFound, 0, "not_found", "")
	}
	if a := w.call("DELETE", "/api/v2/contacts", other, `{"contact_ids":["`+made.ID+`","+19998887777"]}`); string(a.body) != `{"status":"OK","amount":0}` {
		t.Errorf("%s", a.body)
	}
	if a := w.call("GET", "/api/v2/contacts?cid="+made.ID, other, ""); string(a.body) != "[]" {
		t.Errorf("%s", a.body)
	}
	w.call("POST", "/api/v2/contacts/opt-out", other, `{"number":"+19998887777"}`)
	if got := w.ok("GET", "/api/v2/contacts/+19998887777", "").contact(t); got.OptOut {
		t.Errorf("%+v", got)
	}
}

// A message to whoever has opted out is stored and declined, and listed as that.
func TestDeclinedMessage(t *testing.T) {
	w := newWorld(t, nil)
	w.ok("POST", "/api/v2/contacts/opt-out", `{"number":"`+somebody+`"}`)
	a := w.ok("POST", "/api/send-message", `{"number":"`+somebody+`","from_number":"`+line+`","content":"Hello"}`)
	type declined struct {
		Handle   string `json:"message_handle"`
		Status   string `json:"status"`
		Code     *int   `json:"error_code"`
		Reason   string `json:"error_reason"`
		OptedOut bool   `json:"opted_out"`
	}
	var sent declined
	a.into(t, &sent)
	if sent.Status != "DECLINED" || sent.Code == nil || *sent.Code != 4002 || sent.Reason != "opted_out" || !sent.OptedOut {
		t.Errorf("%s", a.body)
	}
	var list struct{ Data []declined }
	w.ok("GET", "/api/v2/messages?status=DECLINED", "").into(t, &list)
	if len(list.Data) != 1 || list.Data[0].Handle != sent.Handle || !list.Data[0].OptedOut {
		t.Errorf("%+v", list)
	}
	w.ok("POST", "/api/v2/contacts/opt-out", `{"number":"`+somebody+`","opted_out":false}`)
	var one struct{ Data declined }
	w.ok("GET", "/api/v2/messages/"+sent.Handle, "").into(t, &one)
	if one.Data.Status != "DECLINED" || one.Data.OptedOut {
		t.Errorf("%+v", one)
	}
}
