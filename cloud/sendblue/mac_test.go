package sendblue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// paired pairs a Mac with a line and returns its credential.
func (w *world) paired(l store.Line) string {
	w.t.Helper()
	setup, err := w.service.StartPairing(w.t.Context(), l, true)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(setup)
	if err != nil {
		w.t.Fatal(err)
	}
	body, _ := json.Marshal(wire.PairRequest{Token: u.Query().Get("token"), Host: "Studio", OS: "linux", Version: "1"})
	resp, err := http.Post(w.server.URL+"/relay/v1/pair", "application/json", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer wire.PairResponse
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Secret == "" {
		w.t.Fatal(resp.Status, err)
	}
	return answer.Secret
}

// mac is a relay that does what the test says.
type mac struct {
	w      *world
	conn   *websocket.Conn
	frames chan wire.Frame
	gone   chan struct{}
	err    error // why the connection ended, once gone is closed
	seq    int64
	orders []wire.Send // taken while waiting for something else
}

// connect is the arrival of a Mac that is well.
func (w *world) connect(secret, install string) *mac {
	w.t.Helper()
	return w.connectAs(secret, install, wire.Health{Ready: true})
}

// connectAs dials, says hello and waits for the welcome.
func (w *world) connectAs(secret, install string, h wire.Health) *mac {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + secret}}
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: patience}
	conn, _, err := d.DialContext(context.Background(), "ws"+strings.TrimPrefix(w.server.URL, "http")+"/relay/v1/socket", header)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &mac{w: w, conn: conn, frames: make(chan wire.Frame, 4096), gone: make(chan struct{})}
	go m.read()
	w.t.Cleanup(m.leave)
	m.say(wire.Frame{Type: wire.TypeHello, Hello: &wire.Hello{Protocol: wire.Version, Version: "1", Install: install, OS: "linux", Host: "Studio", Health: h}})
	if m.frame().Welcome == nil {
		w.t.Fatal("no welcome")
	}
	return m
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

// inbound makes the Mac report a message that somebody has sent it.
func (m *mac) inbound(text string) {
	m.w.t.Helper()
	m.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: fmt.Sprintf("guid-%d", m.seq+1), From: somebody, Chat: "any;-;" + somebody, Text: text, Service: "iMessage"}})
}
