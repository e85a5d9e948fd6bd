package power_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	_ "github.com/mattn/go-sqlite3"

	"bluerelay/wire"
)

// fresh is how many orders that nobody had begun an image gets: they show when the
// daemon has done all that it would do by itself.
const fresh = 2

// judgeMac starts the daemon on an image, under a cloud that knows all that the daemon
// had told it. It must tell the same again, and nothing that had been handed to
// osascript may be handed to it again.
func (r *record) judgeMac(t testing.TB, dir string, s *said) error {
	state := filepath.Join(dir, "state")
	if s.commands == 0 { // the pairing has not succeeded
		return sound(filepath.Join(state, "journal.db"))
	}
	c := &stub{record: r, said: s, got: make(chan error, 1)}
	server := httptest.NewServer(c)
	defer server.Close()
	if err := r.moveTo(state, server.URL); err != nil {
		return err
	}
	script, log := filepath.Join(dir, "osascript"), filepath.Join(dir, "ran")
	// It refuses before its marker: nothing was sent.
	text := "#!/bin/sh\n[ \"$4\" = probe ] && exit 0\nprintf '%s\\n' \"$8\" >>'" + log + "'\necho 'execution error: no such chat (-1728)' >&2\nexit 1\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	daemon := exec.CommandContext(ctx, r.bluerelay(), "run", "--state", state, "--chat-db", r.chatDB, "--osascript", script)
	var out strings.Builder
	daemon.Stdout, daemon.Stderr = &out, &out
	if err := daemon.Start(); err != nil {
		return err
	}
	var err error
	select {
	case err = <-c.got:
	case <-ctx.Done():
		err = fmt.Errorf("the daemon does not come to rest: %v", c.heard.Load())
	}
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out.String()[max(0, out.Len()-2000):])
	}
	ran, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for text := range strings.Lines(string(ran)) {
		if text = strings.TrimSpace(text); s.ran[text] > 0 {
			return fmt.Errorf("%q was handed to osascript again", text)
		}
	}
	return sound(filepath.Join(state, "journal.db"))
}

// moveTo has the relay's credential name another server.
func (r *record) moveTo(state, server string) error {
	path := filepath.Join(state, "credential.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the credential is gone: %w", err)
	}
	var c credential
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("the credential is damaged: %w", err)
	}
	c["server"] = server
	if data, err = json.Marshal(c); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// sound checks a database as SQLite does; one that is not there is sound.
func sound(path string) error {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&answer); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if answer != "ok" {
		return fmt.Errorf("%s: %s", filepath.Base(path), answer)
	}
	return nil
}

// stub is a cloud for one daemon.
type stub struct {
	*record
	said  *said
	got   chan error   // how it went, once
	heard atomic.Value // how far it has come, for people
}

func (c *stub) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != "/relay/v1/socket" {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	conn, err := up.Upgrade(w, req, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	err = c.serve(conn)
	if websocket.IsUnexpectedCloseError(err) {
		return // it will come back
	}
	select {
	case c.got <- err:
	default:
	}
}

// serve greets the daemon, orders, and listens until nothing more is to be expected.
func (c *stub) serve(conn *websocket.Conn) error {
	var hello wire.Frame
	if err := conn.ReadJSON(&hello); err != nil {
		return err
	}
	if hello.Hello == nil || hello.Hello.JournalHigh < c.said.reported {
		return fmt.Errorf("the journal has given out %d reports, %d had left", hello.Hello.JournalHigh, c.said.reported)
	}
	if c.said.install != "" && hello.Hello.Install != c.said.install {
		return errors.New("the journal is another one")
	}
	if err := conn.WriteJSON(wire.Frame{Type: wire.TypeWelcome, Welcome: &wire.Welcome{Line: line}}); err != nil {
		return err
	}
	open := make(map[string]bool)
	for i, id := range slices.SortedFunc(maps.Keys(c.texts), func(a, b string) int {
		// What had been begun comes first: it would have been begun again before the end.
		return cmp.Or(cmp.Compare(c.said.ran[c.texts[b]], c.said.ran[c.texts[a]]), cmp.Compare(a, b))
	}) {
		text := c.texts[id]
		if c.said.ran[text] == 0 {
			if len(open) == fresh {
				break
			}
			open[id] = true
		}
		err := conn.WriteJSON(wire.Frame{Type: wire.TypeSend, Send: &wire.Send{
			Message: id, Attempt: 1, Seq: int64(i + 1), To: number(i), Text: text, Service: wire.ServiceIMessage,
		}})
		if err != nil {
			return err
		}
	}
	return c.listen(conn, open)
}

// listen compares what was told before with what is told now, and waits for the end of
// the orders in open.
func (c *stub) listen(conn *websocket.Conn, open map[string]bool) error {
	for next := int64(1); next <= c.said.reported || len(open) > 0; {
		var f wire.Frame
		if err := conn.ReadJSON(&f); err != nil {
			return err
		}
		if f.Report == nil {
			continue
		}
		c.heard.Store(fmt.Sprintf("report %d of %d, %s, open %v", f.Report.Seq, c.said.reported, f.Report.Kind, open))
		if err := conn.WriteJSON(wire.Frame{Type: wire.TypeAck, Ack: &wire.Ack{Seq: f.Report.Seq}}); err != nil {
			return err
		}
		switch f.Report.Kind {
		case wire.Accepted, wire.Sending:
		case wire.NoSend:
			if c.said.ran[c.texts[f.Report.Message]] > 0 {
				return fmt.Errorf("what had been handed to osascript is said not to have been: %s", f.Report.Fault.Code)
			}
			delete(open, f.Report.Message)
		default: // it had been begun all the same, and has its row by now
			delete(open, f.Report.Message)
		}
		if f.Report.Seq > c.said.reported {
			continue
		}
		if f.Report.Seq != next {
			return fmt.Errorf("report %d follows %d", f.Report.Seq, next-1)
		}
		was, now := text(c.said.reports[next]), text(*f.Report)
		if was != now {
			return fmt.Errorf("report %d was %s and is %s", next, was, now)
		}
		next++
	}
	return nil
}

func text(r wire.Report) string {
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
