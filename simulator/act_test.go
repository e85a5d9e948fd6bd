package simulator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bluerelay/simulator"
)

func TestReceive(t *testing.T) {
	b := start(t, fast)
	guid, err := simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "+14155550123", Text: "hi\n👋"})
	if err != nil {
		t.Fatal(err)
	}
	r := b.await(t, "join", "+14155550123", func(r row) bool { return r.chats == 1 })
	switch {
	case r.guid != guid || r.text != "hi\n👋" || r.plain.Valid:
		t.Errorf("row %+v", r)
	case r.fromMe, r.sent, !r.finished, !r.delivered, r.dateDelivered != 0, r.read:
		t.Errorf("row %+v", r)
	case r.caller != simulator.DefaultNumber, r.service != "iMessage", r.chat.String != "any;-;+14155550123":
		t.Errorf("row %+v", r)
	}
	if n := len(b.effects(t)); n != 0 {
		t.Errorf("%d effects of an inbound message", n)
	}
}

func TestReceiveByOtherServicesAndNumbers(t *testing.T) {
	b := start(t, fast)
	for _, in := range []simulator.Inbound{
		{From: "262966", Text: "code 123", Service: "SMS"},
		{From: "someone@example.org", Text: "mail", To: "+14155550001"},
		{From: "+14155550123", Text: "rich", Service: "RCS"},
	} {
		if _, err := simulator.Receive(t.Context(), b.dir, in); err != nil {
			t.Fatal(err)
		}
		r := b.await(t, "join", in.From, func(r row) bool { return r.chats == 1 })
		if in.Service != "" && r.service != in.Service || in.To != "" && r.caller != in.To || r.text != in.Text {
			t.Errorf("row %+v", r)
		}
	}
}

func TestReceiveMedia(t *testing.T) {
	b := start(t, fast)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a photo.png", []byte("png bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	guid, err := simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "+14155550123", Text: "look", Media: "a photo.png"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("a photo.png"); err != nil { // it was copied before
		t.Fatal(err)
	}
	var path, name string
	var state, size int
	eventually(t, "the file has arrived", func() bool {
		err := b.db.QueryRow(`SELECT coalesce(filename, ''), transfer_name, transfer_state, total_bytes
			FROM attachment WHERE guid = ?`, "at_0_"+guid).Scan(&path, &name, &state, &size)
		if err == nil && state < 5 && path != "" {
			t.Errorf("path in state %d", state)
		}
		return err == nil && state == 5
	})
	if got, err := os.ReadFile(path); err != nil || string(got) != "png bytes" || name != "a photo.png" || size != 9 {
		t.Errorf("%s holds %q (%d bytes said), %v", name, got, size, err)
	}
	if rel, err := filepath.Rel(b.Attachments(), path); err != nil || !filepath.IsLocal(rel) {
		t.Errorf("file is at %s", path)
	}
	r := b.await(t, "join", "+14155550123", func(r row) bool { return r.attachments == 1 && r.chats == 1 })
	if r.text != "\uFFFClook" || r.partCount != 2 || r.cacheAttachments != 1 {
		t.Errorf("row %+v", r)
	}
}

func TestType(t *testing.T) {
	b := start(t, fast)
	guid, err := simulator.Type(t.Context(), b.dir, "+14155550123", "from my phone")
	if err != nil {
		t.Fatal(err)
	}
	r := b.await(t, "delivered", "+14155550123", func(r row) bool { return r.delivered && r.chats == 1 })
	if r.guid != guid || !r.fromMe || !r.sent || !r.finished || r.dateDelivered != 0 || r.text != "from my phone" {
		t.Errorf("row %+v", r)
	}
	if n := len(b.effects(t)); n != 0 {
		t.Errorf("%d effects of a message nobody asked for", n)
	}
}

func TestActsAreRefused(t *testing.T) {
	b := start(t, fast)
	for _, tt := range []struct {
		name string
		in   simulator.Inbound
		want string
	}{
		{"no sender", simulator.Inbound{Text: "x"}, "sender"},
		{"odd sender", simulator.Inbound{From: "any;-;+1415", Text: "x"}, "sender"},
		{"odd service", simulator.Inbound{From: "+14155550123", Text: "x", Service: "Fax"}, "service"},
		{"nothing", simulator.Inbound{From: "+14155550123"}, "text or a file"},
		{"no file", simulator.Inbound{From: "+14155550123", Media: b.dir}, "readable file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := simulator.Receive(t.Context(), b.dir, tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Receive: %v", err)
			}
		})
	}
	if _, err := simulator.Type(t.Context(), b.dir, "", "x"); err == nil {
		t.Error("typed to nobody")
	}
	for name, dir := range map[string]string{"never": t.TempDir(), "killed": b.dir} {
		if name == "killed" {
			b.kill(t)
		}
		_, err := simulator.Receive(t.Context(), dir, simulator.Inbound{From: "+14155550123", Text: "x"})
		if !errors.Is(err, simulator.ErrNotRunning) || !strings.Contains(err.Error(), "start `bluecloud up --simulate`") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
