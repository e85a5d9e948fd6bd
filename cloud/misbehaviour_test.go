package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// What a relay must not say ends its connection with the code that tells it what to do;
// what it had said before is kept, and nothing else has changed.
func TestMisbehaviour(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	other := w.account("team_b")
	foreign := w.addLine(other, "+14155550000")
	theirs, err := w.service.Send(t.Context(), other, cloud.Outgoing{From: foreign.PhoneNumber, To: somebody, Content: secretText})
	if err != nil {
		t.Fatal(err)
	}
	second := w.addLine(w.who, "+14155550009")
	sibling, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: second.PhoneNumber, To: somebody, Content: secretText})
	if err != nil {
		t.Fatal(err)
	}
	frame := func(s string) func(*mac, int64) string { return func(*mac, int64) string { return s } }
	report := func(format string) func(*mac, int64) string {
		return func(_ *mac, next int64) string {
			return fmt.Sprintf(`{"t":"report","report":{"seq":%d,`+format+`}}`, next)
		}
	}
	seq := int64(0)
	for name, c := range map[string]struct {
		say  func(m *mac, next int64) string
		code int
	}{
		"no JSON":        {frame("hello"), wire.CloseProtocol},
		"no type":        {frame("{}"), wire.CloseProtocol},
		"half a report":  {frame(`{"t":"report","report":{"seq":1}}`), wire.CloseProtocol},
		"a second hello": {frame(`{"t":"hello","hello":{"protocol":1,"install":"ins_a","journal_high":99}}`), wire.CloseProtocol},
		"a welcome":      {frame(`{"t":"welcome","welcome":{"acked":99}}`), wire.CloseProtocol},
		"an ack":         {frame(`{"t":"ack","ack":{"seq":99}}`), wire.CloseProtocol},
		"an order":       {frame(`{"t":"send","send":{"message":"msg_x","attempt":1,"text":"x"}}`), wire.CloseProtocol},
		"a cancel":       {frame(`{"t":"cancel","cancel":{"message":"msg_x","attempt":1}}`), wire.CloseProtocol},
		"a drain":        {frame(`{"t":"drain","drain":{"delay_ms":1}}`), wire.CloseProtocol},
		"a release":      {frame(`{"t":"release"}`), wire.CloseProtocol},
		"too large":      {frame(`{"t":"health","health":{"reason":"` + strings.Repeat("x", wire.MaxFrame) + `"}}`), websocket.CloseMessageTooBig},
		"a gap": {func(_ *mac, next int64) string {
			return fmt.Sprintf(`{"t":"report","report":{"seq":%d,"kind":"sent","message":"msg_x"}}`, next+1)
		}, wire.CloseProtocol},
		"another account's":  {report(`"kind":"read","message":"` + theirs.ID + `"`), wire.CloseNotYours},
		"another line's":     {report(`"kind":"nosend","message":"` + sibling.ID + `","attempt":1`), wire.CloseNotYours},
		"binary that is not": {frame("\x00\xff"), wire.CloseProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			m := w.connect(secret, hello("ins_a", seq))
			if m.acked != seq {
				t.Fatalf("acknowledged %d, want %d", m.acked, seq)
			}
			// Together with a report that is in order, so that both may be in one batch.
			id := w.send(fmt.Sprintf("+1415556%04d", seq))
			m.order()
			seq++
			m.say(wire.Frame{Type: wire.TypeReport, Report: &wire.Report{Seq: seq, Kind: wire.Sent, Message: id, At: 1}})
			for m.frame().Ack == nil {
			}
			if err := m.conn.WriteMessage(websocket.TextMessage, []byte(c.say(m, seq+1))); err != nil {
				t.Fatal(err)
			}
			if code := m.closed(); code != c.code {
				t.Errorf("closed with %d, want %d", code, c.code)
			}
			if c.code == wire.CloseNotYours {
				seq++ // passed by, so that it does not come again for ever
			}
			if got := w.message(id).Status; got != wire.StatusSent {
				t.Errorf("what came before: %s", got)
			}
			in, err := w.store.Install(t.Context(), "ins_a")
			if err != nil || in.LastSeq != seq || in.RetiredAt != 0 {
				t.Errorf("%+v, %v", in, err)
			}
		})
	}
	for _, m := range []store.Message{theirs, sibling} {
		if got, err := w.store.Message(t.Context(), m.AccountID, m.ID); err != nil || got.Status != wire.Queued {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if n := w.relay(w.line).Alarms; n != 2 {
		t.Errorf("%d alarms", n)
	}
	// The line goes on.
	m := w.connect(secret, hello("ins_a", seq))
	id := w.send(somebody)
	if o := m.order(); o.Message != id {
		t.Errorf("%+v", o)
	}
}

// Reports that come in one go with one that is refused: those before it count, those
// after it come again.
func TestRestOfABatchIsNotLost(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	foreign := w.addLine(w.who, "+14155550009")
	theirs, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: foreign.PhoneNumber, To: somebody, Content: secretText})
	if err != nil {
		t.Fatal(err)
	}
	first, last := w.send("+14155550001"), w.send("+14155550002")
	story := []wire.Report{
		{Seq: 1, Kind: wire.Sent, At: 1, Message: first}, {Seq: 2, Kind: wire.Sent, At: 1, Message: theirs.ID}, {Seq: 3, Kind: wire.Sent, At: 1, Message: last},
	}
	for _, r := range story {
		data, err := wire.Encode(wire.Frame{Type: wire.TypeReport, Report: &r})
		if err != nil {
			t.Fatal(err)
		}
		if m.conn.WriteMessage(websocket.TextMessage, data) != nil {
			break // it may be closed by now
		}
	}
	if code := m.closed(); code != wire.CloseNotYours && code != 0 {
		t.Errorf("closed with %d", code)
	}
	m = w.connect(secret, hello("ins_a", 3))
	if m.acked != 2 {
		t.Fatalf("acknowledged %d", m.acked)
	}
	m.resend(story[2])
	for _, id := range []string{first, last} {
		if got := w.message(id).Status; got != wire.StatusSent {
			t.Errorf("it is %s", got)
		}
	}
}

// The first report after hello may leave a gap: what is too old is not repeated.
func TestFirstReportMayLeaveAGap(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 70))
	id := w.send(somebody)
	m.order()
	m.resend(wire.Report{Seq: 50, Kind: wire.Accepted, Message: id, Attempt: 1})
	m.resend(wire.Report{Seq: 51, Kind: wire.Sent, Message: id, Attempt: 1})
	m.resend(wire.Report{Seq: 50, Kind: wire.Accepted, Message: id, Attempt: 1}) // again, late
	if got := w.message(id).Status; got != wire.StatusSent {
		t.Errorf("it is %s", got)
	}
}

// A report that the database will never take is passed by: what follows is not held up.
func TestPoisonIsPassedBy(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) {
		d := plainDialect()
		d.Body = func(e store.Event, m store.Message) (string, error) {
			if m.Content == "poison" {
				return "", errors.New("this cannot be written")
			}
			return e.Type, nil
		}
		c.Dialects = map[string]cloud.Dialect{store.TextingBlue: d}
	})
	w.hook("https://hooks.example", "message.received")
	if storetest.OnPostgres() {
		w.sql("ALTER TABLE messages ADD CONSTRAINT refuse CHECK (content <> 'refused')")
	} else {
		w.sql(`CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.content = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for i, text := range []string{"first", "poison", "second", "refused", "third"} {
		m.report(received(fmt.Sprint("guid", i), text))
	}
	list, _, err := w.service.Messages(t.Context(), w.who, store.MessageFilter{Direction: store.Inbound, Limit: 10}, "")
	if err != nil || len(list) != 3 || list[0].Content != "third" {
		t.Errorf("%d messages, %v", len(list), err)
	}
	if n := w.relay(w.line).Alarms; n != 2 {
		t.Errorf("%d alarms", n)
	}
	if got := w.column("SELECT detail FROM events WHERE type = 'relay.attention' ORDER BY seq"); len(got) != 2 || got[0] != "report_refused" {
		t.Errorf("%v", got)
	}
	if in, err := w.store.Install(t.Context(), "ins_a"); err != nil || in.LastSeq != 5 {
		t.Errorf("%+v, %v", in, err)
	}
}

// A relay that does not read ends by the deadline of a write, and holds nobody else up.
func TestSlowReader(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.WriteWait, c.Window = 50*time.Millisecond, 10_000 })
	secret := w.paired(w.line)
	header := http.Header{"Authorization": {"Bearer " + secret}}
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return conn, err
	}}
	conn, _, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.server.URL, "http")+"/relay/v1/socket", header)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := hello("ins_a", 0)
	data, err := wire.Encode(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if err == nil {
		err = conn.WriteMessage(websocket.TextMessage, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Mac is there", func() bool { return w.relay(w.line).Connected })
	long := strings.Repeat("a private sentence ", 5000)
	for i := range 200 { // more than the sockets of both sides take
		if _, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: fmt.Sprintf("+1415556%04d", i), Content: long}); err != nil {
			t.Fatal(err)
		}
		if w.logs.has("does not read what it is sent") {
			break
		}
	}
	eventually(t, "the end of the connection", func() bool { return w.logs.has("does not read what it is sent") })
	eventually(t, "the Mac is away", func() bool { return !w.relay(w.line).Connected })
	w.stop()
	w.cfg.WriteWait = 0 // the usual one: this Mac reads, if not always within a moment
	w.start()
	m := w.connect(secret, hello("ins_a", 0))
	if o := m.order(); o.Attempt != 1 {
		t.Errorf("%+v", o)
	}
}
