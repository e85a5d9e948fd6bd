package power_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/simulator"
	"bluerelay/wire"
)

const line = "+14155559876"

// picture is the file that some messages come with.
var picture = append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte("no more than that "), 500)...)

// The busy run: how much goes out and comes in, and with how many people.
const (
	outbound = 40
	inbound  = 30
	people   = 8
)

// record is what a short busy run left: the calls of the server and of the Mac.
type record struct {
	programs    string
	server, mac *machine
	onServer    []call
	onMac       []call
	client      client
	chatDB      string
	credential  credential
	install     string // of the relay's journal
	reports     map[int64]wire.Report
	texts       map[string]string // of the messages that were accepted, by id
}

// credential is the relay's, as its file has it.
type credential map[string]any

func (c credential) secret() string { s, _ := c["secret"].(string); return s }

// newRecord builds the product and has it work for some seconds.
func newRecord(t testing.TB, programs string) *record {
	t.Helper()
	r := &record{programs: programs, server: newMachine(t, "server"), mac: newMachine(t, "mac"), texts: make(map[string]string), reports: make(map[int64]wire.Report)}
	mac := r.setUp(t)
	daemon := []string{r.bluerelay(), "run", "--state", r.state(), "--chat-db", mac.ChatDB(), "--osascript", mac.Osascript()}
	r.mac.start(daemon...)
	r.work(t, mac, 0, outbound/2)
	// A daemon that ends well leaves other files behind than a server that is killed.
	r.mac.restart("TERM", daemon...)
	r.server.restart("KILL", r.serve()...)
	r.ready(t)
	r.work(t, mac, outbound/2, outbound)
	r.onMac = r.mac.stop()
	r.onServer = r.server.stop()
	data, err := os.ReadFile(filepath.Join(r.state(), "credential.json"))
	if err == nil {
		err = json.Unmarshal(data, &r.credential)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := mac.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.chatDB = mac.ChatDB()
	return r
}

func (r *record) bluecloud() string { return filepath.Join(r.programs, "bluecloud") }
func (r *record) bluerelay() string { return filepath.Join(r.programs, "bluerelay") }
func (r *record) state() string     { return filepath.Join(r.mac.dir, "state") }
func (r *record) database() string  { return filepath.Join(r.server.dir, "data", "cloud.db") }

// setUp makes account, line and Mac by the commands of the README.
func (r *record) setUp(t testing.TB) *simulator.Process {
	t.Helper()
	r.client.url = "http://" + freeAddress(t)
	r.server.start(r.serve()...)
	r.ready(t)
	var account struct {
		ID          string `json:"account_id"`
		TextingBlue struct {
			APIKey string `json:"api_key"`
		} `json:"texting_blue"`
	}
	decode(t, r.server.run(r.bluecloud(), "account", "create", "Test", "--json", "--database", r.database()), &account)
	r.client.key = account.TextingBlue.APIKey
	r.server.run(r.bluecloud(), "account", "set", account.ID, "--requests-per-minute", "0", "--database", r.database())
	var added struct {
		SetupURL string `json:"setup_url"`
	}
	decode(t, r.server.run(r.bluecloud(), "line", "add", line, "--account", account.ID, "--json", "--database", r.database()), &added)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mac, err := simulator.Start(ctx, r.bluecloud(), filepath.Join(t.TempDir(), "messages"), simulator.Options{Speed: 25})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mac.Stop(context.Background()) })
	r.mac.run(r.bluerelay(), "pair", added.SetupURL, "--state", r.state(), "--chat-db", mac.ChatDB())
	return mac
}

func (r *record) serve() []string {
	return []string{r.bluecloud(), "serve", "--database", r.database(), "--listen", strings.TrimPrefix(r.client.url, "http://")}
}

func (r *record) ready(t testing.TB) {
	t.Helper()
	if !until(30*time.Second, func() bool {
		status, _, err := r.client.call("GET", "/readyz", nil)
		return err == nil && status == http.StatusOK
	}) {
		t.Fatal("the server does not start")
	}
}

func decode(t testing.TB, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

// work sends and receives some of the messages, and waits until they have arrived.
func (r *record) work(t testing.TB, mac *simulator.Process, from, to int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		text := fmt.Sprintf("outbound %d", i)
		status, body, err := r.client.call("POST", "/v1/messages/send", map[string]string{"to": number(i), "from": line, "content": text})
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("send: %d %s %v", status, body, err)
		}
		var m message
		decode(t, body, &m)
		r.texts[m.ID] = text
		if i >= inbound {
			continue
		}
		in := simulator.Inbound{From: number(i + 1), Text: fmt.Sprintf("inbound %d", i)}
		if i%5 == 0 {
			in.Media = file
		}
		if _, err := simulator.Receive(t.Context(), filepath.Dir(mac.ChatDB()), in); err != nil {
			t.Fatal(err)
		}
	}
	if !until(2*time.Minute, func() bool { return r.arrived(t, min(to, inbound)) }) {
		t.Fatal("not all has arrived")
	}
}

func number(i int) string { return fmt.Sprintf("+1415555%04d", 100+i%people) }

func (r *record) arrived(t testing.TB, inbound int) bool {
	list, err := r.client.all()
	if err != nil {
		t.Fatal(err)
	}
	came := 0
	for _, m := range list {
		switch {
		case m.Direction == "inbound":
			came++
		case m.Status != "delivered" && m.Status != "read":
			return false
		}
	}
	return came == inbound
}
