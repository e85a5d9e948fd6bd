package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// pair uses a setup URL as a Mac does and returns the answer.
func (w *world) pair(setupURL string) (int, wire.PairResponse) {
	w.t.Helper()
	u, err := url.Parse(setupURL)
	if err != nil || !strings.HasPrefix(setupURL, "https://blue.example/setup?token=dev_") {
		w.t.Fatalf("%q, %v", setupURL, err)
	}
	body, _ := json.Marshal(wire.PairRequest{Token: u.Query().Get("token"), Host: "Studio", OS: "linux", Version: "1"})
	resp, err := http.Post(w.server.URL+"/relay/v1/pair", "application/json", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer wire.PairResponse
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// paired pairs a Mac with a line and returns its credential.
func (w *world) paired(l store.Line) string {
	w.t.Helper()
	setup, err := w.service.StartPairing(w.t.Context(), l, true)
	if err != nil {
		w.t.Fatal(err)
	}
	status, answer := w.pair(setup)
	if status != http.StatusOK || answer.Secret == "" || answer.Line != l.PhoneNumber || answer.LineID != l.ID || answer.Account != "Acme" {
		w.t.Fatalf("%d %+v", status, answer)
	}
	return answer.Secret
}

// postAsMac posts to a path that wants a Mac's credential.
func postAsMac[T any](w *world, path, secret, body string) (status int, answer T) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer) // a refused credential is answered in plain text
	return resp.StatusCode, answer
}

// mac is a relay that does what the test says.
type mac struct {
	w       *world
	conn    *websocket.Conn
	frames  chan wire.Frame
	gone    chan struct{}
	err     error // why the connection ended, once gone is closed
	acked   int64 // as welcome said
	seq     int64
	orders  []wire.Send // taken while waiting for something else
	welcome wire.Welcome
}

// dial opens the socket; status is that of a refusal.
func (w *world) dial(secret string, header http.Header) (m *mac, status int) {
	w.t.Helper()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Authorization", "Bearer "+secret)
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: patience}
	conn, resp, err := d.DialContext(context.Background(), "ws"+strings.TrimPrefix(w.server.URL, "http")+"/relay/v1/socket", header)
	if err != nil {
		if !errors.Is(err, websocket.ErrBadHandshake) {
			w.t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	m = &mac{w: w, conn: conn, frames: make(chan wire.Frame, 4096), gone: make(chan struct{})}
	go m.read()
	w.t.Cleanup(m.leave)
	return m, http.StatusSwitchingProtocols
}

func (m *mac) read() {
	defer close(m.gone)
	for {
		_, data, err := m.conn.ReadMessage()
		if err != nil {
			m.err = err
			return
		}
		f, err := wire.Decode(data)
		if err != nil {
			m.err = err
			return
		}
		m.frames <- f
	}
}

func (m *mac) leave() { m.conn.Close(); <-m.gone }

// hello is what a healthy relay on Linux says of itself.
func hello(install string, high int64) wire.Hello {
	return wire.Hello{Protocol: wire.Version, Version: "1", Install: install, JournalHigh: high, OS: "linux", Host: "Studio", Health: wire.Health{Ready: true}}
}

// connect dials, says hello and waits for the welcome.
func (w *world) connect(secret string, h wire.Hello) *mac {
	w.t.Helper()
	m, status := w.dial(secret, nil)
	if m == nil {
		w.t.Fatalf("refused with %d", status)
	}
	m.say(wire.Frame{Type: wire.TypeHello, Hello: &h})
	welcome := m.frame().Welcome
	if welcome == nil {
		w.t.Fatal("no welcome")
	}
	m.welcome, m.acked, m.seq = *welcome, welcome.Acked, h.JournalHigh
	return m
}

// say writes one frame.
func (m *mac) say(f wire.Frame) {
	m.w.t.Helper()
	data, err := wire.Encode(f)
	if err == nil {
		err = m.conn.WriteMessage(websocket.TextMessage, data)
	}
	if err != nil {
		m.w.t.Fatal(err)
	}
}

// frame waits for the next frame.
func (m *mac) frame() wire.Frame {
	m.w.t.Helper()
	select {
	case f := <-m.frames:
		return f
	default:
	}
	select {
	case f := <-m.frames:
		return f
	case <-m.gone:
		m.w.t.Fatalf("the connection ended: %v", m.err)
	case <-time.After(patience):
		m.w.t.Fatal("no frame came")
	}
	return wire.Frame{}
}

// order waits for the next order.
func (m *mac) order() wire.Send {
	m.w.t.Helper()
	for len(m.orders) == 0 {
		if f := m.frame(); f.Send != nil {
			m.orders = append(m.orders, *f.Send)
		}
	}
	next := m.orders[0]
	m.orders = m.orders[1:]
	return next
}

// report gives a report the next number, sends it and waits until it is committed.
func (m *mac) report(r wire.Report) {
	m.w.t.Helper()
	m.seq++
	r.Seq = m.seq
	m.resend(r)
}

// resend sends a report as it is and waits until it is committed.
func (m *mac) resend(r wire.Report) {
	m.w.t.Helper()
	if r.At == 0 {
		r.At = time.Date(2026, 2, 7, 12, 0, 3, 0, time.UTC).UnixMilli()
	}
	m.say(wire.Frame{Type: wire.TypeReport, Report: &r})
	for {
		f := m.frame()
		if f.Send != nil {
			m.orders = append(m.orders, *f.Send)
		}
		if f.Ack != nil && f.Ack.Seq >= r.Seq {
			return
		}
	}
}

// idle makes the server look for work and returns the orders that have come by
// then: an acknowledgement follows whatever was there before it.
func (m *mac) idle() []wire.Send {
	m.w.t.Helper()
	m.report(wire.Report{Kind: wire.Sent, Message: "msg_of_nobody"})
	// The orders of the same round are written after its acknowledgement; a second
	// round has them before its own.
	m.report(wire.Report{Kind: wire.Sent, Message: "msg_of_nobody"})
	list := m.orders
	m.orders = nil
	return list
}

// closed waits for the end of the connection and returns its close code, 0 without
// one.
func (m *mac) closed() int {
	m.w.t.Helper()
	select {
	case <-m.gone:
	case <-time.After(patience):
		m.w.t.Fatal("the connection stays")
	}
	if e, ok := errors.AsType[*websocket.CloseError](m.err); ok {
		return e.Code
	}
	return 0
}
