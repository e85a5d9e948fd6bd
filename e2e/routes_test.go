package e2e_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/simulator"
)

// routed is what the API tells of the way a message took.
type routed struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Service   string `json:"service"`
	GroupID   string `json:"group_id"`
	ErrorCode string `json:"error_code"`
}

// post sends a message with fields of the caller's own.
func (w *world) post(fields map[string]any) routed {
	w.t.Helper()
	fields["from"] = line
	status, body, err := w.call("POST", "/v1/messages/send", fields)
	if err != nil || status != http.StatusAccepted {
		w.t.Fatalf("send %v: %d %s %v", fields, status, body, err)
	}
	return decode[routed](w.t, body)
}

// ends waits for a state.
func (w *world) ends(id, status string) (m routed) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, id+" "+status, func() bool {
		_, body, err := w.call("GET", "/v1/messages/"+id, nil)
		if err != nil {
			return false
		}
		m = decode[routed](w.t, body)
		return m.Status == status
	})
	return m
}

// A message to a group that wrote before goes to that group, and nowhere else.
func TestSendToAGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	w.startRelay()
	mac := filepath.Join(w.dir, "mac")
	group, err := simulator.Group(t.Context(), mac, "Friends", "iMessage", "+14155550101", "+14155550102")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.Receive(t.Context(), mac, simulator.Inbound{From: "+14155550101", Text: "hello all", Group: group}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the inbound message", func() bool { return len(w.all("direction=inbound")) == 1 })
	sent := w.post(map[string]any{"group_id": group, "content": "to all"})
	if got := w.ends(sent.ID, "sent"); got.GroupID != group {
		t.Errorf("%+v", got)
	}
	effects, err := simulator.Effects(mac)
	if err != nil || len(effects) != 1 || effects[0].Recipient != group {
		t.Errorf("%+v, %v", effects, err)
	}
}

// Where the line allows it, a text that proved not to reach its number by iMessage goes
// by SMS: a second row, and one message.
func TestFallbackToSMS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	run(t, bluecloud, "line", "set", line, "--sms-fallback", "on", "--database", w.database())
	w.startRelay()
	sent := w.post(map[string]any{"to": "+15005550001", "content": "by any way"})
	if got := w.ends(sent.ID, "sent"); got.Service != "SMS" {
		t.Errorf("%+v", got)
	}
	blue := w.post(map[string]any{"to": "+15005550001", "content": "blue only", "service": "iMessage"})
	if got := w.ends(blue.ID, "failed"); got.ErrorCode == "" {
		t.Errorf("%+v", got)
	}
	green := w.post(map[string]any{"to": "+14155550103", "content": "green", "service": "SMS"})
	if got := w.ends(green.ID, "sent"); got.Service != "SMS" {
		t.Errorf("%+v", got)
	}
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil || len(effects) != 4 {
		t.Errorf("%+v, %v", effects, err)
	}
}

// A message that is taken back, or whose time passes, before the Mac has begun does not
// leave it.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	late := w.post(map[string]any{"to": "+14155550101", "content": "late", "expires_at": time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339)})
	back := w.post(map[string]any{"to": "+14155550102", "content": "back"})
	if status, body, err := w.call("POST", "/v1/messages/"+back.ID+"/cancel", nil); err != nil || status >= 300 {
		t.Fatal(status, body, err)
	}
	w.ends(late.ID, "failed")
	w.startRelay()
	kept := w.post(map[string]any{"to": "+14155550103", "content": "kept"})
	w.ends(kept.ID, "delivered")
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil || len(effects) != 1 {
		t.Errorf("%+v, %v", effects, err)
	}
}
