package cloud_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// log is the account's log of messages and of what stands beside them, as events and
// the places of their files.
func (w *world) log() []string {
	w.t.Helper()
	return w.column(`SELECT e.type || CASE WHEN m.belongs_to = '' THEN '' ELSE ' ' || m.place || ' ' || m.content END FROM events AS e JOIN messages AS m ON m.id = e.message_id
		WHERE e.type LIKE 'message.%' ORDER BY e.account_id, e.seq`)
}

// Each further file is told as a message of its own, after the message and in order;
// one that comes later than that as a change; one that was never announced as another.
func TestFurtherFilesAreAsides(t *testing.T) {
	w := newWorld(t, long)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	m.announces("G1", wire.Media{ID: "A1"}, wire.Media{ID: "A2"}, wire.Media{ID: "A3"})
	put := func(id, variant string) {
		t.Helper()
		f := newFile(secret, "G1", id, []byte(id+variant))
		f.variant = variant
		if status := w.put(f, 0); status != http.StatusCreated {
			t.Fatal(status)
		}
	}
	put("A3", "")
	put("A1", "")
	w.sql("UPDATE held_events SET due_at = 1") // the second keeps everybody waiting
	told := []string{"message.received", "message.received 2 ", "message.received 3 "}
	eventually(t, "the events", func() bool { return slices.Equal(w.log(), told) })
	put("A2", wire.VariantJPEG)
	put("A2", "")
	told = append(told, "message.updated", "message.updated 2 ")
	if got := w.log(); !slices.Equal(got, told) {
		t.Errorf("%q", got)
	}
	put("A4", "")
	told = append(told, "message.updated", "message.received 4 ")
	if got := w.log(); !slices.Equal(got, told) {
		t.Errorf("%q", got)
	}
	one := w.inbox()
	if len(one.MediaURLs) != 5 || len(one.OwnMedia()) != 1 || one.OwnMedia()[0] != one.MediaURL {
		t.Errorf("%q, %q", one.MediaURLs, one.OwnMedia())
	}
	list, total, err := w.service.Page(t.Context(), w.who, store.MessageFilter{Limit: 10, Ascending: true, Asides: true})
	if err != nil || total != 4 || len(list) != 4 || !slices.Equal(list[1].MediaURLs, one.MediaURLs[1:3]) || list[3].MediaURL != one.MediaURLs[4] || list[0].ID != one.ID {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := w.service.Message(t.Context(), w.who, list[1].ID); err == nil {
		t.Error("an aside is a message")
	}
	// The conversation is a group's, as it turns out.
	m.report(wire.Report{Kind: wire.Joined, GUID: "G1", Inbound: &wire.Inbound{GUID: "G1", From: somebody, Chat: "any;+;chat7", Group: true}})
	if got := w.column("SELECT DISTINCT peer || ' ' || chat_guid FROM messages"); !slices.Equal(got, []string{"any;+;chat7 any;+;chat7"}) {
		t.Errorf("%q", got)
	}
	if got := w.log()[len(told):]; !slices.Equal(got, []string{"message.updated", "message.updated 2 ", "message.updated 3 ", "message.updated 4 "}) {
		t.Errorf("%q", got)
	}
}

// A tapback is told in words too, wherever its message is known.
func TestTapbacksInWords(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_1", 0))
	m.report(received("words", "See you"))
	m.report(wire.Report{Kind: wire.Received, GUID: "file", Inbound: &wire.Inbound{GUID: "file", From: somebody, Chat: "any;+;chat1", Group: true, Media: []wire.Media{{ID: "A", MIME: "image/png"}}}})
	m.report(wire.Report{Kind: wire.Received, GUID: "nothing", Inbound: &wire.Inbound{GUID: "nothing", From: somebody}})
	n := 0
	tap := func(target, kind, emoji string, removed, own bool) {
		t.Helper()
		n++
		r := wire.Report{Kind: wire.Tapped, GUID: string(rune('a' + n)), Tapback: &wire.Tapback{Target: target, From: somebody, Kind: kind, Emoji: emoji, Removed: removed, Own: own}, At: int64(n)}
		m.report(r)
		m.report(r)
	}
	tap("words", "love", "", false, false)
	tap("words", "love", "", true, false)
	tap("words", "emoji", "🎉", false, true)
	tap("file", "laugh", "", false, false)
	tap("file", "emoji", "🎉", true, true)
	tap("nothing", "question", "", false, false)
	tap("nobody's", "like", "", false, false)
	got := w.column(`SELECT direction || ' ' || status || ' ' || origin || ' ' || CASE peer WHEN from_addr THEN 'from' WHEN to_addr THEN 'to' ELSE peer END || ' ' || content || ' ' || sent_at
		FROM messages WHERE belongs_to <> '' ORDER BY seq`)
	want := []string{
		"inbound received  from Loved “See you” 1", "inbound received  from Removed a heart from “See you” 2", "outbound sent device to Reacted 🎉 to “See you” 3",
		"inbound received  any;+;chat1 Laughed at an image 4", "outbound sent device to Removed 🎉 from an image 5", "inbound received  from Questioned a message 6",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if n, err := w.store.SentInMonth(t.Context(), w.who.Account.ID, time.Now().UnixMilli()); err != nil || n != 0 {
		t.Errorf("%d count against the plan, %v", n, err)
	}
}
