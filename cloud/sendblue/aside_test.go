package sendblue_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// sendFile sends a file of a message as its Mac does.
func (w *world) sendFile(secret, message, id string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.server.URL+"/relay/v1/media/"+id+"?name="+id+".png&mime=image/png&message="+message, strings.NewReader(id))
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(id))
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set(wire.HeaderOffset, "0")
	req.Header.Set(wire.HeaderLength, strconv.Itoa(len(id)))
	req.Header.Set(wire.HeaderDigest, "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		w.t.Fatal(resp.Status)
	}
}

// Of several files each is a message here, with the text on the first, and a tapback is
// one too; the other public API has one message with all files, and a tapback of it.
func TestEveryFileAndTapbackIsAMessage(t *testing.T) {
	w := newWorld(t, nil)
	_, key, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	url, got := receiver(t)
	w.ok("POST", "/api/account/webhooks", fmt.Sprintf(`{"webhooks":[%q]}`, url))
	secret := w.paired(w.line)
	mac := w.connect(secret, "a")
	mac.report(wire.Report{Kind: wire.Received, GUID: "G", Inbound: &wire.Inbound{
		GUID: "G", From: somebody, Chat: "any;-;" + somebody, Text: "Look", Service: "iMessage", Media: []wire.Media{{ID: "one"}, {ID: "two"}, {ID: "three"}},
	}})
	for _, id := range []string{"three", "one", "two"} {
		w.sendFile(secret, "G", id)
	}
	mac.report(wire.Report{Kind: wire.Tapped, GUID: "T", Tapback: &wire.Tapback{Target: "G", From: somebody, Kind: "love"}})
	mac.report(wire.Report{Kind: wire.Tapped, GUID: "U", Tapback: &wire.Tapback{Target: "G", Kind: "like", Own: true}})
	want := []struct{ content, file string }{{"Look", "one.png"}, {"", "two.png"}, {"", "three.png"}, {"Loved “Look”", ""}}
	handles := make([]string, len(want))
	for range want { // posts may overtake each other
		p := next(t, got)
		var m message
		if err := json.Unmarshal([]byte(p.body), &m); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(want, func(one struct{ content, file string }) bool {
			return m.Content == one.content && m.MediaURL[strings.LastIndexByte(m.MediaURL, '/')+1:] == one.file
		})
		if i < 0 || handles[i] != "" || m.Status != "RECEIVED" || m.IsOutbound || m.Number != somebody || m.MessageType != "message" {
			t.Fatalf("%s", p.body)
		}
		if again := w.get(m.Handle); again.Handle != m.Handle || again.Content != m.Content || again.MediaURL != m.MediaURL {
			t.Errorf("%d: %+v, listed %+v", i, m, again)
		}
		handles[i] = m.Handle
	}
	// Pages of one and of all, their totals, and what is filtered.
	list := func(query string) (l page) {
		t.Helper()
		w.ok("GET", "/api/v2/messages?order_direction=asc&"+query, "").into(t, &l)
		return l
	}
	for query, total := range map[string]int{"": 5, "is_outbound=false": 4, "status=RECEIVED&service=iMessage": 4, "number=%2B19998887777": 5, "q=look": 3, "status=SENT": 1, "message_type=group": 0} {
		if l := list(query); *l.Pagination.Total != total || len(l.Data) != total {
			t.Errorf("%s: %d, %d in all", query, len(l.Data), *l.Pagination.Total)
		}
	}
	for i, handle := range handles {
		l := list(fmt.Sprintf("limit=1&offset=%d", i))
		if len(l.Data) != 1 || l.Data[0].Handle != handle || *l.Pagination.Total != 5 || !*l.Pagination.HasMore {
			t.Errorf("%d: %+v", i, l)
		}
	}
	if own := list("offset=4").Data[0]; own.Content != "Liked “Look”" || !own.IsOutbound || own.Status != "SENT" || own.FromNumber != line || own.ToNumber != somebody {
		t.Errorf("%+v", own)
	}

	var blues struct {
		Messages []struct {
			blue
			MediaURLs []string `json:"media_urls"`
		}
	}
	w.blueCall("GET", "/v1/messages", key, "", &blues)
	if len(blues.Messages) != 1 || len(blues.Messages[0].MediaURLs) != 3 || cloud.Handle(blues.Messages[0].ID) != handles[0] {
		t.Errorf("%+v", blues)
	}
	for _, path := range []string{"", "/timeline"} {
		if status := w.blueCall("GET", "/v1/messages/"+cloud.MessageOf(handles[1])+path, key, "", nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	var feed struct {
		Events  []struct{ Type string }
		HasMore bool `json:"has_more"`
		Cursor  string
	}
	var types []string
	for after := ""; ; after = feed.Cursor {
		feed.Events = nil
		w.blueCall("GET", "/v1/events?limit=1&after="+after, key, "", &feed)
		for _, e := range feed.Events {
			types = append(types, e.Type)
		}
		if !feed.HasMore {
			break
		}
	}
	if got := strings.Join(types, " "); got != "relay.online message.received message.tapback message.tapback" {
		t.Errorf("%s", got)
	}

	// Each goes alone.
	w.ok("DELETE", "/api/message/"+handles[1], "")
	w.call("DELETE", "/api/message/"+handles[1], w.pair, "").expect(t, http.StatusNotFound, 0, "not_found", "")
	w.ok("DELETE", "/api/message/"+handles[0], "")
	if l := list(""); *l.Pagination.Total != 3 || l.Data[0].Handle != handles[2] {
		t.Errorf("%+v", l)
	}
}
