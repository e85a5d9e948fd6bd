package textingblue_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

var feedKeys = []string{"id", "type", "timestamp", "data", "created_at", "cursor"}

// eventsPage is an answer of the feed.
type eventsPage struct {
	Events []json.RawMessage
	Cursor string
	More   bool `json:"has_more"`
}

func (w *world) eventsPage(query string) (p eventsPage) {
	w.t.Helper()
	w.ok("GET", "/v1/events"+query, "", http.StatusOK).into(w.t, &p)
	return p
}

// feedItem is what tests look at of an event.
type feedItem struct {
	ID, Type, Cursor string
	Data             json.RawMessage
}

func item(t testing.TB, raw []byte) (i feedItem) {
	t.Helper()
	if err := json.Unmarshal(raw, &i); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return i
}

// feedWorld is a world with a Mac, and with the event of its coming read.
func feedWorld(t testing.TB, change func(*cloud.Config)) (*world, *mac, string) {
	t.Helper()
	w := newWorld(t, change)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.inbound(1) // whose acknowledgement tells that all before is recorded
	return w, m, w.eventsPage("?limit=100").Cursor
}

func TestFeedIsWhatWebhooksAreTold(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	url, got := receiver(t, nil)
	w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url))
	if p := w.eventsPage("?after=" + start); len(p.Events) != 0 || p.Cursor != start || p.More {
		t.Errorf("%+v", p)
	}
	m.inbound(5)
	told := make(map[string]posted)
	for range 5 {
		p := next(t, got)
		told[p.header.Get("webhook-id")] = p
	}
	var seen int
	for cursor, more := start, true; more; {
		p := w.eventsPage("?limit=2&after=" + cursor)
		for _, raw := range p.Events {
			same(t, "keys", keys(t, raw), feedKeys)
			e := item(t, raw)
			body := strings.TrimSuffix(string(told[e.ID].body), "}")
			if body == "" || !strings.HasPrefix(string(raw), body+",") {
				t.Errorf("%s\nthe webhook was %s", raw, body)
			}
			seen++
			cursor = e.Cursor
		}
		if cursor != p.Cursor {
			t.Errorf("the page ends at %s, its last event at %s", p.Cursor, cursor)
		}
		more = p.More
	}
	if seen != 5 {
		t.Errorf("%d events", seen)
	}
	all := w.eventsPage("?after=")
	if first := w.eventsPage("?limit=1"); len(all.Events) < 6 || item(t, first.Events[0]).ID != item(t, all.Events[0]).ID || !first.More {
		t.Errorf("%d, %+v", len(all.Events), first)
	}
	var foreign eventsPage
	w.call("GET", "/v1/events", w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "messages:read"), "").into(t, &foreign)
	if len(foreign.Events) != 0 || foreign.Cursor == "" {
		t.Errorf("a stranger sees %+v", foreign)
	}
}

func TestCursorsThatAreNone(t *testing.T) {
	w, _, good := feedWorld(t, nil)
	stranger := w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "*")
	w.call("GET", "/v1/events?after="+good, stranger, "").expect(t, http.StatusBadRequest, "invalid_request", "after")
	for _, bad := range []string{"0", "1", "cur_", good + "a", good[:len(good)-1], strings.ToUpper(good), good[:8] + "7" + good[9:], "evt_x", "%00", strings.Repeat("a", 4000), "2026-02-07T12:00:00Z"} {
		w.call("GET", "/v1/events?after="+bad, w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "after")
	}
	w.call("GET", "/v1/events?after="+good+"&after="+good, w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "after")
	for _, bad := range []string{"0", "101", "x", "-1", "1.5"} {
		w.call("GET", "/v1/events?limit="+bad, w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "limit")
	}
}

// expired expects that a cursor is refused, and that from the one that is named instead n
// events are there.
func (w *world) expired(cursor string, n int) {
	w.t.Helper()
	a := w.call("GET", "/v1/events?after="+cursor, w.key, "")
	var e struct {
		Error struct {
			Code, Message, Param string
			Oldest               string `json:"oldest_cursor"`
		}
	}
	a.into(w.t, &e)
	if a.status != http.StatusGone || e.Error.Code != "cursor_expired" || e.Error.Param != "after" {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	if p := w.eventsPage("?limit=100&after=" + e.Error.Oldest); len(p.Events) != n {
		w.t.Errorf("from the oldest cursor on there are %d events, want %d", len(p.Events), n)
	}
}

// A cursor whose events are gone is told so, with the one from which all is there. So is
// one ahead of a log that was restored from a copy.
func TestCursorOfWhatIsNotKept(t *testing.T) {
	w, m, start := feedWorld(t, func(c *cloud.Config) { c.Sweep = time.Hour })
	m.inbound(3)
	middle := item(t, w.eventsPage("?limit=2&after=" + start).Events[1]).Cursor
	end := w.eventsPage("?after=" + start).Cursor
	last, err := w.store.LastEvent(t.Context(), w.account.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return tx.RemoveEvents(w.account.ID, last-1) })
	w.expired(start, 1)
	if p := w.eventsPage("?after=" + middle); len(p.Events) != 1 || p.Cursor != end {
		t.Errorf("%+v", p)
	}
	if p := w.eventsPage(""); len(p.Events) != 1 || p.Cursor != end {
		t.Errorf("%+v", p)
	}
	w.write(func(tx *store.Tx) error { return tx.RemoveEvents(w.account.ID, last) })
	w.expired(middle, 0)
	if p := w.eventsPage("?after=" + end); len(p.Events) != 0 || p.Cursor != end {
		t.Errorf("%+v", p)
	}
	if _, status := w.follow("", "Last-Event-ID: "+start); status != http.StatusGone {
		t.Errorf("a stream begins with %d", status)
	}
	w.exec("UPDATE accounts SET event_seq = event_seq - 1 WHERE id = 'team_a'")
	a := w.call("GET", "/v1/events?after="+end, w.key, "")
	if a.status != http.StatusGone {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A cursor from before the database was restored from a copy is refused also when the log
// has become longer again than it was: what has its number now is another event.
func TestCursorOfAnotherLog(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	hook := w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/a","events":["message.failed"],"active":false}`, http.StatusCreated).id(t)
	m.inbound(3)
	lost := w.eventsPage("?after=" + start).Cursor
	// As a copy has it that was made at start.
	kept := "(SELECT event_seq - 3 FROM accounts WHERE id = 'team_a')"
	for _, query := range []string{
		"DELETE FROM event_bodies WHERE seq > " + kept, "DELETE FROM events WHERE seq > " + kept, "UPDATE accounts SET event_seq = event_seq - 3 WHERE id = 'team_a'",
	} {
		w.exec(query)
	}
	m.inbound(5)
	w.expired(lost, 7) // with the two of the start
	if _, status := w.follow("", "Last-Event-ID: "+lost); status != http.StatusGone {
		t.Errorf("a stream begins with %d", status)
	}
	for param, body := range map[string]string{"after": `{"after":"` + lost + `"}`, "before": `{"after":"` + start + `","before":"` + lost + `"}`} {
		if a := w.call("POST", "/v1/webhooks/"+hook+"/replay", w.key, body); a.status != http.StatusGone || !strings.Contains(string(a.body), `"param":"`+param+`","oldest_cursor":"cur_`) {
			t.Errorf("a replay: %d %s", a.status, a.body)
		}
	}
	if p := w.eventsPage("?after=" + start); len(p.Events) != 5 {
		t.Errorf("%d events after a cursor that the copy knows", len(p.Events))
	}
}

func TestOldEventsGoWithTheirDeliveries(t *testing.T) {
	w, m, start := feedWorld(t, func(c *cloud.Config) { c.Sweep = time.Millisecond })
	url, got := receiver(t, nil)
	w.hook(fmt.Sprintf(`{"url":%q,"events":["message.received"]}`, url))
	m.inbound(2)
	next(t, got)
	next(t, got)
	end := w.eventsPage("?after=" + start).Cursor
	gone := w.eventsPage("?limit=1&after=" + start).Cursor
	// All but the newest are of last year.
	w.exec("UPDATE events SET created_at = 1 WHERE seq < (SELECT event_seq FROM accounts WHERE id = 'team_a')")
	until := time.After(patience)
	for tick := time.NewTicker(5 * time.Millisecond); w.call("GET", "/v1/events?after="+start, w.key, "").status != http.StatusGone; {
		select {
		case <-tick.C:
		case <-until:
			t.Fatal("old events are never removed")
		}
	}
	if p := w.eventsPage("?after=" + gone); len(p.Events) != 1 || p.Cursor != end {
		t.Errorf("%+v", p)
	}
	all := w.contents()
	if n := strings.Count(all, "deliveries "); n != 1 {
		t.Errorf("%d deliveries are left", n)
	}
	if n := strings.Count(all, "events "); n != 1 {
		t.Errorf("%d events are left", n)
	}
}

// block is one block of a stream.
type block struct{ id, data, comment string }

// stream is an open stream of events; blocks is closed at its end.
type stream struct {
	t      testing.TB
	blocks chan block
	close  func()
}

// follow opens a stream with header lines, and returns its status where that is not
// 200.
func (w *world) follow(query string, header ...string) (*stream, int) {
	w.t.Helper()
	return w.followAs(w.key, query, header...)
}

func (w *world) followAs(key, query string, header ...string) (*stream, int) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+"/v1/events"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("Accept", "text/event-stream")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, resp.StatusCode
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" || resp.Header.Get("x-ratelimit-remaining") == "" {
		w.t.Errorf("%v", resp.Header)
	}
	s := &stream{t: w.t, blocks: make(chan block, 4096), close: func() { resp.Body.Close() }}
	w.t.Cleanup(s.close)
	go s.read(resp.Body)
	return s, http.StatusOK
}

func (s *stream) read(body io.Reader) {
	defer close(s.blocks)
	var b block
	for lines := bufio.NewScanner(body); lines.Scan(); {
		switch line := lines.Text(); {
		case line == "":
			s.blocks <- b
			b = block{}
		case strings.HasPrefix(line, ":"):
			b.comment = line
		case strings.HasPrefix(line, "id: "):
			b.id = line[4:]
		case strings.HasPrefix(line, "data: "):
			b.data = line[6:]
		}
	}
}

// next is the next block that is no sign of life.
func (s *stream) next() block {
	s.t.Helper()
	end := time.After(patience)
	for {
		select {
		case b, open := <-s.blocks:
			if !open {
				s.t.Fatal("the stream has ended")
			}
			if b.comment == "" {
				return b
			}
		case <-end:
			s.t.Fatal("nothing came")
		}
	}
}

// ended waits for the end and returns what came before.
func (s *stream) ended() (rest []block) {
	s.t.Helper()
	end := time.After(patience)
	for {
		select {
		case b, open := <-s.blocks:
			if !open {
				return rest
			}
			rest = append(rest, b)
		case <-end:
			s.t.Fatal("the stream goes on")
		}
	}
}

func TestStreamBeginsWhereItIsTold(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	now, _ := w.follow("")
	opening := now.next()
	if opening.id != start || opening.data != "" {
		t.Errorf("%+v", opening)
	}
	m.inbound(3)
	var live []string
	var cursors []string
	for range 3 {
		b := now.next()
		live, cursors = append(live, b.data), append(cursors, b.id)
		if e := item(t, []byte(b.data)); e.Cursor != b.id || e.Type != "message.received" {
			t.Errorf("%+v", b)
		}
	}
	var listed []string
	for _, raw := range w.eventsPage("?after=" + start).Events {
		listed = append(listed, string(raw))
	}
	same(t, "stream and page", live, listed)
	for name, s := range map[string]func() (*stream, int){
		"by the query":                      func() (*stream, int) { return w.follow("?after=" + cursors[0]) },
		"by the header":                     func() (*stream, int) { return w.follow("", "Last-Event-ID: "+cursors[0]) },
		"by the header, whatever the query": func() (*stream, int) { return w.follow("?after="+start, "Last-Event-ID: "+cursors[0]) },
	} {
		again, _ := s()
		again.next() // retry
		if a, b := again.next(), again.next(); a.data != live[1] || b.data != live[2] {
			t.Errorf("%s: %+v, %+v", name, a, b)
		}
	}
	all, _ := w.follow("?after=")
	all.next()
	if first := w.eventsPage("?limit=1").Events[0]; all.next().data != string(first) {
		t.Error("an empty cursor is not the beginning")
	}
	if _, status := w.follow("?after=cur_x"); status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
	if a := w.call("HEAD", "/v1/events", w.key, ""); a.status != http.StatusOK {
		t.Errorf("%d", a.status)
	}
}

// Readers come, are cut and come back while events are written: each sees every event
// once and in its order.
func TestStreamHasNoHole(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	const events = 120
	done := make(chan []string)
	for range 4 {
		go func() {
			cursor := start
			var seen []string
			for len(seen) < events {
				s, status := w.follow("?after=" + cursor)
				if status != http.StatusOK {
					t.Errorf("%d", status)
					break
				}
				for part := 0; part < 9 && len(seen) < events; {
					b, open := <-s.blocks
					if !open {
						break
					}
					if b.id != "" {
						cursor = b.id
					}
					if b.data != "" {
						seen = append(seen, b.data)
						part++
					}
				}
				s.close()
			}
			done <- seen
		}()
	}
	m.inbound(events)
	var want []string
	for cursor, more := start, true; more; {
		p := w.eventsPage("?limit=50&after=" + cursor)
		for _, raw := range p.Events {
			want = append(want, string(raw))
		}
		cursor, more = p.Cursor, p.More
	}
	for range 4 {
		same(t, "a reader", <-done, want)
	}
}

// What another process writes into the database reaches the stream as well.
func TestStreamSeesWhatIsWrittenBeside(t *testing.T) {
	w, _, _ := feedWorld(t, nil)
	s, _ := w.follow("")
	s.next()
	beside := openBeside(t, w.dsn)
	cfg := w.cfg
	cfg.Store = beside
	paused := store.LinePaused
	if _, err := cloud.New(cfg).UpdateNumber(t.Context(), cloud.Principal{Account: w.account}, w.line.ID, cloud.LineChange{Status: &paused}); err != nil {
		t.Fatal(err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	if e := item(t, []byte(s.next().data)); e.Type != "line.paused" {
		t.Errorf("%+v", e)
	}
}

func TestStreamShowsThatItLives(t *testing.T) {
	w, _, _ := feedWorld(t, func(c *cloud.Config) { c.Heartbeat = 5 * time.Millisecond })
	s, _ := w.follow("")
	for range 3 {
		if b := <-s.blocks; b.comment == "" && b.id == "" {
			t.Errorf("%+v", b)
		}
	}
}

// A reader who is shown nothing of what happens comes back to where the log was then, not
// to the last event that he was shown: that may not be kept any more.
func TestStreamPassesByWhatItDoesNotShow(t *testing.T) {
	w, _, start := feedWorld(t, func(c *cloud.Config) { c.Sweep = time.Hour })
	reader := w.newKey(w.account, store.TextingBlue, "messages:read")
	s, _ := w.followAs(reader, "?after="+start)
	if b := s.next(); b.id != start {
		t.Errorf("%+v", b)
	}
	for _, status := range []string{"paused", "active"} {
		w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"status":"`+status+`"}`, http.StatusOK)
	}
	end := w.eventsPage("?after=" + start).Cursor
	for last := start; last != end; {
		select {
		case b, open := <-s.blocks:
			if !open || b.data != "" {
				t.Fatalf("%+v, the stream goes on: %t", b, open)
			}
			if b.id != "" {
				last = b.id
			}
		case <-time.After(patience):
			t.Fatalf("the last id is %s, the log is at %s", last, end)
		}
	}
	last, err := w.store.LastEvent(t.Context(), w.account.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return tx.RemoveEvents(w.account.ID, last) })
	if _, status := w.followAs(reader, "", "Last-Event-ID: "+start); status != http.StatusGone {
		t.Errorf("who comes back to the last event that he was shown gets %d", status)
	}
	if _, status := w.followAs(reader, "", "Last-Event-ID: "+end); status != http.StatusOK {
		t.Errorf("who comes back to where the stream was gets %d", status)
	}
}

func TestStreamEndsWithItsKey(t *testing.T) {
	w, m, _ := feedWorld(t, func(c *cloud.Config) { c.Heartbeat = 5 * time.Millisecond })
	key, secret, err := w.service.CreateKey(t.Context(), w.account.ID, store.TextingBlue, []string{"messages:read"})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := w.followAs(secret, "")
	s.next()
	w.write(func(tx *store.Tx) error { return tx.RevokeKey(key.ID, 1) })
	s.ended()
	m.inbound(1)
	if _, status := w.followAs(secret, ""); status != http.StatusUnauthorized {
		t.Errorf("%d", status)
	}
}

func TestStreamEndsWithTheServer(t *testing.T) {
	w, _, _ := feedWorld(t, nil)
	s, _ := w.follow("")
	s.next()
	w.service.CutTransfers() // as http.Server.Shutdown does
	s.ended()
	if _, status := w.follow(""); status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
}

// The server's limit for reading a request is not one for a stream.
func TestStreamOutlivesTheReadTimeout(t *testing.T) {
	w, m, _ := feedWorld(t, nil)
	here := *w
	here.server = httptest.NewUnstartedServer(w.server.Config.Handler)
	here.server.Config.ReadTimeout = time.Second // also for the request itself
	here.server.Start()
	t.Cleanup(here.server.Close)
	s, status := here.follow("")
	if s == nil {
		t.Fatalf("refused with %d", status)
	}
	s.next()
	select {
	case <-time.After(1500 * time.Millisecond):
	case b := <-s.blocks:
		t.Errorf("%+v", b)
	}
	m.inbound(1)
	s.next()
	s.close()
}

// A reader that takes nothing is cut; nobody waits for it.
func TestStreamCutsWhoDoesNotRead(t *testing.T) {
	w, _, start := feedWorld(t, func(c *cloud.Config) { c.WriteWait = 100 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/events?after=%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nx-api-key: %s\r\n\r\n", start, w.key)
	w.write(func(tx *store.Tx) error {
		for n := range 24 {
			e := store.Event{ID: fmt.Sprintf("evt_%d", n), AccountID: w.account.ID, Type: "message.received", CreatedAt: 1}
			if err := tx.CreateEvent(&e); err != nil {
				return err
			}
			body := fmt.Sprintf(`{"id":%q,"type":%q,"timestamp":"2026-02-07T12:00:00Z","data":{"id":"msg_x","from":%q,"to":%q,"content":%q,"media_url":null,"received_at":"2026-02-07T12:00:00Z"}}`,
				e.ID, e.Type, somebody, line, strings.Repeat("x", 1<<20))
			if err := tx.Tell(store.Told{AccountID: w.account.ID, Dialect: store.TextingBlue, Seq: e.Seq, EventID: e.ID, Type: e.Type, Body: body, CreatedAt: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	until := time.After(patience)
	for tick := time.NewTicker(5 * time.Millisecond); !w.logs.has("events.ended"); {
		select {
		case <-tick.C:
		case <-until:
			t.Fatal("it is never cut")
		}
	}
}

// exec changes the database beside the server.
func (w *world) exec(query string) {
	w.t.Helper()
	storetest.Exec(w.t, w.dsn, query)
}

// typesOf are the types of the events of a page, each once, and its cursor.
func (w *world) typesOf(key string) (types []string, cursor string) {
	w.t.Helper()
	var p eventsPage
	w.call("GET", "/v1/events?limit=100", key, "").into(w.t, &p)
	for _, raw := range p.Events {
		if kind := item(w.t, raw).Type; !slices.Contains(types, kind) {
			types = append(types, kind)
		}
	}
	slices.Sort(types)
	return types, p.Cursor
}

// The log shows a key nothing that another permission guards.
func TestFeedKeepsWhatOtherPermissionsGuard(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	hook := w.ok("POST", "/v1/webhooks", `{"url":"https://example.com/a-secret-path","events":["message.failed"],"active":false}`, http.StatusCreated).id(t)
	w.ok("POST", "/v1/webhooks/"+hook+"/test", "", http.StatusAccepted)
	pause := func(status string) { w.ok("PATCH", "/v1/numbers/"+w.line.ID, `{"status":"`+status+`"}`, http.StatusOK) }
	pause("paused")
	all, end := w.typesOf(w.key)
	same(t, "all", all, []string{"line.paused", "message.received", "relay.online", "webhook.test"})
	reader := w.newKey(w.account, store.TextingBlue, "messages:read")
	for key, want := range map[string][]string{
		reader: {"message.received"},
		w.newKey(w.account, store.TextingBlue, "messages:read", "numbers:read"):    {"line.paused", "message.received", "relay.online"},
		w.newKey(w.account, store.TextingBlue, "messages:read", "webhooks:manage"): {"message.received", "webhook.test"},
	} {
		types, cursor := w.typesOf(key)
		same(t, "types", types, want)
		if cursor != end { // it is passed by
			t.Errorf("the page ends at %s, the log at %s", cursor, end)
		}
	}
	s, _ := w.followAs(reader, "?after="+start)
	if b := s.next(); b.data != "" {
		t.Errorf("%+v", b)
	}
	pause("active")
	m.inbound(1)
	if b := s.next(); item(t, []byte(b.data)).Type != "message.received" {
		t.Errorf("%+v", b)
	}
}

// Whoever may see next to nothing of a log has none of it walked whole for one page.
func TestPageOfALogThatIsKeptFromTheKey(t *testing.T) {
	w, m, start := feedWorld(t, nil)
	w.write(func(tx *store.Tx) error {
		for n := range 1500 {
			e := store.Event{ID: fmt.Sprintf("evt_%d", n), AccountID: w.account.ID, Type: "line.paused", LineID: w.line.ID, CreatedAt: time.Now().UnixMilli()}
			err := tx.CreateEvent(&e)
			if err == nil {
				err = tx.Tell(store.Told{AccountID: e.AccountID, Dialect: store.TextingBlue, Seq: e.Seq, EventID: e.ID, Type: e.Type, LineID: e.LineID, Body: "{}", CreatedAt: e.CreatedAt})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	m.inbound(3)
	reader := w.newKey(w.account, store.TextingBlue, "messages:read")
	page := func(after string) (p eventsPage) {
		t.Helper()
		a := w.call("GET", "/v1/events?limit=2&after="+after, reader, "")
		a.into(t, &p)
		return p
	}
	first := page(start)
	if len(first.Events) != 0 || !first.More || first.Cursor == start {
		t.Errorf("%+v", first)
	}
	second := page(first.Cursor)
	if len(second.Events) != 2 || !second.More || second.Cursor != item(t, second.Events[1]).Cursor {
		t.Errorf("%+v", second)
	}
	last := page(second.Cursor)
	if len(last.Events) != 1 || last.More || last.Cursor != item(t, last.Events[0]).Cursor {
		t.Errorf("%+v", last)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	w, _, _ := feedWorld(t, func(c *cloud.Config) { c.Streams = 2 })
	first, _ := w.follow("")
	w.follow("")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", w.newKey(w.account, store.TextingBlue, "*")) // the limit is the account's
	req.Header.Set("Accept", "text/event-stream")
	a := w.do(req)
	a.expect(t, http.StatusTooManyRequests, "rate_limited", "")
	if a.header.Get("Retry-After") != "5" {
		t.Errorf("%v", a.header)
	}
	w.eventsPage("")
	if _, status := w.followAs(w.newKey(w.newAccount("team_b", 0), store.TextingBlue, "*"), ""); status != http.StatusOK {
		t.Errorf("another account: %d", status)
	}
	first.close()
	until := time.After(patience)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if _, status := w.follow(""); status == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-until:
			t.Fatal("a stream that was closed keeps its place")
		}
	}
}
