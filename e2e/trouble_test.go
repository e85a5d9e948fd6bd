package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/simulator"
)

// health is what `bluecloud relay list` says of the one Mac.
type health struct {
	Connected bool   `json:"connected"`
	Ready     bool   `json:"ready"`
	Problem   string `json:"problem"`
	Reason    string `json:"reason"`
}

func (w *world) health() health {
	w.t.Helper()
	list := decode[struct{ Relays []health }](w.t, run(w.t, bluecloud, "relay", "list", "--json", "--database", w.database()))
	if len(list.Relays) != 1 {
		w.t.Fatalf("%d relays", len(list.Relays))
	}
	return list.Relays[0]
}

// in waits until the Mac is in that trouble, with a sentence that helps.
func (w *world) in(problem, sentence string) {
	w.t.Helper()
	eventually(w.t, 20*time.Second, "the problem "+problem, func() bool {
		h := w.health()
		return h.Connected && !h.Ready && h.Problem == problem && strings.Contains(h.Reason, sentence)
	})
}

// delivers waits for a message that was accepted before or during the trouble.
func (w *world) delivers(id string) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, "the message delivered", func() bool { return w.get(id).Status == "delivered" })
}

// Whatever is wrong with chat.db, the queue is kept, a person is told, and all goes
// on by itself when it is mended.
func TestTroubleWithChatDB(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	path := filepath.Join(w.dir, "elsewhere", "chat.db")
	w.relay = start(t, bluerelay, "run", "--state", w.state(), "--chat-db", path, "--osascript", w.mac.Osascript())
	w.in("chat_db", "Messages") // in the moment before, the Mac would get a message and keep it
	first := w.send("+14155551234", "while chat.db is missing")

	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("this is not a database, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.in("chat_db", "")
	if got := w.get(first.ID); got.Status != "queued" {
		t.Errorf("the message is %s while nothing can be sent", got.Status)
	}

	// The real one, at the place where it was missing.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(w.mac.ChatDB()), filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	w.delivers(first.ID)
	if !w.health().Ready {
		t.Error("the relay is not ready after it was mended")
	}
}

// macOS withholds chat.db from a relay that runs, as when its grant is taken away, and
// gives it back: a person is told, nothing that came meanwhile is lost or told twice.
func TestChatDBIsWithheld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	door := filepath.Join(w.dir, "door")
	must(os.Mkdir(door, 0o755))
	must(os.Symlink(filepath.Dir(w.mac.ChatDB()), filepath.Join(door, "mac")))
	program, user := bluerelay, (*syscall.Credential)(nil)
	if os.Getuid() == 0 { // no mode keeps root out
		user = &syscall.Credential{Uid: 65534, Gid: 65534}
		program = filepath.Join(w.dir, "bluerelay")
		data, err := os.ReadFile(bluerelay)
		must(err)
		syscall.ForkLock.RLock() // a child of another test would hold it open for writing
		err = os.WriteFile(program, data, 0o755)
		syscall.ForkLock.RUnlock()
		must(err)
		must(os.Chmod(filepath.Dir(w.dir), 0o755))
		must(filepath.WalkDir(w.state(), func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, 65534, 65534))
		}))
		must(os.Chmod(filepath.Dir(w.mac.ChatDB()), 0o755))
		for _, suffix := range []string{"", "-wal", "-shm"} {
			must(os.Chmod(w.mac.ChatDB()+suffix, 0o644))
		}
	}
	receive := func(text string) {
		t.Helper()
		_, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: "+14155551234", Text: text})
		must(err)
	}
	inbound := func(want int) {
		t.Helper()
		eventually(t, 30*time.Second, "the messages that came in", func() bool { return len(w.all("direction=inbound")) == want })
	}
	must(os.Chmod(door, 0)) // from the start
	w.relay = startAs(t, user, program, "run", "--state", w.state(), "--chat-db", filepath.Join(door, "mac", "chat.db"), "--osascript", w.mac.Osascript())
	for i := range 3 {
		w.in("chat_db", "Full Disk Access")
		receive(fmt.Sprint("while it is withheld ", i))
		must(os.Chmod(door, 0o755))
		inbound(2*i + 1)
		receive(fmt.Sprint("while it is granted ", i))
		inbound(2*i + 2)
		if h := w.health(); h.Problem == "chat_db" {
			t.Errorf("it is readable and said to be in trouble: %s", h.Reason)
		}
		must(os.Chmod(door, 0))
	}
	must(os.Chmod(door, 0o755)) // for whoever cleans up
}

// Another process holds chat.db locked when the relay starts; it waits and then
// goes on.
func TestLockedChatDB(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	if err := w.mac.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+w.mac.ChatDB()+"?_locking_mode=EXCLUSIVE&_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("UPDATE kvtable SET value = value"); err != nil {
		t.Fatal(err)
	}
	w.startRelay()
	during := w.send("+14155551234", "while it is locked")
	w.in("chat_db", "")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := simulator.Start(t.Context(), bluecloud, filepath.Join(w.dir, "mac"), simulator.Options{Speed: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Stop(context.Background()) })
	w.delivers(during.ID)
}

// chat.db is replaced by a copy with other rows, as after a new sign-in: what comes
// then is read, what came before is not told again.
func TestReplacedChatDB(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.startRelay()
	receive := func(dir, text string) {
		t.Helper()
		if _, err := simulator.Receive(t.Context(), dir, simulator.Inbound{From: "+14155551234", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	mac := filepath.Join(w.dir, "mac")
	receive(mac, "one")
	receive(mac, "two")
	eventually(t, 20*time.Second, "the first two", func() bool { return len(w.all("direction=inbound")) == 2 })

	if err := w.mac.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chat.db", "chat.db-wal", "chat.db-shm", "simulator.db", "simulator.db-wal", "simulator.db-shm"} {
		if err := os.Remove(filepath.Join(mac, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	again, err := simulator.Start(t.Context(), bluecloud, mac, simulator.Options{Speed: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Stop(context.Background()) })
	receive(mac, "three")
	w.delivers(w.send("+14155551234", "to the new one").ID)
	eventually(t, 20*time.Second, "the third", func() bool { return len(w.all("direction=inbound")) == 3 })
}

// osascript is missing, then hangs, then denies, then works: nothing is lost and
// nothing goes twice.
func TestTroubleWithOsascript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	program := filepath.Join(w.dir, "osascript")
	w.relay = start(t, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--osascript", program)
	m := w.send("+14155551234", "patience")
	w.in("osascript", "could not be started")

	install := func(script string) {
		t.Helper()
		tmp := program + ".new"
		if err := os.WriteFile(tmp, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, program); err != nil {
			t.Fatal(err)
		}
	}
	install("#!/bin/sh\ncat >/dev/null\necho '0:1: execution error: Not authorised to send Apple events to Messages. (-1743)' >&2\nexit 1\n")
	w.in("automation", "Automation")
	if got := w.get(m.ID).Status; got != "queued" && got != "polling" {
		t.Errorf("the message is %s while nothing can be sent", got)
	}
	install("#!/bin/sh\nexec " + w.mac.Osascript() + ` "$@"` + "\n")
	w.delivers(m.ID)
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil || len(effects) != 1 {
		t.Errorf("%d messages left the Mac, %v", len(effects), err)
	}
}

// A relay that is replaced is told so, and a revoked one may not come back.
func TestRevokedRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.startRelay()
	w.delivers(w.send("+14155551234", "hello").ID)
	list := decode[struct {
		Relays []struct {
			ID string `json:"relay_id"`
		}
	}](t, run(t, bluecloud, "relay", "list", "--json", "--database", w.database()))
	run(t, bluecloud, "relay", "revoke", list.Relays[0].ID, "--database", w.database())
	w.relay.out.await(t, "link.refused", 20*time.Second)
	w.relay.out.await(t, "the cloud no longer accepts this Mac: pair it again", 20*time.Second)
	waiting := w.send("+14155551234", "for the next Mac")

	if msg := fails(t, 1, bluerelay, "pair", w.url()+"/setup?token=dev_wrong", "--state", filepath.Join(w.dir, "other")); !strings.Contains(msg, "does not know this setup URL") {
		t.Errorf("a wrong setup URL says: %s", msg)
	}
	w.relay.kill()
	setup := decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, run(t, bluecloud, "line", "pair", line, "--json", "--database", w.database()))
	run(t, bluerelay, "pair", setup.SetupURL, "--state", w.state(), "--chat-db", w.mac.ChatDB())
	if msg := fails(t, 1, bluerelay, "pair", setup.SetupURL, "--state", filepath.Join(w.dir, "other")); !strings.Contains(msg, "has been used already") || !strings.Contains(msg, "line pair NUMBER") {
		t.Errorf("a used setup URL says: %s", msg)
	}
	w.startRelay()
	w.delivers(waiting.ID)
	if msg := fails(t, 1, bluerelay, "run", "--state", w.state()); !strings.Contains(msg, "already running") {
		t.Errorf("a second daemon says: %s", msg)
	}
}
