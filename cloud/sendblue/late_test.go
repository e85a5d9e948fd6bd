package sendblue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// posts are the messages that webhooks are told, in the order of their events: each as
// its text, its file and its group.
func (w *world) posts() []string {
	w.t.Helper()
	var list []string
	for _, body := range storetest.Rows(w.t, w.dsn, "SELECT d.body FROM deliveries AS d JOIN events AS e ON e.id = d.event_id ORDER BY e.seq") {
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil || m.Status != "RECEIVED" {
			w.t.Fatalf("%s: %v", body, err)
		}
		list = append(list, fmt.Sprintf("%s|%s|%s", m.Content, m.MediaURL[strings.LastIndexByte(m.MediaURL, '/')+1:], m.GroupID))
	}
	return list
}

// What of a message comes after it was posted is posted again, by its handle and nothing
// else: a file, its text, the group that it is in. What says nothing new is not.
func TestWhatComesLateIsPostedAgain(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.MediaWait = time.Millisecond })
	url, got := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q]}`, url))
	secret := w.paired(w.line)
	mac := w.connect(secret, "a")
	join := func(guid, text, chat string) {
		group := strings.Contains(chat, ";+;")
		mac.report(wire.Report{Kind: wire.Joined, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Chat: chat, Group: group, Text: text, Service: "iMessage"}})
	}
	mac.report(wire.Report{Kind: wire.Received, GUID: "G", Inbound: &wire.Inbound{
		GUID: "G", From: somebody, Chat: "any;-;" + somebody, Service: "iMessage", Media: []wire.Media{{ID: "one"}, {ID: "two"}},
	}})
	var first, second message // posts may overtake each other
	for _, m := range []*message{&first, &second} {
		if err := json.Unmarshal([]byte(next(t, got).body), m); err != nil || m.MediaURL != "" {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	w.sendFile(secret, "G", "one")
	var again message
	if err := json.Unmarshal([]byte(next(t, got).body), &again); err != nil || again.Handle != first.Handle && again.Handle != second.Handle || w.get(again.Handle).MediaURL != again.MediaURL {
		t.Errorf("%+v, %v", again, err)
	}
	w.sendFile(secret, "G", "two")
	join("G", "Look", "any;-;"+somebody)
	mac.report(wire.Report{Kind: wire.Received, GUID: "H", Inbound: &wire.Inbound{GUID: "H", From: somebody, Text: "Hi", Service: "iMessage"}})
	join("H", "Hi", "any;+;chat42")
	mac.report(wire.Report{Kind: wire.Received, GUID: "I", Inbound: &wire.Inbound{GUID: "I", From: somebody, Text: "Ho", Service: "iMessage"}})
	join("I", "Ho", "any;-;"+somebody) // nothing of it is seen here
	mac.report(wire.Report{Kind: wire.Edited, GUID: "I", Change: &wire.Change{Version: 1, At: 5, Text: "Ho!"}})
	want := []string{"||", "||", "|one.png|", "|two.png|", "Look|one.png|", "Hi||", "Hi||any;+;chat42", "Ho||"}
	if posts := w.posts(); !slices.Equal(posts, want) {
		t.Errorf("%q", posts)
	}
}

// A message that waits for its files and gets its text is told once, as it is then.
func TestWhatComesInTimeIsPostedOnce(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.MediaWait = time.Hour })
	url, _ := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q]}`, url))
	mac := w.connect(w.paired(w.line), "a")
	in := wire.Inbound{GUID: "G", From: somebody, Chat: "any;-;" + somebody, Service: "iMessage", Media: []wire.Media{{ID: "one"}}}
	mac.report(wire.Report{Kind: wire.Received, GUID: "G", Inbound: &in})
	in.Text = "Look"
	mac.report(wire.Report{Kind: wire.Joined, GUID: "G", Inbound: &in})
	if posts := w.posts(); !slices.Equal(posts, []string{"Look||"}) {
		t.Errorf("%q", posts)
	}
}
