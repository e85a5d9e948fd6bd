package simulator_test

import (
	"strings"
	"testing"

	"bluerelay/simulator"
)

func (b *box) trouble(t *testing.T, trouble simulator.Trouble) {
	t.Helper()
	if err := simulator.SetTrouble(t.Context(), b.dir, trouble); err != nil {
		t.Fatal(err)
	}
}

func (b *box) ask(t *testing.T, text string) result {
	t.Helper()
	return b.osascript(t, "send-text", "iMessage", "participant", "+14155550123", text)
}

// lines waits until the effects log has so many.
func (b *box) lines(t *testing.T, n int) []simulator.Effect {
	t.Helper()
	eventually(t, "the effects log is written", func() bool { return len(b.effects(t)) >= n })
	return b.effects(t)
}

// Each trouble by itself, at every send: what osascript hears, what stands in chat.db,
// and what the effects log says of it.
func TestTroubles(t *testing.T) {
	ok, timedOut := "", "AppleEvent timed out. (-1712)"
	for _, tt := range []struct {
		name    string
		trouble simulator.Trouble
		stderr  string // empty for success
		rows    int
		kinds   string // of the log, separated by spaces; - is an ordinary one
		is      func(row) bool
	}{
		{"drop", simulator.Trouble{Drop: 1}, ok, 0, "drop", nil},
		{"late", simulator.Trouble{Late: 1}, ok, 1, "-", func(r row) bool { return r.text == `it's "so"` }},
		{"time-out", simulator.Trouble{TimeOut: 1}, timedOut, 1, "-", func(r row) bool { return r.text == `it's "so"` }},
		{"time-out without a row", simulator.Trouble{TimeOutDrop: 1}, timedOut, 0, "drop", nil},
		{"ghost", simulator.Trouble{Ghost: 1}, ok, 1, "ghost", func(r row) bool { return r.fromMe && r.text == "" && r.chats == 0 && r.service == "SMS" }},
		{"misrouted", simulator.Trouble{Misroute: 1}, ok, 1, "misroute", func(r row) bool { return r.chat.String == "any;-;"+simulator.MisroutedTo }},
		{"duplicate", simulator.Trouble{Duplicate: 1}, ok, 2, "- duplicate", func(r row) bool { return r.text == `it's "so"` }},
		{"altered", simulator.Trouble{Alter: 1}, ok, 1, "-", func(r row) bool { return r.text == "it’s “so”" }},
		{"fails", simulator.Trouble{Fail: 1, FailNumber: 31}, ok, 1, "-", func(r row) bool { return r.code == 31 && !r.sent }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, fast)
			b.trouble(t, tt.trouble)
			r := b.ask(t, `it's "so"`)
			if !r.marked() || (r.code == 0) != (tt.stderr == "") || !strings.Contains(r.stderr, tt.stderr) {
				t.Errorf("osascript: %+v", r)
			}
			var kinds []string
			for _, e := range b.lines(t, len(strings.Fields(tt.kinds))) {
				if e.Recipient != "+14155550123" || e.Sent() == (e.Kind == simulator.EffectDrop || e.Kind == simulator.EffectGhost) {
					t.Errorf("effect %+v", e)
				}
				if e.Kind == simulator.EffectOrdinary {
					e.Kind = "-"
				}
				kinds = append(kinds, string(e.Kind))
			}
			if got := strings.Join(kinds, " "); got != tt.kinds {
				t.Errorf("effects %q, want %q", got, tt.kinds)
			}
			if tt.is != nil {
				eventually(t, "the row is as it should be", func() bool {
					rows := b.rows(t, "TRUE")
					return len(rows) == tt.rows && tt.is(rows[0])
				})
			}
			if rows := b.rows(t, "TRUE"); len(rows) != tt.rows {
				t.Errorf("%d rows, want %d", len(rows), tt.rows)
			}
		})
	}
}

// What is refused before the marker starts nothing; recipients with an outcome of their
// own keep it; a restart changes nothing; no trouble ends it.
func TestTroubleBeforeTheMarker(t *testing.T) {
	b := start(t, fast)
	for number, trouble := range map[string]simulator.Trouble{
		"(-1728)": {NotListed: 1}, "(-1743)": {Denied: 1}, "(-1719)": {Without: []string{"iMessage"}},
	} {
		b.trouble(t, trouble)
		if r := b.ask(t, "x"); r.code != 1 || r.marked() || !strings.HasSuffix(r.stderr, number+"\n") {
			t.Errorf("%s: %+v", number, r)
		}
	}
	b.trouble(t, simulator.Trouble{NotListed: 1, Drop: 1})
	b.kill(t)
	b.start(t, fast)
	if r := b.ask(t, "x"); !strings.HasSuffix(r.stderr, "(-1728)\n") {
		t.Errorf("after a restart: %+v", r)
	}
	b.send(t, "+15005550002", "its own outcome")
	b.await(t, "sent", "+15005550002", func(r row) bool { return r.sent })
	b.trouble(t, simulator.Trouble{})
	b.send(t, "+14155550123", "as ever")
	b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered })
	if effects := b.effects(t); len(effects) != 2 {
		t.Errorf("effects %+v", effects)
	}
	for _, wrong := range []simulator.Trouble{{Drop: -0.1}, {NotListed: 1.1}, {Drop: 0.6, Late: 0.6}} {
		if err := simulator.SetTrouble(t.Context(), b.dir, wrong); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}

// A crash in the middle leaves each line once.
func TestTroubleIsLoggedOnceThroughCrashes(t *testing.T) {
	b := start(t, fast)
	for range 3 {
		for _, trouble := range []simulator.Trouble{{Drop: 1}, {Ghost: 1}} {
			b.trouble(t, trouble)
			for range 3 {
				b.ask(t, "x")
			}
		}
		b.kill(t)
		b.start(t, fast)
	}
	seen := make(map[string]bool)
	for _, e := range b.lines(t, 18) {
		if seen[e.GUID] {
			t.Errorf("%s is there twice", e.GUID)
		}
		seen[e.GUID] = true
	}
	if len(seen) != 18 {
		t.Errorf("%d lines, want 18", len(seen))
	}
}

func TestGroup(t *testing.T) {
	b := start(t, fast)
	guid, err := simulator.Group(t.Context(), b.dir, "Friends", "iMessage", "+14155550123", "Ann@Example.org")
	if err != nil || !strings.HasPrefix(guid, "any;+;chat") {
		t.Fatal(guid, err)
	}
	if r := b.osascript(t, "send-text", "any", "chat", guid, "to all"); r.code != 0 || !r.marked() {
		t.Fatalf("osascript: %+v", r)
	}
	eventually(t, "the group has its message", func() bool {
		rows := b.rows(t, "TRUE")
		return len(rows) == 1 && rows[0].chat.String == guid && rows[0].sent && !rows[0].delivered
	})
	if e := b.effects(t); len(e) != 1 || e[0].Recipient != guid {
		t.Errorf("effects %+v", e)
	}
	if _, err := simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "ann@example.org", Text: "hi all", Group: guid}); err != nil {
		t.Fatal(err)
	}
	r := b.await(t, "the answer", "ann@example.org", func(r row) bool { return r.chats == 1 })
	if r.chat.String != guid || r.fromMe {
		t.Errorf("row %+v", r)
	}
	var people int
	var name, room string
	err = b.db.QueryRow(`SELECT (SELECT count(*) FROM chat_handle_join WHERE chat_id = c.ROWID), display_name,
		(SELECT cache_roomnames FROM message LIMIT 1) FROM chat c WHERE guid = ?`, guid).Scan(&people, &name, &room)
	if err != nil || people != 2 || name != "Friends" || "any;+;"+room != guid {
		t.Errorf("%d people, %q, %q, %v", people, name, room, err)
	}
	for _, wrong := range []func() (string, error){
		func() (string, error) {
			return simulator.Group(t.Context(), b.dir, "", "iMessage", "+14155550123")
		},
		func() (string, error) {
			return simulator.Group(t.Context(), b.dir, "", "Fax", "+14155550123", "+14155550124")
		},
		func() (string, error) {
			return simulator.Group(t.Context(), b.dir, "", "SMS", "+14155550123", "no;body")
		},
		func() (string, error) {
			return simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "+14155550123", Text: "x", Group: "any;+;chat0"})
		},
		func() (string, error) {
			return simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "+14155550123", Text: "x", Group: "any;-;+14155550123"})
		},
	} {
		if guid, err := wrong(); err == nil {
			t.Errorf("%s was made of nonsense", guid)
		}
	}
}

// What Messages' own conversation by SMS or RCS goes by, an answer in it does too; so
// does a mail address.
func TestConversationsOfOtherServices(t *testing.T) {
	b := start(t, fast)
	for i, service := range []string{"SMS", "RCS", "iMessage"} {
		from := []string{"+14155550150", "+14155550151", "ann@example.org"}[i]
		if _, err := simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: from, Text: "hi", Service: service}); err != nil {
			t.Fatal(err)
		}
		b.await(t, "inbound", from, func(r row) bool { return r.chats == 1 })
		if r := b.osascript(t, "send-text", "any", "chat", "any;-;"+from, "answer"); r.code != 0 {
			t.Fatalf("osascript: %+v", r)
		}
		b.await(t, "answer", from, func(r row) bool { return r.fromMe && r.sent && r.service == service })
	}
}
