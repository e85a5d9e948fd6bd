package cloud_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

func orderIDs(list []wire.Send) []string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = o.Message
	}
	return out
}

func TestAssignmentKeepsWindowOrderAndPeers(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	a1, a2 := w.send("+14155550001"), w.send("+14155550001")
	b1, c1, d1, e1 := w.send("+14155550002"), w.send("+14155550003"), w.send("+14155550004"), w.send("+14155550005")
	m := w.connect(secret, hello("ins_a", 0))
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{a1, b1, c1, d1}) {
		t.Fatalf("%v", got)
	}
	// Being sent frees the place, and the next to the same peer is the oldest.
	m.report(wire.Report{Kind: wire.Sent, Message: a1})
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{a2}) {
		t.Errorf("%v", got)
	}
	// Unknown frees it as well: the next message must not wait for a day.
	m.report(wire.Report{Kind: wire.Unknown, Message: a2, Attempt: 1})
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{e1}) {
		t.Errorf("%v", got)
	}
	seen := int64(0)
	for _, o := range []string{a1, a2, b1, c1, d1, e1} {
		if seq := w.message(o).Seq; seq <= seen {
			t.Errorf("%s has number %d after %d", o, seq, seen)
		} else {
			seen = seq
		}
	}
}

// A backlog that takes too long for one transaction is committed and acknowledged piece by
// piece, in its order.
func TestBacklogIsCommittedInPieces(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.ReportTime = time.Nanosecond }) // for the first of each piece
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	const reports = 40
	held, release := make(chan struct{}), make(chan struct{})
	go w.store.Write(context.Background(), func(*store.Tx) error { close(held); <-release; return nil })
	<-held // while the writer waits they come together
	for n := range int64(reports) {
		m.say(wire.Frame{Type: wire.TypeReport, Report: &wire.Report{
			Seq: n + 1, Kind: wire.Received, At: 1, Inbound: &wire.Inbound{GUID: fmt.Sprintf("guid-%02d", n+1), From: somebody, Text: secretText},
		}})
	}
	close(release)
	var acks []int64
	for len(acks) < reports {
		if f := m.frame(); f.Ack != nil {
			acks = append(acks, f.Ack.Seq)
		}
	}
	for i, seq := range acks {
		if seq != int64(i+1) {
			t.Fatalf("acknowledged were %v", acks)
		}
	}
	if got := w.column("SELECT apple_guid FROM messages ORDER BY seq"); len(got) != reports || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}

func TestWindowIsConfigured(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window = 1 })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	first, second := w.send("+14155550001"), w.send("+14155550002")
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{first}) {
		t.Fatalf("%v", got)
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: first})
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{second}) {
		t.Errorf("%v", got)
	}
}

func TestNothingIsAssignedWhileNotReadyOrPaused(t *testing.T) {
	w := newWorld(t, nil)
	id := w.send(somebody)
	h := hello("ins_a", 0)
	h.Health = wire.Health{Code: wire.ProblemAutomation, Reason: "Allow Automation."}
	m := w.connect(w.paired(w.line), h)
	if list := m.idle(); len(list) != 0 {
		t.Fatalf("an order to a Mac that cannot send: %+v", list)
	}
	state, err := w.service.Number(t.Context(), w.who, w.line.ID)
	if err != nil || state.Relay.Ready || state.Relay.Problem != "automation" || state.Relay.Reason != "Allow Automation." || !state.Relay.Connected || state.Relay.Host != "Studio" {
		t.Errorf("%+v, %v", state.Relay, err)
	}
	pause := func(status string) {
		if _, err := w.service.UpdateNumber(t.Context(), w.who, w.line.ID, cloud.LineChange{Status: &status}); err != nil {
			t.Fatal(err)
		}
	}
	pause(store.LinePaused)
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}})
	if list := m.idle(); len(list) != 0 {
		t.Fatalf("an order while paused: %+v", list)
	}
	_, err = w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: secretText})
	if e := refusal(t, err); e.Param != "from" || !strings.Contains(e.Message, "paused") {
		t.Errorf("%+v", e)
	}
	pause(store.LineActive)
	if o := m.order(); o.Message != id { // by the doorbell, without a frame of ours
		t.Errorf("%+v", o)
	}
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Code: wire.ProblemDisk, Reason: "Full."}})
	m.idle()
	w.send("+14155550002")
	if list := m.idle(); len(list) != 0 {
		t.Errorf("an order with a full disk: %+v", list)
	}
}

// An order whose frame was lost is written again, unchanged, after the next hello.
func TestHeldOrdersAreRepeated(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	first, second := w.send("+14155550001"), w.send("+14155550002")
	want := []wire.Send{m.order(), m.order()}
	m.report(wire.Report{Kind: wire.Accepted, Message: first, Attempt: 1})
	m.leave()
	eventually(t, "the Mac is seen to be away", func() bool {
		n, err := w.service.Number(t.Context(), w.who, w.line.ID)
		return err == nil && !n.Relay.Connected
	})
	w.restart()
	m = w.connect(secret, hello("ins_a", 1))
	if m.acked != 1 {
		t.Errorf("acknowledged %d", m.acked)
	}
	if got := []wire.Send{m.order(), m.order()}; !slices.Equal(got, want) || got[1].Message != second {
		t.Errorf("%+v\n%+v", got, want)
	}
	if list := m.idle(); len(list) != 0 {
		t.Errorf("ordered twice: %+v", list)
	}
}

// Another journal: what the old one held may have been sent, and is never given out
// again; what waited is.
func TestNewJournalLosesWhatTheOldOneHeld(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window = 2 })
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	held, accepted, waiting := w.send("+14155550001"), w.send("+14155550002"), w.send("+14155550003")
	old.order()
	old.order()
	old.report(wire.Report{Kind: wire.Accepted, Message: accepted, Attempt: 1})
	fresh := w.connect(secret, hello("ins_b", 0))
	if code := old.closed(); code != wire.CloseSuperseded {
		t.Errorf("the old connection was closed with %d", code)
	}
	if got := orderIDs(fresh.idle()); !slices.Equal(got, []string{waiting}) {
		t.Fatalf("%v", got)
	}
	for _, id := range []string{held, accepted} {
		if got := w.message(id); got.Status != wire.StatusUnknown || got.ErrorCode != cloud.OutcomeUnknown || got.Attempt != 1 {
			t.Errorf("%+v", got)
		}
	}
	// Claims of the new journal about it are void, a row is not.
	fresh.report(wire.Report{Kind: wire.NoSend, Message: held, Attempt: 1, Again: true})
	if got := w.message(held).Status; got != wire.StatusUnknown {
		t.Errorf("a stranger's claim made it %s", got)
	}
	fresh.report(wire.Report{Kind: wire.Sent, Message: held, GUID: "guid"})
	if got := w.message(held); got.Status != wire.StatusSent || got.ErrorCode != "" {
		t.Errorf("%+v", got)
	}
	// The old journal is dead, whatever it says.
	m, _ := w.dial(secret, nil)
	h := hello("ins_a", 99)
	m.say(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if code := m.closed(); code != wire.CloseJournal {
		t.Errorf("the retired journal was closed with %d", code)
	}
}

func TestJournalOfYesterdayIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	for range 3 {
		m.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
	}
	copied, _ := w.dial(secret, nil)
	h := hello("ins_a", 2)
	copied.say(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if code := copied.closed(); code != wire.CloseJournal {
		t.Fatalf("closed with %d", code)
	}
	if w.relay(w.line).Connected {
		t.Error("the Mac counts as connected")
	}
	if events := w.macEvents(); !slices.Equal(events, []string{"relay.online", "relay.offline"}) {
		t.Errorf("%q", events)
	}
	if got := w.message(id); got.Status != wire.StatusUnknown || got.ErrorCode != cloud.OutcomeUnknown {
		t.Errorf("%+v", got)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.unknown"}) {
		t.Errorf("%v", got)
	}
	// Which of the two journals is the true one nobody knows: the live one ends too,
	// and gets nothing more; the line goes on with the next pairing.
	if code := m.closed(); code != wire.CloseJournal {
		t.Errorf("the other journal's connection was closed with %d", code)
	}
	later := w.send("+14155550002")
	if got := w.message(later); got.InstallID != "" {
		t.Errorf("a message was given to a dead install: %+v", got)
	}
	secret = w.paired(w.line)
	if o := w.connect(secret, hello("ins_c", 0)).order(); o.Message != later {
		t.Errorf("the next Mac got %+v", o)
	}
	// An install of another Mac is none of this one's.
	foreign := w.connect(w.paired(w.addLine(w.who, "+14155550000")), hello("ins_b", 0))
	stolen, _ := w.dial(secret, nil)
	h = hello("ins_b", 5)
	stolen.say(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if code := stolen.closed(); code != wire.CloseJournal {
		t.Errorf("another Mac's journal: closed with %d", code)
	}
	foreign.idle() // is still there
}

// Of two connections of one journal the newer counts, and nothing that is sent
// meanwhile is given to the one that is closed.
func TestNewerConnectionTakesOver(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window = 1000 })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	const messages = 120
	sent := make([]string, messages)
	var sending sync.WaitGroup
	begun := make(chan struct{}, messages)
	sending.Go(func() {
		for i := range messages {
			m, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: fmt.Sprintf("+1415555%04d", 1000+i), Content: secretText})
			if err != nil {
				t.Error(err)
				return
			}
			sent[i] = m.ID
			begun <- struct{}{}
		}
	})
	const turns = 6
	for range turns {
		for range messages / 2 / turns {
			<-begun
		}
		next := w.connect(secret, hello("ins_a", 0))
		if code := m.closed(); code != wire.CloseSuperseded {
			t.Errorf("closed with %d", code)
		}
		m = next
	}
	sending.Wait()
	got := make(map[string]bool)
	for len(got) < messages {
		o := m.order()
		if o.Attempt != 1 {
			t.Errorf("%+v", o)
		}
		got[o.Message] = true
	}
	for _, id := range sent {
		if !got[id] {
			t.Errorf("%s was not ordered from the last connection", id)
		}
	}
}

func TestRevokedMacIsShutOut(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	l, err := w.store.Line(t.Context(), w.line.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.service.RevokeRelay(t.Context(), l.RelayID); err != nil {
		t.Fatal(err)
	}
	later := w.send("+14155550002") // before the connection is closed, perhaps
	if code := m.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
	if _, status := w.dial(secret, nil); status != http.StatusUnauthorized {
		t.Errorf("let in with %d", status)
	}
	if got := w.message(id); got.Status != wire.StatusUnknown {
		t.Errorf("%+v", got)
	}
	if got := w.message(later); got.Status != wire.Queued || got.InstallID != "" {
		t.Errorf("given to a Mac that was revoked: %+v", got)
	}
	if err := w.service.RevokeRelay(t.Context(), l.RelayID); err == nil {
		t.Error("revoked twice")
	}
	// The line may be paired again, and what waited goes.
	fresh := w.connect(w.paired(w.line), hello("ins_b", 0))
	if o := fresh.order(); o.Message != later {
		t.Errorf("%+v", o)
	}
}

// A session that was revoked by another process, which rings nothing here.
func TestRevokedElsewhereGetsNothing(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Sweep = time.Hour })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	m.idle()
	beside, err := store.Open(t.Context(), w.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	cfg := w.cfg
	cfg.Store = beside
	admin := cloud.New(cfg)
	l, err := beside.Line(t.Context(), w.line.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.RevokeRelay(t.Context(), l.RelayID); err != nil {
		t.Fatal(err)
	}
	id := w.send(somebody)
	if code := m.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
	if got := w.message(id); got.Status != wire.Queued || got.InstallID != "" || got.Attempt != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSocketIsForRelaysOnly(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	for _, bad := range []string{"", "rly_", secret + "x", strings.ToUpper(secret), "'; DROP TABLE relays; --"} {
		if _, status := w.dial(bad, nil); status != http.StatusUnauthorized {
			t.Errorf("%.4q… was answered with %d", bad, status)
		}
	}
	if _, status := w.dial(secret, http.Header{"Origin": {"https://blue.example"}}); status != http.StatusForbidden {
		t.Errorf("a web page was answered with %d", status)
	}
	resp, err := http.Get(w.server.URL + "/relay/v1/socket")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a plain request without a credential: %d", resp.StatusCode)
	}
}

func TestProtocolErrorsEndTheConnection(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	old := hello("ins_a", 0)
	old.Protocol = wire.Version + 1
	for name, c := range map[string]struct {
		first wire.Frame
		code  int
	}{
		"no hello":     {wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}}, wire.CloseProtocol},
		"a later hour": {wire.Frame{Type: wire.TypeHello, Hello: &old}, wire.CloseTooOld},
	} {
		m, _ := w.dial(secret, nil)
		m.say(c.first)
		if code := m.closed(); code != c.code {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
	m := w.connect(secret, hello("ins_a", 0))
	m.say(wire.Frame{Type: "from_the_future"})
	m.idle()
}

func TestServerSaysGoodbye(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	m.idle()
	w.stop()
	if code := m.closed(); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	drained := false
	for len(m.frames) > 0 {
		f := <-m.frames
		drained = drained || f.Drain != nil && f.Drain.DelayMS >= 0 && f.Drain.DelayMS <= 10_000
	}
	if !drained {
		t.Error("the relay was not told to expect it")
	}
	w.start()
	n, err := w.service.Number(t.Context(), w.who, w.line.ID)
	if err != nil || n.Relay.Connected {
		t.Errorf("after the stop: %+v, %v", n.Relay, err)
	}
}

// A Mac that has fallen silent without closing is noticed.
func TestSilentMacIsAway(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Ping = time.Second })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	m.idle() // its reader answers pings: it stays
	h := hello("ins_a", m.seq)
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	silent, _, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.server.URL, "http")+"/relay/v1/socket", http.Header{"Authorization": {"Bearer " + secret}})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	data, err := wire.Encode(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.WriteMessage(websocket.TextMessage, data); err != nil { // and nothing more: no reader, no pong
		t.Fatal(err)
	}
	m.closed()
	eventually(t, "the silent Mac counts as away", func() bool {
		n, err := w.service.Number(t.Context(), w.who, w.line.ID)
		return err == nil && !n.Relay.Connected
	})
}

func TestUnknownIsShownAsFailedInTheEnd(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.UnknownFinal = time.Millisecond })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "no_row", Number: 7, Text: "No row came."}})
	eventually(t, "the message is given up", func() bool { return w.message(id).Status == wire.StatusFailed })
	if got := w.message(id); got.ErrorCode != cloud.OutcomeUnknown || got.ErrorNumber != 7 || got.ErrorMessage != "No row came." {
		t.Errorf("%+v", got)
	}
	m.report(wire.Report{Kind: wire.Delivered, Message: id, GUID: "guid"})
	if got := w.message(id); got.Status != wire.StatusDelivered || got.ErrorCode != "" || got.ErrorMessage != "" {
		t.Errorf("%+v", got)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.unknown", "message.failed", "message.delivered"}) {
		t.Errorf("%v", got)
	}
}

// A message that became unknown 25 hours ago is given up, one of this minute is not.
func TestUnknownWaitsForItsDay(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	old, fresh := w.send(somebody), w.send("+14155550002")
	m.order()
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: fresh, Attempt: 1})
	m.report(wire.Report{Kind: wire.Unknown, Message: old, Attempt: 1})
	yesterday := time.Now().Add(-25 * time.Hour).UnixMilli()
	w.column(fmt.Sprintf("UPDATE messages SET updated_at = %d WHERE id = '%s' RETURNING id", yesterday, old))
	eventually(t, "the old one is given up", func() bool { return w.message(old).Status == wire.StatusFailed })
	if got := w.message(fresh); got.Status != wire.StatusUnknown {
		t.Errorf("%+v", got)
	}
}
