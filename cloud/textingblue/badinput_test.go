package textingblue_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// bad is a request that must be refused and leave nothing behind.
type bad struct {
	name, method, path, body string
	status                   int
	code, param              string
}

// sending is a send with one member replaced: its raw JSON, or "-" for left out.
func sending(member, value string) string {
	members := map[string]string{"to": `"` + somebody + `"`, "from": `"` + line + `"`, "content": `"Hi"`, member: value}
	var list []string
	for _, name := range []string{"to", "from", "content", "media_url", "expires_at"} {
		if v, ok := members[name]; ok && v != "-" {
			list = append(list, fmt.Sprintf("%q:%s", name, v))
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

// badInput is everything that can be wrong with a request whose key is good.
func badInput(foreign, unverified, paused string, ids map[string]string) (list []bad) {
	refuse := func(name, method, path, body, param string) {
		list = append(list, bad{name, method, path, body, http.StatusBadRequest, "invalid_request", param})
	}
	send := func(name, body, param string) { refuse(name, "POST", "/v1/messages/send", body, param) }
	for _, b := range []struct{ name, body string }{
		{"nothing", ""}, {"space", " \n"}, {"half an object", `{"to":"+14155551234"`}, {"an array", "[" + seedRequest + "]"}, {"null", "null"}, {"a string", `"hello"`},
		{"a number", "7"}, {"true", "true"}, {"a form", "to=%2B14155551234&from=%2B14155559876&content=Hi"}, {"text after it", seedRequest + "x"}, {"two objects", seedRequest + seedRequest},
		{"a comma too many", `{"to":"+14155551234","from":"+14155559876","content":"Hi",}`}, {"single quotes", `{'to':'+14155551234'}`}, {"a comment", `{/**/"to":"+14155551234"}`},
		{"not UTF-8", sending("content", "\"\xff\xfe\"")}, {"a cut character", sending("content", "\"\xe2\x82\"")}, {"a surrogate as bytes", sending("content", "\"\xed\xa0\x80\"")}, {"a byte order mark", "\xef\xbb\xbf" + seedRequest},
		{"UTF-16", "{\x00\"\x00t\x00o\x00"}, {"a raw line feed in a string", sending("content", "\"a\nb\"")}, {"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00"}, {"XML", "<message/>"}, {"NaN", `{"to":NaN}`},
		{"nested too deep", strings.Repeat(`{"a":`, 20000)}, {"too large", `{"content":"` + strings.Repeat("x", 256<<10) + `"}`}, {"far too large", strings.Repeat(" ", 4<<20)},
	} {
		send(b.name, b.body, "")
		refuse("verify: "+b.name, "POST", "/v1/numbers/verify", b.body, "")
		refuse("webhook: "+b.name, "POST", "/v1/webhooks", b.body, "")
		refuse("number: "+b.name, "PUT", "/v1/numbers/"+ids["number"], b.body, "")
		refuse("webhook: "+b.name, "PATCH", "/v1/webhooks/"+ids["webhook"], b.body, "")
		refuse("team: "+b.name, "PUT", "/v1/team", b.body, "")
		refuse("invite: "+b.name, "POST", "/v1/team/members/invite", b.body, "")
		refuse("member: "+b.name, "PATCH", "/v1/team/members/"+ids["member"], b.body, "")
	}
	for _, member := range []string{"to", "from", "content", "media_url"} {
		for _, value := range []string{"7", "-1.5e3", "true", "false", `["x"]`, `{"a":"b"}`, "[]", "{}"} {
			send(member+" is "+value, sending(member, value), member)
		}
	}
	for _, member := range []string{"to", "from", "content"} {
		send(member+" is missing", sending(member, "-"), member)
		send(member+" is null", sending(member, "null"), member)
		send(member+" is empty", sending(member, `""`), member)
	}
	send("other letters", `{"To":"+14155551234","FROM":"+14155559876","Content":"Hi"}`, "to")
	send("another client's names", `{"phone":"+14155551234","content":"Hi"}`, "to")
	for _, number := range []string{
		"14155551234", "4155551234", "001 415 555 1234", "+1 415 555 1234", "+1-415-555-1234", "+1 (415) 555-1234", "(415) 555-1234", "+1415555123", "+141555512345", "+1415555", "+", "++14155551234", "+0",
		"+00014155551234", "+04155551234", "+9991234567", "+123456", "+1234567890123456", "+14155551234 ", " +14155551234", "+14155551234\\n", "\\u0000+14155551234", "+14155551234x7", "+1415555123a", "+１４１５５５５１２３４",
		"＋14155551234", "+1٤155551234", "tel:+14155551234", "sms:+14155551234", "somebody@example", "SOMEBODY", "911", "+1", "-14155551234", "+14155551234,+14155551235", "+1.4155551234", "0x14155551234", "any;-;+14155551234",
	} {
		send("to "+number, sending("to", `"`+number+`"`), "to")
		send("from "+number, sending("from", `"`+number+`"`), "from")
		refuse("verify "+number, "POST", "/v1/numbers/verify", `{"phone_number":"`+number+`"}`, "phone_number")
	}
	send("from nobody's number", sending("from", `"+14155550099"`), "from")
	send("from another account's number", sending("from", `"`+foreign+`"`), "from")
	send("from an unverified number", sending("from", `"`+unverified+`"`), "from")
	send("from a paused number", sending("from", `"`+paused+`"`), "from")
	send("NUL in the text", sending("content", `"a\u0000b"`), "content")
	send("NUL alone", sending("content", `"\u0000"`), "content")
	send("5001 characters", sending("content", `"`+strings.Repeat("x", 5001)+`"`), "content")
	send("5001 emoji", sending("content", `"`+strings.Repeat("😀", 5001)+`"`), "content")
	for _, media := range []string{"http://example.com/a.jpg", "ftp://example.com/a", "example.com/a.jpg", "//example.com/a", "https://", "https:///a", "javascript:alert(1)", "data:image/png;base64,AAAA", "file:///etc/passwd", "x", "https://exa mple.com/a", ":"} {
		send("media "+media, sending("media_url", `"`+media+`"`), "media_url")
	}
	for _, at := range []string{"0", "-1", "1.5", "1e400", "true", `""`, `"tomorrow"`, `"2026-02-07"`, `"2026-02-07T12:00:00Z"`, "1770465600", "99999999999999999", `{"at":1}`, "[1]"} {
		send("expires_at "+at, sending("expires_at", at), "expires_at")
		refuse("resend: expires_at "+at, "POST", "/v1/messages/"+ids["message"]+"/resend", `{"expires_at":`+at+`}`, "expires_at")
	}
	for body, param := range map[string]string{"[]": "", "null": "", "7": "", "{": "", "\f": "", "\xff": "", `{"accept_duplicate_risk":1}`: "accept_duplicate_risk", `{"accept_duplicate_risk":"true"}`: "accept_duplicate_risk"} {
		refuse("resend "+body, "POST", "/v1/messages/"+ids["message"]+"/resend", body, param)
	}
	for query, param := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=-1": "limit", "limit=abc": "limit", "limit=1.5": "limit", "limit=1e1": "limit", "limit=%2050": "limit", "limit=0x10": "limit", "limit=99999999999999999999": "limit", "limit=null": "limit",
		"direction=both": "direction", "direction=INBOUND": "direction", "direction=inbound,outbound": "direction", "status=read": "status", "status=SENT": "status", "status=sent,failed": "status", "status=accepted": "status", "status=unknown": "status",
		"q=%21": "q", "q=%20": "q", "q=%FF": "q", "q=%22%2A%22": "q", "q=" + strings.Repeat("a", 201): "q",
		"to=%2": "to", "from=%zz&limit=1": "from", "direction=inbound;status=sent": "direction", "unknown=%": "unknown", "%zz=1": "%zz",
		"cursor=msg_never": "cursor", "cursor=" + ids["message"] + "x": "cursor", "cursor=" + strings.ToUpper(ids["message"]): "cursor", "cursor=" + ids["number"]: "cursor", "cursor=%00": "cursor", "cursor=' OR 1=1 --": "cursor", "cursor=" + ids["foreign message"]: "cursor",
	} {
		refuse("list "+query, "GET", "/v1/messages?"+strings.ReplaceAll(query, " ", "%20"), "", param)
	}
	refuse("a place in the log", "GET", "/v1/events?after=%zz", "", "after")
	refuse("a place in the deliveries", "GET", "/v1/webhooks/"+ids["webhook"]+"/deliveries?cursor=%zz", "", "cursor")
	for _, c := range []struct{ name, body, param string }{
		{"no url", `{"events":["message.sent"]}`, "url"}, {"url null", `{"url":null,"events":["message.sent"]}`, "url"}, {"url a number", `{"url":7,"events":["message.sent"]}`, "url"}, {"url empty", `{"url":"","events":["message.sent"]}`, "url"},
		{"http", `{"url":"http://8.8.8.8/","events":["message.sent"]}`, "url"}, {"ftp", `{"url":"ftp://example.com","events":["message.sent"]}`, "url"}, {"no scheme", `{"url":"example.com","events":["message.sent"]}`, "url"}, {"user in it", `{"url":"https://a:b@example.com","events":["message.sent"]}`, "url"},
		{"no events", `{"url":"https://example.com/n"}`, "events"}, {"events empty", `{"url":"https://example.com/n","events":[]}`, "events"}, {"events null", `{"url":"https://example.com/n","events":null}`, "events"}, {"events a string", `{"url":"https://example.com/n","events":"message.sent"}`, "events"},
		{"events of numbers", `{"url":"https://example.com/n","events":[7]}`, "events"}, {"events of null", `{"url":"https://example.com/n","events":[null]}`, "events"}, {"an unknown event", `{"url":"https://example.com/n","events":["message.sent","message.queued"]}`, "events"}, {"a wildcard", `{"url":"https://example.com/n","events":["*"]}`, "events"},
		{"a number not ours", `{"url":"https://example.com/n","events":["message.sent"],"phone_number":"+14155550099"}`, "phone_number"}, {"another account's number", `{"url":"https://example.com/n","events":["message.sent"],"phone_number":"` + foreign + `"}`, "phone_number"},
		{"number a number", `{"url":"https://example.com/n","events":["message.sent"],"phone_number":14155559876}`, "phone_number"}, {"active a string", `{"url":"https://example.com/n","events":["message.sent"],"active":"yes"}`, "active"},
	} {
		refuse("create a webhook: "+c.name, "POST", "/v1/webhooks", c.body, c.param)
	}
	for body, param := range map[string]string{`{"url":"http://8.8.8.8"}`: "url", `{"events":["x"]}`: "events", `{"events":[]}`: "events", `{"active":1}`: "active", `{"retry_preset":"never"}`: "retry_preset", `{"retry_preset":3}`: "retry_preset", `{"phone_number":"+14155550099"}`: "phone_number", `{"url":["https://example.com"]}`: "url"} {
		refuse("update a webhook: "+body, "PUT", "/v1/webhooks/"+ids["webhook"], body, param)
	}
	for body, param := range map[string]string{
		`{"label":7}`: "label", `{"label":"` + strings.Repeat("é", 101) + `"}`: "label", `{"status":"off"}`: "status", `{"status":""}`: "status", `{"status":"Paused"}`: "status", `{"status":true}`: "status", `{"label":"x","status":"deleted"}`: "status",
	} {
		refuse("update a number", "PATCH", "/v1/numbers/"+ids["number"], body, param)
	}
	for body, param := range map[string]string{
		`{}`: "name", `{"name":null}`: "name", `{"name":" \t"}`: "name", `{"name":7}`: "name", `{"name":["x"]}`: "name", `{"name":"a\nb"}`: "name", `{"name":"\u202eevil"}`: "name", `{"name":"` + strings.Repeat("é", 101) + `"}`: "name",
	} {
		refuse("rename the team: "+body, "PATCH", "/v1/team", body, param)
	}
	for body, param := range map[string]string{
		`{}`: "role", `{"role":null}`: "role", `{"role":"Owner"}`: "role", `{"role":"god"}`: "role", `{"role":1}`: "role",
	} {
		refuse("change a role: "+body, "PUT", "/v1/team/members/"+ids["member"], body, param)
	}
	for body, param := range map[string]string{
		`{"role":"member"}`: "email", `{"email":"","role":"member"}`: "email", `{"email":7,"role":"member"}`: "email", `{"email":"a","role":"member"}`: "email", `{"email":"a@b","role":"member"}`: "email",
		`{"email":"A <a@example.com>","role":"member"}`: "email", `{"email":"a@example.com,b@example.com","role":"member"}`: "email", `{"email":"` + strings.Repeat("a", 250) + `@example.com","role":"member"}`: "email",
		`{"email":"+14155551234","role":"member"}`: "email", `{"email":"a@example.com"}`: "role", `{"email":"a@example.com","role":"owner"}`: "role", `{"email":"a@example.com","role":["member"]}`: "role",
	} {
		refuse("invite: "+body, "POST", "/v1/team/members/invite", body, param)
	}
	for _, path := range []string{
		"/v1/messages/msg_never", "/v1/messages/" + ids["foreign message"], "/v1/messages/" + ids["number"], "/v1/messages/%00", "/v1/messages/..%2Fnumbers", "/v1/messages/" + ids["message"] + "/more", "/v1/messages/", "/v1/numbers/num_never",
		"/v1/numbers/" + ids["webhook"], "/v1/webhooks/wh_never", "/v1/webhooks/" + ids["sendblue webhook"], "/v1/", "/v1/nothing", "/v1/Messages", "/v1/account", "/v1/messages/%27%20OR%201%3D1",
	} {
		list = append(list, bad{"get " + path, "GET", path, "", http.StatusNotFound, "not_found", ""})
	}
	for _, id := range []string{"wh_never", ids["sendblue webhook"]} {
		list = append(list, bad{"delete a webhook", "DELETE", "/v1/webhooks/" + id, "", http.StatusNotFound, "not_found", ""},
			bad{"update a webhook", "PUT", "/v1/webhooks/" + id, `{"active":false}`, http.StatusNotFound, "not_found", ""})
	}
	for _, id := range []string{"msg_never", ids["foreign message"], ids["number"], "%00", "%27%20OR%201%3D1"} {
		list = append(list, bad{"cancel " + id, "POST", "/v1/messages/" + id + "/cancel", "", http.StatusNotFound, "not_found", ""},
			bad{"resend " + id, "POST", "/v1/messages/" + id + "/resend", `{"accept_duplicate_risk":true}`, http.StatusNotFound, "not_found", ""},
			bad{"timeline of " + id, "GET", "/v1/messages/" + id + "/timeline", "", http.StatusNotFound, "not_found", ""})
	}
	for _, id := range []string{"usr_never", "inv_never", ids["number"], "%00", "%27%20OR%201%3D1"} {
		list = append(list, bad{"change member " + id, "PUT", "/v1/team/members/" + id, `{"role":"admin"}`, http.StatusNotFound, "not_found", ""},
			bad{"remove member " + id, "DELETE", "/v1/team/members/" + id, "", http.StatusNotFound, "not_found", ""},
			bad{"take invitation back " + id, "DELETE", "/v1/team/invitations/" + id, "", http.StatusNotFound, "not_found", ""})
	}
	list = append(list, bad{"remove the only owner", "DELETE", "/v1/team/members/" + ids["member"], "", http.StatusConflict, "conflict", ""},
		bad{"the only owner steps down", "PUT", "/v1/team/members/" + ids["member"], `{"role":"admin"}`, http.StatusConflict, "conflict", ""},
		bad{"invite a member", "POST", "/v1/team/members/invite", `{"email":"Owner@Example.com","role":"member"}`, http.StatusConflict, "conflict", "email"},
		bad{"invite twice", "POST", "/v1/team/members/invite", `{"email":"guest@example.com","role":"viewer"}`, http.StatusConflict, "conflict", "email"})
	list = append(list, bad{"resend what waits", "POST", "/v1/messages/" + ids["message"] + "/resend", `{"accept_duplicate_risk":true}`, http.StatusConflict, "conflict", ""})
	list = append(list, bad{"the same webhook", "POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":["message.failed"]}`, http.StatusConflict, "conflict", "url"},
		bad{"onto another webhook", "PUT", "/v1/webhooks/" + ids["other webhook"], `{"url":"https://example.com/hook"}`, http.StatusConflict, "conflict", "url"},
		bad{"another account's number", "POST", "/v1/numbers/verify", `{"phone_number":"` + foreign + `"}`, http.StatusConflict, "conflict", "phone_number"})
	return list
}

func TestBadInputIsRefusedAndLeavesNothing(t *testing.T) {
	w := newWorld(t, nil)
	b := w.newAccount("team_b", 0)
	foreign := w.newLine(b, "+14155550001")
	const unverified = "+14155550002"
	w.ok("POST", "/v1/numbers/verify", `{"phone_number":"`+unverified+`"}`, http.StatusOK)
	paused := w.newLine(w.account, "+14155550003")
	w.ok("PUT", "/v1/numbers/"+paused.ID, `{"status":"paused"}`, http.StatusOK)
	theirs := w.call("POST", "/v1/messages/send", w.newKey(b, store.TextingBlue, "*"), fmt.Sprintf(`{"to":%q,"from":%q,"content":"x"}`, somebody, foreign.PhoneNumber))
	w.write(func(tx *store.Tx) error {
		return tx.CreateWebhook(store.Webhook{ID: "wh_sendblue", AccountID: w.account.ID, Dialect: store.Sendblue, URL: "https://example.com/sb", Events: []string{"message.sent"}, CreatedAt: 1})
	})
	ids := map[string]string{
		"member":  w.person(w.account, "usr_owner", "owner@example.com", cloud.RoleOwner),
		"message": w.send(somebody), "foreign message": theirs.id(t), "number": w.line.ID, "sendblue webhook": "wh_sendblue",
		"webhook":       w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/hook","events":["message.sent"]}`, http.StatusCreated).id(t),
		"other webhook": w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/other","events":["message.sent"]}`, http.StatusCreated).id(t),
	}
	w.ok("POST", "/v1/team/members/invite", `{"email":"guest@example.com","role":"member"}`, http.StatusCreated)
	table := badInput(foreign.PhoneNumber, unverified, paused.PhoneNumber, ids)
	if len(table) < 60 {
		t.Fatalf("only %d rows", len(table))
	}
	contents := w.contents()
	for _, c := range table {
		a := w.call(c.method, c.path, w.key, c.body)
		if p := a.problem(t); a.status != c.status || p.Code != c.code || (p.Param == nil) != (c.param == "") || p.Param != nil && *p.Param != c.param {
			t.Errorf("%s: %s %s\ngot  %d %s\nwant %d %s %q", c.name, c.method, c.path, a.status, a.body, c.status, c.code, c.param)
		}
		if now := w.contents(); now != contents {
			t.Errorf("%s left something behind", c.name)
			contents = now
		}
	}
	t.Logf("%d requests", len(table))
}

// The sentences that the API's pages show, to the letter.
func TestSentencesOfThePages(t *testing.T) {
	w := newWorld(t, nil)
	paused := cloud.LineChange{Status: new(store.LinePaused)}
	stopped := w.newLine(w.account, "+14155550003")
	if _, err := w.service.UpdateNumber(t.Context(), cloud.Principal{Account: w.account}, stopped.ID, paused); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		sending("to", `"x"`):                                  "The 'to' field must be a valid E.164 phone number",
		sending("from", `"+14155550099"`):                     `The "from" number is not registered or verified for this team`,
		sending("from", `"+14155550003"`):                     `The "from" number is currently paused`,
		sending("content", "-"):                               "The 'content' field is required.",
		sending("media_url", `"http://a"`):                    "The 'media_url' field must be a valid HTTPS URL.",
		sending("content", `"`+strings.Repeat("x", 5001)+`"`): "The 'content' field must not exceed 5000 characters.",
	} {
		if got := w.call("POST", "/v1/messages/send", w.key, body).problem(t).Message; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestMethodsThatAPathDoesNotHave(t *testing.T) {
	w := newWorld(t, nil)
	for path, allow := range map[string]string{
		"/v1/messages": "GET, POST", "/v1/numbers": "GET", "/v1/numbers/num_x": "GET, PUT, PATCH, DELETE", "/v1/webhooks": "GET, POST", "/v1/webhooks/wh_x": "GET, PUT, PATCH, DELETE",
		"/v1/team": "GET, PUT, PATCH", "/v1/team/members": "GET", "/v1/team/members/usr_x": "PUT, PATCH, DELETE", "/v1/team/invitations": "GET", "/v1/team/invitations/inv_x": "DELETE",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := w.call(method, path, w.key, "")
			a.expect(t, http.StatusMethodNotAllowed, "invalid_request", "")
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q", method, path, got)
			}
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		a := w.call(method, "/v1/messages/send", w.key, "")
		a.expect(t, http.StatusMethodNotAllowed, "invalid_request", "")
		if got := a.header.Get("Allow"); !strings.Contains(got, "POST") {
			t.Errorf("%s: Allow %q", method, got)
		}
	}
	// HEAD is GET without a body.
	if a := w.call("HEAD", "/v1/messages", w.key, ""); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Whatever the body is, it is answered by 202 or by an error of the page.
func FuzzSend(f *testing.F) {
	w := newWorld(f, nil)
	for _, c := range badInput("+14155550001", "+14155550002", "+14155550003", map[string]string{}) {
		if c.path == "/v1/messages/send" && len(c.body) < 1000 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(seedRequest))
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.t = t
		a := here.call("POST", "/v1/messages/send", w.key, string(body))
		switch a.status {
		case http.StatusAccepted:
			same(t, string(body), keys(t, a.body), sentKeys)
		case http.StatusBadRequest:
			a.problem(t)
		default:
			t.Fatalf("%q: %d %s", body, a.status, a.body)
		}
	})
}
