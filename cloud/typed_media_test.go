package cloud_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Files of what the owner wrote elsewhere come as those of inbound messages do.
func TestFilesOfTypedMessages(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	m.report(wire.Report{Kind: wire.Typed, GUID: "typed", Inbound: &wire.Inbound{
		GUID: "typed", From: somebody, Text: secretText, Status: wire.StatusSent, Media: []wire.Media{{ID: "at_1", Name: "a.jpg", MIME: "image/jpeg"}},
	}})
	if got := w.events(); !slices.Equal(got, []string{"message.sent"}) {
		t.Errorf("%v", got)
	}
	if status := w.put(newFile(secret, "typed", "at_1", picture), 0); status != http.StatusCreated {
		t.Fatalf("%d", status)
	}
	got := w.byGUID("typed")
	resp, data := w.visit("https://blue.example" + got.MediaURL)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(data, picture) {
		t.Errorf("%d %q", resp.StatusCode, got.MediaURL)
	}
	if got := w.events(); !slices.Equal(got, []string{"message.sent", "message.updated"}) {
		t.Errorf("%v", got)
	}
	if got.Origin != store.OriginDevice {
		t.Errorf("%+v", got)
	}
}
