package cloud_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// A row of ours may say at first that somebody else wrote it. What was told as received is
// taken back then; the send has its row, and what becomes of that.
func TestRowOfASendToldAsSomebodys(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
	m.report(received("guid", secretText))
	m.report(wire.Report{Kind: wire.Tapped, GUID: "tap", Tapback: &wire.Tapback{Target: "guid", From: somebody, Kind: "love"}})
	told := w.inbox()
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1})
	// A claim of the relay is no row.
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1, GUID: "guid"})
	if got := w.inbox(); got.ID != told.ID {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "guid"})
	if got := w.message(id); got.Status != wire.StatusSent || got.AppleGUID != "guid" || got.ErrorCode != "" {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: id, Attempt: 1, GUID: "guid"})
	m.report(wire.Report{Kind: wire.Read, Message: id, Attempt: 1, GUID: "guid"})
	m.report(wire.Report{Kind: wire.Edited, Message: id, GUID: "guid", Change: &wire.Change{Version: 1, Text: "better"}})
	m.report(received("guid", secretText)) // by a journal that begins anew
	if got := w.message(id); got.Status != wire.StatusRead || got.Content != "better" {
		t.Errorf("%+v", got)
	}
	list, total, err := w.service.Page(t.Context(), w.who, store.MessageFilter{Direction: store.Inbound, Limit: 10})
	if err != nil || len(list) != 0 || total != 0 {
		t.Errorf("%d of %d came in, %v", len(list), total, err)
	}
	if _, err := w.service.Message(t.Context(), w.who, told.ID); err == nil {
		t.Error("it is shown")
	}
	want := []string{"message.received", "message.tapback", "message.unknown", "message.updated", "message.sent", "message.delivered", "message.read", "message.updated"}
	if got := w.events(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := w.details(); !slices.Equal(got, []string{"message.updated replaced", "message.updated edited"}) {
		t.Errorf("%q", got)
	}
	if got := w.column("SELECT belongs_to FROM messages WHERE belongs_to <> '' AND hidden_at = 0"); !slices.Equal(got, []string{id}) {
		t.Errorf("the tapback is on %q", got)
	}
}

// So may the row of the file that goes before a text. It is taken back when the Mac says
// whose it is, and that is no news of the message itself.
func TestRowOfAFileToldAsSomebodys(t *testing.T) {
	for _, state := range []wire.Status{wire.StatusSending, wire.StatusUnknown} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t, nil)
			m := w.connect(w.paired(w.line), hello("ins_a", 0))
			id := w.send(somebody)
			m.order()
			m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
			m.report(received("file", ""))
			told := w.inbox()
			if state == wire.StatusUnknown {
				m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1})
			}
			own := wire.Report{Kind: wire.Sending, Message: id, Attempt: 1, Rows: []string{"file"}}
			for _, r := range []wire.Report{own, own, received("file", "")} {
				m.report(r)
			}
			if got := w.message(id); got.Status != state || got.AppleGUID != "" {
				t.Errorf("%+v", got)
			}
			if _, err := w.service.Message(t.Context(), w.who, told.ID); err == nil {
				t.Error("it is shown")
			}
			if got := w.details(); !slices.Equal(got, []string{"message.updated replaced"}) {
				t.Errorf("%q", got)
			}
			m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "text", Rows: []string{"file"}})
			if got := w.message(id); got.Status != wire.StatusSent || got.AppleGUID != "text" {
				t.Errorf("%+v", got)
			}
			if got := w.column("SELECT apple_guid FROM messages WHERE direction = 'inbound' AND hidden_at = 0"); len(got) > 0 {
				t.Errorf("%q came in", got)
			}
		})
	}
}

// What the owner wrote and was told as somebody's becomes his, with its files; who was not
// told yet hears of one message only.
func TestRowOfTheOwnerToldAsSomebodys(t *testing.T) {
	for name, whole := range map[string]bool{"told": true, "held back": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, long)
			secret := w.paired(w.line)
			m := w.connect(secret, hello("ins_a", 0))
			files := []wire.Media{{ID: "at_1", Name: "a.jpg", MIME: "image/jpeg"}, {ID: "at_2", Name: "b.jpg", MIME: "image/jpeg"}}
			m.announces("guid", files...)
			put := func(id string) {
				t.Helper()
				if status := w.put(newFile(secret, "guid", id, picture), 0); status != http.StatusCreated {
					t.Fatal(status)
				}
			}
			put("at_1")
			if whole {
				put("at_2")
			}
			m.report(wire.Report{Kind: wire.Typed, GUID: "guid", Inbound: &wire.Inbound{GUID: "guid", From: somebody, Text: secretText, Status: wire.StatusSent, Media: files}})
			if !whole {
				put("at_2")
			}
			one := w.byGUID("guid")
			if one.Direction != store.Outbound || one.Origin != store.OriginDevice || one.Status != wire.StatusSent || one.To != somebody || len(one.MediaURLs) != 2 {
				t.Errorf("%+v", one)
			}
			list, total, err := w.service.Page(t.Context(), w.who, store.MessageFilter{Limit: 10, Asides: true})
			if err != nil || len(list) != 1 || total != 1 || list[0].ID != one.ID {
				t.Errorf("%d of %d, %v", len(list), total, err)
			}
			want := []string{"message.sent", "message.updated"}
			if whole {
				want = []string{"message.received", "message.updated", "message.sent"}
			}
			if got := w.events(); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// Nobody has opted out, or in again, by words that the line itself wrote; what he said
// himself since stays.
func TestWordsOfConsentThatWereOurs(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	own := func(guid, text string) {
		m.report(wire.Report{Kind: wire.Typed, GUID: guid, Inbound: &wire.Inbound{GUID: guid, From: somebody, Text: text, Status: wire.StatusSent}})
	}
	m.report(received("g1", "STOP"))
	own("g1", "STOP")
	if w.optedOut(somebody) {
		t.Error("the owner's own STOP counts")
	}
	m.report(received("g2", "STOP"))
	m.report(received("g3", "START"))
	own("g3", "START")
	w.refuses(somebody)
	m.report(received("g4", "START"))
	own("g2", "STOP")
	if w.optedOut(somebody) {
		t.Error("what was said since is lost")
	}
}

// The body of the event says what took its place.
func TestReplacedIsTold(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, rendering(func(e store.Event, m store.Message) (string, error) {
		return e.Type + " " + e.Detail + " " + m.AppleGUID + " by " + m.ReplacedBy, nil
	}, "message.updated"))
	w.hook(url, "message.updated")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(received("guid", secretText))
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "guid"})
	if p := next(t, got); p.body != "message.updated replaced guid by "+id {
		t.Errorf("%q", p.body)
	}
}

// A tapback that was told as somebody's is told to be gone, and is the owner's.
func TestTapbackOfTheOwnerToldAsSomebodys(t *testing.T) {
	url, got := receiver(t, nil)
	w := newWorld(t, rendering(func(e store.Event, m store.Message) (string, error) {
		if e.Tapback == nil {
			return e.Type + " " + m.ReplacedBy, nil
		}
		return fmt.Sprint(e.Tapback.From, " ", e.Tapback.Kind, " ", e.Tapback.Removed), nil
	}, "message.tapback"))
	w.hook(url, "message.tapback")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.report(received("guid", "hello"))
	tap := func(guid string, own, removed bool) {
		t.Helper()
		m.report(wire.Report{Kind: wire.Tapped, GUID: guid, Tapback: &wire.Tapback{Target: "guid", From: somebody, Kind: "love", Own: own, Removed: removed}})
	}
	tap("t1", false, false)
	tap("t1", true, false)
	tap("t1", true, false)
	tap("t1", false, false)
	tap("t2", false, true)
	tap("t2", true, true)
	for _, want := range []string{" love false", " love true", " love true"} {
		if p := next(t, got); p.body != somebody+want {
			t.Errorf("%q, want %q", p.body, want)
		}
	}
	if n := w.column("SELECT apple_guid || ' ' || origin || ' ' || from_addr FROM tapbacks ORDER BY apple_guid"); !slices.Equal(n, []string{"t1 device " + w.line.PhoneNumber, "t2 device " + w.line.PhoneNumber}) {
		t.Errorf("%q", n)
	}
	shown := w.column("SELECT direction || ' ' || content FROM messages WHERE belongs_to <> '' AND hidden_at = 0 ORDER BY seq")
	if want := []string{"outbound Loved “hello”", "outbound Removed a heart from “hello”"}; !slices.Equal(shown, want) {
		t.Errorf("%q", shown)
	}
}
