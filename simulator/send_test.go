package simulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/simulator"
)

// fast is as quick as a loaded machine can still follow.
var fast = simulator.Options{Speed: 20}

func TestOrdinarySend(t *testing.T) {
	b := start(t, fast)
	before := time.Now()
	text := "Grüße 👨‍👩‍👧\nzweite Zeile – “quoted”, it’s -x"
	b.send(t, "+14155550123", text)
	r := b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered })
	sent := time.Unix(978307200, r.date)
	switch {
	case r.text != text || r.plain.Valid:
		t.Errorf("text %q, plain %v", r.text, r.plain)
	case !r.fromMe, !r.sent, !r.finished, r.read, r.code != 0, r.chats != 1:
		t.Errorf("row %+v", r)
	case r.service != "iMessage", r.caller != simulator.DefaultNumber, r.account != "P:"+simulator.DefaultNumber:
		t.Errorf("row %+v", r)
	case r.chat.String != "any;-;+14155550123":
		t.Errorf("chat %q", r.chat.String)
	case sent.Before(before) || sent.After(time.Now()):
		t.Errorf("date %v is not now", sent)
	case r.dateDelivered <= r.date, r.dateRead != 0:
		t.Errorf("dates %d, delivered %d, read %d", r.date, r.dateDelivered, r.dateRead)
	}
	var style, services int
	var identifier, service string
	err := b.db.QueryRow(`SELECT style, chat_identifier, service_name, (SELECT count(*) FROM chat_service WHERE chat = chat.ROWID)
		FROM chat`).Scan(&style, &identifier, &service, &services)
	if err != nil || style != 45 || identifier != "+14155550123" || service != "iMessage" || services != 1 {
		t.Errorf("chat: style %d, identifier %q, service %q of %d, %v", style, identifier, service, services, err)
	}
	var participants int
	if err := b.db.QueryRow("SELECT count(*) FROM chat_handle_join").Scan(&participants); err != nil || participants != 1 {
		t.Errorf("%d participants, %v", participants, err)
	}
	sum := sha256.Sum256([]byte(text))
	effects := b.effects(t)
	if len(effects) != 1 || effects[0].RowID != r.id || effects[0].GUID != r.guid ||
		effects[0].Recipient != "+14155550123" || effects[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("effects %+v", effects)
	}
}

// A reader can find the row before its chat, and before it is sent. On a busy
// machine it may come too late for that, so it has several tries.
func TestRowComesBeforeJoin(t *testing.T) {
	b := start(t, simulator.Options{Speed: 0.2})
	for try := range 20 {
		to := fmt.Sprintf("+141555502%02d", try)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := runScript(t.Context(), b.Osascript(), testScript,
				"-l", "AppleScript", "-", "send-text", "iMessage", "participant", to, "x")
			if err != nil {
				t.Error(err)
			}
		})
		r := b.await(t, "row", to, func(row) bool { return true })
		seen := r.chats == 0 && !r.sent && !r.finished && !r.delivered && r.cacheAttachments == 0
		joined := b.await(t, "join", to, func(r row) bool { return r.chats == 1 })
		wg.Wait()
		if seen && !joined.sent {
			b.await(t, "sent", to, func(r row) bool { return r.sent && r.finished })
			return
		}
	}
	t.Error("no row was seen without its chat")
}

func TestOutcomes(t *testing.T) {
	b := start(t, simulator.Options{Speed: 10})
	sent := func(r row) bool { return r.sent && r.finished && r.code == 0 && r.chats == 1 }
	for _, tt := range []struct {
		name, to string
		service  string // of the row; empty means iMessage
		ask      string // of the call; empty means iMessage
		is       func(row) bool
	}{
		{name: "not on iMessage", to: "+15005550001",
			is: func(r row) bool { return r.code == 22 && r.finished && !r.sent && r.chats == 1 }},
		{name: "not on iMessage, by SMS", to: "+15005550001", ask: "SMS", service: "SMS", is: sent},
		{name: "never delivered", to: "+15005550002", is: sent},
		{name: "read", to: "+15005550003",
			is: func(r row) bool { return r.delivered && r.read && r.dateRead > r.dateDelivered }},
		{name: "late", to: "+15005550005", is: func(r row) bool { return sent(r) && r.delivered }},
		{name: "green", to: "+15005550008", service: "SMS", is: sent},
		{name: "recovers", to: "+15005550009", is: func(r row) bool { return sent(r) && r.delivered }},
		{name: "SMS", to: "+14155550130", ask: "SMS", service: "SMS", is: sent},
		{name: "RCS", to: "+14155550131", ask: "RCS", service: "RCS", is: func(r row) bool { return sent(r) && r.delivered }},
		{name: "mail address", to: "Some.One@Example.org", is: func(r row) bool { return sent(r) && r.delivered }},
		{name: "plus forgotten", to: "14155550123", is: func(r row) bool { return r.code == 22 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ask, service := tt.ask, tt.service
			if ask == "" {
				ask = "iMessage"
			}
			if service == "" {
				service = "iMessage"
			}
			before := time.Now()
			if r := b.osascript(t, "send-text", ask, "participant", tt.to, "hello"); r.code != 0 || !r.marked() {
				t.Fatalf("osascript: %+v", r)
			}
			handle := strings.ToLower(tt.to)
			r := b.await(t, tt.name, handle, func(r row) bool { return r.service == service && tt.is(r) })
			if tt.name == "recovers" && b.lastFailed(t) != r.id {
				t.Errorf("row %d never failed", r.id)
			}
			if tt.name == "late" && time.Unix(978307200, r.date).Sub(before) < 1200*time.Millisecond {
				t.Errorf("the row came %v after the send", time.Unix(978307200, r.date).Sub(before))
			}
		})
	}
	t.Run("no receipts after all", func(t *testing.T) {
		// Everything above was asked before this: its delivery comes last.
		b.send(t, "+14155550132", "last")
		b.await(t, "delivered", "+14155550132", func(r row) bool { return r.delivered })
		for _, r := range b.rows(t, "h.id = '+15005550002' OR m.service = 'SMS' OR m.error <> 0") {
			if r.delivered || r.dateDelivered != 0 || r.read {
				t.Errorf("receipt on %+v", r)
			}
		}
	})
}

// lastFailed is the row that Messages' own trigger remembers: it has failed,
// whatever it says now.
func (b *box) lastFailed(t *testing.T) (rowid int64) {
	t.Helper()
	err := b.db.QueryRow("SELECT value FROM kvtable WHERE key = 'lastFailedMessageRowID'").Scan(&rowid)
	if err != nil {
		t.Fatal(err)
	}
	return rowid
}

func TestSilentSend(t *testing.T) {
	b := start(t, fast)
	b.send(t, "+15005550004", "nothing comes")
	b.send(t, "+14155550123", "after it")
	b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered })
	if rows := b.rows(t, "TRUE"); len(rows) != 1 || len(b.effects(t)) != 1 {
		t.Errorf("%d rows and %d effects, want 1 of each", len(rows), len(b.effects(t)))
	}
}

func TestDeniedOncePerText(t *testing.T) {
	b := start(t, fast)
	denied := func(text string) bool {
		t.Helper()
		r := b.osascript(t, "send-text", "iMessage", "participant", "+15005550006", text)
		if r.code != 0 && (r.marked() || !strings.Contains(r.stderr, "execution error: Not authorized to send Apple events to Messages. (-1743)\n")) {
			t.Fatalf("osascript: %+v", r)
		}
		return r.code != 0
	}
	if !denied("one") {
		t.Error("the first attempt was not denied")
	}
	if r := b.osascript(t, "probe"); r.code != 0 || r.stdout == "" || r.stderr != "" {
		t.Errorf("probe: %+v", r)
	}
	b.kill(t) // the denial is remembered
	b.start(t, fast)
	if denied("one") {
		t.Error("the second attempt was denied")
	}
	if !denied("two") {
		t.Error("another text was not denied")
	}
	b.await(t, "delivered", "+15005550006", func(r row) bool { return r.delivered && r.text == "one" })
	if n := len(b.effects(t)); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
}

func TestTimesOutAfterDispatch(t *testing.T) {
	b := start(t, fast)
	r := b.osascript(t, "send-text", "iMessage", "participant", "+15005550007", "hangs")
	if r.code != 1 || !r.marked() || !strings.HasSuffix(r.stderr, " execution error: AppleEvent timed out. (-1712)\n") {
		t.Errorf("osascript: %+v", r)
	}
	b.await(t, "delivered", "+15005550007", func(r row) bool { return r.delivered })
	if n := len(b.effects(t)); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
}

func TestRepliesByItself(t *testing.T) {
	b := start(t, fast)
	b.send(t, "+15005550010", "ping ✅")
	r := b.await(t, "reply", "+15005550010", func(r row) bool { return !r.fromMe && r.chats == 1 })
	if r.text != "You said: ping ✅" || !r.delivered || r.dateDelivered != 0 || r.sent || !r.finished {
		t.Errorf("reply %+v", r)
	}
	rows := b.rows(t, "TRUE")
	if len(rows) != 2 || !rows[0].delivered || rows[0].dateDelivered > rows[1].date || rows[0].chat != rows[1].chat {
		t.Errorf("rows %+v", rows)
	}
	if n := len(b.effects(t)); n != 1 {
		t.Errorf("%d effects, want the send's only", n)
	}
}

func TestChatTarget(t *testing.T) {
	b := start(t, fast)
	guid := "any;-;+14155550123"
	r := b.osascript(t, "send-text", "iMessage", "chat", guid, "early")
	if r.code != 1 || r.marked() || !strings.Contains(r.stderr, `Can’t get chat id "any;-;+14155550123". (-1728)`) {
		t.Errorf("unknown chat: %+v", r)
	}
	b.send(t, "+14155550123", "one")
	b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered })
	for _, service := range []string{"any", "iMessage"} {
		if r := b.osascript(t, "send-text", service, "chat", guid, "by "+service); r.code != 0 || !r.marked() {
			t.Errorf("known chat: %+v", r)
		}
		b.await(t, "delivered", "+14155550123", func(r row) bool {
			return r.delivered && r.text == "by "+service && r.chat.String == guid && r.service == "iMessage"
		})
	}
	if r := b.osascript(t, "send-text", "iMessage", "chat", "iMessage;-;+14155550123", "x"); r.code != 1 || r.marked() {
		t.Errorf("made-up guid: %+v", r)
	}
}

func TestLongTexts(t *testing.T) {
	b := start(t, fast)
	for _, text := range []string{strings.Repeat("héllo wörld 🎉 ", 500), strings.Repeat("x", 100000), "-n", `"'\$` + "`\r\n\t\u2028"} {
		b.send(t, "+14155550123", text)
		b.await(t, "row", "+14155550123", func(r row) bool { return r.text == text && r.delivered })
	}
}

func TestSendFile(t *testing.T) {
	b := start(t, fast)
	staged := filepath.Join(b.Attachments(), "bluerelay", "u1", "photo one.jpg")
	elsewhere := filepath.Join(t.TempDir(), "note.caf")
	if err := os.MkdirAll(filepath.Dir(staged), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{staged: "jpeg bytes", elsewhere: "caf"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		to, path, uti, mime, content string
		kept                         bool
	}{
		{"+14155550140", staged, "public.jpeg", "image/jpeg", "jpeg bytes", true},
		{"+14155550141", elsewhere, "com.apple.coreaudio-format", "", "caf", false},
	} {
		if r := b.osascript(t, "send-file", "iMessage", "participant", tt.to, tt.path); r.code != 0 || !r.marked() {
			t.Fatalf("osascript: %+v", r)
		}
		r := b.await(t, "delivered", tt.to, func(r row) bool { return r.delivered })
		if r.text != "\uFFFC" || r.attachments != 1 || r.cacheAttachments != 1 || r.partCount != 1 {
			t.Errorf("row %+v", r)
		}
		var guid, path, uti, mime, name string
		var state, size, outgoing int
		err := b.db.QueryRow(`SELECT guid, filename, uti, coalesce(mime_type, ''), transfer_name, transfer_state, total_bytes, is_outgoing
			FROM attachment WHERE guid = ?`, "at_0_"+r.guid).Scan(&guid, &path, &uti, &mime, &name, &state, &size, &outgoing)
		if err != nil || uti != tt.uti || mime != tt.mime || name != filepath.Base(tt.path) ||
			state != 5 || size != len(tt.content) || outgoing != 1 {
			t.Errorf("attachment %s %s %s state %d size %d, %v", uti, mime, name, state, size, err)
		}
		if (path == tt.path) != tt.kept || !strings.HasPrefix(path, b.Attachments()+"/") {
			t.Errorf("file is at %s", path)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != tt.content {
			t.Errorf("file holds %q, %v", got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	b := start(t, fast)
	missing := filepath.Join(b.dir, "none.jpg")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"any for a participant", []string{"send-text", "any", "participant", "+14155550123", "x"}, "Can’t make any into type constant. (-1700)"},
		{"unknown service", []string{"send-text", "Fax", "participant", "+14155550123", "x"}, "(-2753)"},
		{"business chat", []string{"send-text", "iMessage", "participant", "urn:biz:1", "x"}, "(-1728)"},
		{"missing file", []string{"send-file", "iMessage", "participant", "+14155550123", missing}, "wasn’t found. (-43)"},
		{"unknown verb", []string{"shout", "iMessage", "participant", "+14155550123", "x"}, "(-2700)"},
		{"unknown kind", []string{"send-text", "iMessage", "crowd", "+14155550123", "x"}, "(-2700)"},
		{"argument missing", []string{"send-text", "iMessage", "participant", "+14155550123"}, "(-1719)"},
		{"no argument", nil, "(-1719)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := b.osascript(t, tt.args...)
			if r.code != 1 || r.marked() || !strings.Contains(r.stderr, ": execution error: ") || !strings.HasSuffix(r.stderr, tt.want+"\n") {
				t.Errorf("osascript: %+v", r)
			}
		})
	}
	t.Run("empty script", func(t *testing.T) {
		r := b.script(t, " \n", "-l", "AppleScript", "-", "send-text", "iMessage", "participant", "+14155550123", "x")
		if r.code != 1 || !strings.Contains(r.stderr, "syntax error") || !strings.HasSuffix(r.stderr, "(-2741)\n") {
			t.Errorf("osascript: %+v", r)
		}
	})
	t.Run("other form", func(t *testing.T) {
		if r := b.script(t, testScript, "-e", "beep"); r.code != 1 {
			t.Errorf("osascript: %+v", r)
		}
	})
	t.Run("not running", func(t *testing.T) {
		for _, end := range []func(){
			func() { b.kill(t) },
			func() { b.start(t, fast); b.stop(t) },
		} {
			end()
			for _, args := range [][]string{{"probe"}, {"send-text", "iMessage", "participant", "+14155550123", "x"}} {
				r := b.osascript(t, args...)
				if r.code != 1 || r.marked() || !strings.HasSuffix(r.stderr, "execution error: Application isn’t running. (-600)\n") {
					t.Errorf("%v: %+v", args, r)
				}
			}
		}
	})
	if rows := b.rows(t, "TRUE"); len(rows) != 0 || len(b.effects(t)) != 0 {
		t.Errorf("%d rows after refusals only", len(rows))
	}
}
