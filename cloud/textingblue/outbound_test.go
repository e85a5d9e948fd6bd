package textingblue_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// members reads an answer that is an object.
func (a answer) members(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return m
}

// A file goes with its text: the answer comes at once and names the caller's own URL,
// what it waits for is said, and a file that is not fit makes the message fail.
func TestMediaURL(t *testing.T) {
	come := make(chan struct{})
	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		<-come
		switch r.URL.Path {
		case "/large.jpg":
			rw.Header().Set("Content-Length", "5242881")
		case "/page.jpg":
			fmt.Fprint(rw, "<html>")
		default:
			_, _ = rw.Write([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 5<<20-8)))
		}
	}))
	defer site.Close()
	answer := sync.OnceFunc(func() { close(come) })
	defer answer() // before the site closes, which waits
	w := newWorld(t, func(c *cloud.Config) {
		c.MediaRoots = x509.NewCertPool()
		c.MediaRoots.AddCert(site.Certificate())
	})
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	ids := make(map[string]string)
	for i, path := range []string{"/cat.png", "/large.jpg", "/page.jpg"} {
		url := site.URL + path
		a := w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"to":"+1415555123%d","from":%q,"content":%q,"media_url":%q}`, i, line, greeting, url), http.StatusAccepted)
		same(t, "sent", keys(t, a.body), sentKeys)
		got := a.members(t)
		if got["media_url"] != url || got["status"] != "queued" {
			t.Errorf("%s", a.body)
		}
		ids[path] = got["id"].(string)
		if why := w.get(ids[path]).members(t)["waiting_for"]; fmt.Sprint(why) != "map[code:media message:The file is being fetched.]" {
			t.Errorf("%v", why)
		}
	}
	answer()
	if o := m.order(); o.Message != ids["/cat.png"] || o.Text != greeting || o.File == nil || o.File.Name != "cat.png" || o.File.Size != 5<<20 {
		t.Errorf("%+v", o)
	}
	for path, code := range map[string]string{"/large.jpg": "media_too_large", "/page.jpg": "media_type"} {
		eventually(t, path+" fails", func() bool { return w.get(ids[path]).members(t)["status"] == "failed" })
		got := w.get(ids[path])
		same(t, path, keys(t, got.body), fullKeys)
		if m := got.members(t); m["error_code"] != code || !strings.Contains(fmt.Sprint(m["error_message"]), "media_url") || m["media_url"] != site.URL+path {
			t.Errorf("%s", got.body)
		}
	}
	got := w.get(ids["/cat.png"])
	if m := got.members(t); m["media_url"] != site.URL+"/cat.png" {
		t.Errorf("%s", got.body)
	}
	// A file alone is nothing that this API knows.
	w.call("POST", "/v1/messages/send", w.key, fmt.Sprintf(`{"to":%q,"from":%q,"media_url":%q}`, somebody, line, site.URL)).expect(t, http.StatusBadRequest, "invalid_request", "content")
}

// Extensions show where they say something, and only there.
func TestServiceAndTarget(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "in", From: somebody, Chat: "any;+;chat42", Group: true, Text: greeting, Service: "iMessage"}})
	send := func(members string) (string, map[string]any) {
		t.Helper()
		got := w.ok("POST", "/v1/messages/send", fmt.Sprintf(`{"from":%q,"content":%q,%s}`, line, greeting, members), http.StatusAccepted).members(t)
		id := got["id"].(string)
		if o := m.order(); o.Message != id {
			t.Fatalf("%+v", o)
		}
		return id, got
	}
	id, got := send(`"to":"Friend@Example.com"`)
	if got["to"] != "friend@example.com" || got["service"] != nil {
		t.Errorf("%v", got)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "1", Service: "iMessage"})
	same(t, "an address", keys(t, w.get(id).body), fullKeys)

	id, got = send(`"group_id":"any;+;chat42"`)
	if got["to"] != "any;+;chat42" || got["group_id"] != "any;+;chat42" {
		t.Errorf("%v", got)
	}
	if got := w.get(id).members(t); got["to"] != "any;+;chat42" || got["group_id"] != "any;+;chat42" || got["from"] != line {
		t.Errorf("%v", got)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "2", Service: "iMessage"})

	id, got = send(`"to":"` + somebody + `","service":"RCS"`)
	if got["service"] != "RCS" || got["requested_service"] != nil {
		t.Errorf("%v", got)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "3", Service: "SMS", Downgraded: true})
	if got := w.get(id).members(t); got["service"] != "SMS" || got["requested_service"] != "RCS" || got["downgraded"] != true {
		t.Errorf("%v", got)
	}

	number := w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"sms_fallback":true}`, http.StatusOK).members(t)
	if number["sms_fallback"] != true {
		t.Errorf("%v", number)
	}
	id, _ = send(`"to":"` + somebody + `","service":"auto"`)
	m.report(wire.Report{Kind: wire.Failed, Message: id, Attempt: 1, GUID: "4", Fault: &wire.Fault{Code: "messages_error", Number: 22}})
	if o := m.order(); o.Message != id || o.Service != "SMS" {
		t.Errorf("%+v", o)
	}
	if got := w.get(id).members(t); got["status"] != "queued" || got["service"] != "SMS" || got["downgraded"] != true || got["requested_service"] != nil {
		t.Errorf("%v", got)
	}
	number = w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"sms_fallback":false}`, http.StatusOK).members(t)
	if _, shown := number["sms_fallback"]; shown {
		t.Errorf("%v", number)
	}
	for members, param := range map[string]string{
		`"to":"a@example.com","service":"SMS"`: "service", `"to":"+14155551234","service":"imessage"`: "service", `"to":"+14155551234","service":7`: "service",
		`"group_id":"any;+;chat43"`: "group_id", `"to":"+14155551234","group_id":"any;+;chat42"`: "group_id", `"group_id":{}`: "group_id", `"group_id":""`: "to",
	} {
		w.call("POST", "/v1/messages/send", w.key, fmt.Sprintf(`{"from":%q,"content":"x",%s}`, line, members)).expect(t, http.StatusBadRequest, "invalid_request", param)
	}
	w.call("PATCH", "/v1/numbers/"+w.line.ID, w.key, `{"sms_fallback":"on"}`).expect(t, http.StatusBadRequest, "invalid_request", "sms_fallback")
}

// Events that are about no message come to those who ask, in words of their own.
func TestEventsOfMacsAndGroups(t *testing.T) {
	w := newWorld(t, nil)
	url, got := receiver(t, nil)
	w.hook(`{"url":"` + url + `","events":["relay.online","relay.ready","relay.attention","relay.offline","group.updated"]}`)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	golden(t, "event_relay_online", next(t, got).body)
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Alarm, Message: id, Fault: &wire.Fault{Code: wire.FaultDuplicate, Text: "x"}})
	golden(t, "event_relay_alarm", next(t, got).body)
	denied := wire.Health{Code: wire.ProblemAutomation, Reason: "Allow bluerelay to control Messages."}
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &denied})
	golden(t, "event_relay_attention", next(t, got).body)
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}})
	golden(t, "event_relay_ready", next(t, got).body)
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &denied})
	golden(t, "event_relay_attention", next(t, got).body)
	at := time.Date(2026, 2, 7, 12, 0, 0, 0, time.UTC).UnixMilli()
	for guid, g := range map[string]wire.Group{
		"joined": {Chat: "any;+;chat42", Event: "joined", Who: somebody, Other: "+14155550001"}, "renamed": {Chat: "any;+;chat42", Event: "renamed", Name: "Friends"}, "unnamed": {Chat: "any;+;chat42", Event: "renamed"},
	} {
		m.report(wire.Report{Kind: wire.Grouped, GUID: guid, At: at, Group: &g})
		golden(t, "event_group_"+guid, next(t, got).body)
	}
	m.leave()
	golden(t, "event_relay_offline", next(t, got).body)
}
