package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bluerelay/wire"
)

// archive is a Mac that may import, and the cloud that it imports to.
type archive struct {
	*story
	dir    string
	server *httptest.Server

	mu     sync.Mutex
	parts  []wire.History
	known  map[string]bool
	answer func(part int) int // a status that is no success, or 0
}

func newArchive(t testing.TB) *archive {
	a := &archive{story: &story{messages: newMessages(t)}, dir: t.TempDir(), known: make(map[string]bool)}
	a.j = reopen(t, a.dir)
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	a.pair(ScopeAll)
	return a
}

// pair writes the credential.
func (a *archive) pair(scope Scope, allow ...string) {
	a.t.Helper()
	c := Credential{Server: a.server.URL, RelayID: "rel_1", Secret: "rly_secret", Line: ownNumber, Scope: scope, Allow: allow}
	if err := c.save(a.dir); err != nil {
		a.t.Fatal(err)
	}
}

// read makes everything until now older than the daemon's cursor.
func (a *archive) read() { a.t.Helper(); a.o = a.look(a.j, Credential{Scope: ScopeAll}) }

func (a *archive) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	data, err := io.ReadAll(r.Body)
	var h wire.History
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil || r.URL.Path != "/relay/v1/history" || r.Header.Get("Authorization") != "Bearer rly_secret" || len(data) > wire.MaxHistoryBytes || len(h.Messages) > wire.MaxHistory {
		a.t.Errorf("a request that no cloud takes: %s, %d bytes, %d messages, %v", r.URL, len(data), len(h.Messages), err)
	}
	a.parts = append(a.parts, h)
	if a.answer != nil {
		if status := a.answer(len(a.parts)); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var answer wire.HistoryAnswer
	for _, m := range h.Messages {
		if !a.known[m.GUID] {
			answer.New++
		}
		a.known[m.GUID] = true
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// past are all messages that came, by guid.
func (a *archive) past() map[string]wire.Past {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]wire.Past)
	for _, h := range a.parts {
		for _, m := range h.Messages {
			all[m.GUID] = m
		}
	}
	return all
}

func (a *archive) run(since time.Time) (Imported, error) {
	a.t.Helper()
	return Import{StateDir: a.dir, ChatDB: a.path, Since: since, Retry: time.Millisecond}.Run(a.t.Context())
}

// brings imports and compares the counts and what came.
func (a *archive) brings(since time.Time, want Imported, guids ...string) {
	a.t.Helper()
	a.parts = nil
	got, err := a.run(since)
	if err != nil {
		a.t.Fatal(err)
	}
	want.Done = got.Done
	if got != want || got.Done != 1 && len(a.parts) > 0 {
		a.t.Errorf("got %+v, want %+v", got, want)
	}
	var came []string
	for guid := range a.past() {
		came = append(came, guid)
	}
	slices.Sort(came)
	if !slices.Equal(came, guids) {
		a.t.Errorf("%q came, want %q", came, guids)
	}
}

// What the rows say arrives, and nothing else.
func TestImport(t *testing.T) {
	a := newArchive(t)
	at := func(minutes int) any { return apple(noon.Add(time.Duration(minutes) * time.Minute)) }
	const room = "any;+;chat123456789"
	a.message("A-OLD", "too old", columns{"date": at(-1)})
	a.message("B-IN", "in", columns{"date": at(1)})
	a.message("C-SENT", "sent", columns{"date": at(2), "is_from_me": 1, "is_sent": 1})
	a.message("D-READ", "read", columns{"date": at(3), "is_from_me": 1, "is_sent": 1, "is_delivered": 1, "date_delivered": at(4), "is_read": 1, "date_read": at(5)})
	a.message("E-FAILED", "failed", columns{"date": at(6), "is_from_me": 1, "error": 22})
	a.message("F-NEVER", "never left", columns{"date": at(7), "is_from_me": 1})
	a.row("G-GROUP", columns{"text": "to all", "date": at(8), "handle": "", "is_from_me": 1, "is_sent": 1})
	a.join("G-GROUP", room)
	a.row("H-GROUP", columns{"text": "from one", "date": at(9), "thread_originator_guid": "G-GROUP", "thread_originator_part": "0:0:6"})
	a.join("H-GROUP", room)
	a.message("I-TAPBACK", "Loved “in”", columns{"date": at(10), "associated_message_type": 2000, "associated_message_guid": "p:0/B-IN"})
	a.message("J-RENAMED", "", columns{"date": at(11), "item_type": 2, "group_title": "x"})
	a.message("K-LINK", "see https://example.com/x", columns{"date": at(12)})
	a.message("L-PREVIEW", "https://example.com/x", columns{"date": at(12), "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	a.message("L-SHORTER", "https://example.com/", columns{"date": at(12), "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	a.message("M-ALONE", "https://example.com/y", columns{"date": at(13), "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
	a.row("N-TRASH", columns{"text": "thrown away", "date": at(14)})
	a.exec("INSERT INTO chat_recoverable_message_join (chat_id, message_id, delete_date) SELECT 1, ROWID, 1 FROM message WHERE guid = 'N-TRASH'")
	a.message("O-JUNK", "junk", columns{"date": at(15), "is_spam": 1})
	a.row("P-ALONE", columns{"text": "without a chat", "date": at(16)})
	a.row("Q-NOBODY", columns{"text": "nobody's", "date": at(17), "handle": ""})
	a.message("R-NODATE", "never", columns{"date": 0})
	a.message("S-DAMAGED", "", columns{"date": at(18), "attributedBody": []byte("\x04\x0bstreamtyped\x81\xe8\x03\x84")})
	a.message("T-NAMELESS", "of a handle that is gone", columns{"date": at(19), "handle": ""})
	a.row("U-LEFT", columns{"text": "of one who has left", "date": at(20), "handle": ""})
	a.join("U-LEFT", room)
	a.read()
	a.message("Z-NEWS", "the daemon's", columns{"date": at(99)})

	a.brings(noon, Imported{New: 13, Unreadable: 1},
		"B-IN", "C-SENT", "D-READ", "E-FAILED", "G-GROUP", "H-GROUP", "K-LINK", "L-SHORTER", "M-ALONE", "O-JUNK", "P-ALONE", "T-NAMELESS", "U-LEFT")
	unix := func(minutes int) int64 { return noon.Add(time.Duration(minutes) * time.Minute).UnixMilli() }
	for _, want := range []wire.Past{
		{GUID: "B-IN", Handle: alice, Chat: direct, Service: "iMessage", Text: "in", Status: wire.StatusReceived, At: unix(1)},
		{GUID: "C-SENT", Own: true, Handle: alice, Chat: direct, Service: "iMessage", Text: "sent", Status: wire.StatusSent, At: unix(2)},
		{GUID: "D-READ", Own: true, Handle: alice, Chat: direct, Service: "iMessage", Text: "read", Status: wire.StatusRead, At: unix(3), Delivered: unix(4), Read: unix(5)},
		{GUID: "G-GROUP", Own: true, Chat: room, Group: true, Service: "iMessage", Text: "to all", Status: wire.StatusSent, At: unix(8)},
		{GUID: "H-GROUP", Handle: alice, Chat: room, Group: true, Service: "iMessage", Text: "from one", Status: wire.StatusReceived, At: unix(9), ReplyTo: "G-GROUP"},
		{GUID: "O-JUNK", Handle: alice, Chat: direct, Service: "iMessage", Text: "junk", Status: wire.StatusReceived, At: unix(15), Junk: true},
		{GUID: "T-NAMELESS", Handle: alice, Chat: direct, Service: "iMessage", Text: "of a handle that is gone", Status: wire.StatusReceived, At: unix(19)},
		{GUID: "U-LEFT", Chat: room, Group: true, Service: "iMessage", Text: "of one who has left", Status: wire.StatusReceived, At: unix(20)},
	} {
		if got := a.past()[want.GUID]; got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	if f := a.past()["E-FAILED"].Fault; f == nil || f.Code != "messages_error" || f.Number != 22 {
		t.Errorf("the failure says %+v", f)
	}
}

// Rows of before macOS 10.13 are dated in seconds, and are brought if they are asked for.
func TestImportOfSeconds(t *testing.T) {
	a := newArchive(t)
	day := func(year int) time.Time { return time.Date(year, 3, 1, 12, 0, 0, 0, time.UTC) }
	for year := 2010; year < 2017; year++ {
		a.message(fmt.Sprint("S", year), "in seconds", columns{"date": int64(day(year).Sub(appleEpoch).Seconds())})
	}
	a.message("N2018", "in nanoseconds", columns{"date": apple(day(2018))})
	a.message("S2012-AGAIN", "in seconds", columns{"date": int64(day(2012).Sub(appleEpoch).Seconds())})
	a.read()
	a.brings(day(2019), Imported{})
	a.brings(day(2018), Imported{New: 1}, "N2018")
	a.brings(day(2015), Imported{New: 2, Known: 1}, "N2018", "S2015", "S2016")
	if got := a.past()["S2015"]; got.At != day(2015).UnixMilli() {
		t.Errorf("%+v", got)
	}
}

// A row on damaged pages is counted, wherever it lies, and stops nothing.
func TestImportOfDamagedRows(t *testing.T) {
	a := newArchive(t)
	a.message("A", "before them", nil)
	a.message("B", strings.Repeat("<BROKEN>", 3000), nil)
	a.message("C", "between them", nil)
	last := strings.Repeat("<LAST>", 400) // on the table's own page
	a.message("D", last, nil)
	a.read()
	a.breakRow("<BROKEN><BROKEN>")
	a.brings(noon, Imported{New: 3, Unreadable: 1}, "A", "C", "D")
	a.breakRows(last)
	if got, err := a.run(noon); err != nil || got.Unreadable < 2 || got.New > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// What the daemon has still to report is not taken from it: as history it would reach
// the cloud without its event.
func TestImportLeavesTheDaemonsRows(t *testing.T) {
	a := newArchive(t)
	a.read()
	a.message("REPORTED", "in the outbox", nil)
	a.row("WAITING", columns{"text": "no chat yet"})
	a.sends("msg_1", "bound")
	a.own("BOUND", "bound", columns{"is_sent": 1})
	scan(t, a.o)
	a.brings(noon, Imported{})

	clearOutbox(t, a.j)
	a.brings(noon, Imported{New: 1}, "REPORTED") // acknowledged, and yet lost by that cloud
	a.brings(noon, Imported{Known: 1}, "REPORTED")
}

// An import that was cut short goes on, one that was not begins anew; an earlier date
// begins anew too.
func TestImportGoesOn(t *testing.T) {
	a := newArchive(t)
	for i := range 3 * importBatch {
		a.say(fmt.Sprintf("G%04d", i), alice, "text", false, noon.Add(time.Duration(i)*time.Minute))
	}
	a.read()
	a.answer = func(part int) int {
		if part == 3 {
			return http.StatusBadRequest
		}
		return 0
	}
	done, err := a.run(noon)
	if err == nil || done.New != 2*importBatch || done.Done < 0.6 || done.Done > 0.7 {
		t.Fatalf("%+v %v", done, err)
	}
	a.parts, a.answer = nil, nil
	if done, err = a.run(noon.Add(time.Minute)); err != nil || done.New != importBatch || done.Known != 0 {
		t.Errorf("it did not go on: %+v %v", done, err)
	}
	if _, err := os.Stat(filepath.Join(a.dir, importFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a finished import has left its mark: %v", err)
	}
	if done, err = a.run(noon); err != nil || done.New != 0 || done.Known != 3*importBatch {
		t.Errorf("%+v %v", done, err)
	}

	a.parts, a.answer = nil, func(part int) int { return []int{0, http.StatusBadRequest}[min(part/2, 1)] }
	if _, err = a.run(noon.Add(time.Hour)); err == nil {
		t.Fatal("not cut short")
	}
	a.answer = nil
	if done, err = a.run(noon); err != nil || done.Known != 3*importBatch {
		t.Errorf("an earlier date did not begin anew: %+v %v", done, err)
	}
}

// A cloud that is away for a moment is waited for, one that refuses is not.
func TestImportMeetsTrouble(t *testing.T) {
	a := newArchive(t)
	a.say("G", alice, "text", false, noon)
	a.read()
	a.answer = func(part int) int { return []int{503, 429, 502, 0}[min(part-1, 3)] }
	a.brings(noon, Imported{New: 1}, "G")
	for _, c := range []struct {
		status, asked int
		says          string
	}{
		{http.StatusUnauthorized, 1, "pair it again"},
		{http.StatusNotFound, 1, "update bluecloud"},
		{http.StatusBadRequest, 1, "HTTP 400"},
		{http.StatusInternalServerError, importTries, "HTTP 500"},
	} {
		a.parts, a.answer = nil, func(int) int { return c.status }
		if _, err := a.run(noon); err == nil || !strings.Contains(err.Error(), c.says) || len(a.parts) != c.asked {
			t.Errorf("%d: asked %d times: %v", c.status, len(a.parts), err)
		}
	}
	a.server.Close()
	if _, err := a.run(noon); err == nil || !strings.Contains(err.Error(), "reach the cloud") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// A stop is obeyed at once, also while the cloud is waited for.
func TestImportStops(t *testing.T) {
	a := newArchive(t)
	a.say("G", alice, "text", false, noon)
	a.read()
	ctx, cancel := context.WithCancel(t.Context())
	a.answer = func(int) int { cancel(); return http.StatusServiceUnavailable }
	_, err := Import{StateDir: a.dir, ChatDB: a.path, Since: noon, Retry: time.Hour}.Run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestImportRefuses(t *testing.T) {
	a := newArchive(t)
	a.say("G", alice, "text", false, noon)
	if _, err := a.run(noon); err == nil || !strings.Contains(err.Error(), "has not read chat.db yet") {
		t.Errorf("without a cursor: %v", err)
	}
	a.read()
	other := newMessages(t)
	other.say("OTHER", alice, "text", false, noon)
	if _, err := (Import{StateDir: a.dir, ChatDB: other.path, Since: noon}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "has not read this chat.db") {
		t.Errorf("another chat.db: %v", err)
	}
	lock, err := lockFile(filepath.Join(a.dir, "import.lock"), ErrImporting)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := a.run(noon); !errors.Is(err, ErrImporting) {
		t.Errorf("two at once: %v", err)
	}
}

// The scope of the pairing holds in both directions.
func TestImportKeepsTheScope(t *testing.T) {
	a := newArchive(t)
	a.say("IN", alice, "in", false, noon)
	a.say("OWN", strings.ToLower(alice), "own", true, noon)
	a.say("BOB", bob, "in", false, noon)
	a.row("ROOM", columns{"text": "to all", "date": apple(noon), "handle": "", "is_from_me": 1, "is_sent": 1})
	a.join("ROOM", "any;+;chat123456789")
	a.say("NOTE", ownNumber, "milk", true, noon)
	a.read()
	a.pair(ScopeAllow, alice)
	a.brings(noon, Imported{New: 2, Withheld: 3}, "IN", "OWN")
	a.pair(ScopeStarted)
	a.brings(noon, Imported{Withheld: 5})
	give(t, a.j, order("msg_1", 1, bob, "hi"), order("msg_2", 1, ownNumber, "the daily check"))
	a.brings(noon, Imported{New: 1, Withheld: 4}, "BOB")
}

// Long texts make more parts, and one that fits in none is told of.
func TestImportOfLongTexts(t *testing.T) {
	a := newArchive(t)
	long := strings.Repeat("<", 60_000) // six bytes each in JSON
	for i := range 9 {
		a.say(fmt.Sprintf("G%d", i), alice, long, false, noon)
	}
	a.say("HUGE", alice, strings.Repeat(long, 3), false, noon)
	a.say("LAST", alice, "short", false, noon)
	a.read()
	a.brings(noon, Imported{New: 10, Unreadable: 1}, "G0", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "LAST")
	if len(a.parts) != 5 {
		t.Errorf("%d parts", len(a.parts))
	}
}
