package sendblue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// mac pairs the world's line with a Mac that is in the state that change leaves it in.
func (w *world) mac(change func(*store.Relay)) store.Relay {
	w.t.Helper()
	r := store.Relay{ID: "rel_a", AccountID: w.account.ID, LineID: w.line.ID, SecretHash: "x", OS: "linux", Connected: true, Ready: true, LastSeenAt: 1, CreatedAt: 1}
	if change != nil {
		change(&r)
	}
	l := w.line
	l.RelayID = r.ID
	w.write(func(tx *store.Tx) error {
		if err := tx.CreateRelay(r); err != nil {
			return err
		}
		return tx.UpdateLine(l)
	})
	return r
}

// remember stores messages of the past on the world's line.
func (w *world) remember(list ...wire.Past) {
	w.t.Helper()
	r, err := w.store.Relay(w.t.Context(), "rel_a")
	if err != nil {
		r = w.mac(nil)
	}
	if _, err := w.service.AddHistory(w.t.Context(), r, list); err != nil {
		w.t.Fatal(err)
	}
}

// past stores one message of the past with a person.
func (w *world) past(status wire.Status, who, service string, at int64) {
	w.t.Helper()
	p := wire.Past{GUID: who + service + time.UnixMilli(at).String(), Own: status != wire.StatusReceived, Handle: who, Chat: "any;-;" + who, Service: service, Text: greeting, Status: status, At: at}
	if status == wire.StatusFailed {
		p.Fault = &wire.Fault{Code: "row_error", Number: 22, Text: "x"}
	}
	w.remember(p)
}

// The service is that of the last exchange; where there was none, there is no answer.
func TestServiceOfANumber(t *testing.T) {
	w := newWorld(t, nil)
	evaluate := func(query string) answer { return w.call("GET", "/api/evaluate-service"+query, w.pair, "") }
	is := func(want string) {
		t.Helper()
		var got struct{ Number, Service string }
		evaluate("?number=+19998887777").into(t, &got)
		if got.Number != somebody || got.Service != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	evaluate("?number=%2B19998887777").expect(t, http.StatusNotFound, 0, "not_found", "")
	w.past(wire.StatusReceived, somebody, "iMessage", 10)
	is("iMessage")
	w.past(wire.StatusDelivered, somebody, "SMS", 20)
	is("SMS")
	w.past(wire.StatusReceived, somebody, "RCS", 15)
	is("SMS")
	w.past(wire.StatusRead, somebody, "iMessage", 30)
	is("iMessage")
	w.past(wire.StatusFailed, somebody, "iMessage", 40)
	is("SMS")
	w.past(wire.StatusReceived, "ann@example.com", "iMessage", 10)
	if a := evaluate("?number=Ann@Example.com"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	// What was written in a group says nothing of a conversation.
	w.remember(wire.Past{GUID: "g", Handle: "+15550009999", Chat: "any;+;chat1", Group: true, Service: "iMessage", Status: wire.StatusReceived, At: 1})
	evaluate("?number=+15550009999").expect(t, http.StatusNotFound, 0, "not_found", "")
	for _, bad := range []string{"", "?number=", "?number=5551234567", "?number=x"} {
		evaluate(bad).expect(t, http.StatusBadRequest, 4000, "invalid_request", "number")
	}
	other := w.newPair(w.newAccount("team_b", 0), "*")
	w.call("GET", "/api/evaluate-service?number=+19998887777", other, "").expect(t, http.StatusNotFound, 0, "not_found", "")
}

// What goes by satellite is iMessage, in whatever case a row names its service.
func TestSatelliteIsIMessage(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	for guid, service := range map[string]string{"A": "iMessageLite", "B": "imessage"} {
		mac.report(wire.Report{Kind: wire.Received, GUID: guid, Service: service, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: "any;-;" + somebody, Text: greeting, Service: service}})
	}
	m := w.send(somebody, "")
	order := mac.order()
	mac.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: "C", Service: "iMessageLite"})
	if got := w.get(m.Handle); got.Status != "SENT" || got.Service != "iMessage" {
		t.Errorf("%+v", got)
	}
	relay, err := w.store.Relays(t.Context(), w.account.ID)
	if err == nil {
		_, err = w.service.AddHistory(t.Context(), relay[0], []wire.Past{{GUID: "D", Handle: somebody, Chat: "any;-;" + somebody, Service: "IMESSAGELITE", Text: greeting, Status: wire.StatusReceived, At: 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"service=iMessage": 4, "service=SMS": 0, "service=iMessage&is_outbound=true": 1} {
		var list page
		if w.ok("GET", "/api/v2/messages?"+query, "").into(t, &list); *list.Pagination.Total != want {
			t.Errorf("%s: %+v", query, list)
		}
	}
	if a := w.ok("GET", "/api/evaluate-service?number=%2B19998887777", ""); !strings.Contains(string(a.body), `"service":"iMessage"`) {
		t.Errorf("%s", a.body)
	}
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		mac    func(*store.Relay)
		paused bool
		want   string
	}{
		"well": {nil, false, "ONLINE"}, "away": {func(r *store.Relay) { r.Connected = false }, false, "OFFLINE"},
		"not ready": {func(r *store.Relay) { r.Ready, r.Reason = false, "Sign in." }, false, "DEGRADED"}, "paused": {nil, true, "DEGRADED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if a := w.ok("GET", "/api/v2/lines/state", ""); !strings.Contains(string(a.body), `"worker_id":"`+w.line.ID+`","sendblue_number":"+15551234567","assignment":"assigned","status":"UNKNOWN"`) {
				t.Errorf("%s", a.body)
			}
			w.mac(c.mac)
			if c.paused {
				w.write(func(tx *store.Tx) error {
					l, err := tx.Line(tx.Context(), w.line.ID)
					l.Status = store.LinePaused
					if err != nil {
						return err
					}
					return tx.UpdateLine(l)
				})
			}
			a := w.ok("GET", "/api/v2/lines/state", "")
			var out struct {
				Status     string
				SnapshotAt string `json:"snapshot_at"`
				Data       []struct {
					WorkerID string `json:"worker_id"`
					Status   string
					Reason   string
				}
			}
			a.into(t, &out)
			if out.Status != "OK" || len(out.SnapshotAt) != 24 || len(out.Data) != 1 || out.Data[0].WorkerID != "rel_a" || out.Data[0].Status != c.want || (out.Data[0].Reason == "") != (c.want == "ONLINE") {
				t.Errorf("%s", a.body)
			}
			numbers := `{"numbers":["+15551234567"]}`
			if c.paused {
				numbers = `{"numbers":[]}`
				w.call("POST", "/api/send-message", w.pair, `{"number":"+19998887777","content":"Hello"}`).expect(t, http.StatusBadRequest, 4000, "invalid_request", "from_number")
			}
			if a := w.ok("GET", "/api/lines", ""); string(a.body) != numbers {
				t.Errorf("%s", a.body)
			}
			other := w.newPair(w.newAccount("team_b", 0), "*")
			if a := w.call("GET", "/api/lines", other, ""); string(a.body) != `{"numbers":[]}` {
				t.Errorf("%s", a.body)
			}
		})
	}
}

func TestAccount(t *testing.T) {
	w := newWorld(t, nil)
	want := `{"status":"OK","account_id":"team_a","company_name":"Acme","email":"owner@acme.example","plan":"self_hosted","created_at":"1970-01-01T00:00:00.001Z"}`
	if a := w.call("GET", "/account", w.newPair(w.account, "numbers:read"), ""); string(a.body) != want {
		t.Errorf("%s", a.body)
	}
}

// A group is what was written in it and what Messages said of it.
func TestGroup(t *testing.T) {
	w := newWorld(t, nil)
	const guid = "any;+;chat42"
	said := func(who string, at int64) {
		w.remember(wire.Past{GUID: who + time.UnixMilli(at).String(), Handle: who, Chat: guid, Group: true, Service: "iMessage", Text: greeting, Status: wire.StatusReceived, At: at})
	}
	w.call("GET", "/api/v2/groups/"+guid, w.pair, "").expect(t, http.StatusNotFound, 0, "not_found", "")
	said("+15550001111", 10)
	said("+15550002222", 20)
	said("ann@example.com", 30)
	w.createContact(`{"number":"+15550001111","first_name":"Bo","last_name":"Lee"}`)
	for i, g := range []store.GroupChange{
		{Kind: "removed", Who: "+15550001111", Other: "+15550002222", MadeAt: 25}, {Kind: "joined", Who: "", Other: "+15550003333", MadeAt: 26},
		{Kind: "left", Who: "ann@example.com", MadeAt: 29}, {Kind: "renamed", Who: "", Name: "Old", MadeAt: 35}, {Kind: "renamed", Who: "", Name: "Crew", MadeAt: 40},
	} {
		g.ID, g.AccountID, g.LineID, g.ChatGUID, g.AppleGUID = "grp_"+string(rune('a'+i)), w.account.ID, w.line.ID, guid, string(rune('a'+i))
		w.write(func(tx *store.Tx) error { return tx.CreateGroupChange(g) })
	}
	// The path as the SDK writes it, and fully escaped.
	for _, path := range []string{guid, "any%3B%2B%3Bchat42"} {
		var out struct {
			Status string
			Data   struct {
				ID      string   `json:"group_id"`
				Name    string   `json:"group_name"`
				Created string   `json:"created_at"`
				Latest  string   `json:"latest_comm_at"`
				Updated string   `json:"updated_at"`
				Numbers []string `json:"participant_numbers"`
				People  []struct {
					Handle    string  `json:"handle"`
					Phone     *string `json:"phone"`
					Name      *string `json:"name"`
					ContactID *string `json:"contact_id"`
					Type      string  `json:"type"`
				} `json:"participants"`
				Photo json.RawMessage `json:"group_photo"`
			}
		}
		a := w.ok("GET", "/api/v2/groups/"+path, "")
		a.into(t, &out)
		d := out.Data
		if out.Status != "OK" || d.ID != guid || d.Name != "Crew" || d.Created != "1970-01-01T00:00:00.010Z" || d.Latest != "1970-01-01T00:00:00.030Z" ||
			d.Updated != "1970-01-01T00:00:00.040Z" || strings.Join(d.Numbers, " ") != line+" +15550001111 +15550003333 ann@example.com" || string(d.Photo) != "null" || len(d.People) != 3 {
			t.Fatalf("%s", a.body)
		}
		if one := d.People[0]; *one.Phone != "+15550001111" || *one.Name != "Bo Lee" || one.ContactID == nil || one.Type != "contact" {
			t.Errorf("%+v", one)
		}
		if one := d.People[2]; one.Phone != nil || one.Name != nil || one.Handle != "ann@example.com" {
			t.Errorf("%+v", one)
		}
	}
	// Every message of it says who is in it.
	var list page
	w.ok("GET", "/api/v2/messages?group_id="+url.QueryEscape(guid), "").into(t, &list)
	if len(list.Data) != 3 {
		t.Fatalf("%+v", list)
	}
	for _, m := range list.Data {
		if strings.Join(m.Participants, " ") != line+" +15550001111 +15550003333 ann@example.com" || m.GroupName != "Crew" || w.get(m.Handle).GroupName != "Crew" {
			t.Errorf("%+v", m)
		}
	}
	hook, got := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q]}`, hook))
	mac := w.connect(w.paired(w.line), "a")
	mac.report(wire.Report{Kind: wire.Received, GUID: "new", Inbound: &wire.Inbound{GUID: "new", From: "+15550004444", Chat: guid, Group: true, Service: "iMessage", Text: greeting}})
	var m message
	if err := json.Unmarshal([]byte(next(t, got).body), &m); err != nil || strings.Join(m.Participants, " ") != line+" +15550001111 +15550003333 +15550004444 ann@example.com" || m.GroupName != "Crew" {
		t.Errorf("%+v, %v", m, err)
	}
	w.ok("POST", "/api/send-group-message", fmt.Sprintf(`{"group_id":%q,"from_number":%q,"content":"All"}`, guid, line)).into(t, &m)
	if len(m.Participants) != 5 || m.MessageType != "group" {
		t.Errorf("%+v", m)
	}
	other := w.newPair(w.newAccount("team_b", 0), "*")
	w.call("GET", "/api/v2/groups/"+guid, other, "").expect(t, http.StatusNotFound, 0, "not_found", "")
}
