package power_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/wire"
)

// judgeServer starts the server on an image. What was answered with 202 must be there,
// with everything that was acknowledged of it, and what a relay was ordered must be
// known as ordered.
func (r *record) judgeServer(t testing.TB, dir string, s *said) error {
	database := filepath.Join(dir, "data", "cloud.db")
	address := freeAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server := exec.CommandContext(ctx, r.bluecloud(), "serve", "--database", database, "--listen", address)
	var out strings.Builder
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		return err
	}
	err := r.ask(client{url: "http://" + address, key: r.client.key}, s)
	_ = server.Process.Kill()
	_ = server.Wait()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out.String()[max(0, out.Len()-2000):])
	}
	return sound(database)
}

func (r *record) ask(c client, s *said) error {
	if !until(20*time.Second, func() bool {
		status, _, err := c.call("GET", "/readyz", nil)
		return err == nil && status == http.StatusOK
	}) {
		return errors.New("the server does not start")
	}
	if s.commands == 0 {
		return nil // nobody has an account yet
	}
	list, err := c.all()
	if err != nil {
		return err
	}
	for _, id := range s.accepted {
		if list[id].Content != r.texts[id] {
			return fmt.Errorf("message %s was accepted and is %+v", id, list[id])
		}
	}
	if err := knows(list, s); err != nil {
		return err
	}
	if err := r.files(c, list, s); err != nil {
		return err
	}
	if s.acked == 0 && len(s.orders) == 0 {
		return nil
	}
	return r.meet(c, list, s)
}

// rank orders the states of a message by how much they say.
var rank = map[string]int{"queued": 0, "polling": 1, "sent": 2, "delivered": 3}

// ranks are the states that reports lead to at least.
var ranks = map[wire.Kind]int{wire.Accepted: 1, wire.Sending: 1, wire.Sent: 2, wire.Delivered: 3, wire.Read: 3}

// knows looks for what the acknowledged reports have told.
func knows(list map[string]message, s *said) error {
	came := make(map[string]int)
	for _, m := range list {
		if m.Direction == "inbound" {
			came[m.Content]++
		}
	}
	for seq := int64(1); seq <= s.acked; seq++ {
		switch one := s.reports[seq]; {
		case one.Kind == wire.Received:
			if came[one.Inbound.Text] != 1 {
				return fmt.Errorf("%q was acknowledged and is there %d times", one.Inbound.Text, came[one.Inbound.Text])
			}
		case one.Message != "" && rank[list[one.Message].Status] < ranks[one.Kind]:
			return fmt.Errorf("report %d, %s, was acknowledged and the message is %s", seq, one.Kind, list[one.Message].Status)
		}
	}
	return nil
}

// files gets every file that is offered, and counts those whose end was acknowledged.
func (r *record) files(c client, list map[string]message, s *said) error {
	whole := 0
	for _, m := range list {
		if m.MediaURL == "" {
			continue
		}
		resp, err := http.Get(strings.Replace(m.MediaURL, r.client.url, c.url, 1))
		if err != nil {
			return err
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusOK && bytes.Equal(data, picture) {
			whole++
		}
	}
	if whole < s.uploaded {
		return fmt.Errorf("%d files were acknowledged, %d are whole", s.uploaded, whole)
	}
	return nil
}

// meet comes as the relay and listens to what it is to do. A report of its own, which
// says nothing, is acknowledged after that.
func (r *record) meet(c client, list map[string]message, s *said) error {
	header := http.Header{"Authorization": {"Bearer " + r.credential.secret()}}
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: 10 * time.Second}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(c.url, "http")+"/relay/v1/socket", header)
	if err != nil {
		return fmt.Errorf("the relay is not let in: %w", err)
	}
	resp.Body.Close()
	defer conn.Close()
	const high = 1 << 40
	hello := wire.Hello{Protocol: wire.Version, Install: r.install, JournalHigh: high, Health: wire.Health{Code: wire.ProblemStarting, Reason: "Not now."}}
	if err := conn.WriteJSON(wire.Frame{Type: wire.TypeHello, Hello: &hello}); err != nil {
		return err
	}
	ordered := make(map[string]int)
	for {
		var f wire.Frame
		if err := conn.ReadJSON(&f); err != nil {
			return err
		}
		switch f.Type {
		case wire.TypeWelcome:
			if f.Welcome.Acked < s.acked {
				return fmt.Errorf("report %d was acknowledged, %d is known", s.acked, f.Welcome.Acked)
			}
			last := wire.Report{Seq: f.Welcome.Acked + 1, Kind: "nothing", Message: "msg_none", Token: "none"}
			if err := conn.WriteJSON(wire.Frame{Type: wire.TypeReport, Report: &last}); err != nil {
				return err
			}
		case wire.TypeSend:
			ordered[f.Send.Message] = f.Send.Attempt
		case wire.TypeAck:
			for id, attempt := range s.orders {
				if open := rank[list[id].Status] < rank["sent"]; open && ordered[id] < attempt {
					return fmt.Errorf("attempt %d of %s was ordered and is not known: %s, %s", attempt, id, list[id].Status, cmp.Or(fmt.Sprint(ordered[id]), "never"))
				}
			}
			return nil
		}
	}
}
