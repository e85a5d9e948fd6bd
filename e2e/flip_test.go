package e2e_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bluerelay/simulator"
)

// Rows that say at first that somebody else wrote them, until after they were told: one of
// a send and one that the owner typed. Both end as what they are, and what was told of them
// is taken back.
func TestFlippedRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.startRelay()
	hook := newReceiver(t)
	events := []string{"message.received", "message.sent", "message.updated"}
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": events}); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	mac := filepath.Join(w.dir, "mac")
	db, err := sql.Open("sqlite3", "file:"+w.mac.ChatDB()+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	flip := func(guid string) {
		t.Helper()
		if _, err := db.Exec("UPDATE message SET is_from_me = 1, is_sent = 1, is_delivered = 0 WHERE guid = ?", guid); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(from, text string) string {
		t.Helper()
		guid, err := simulator.Receive(t.Context(), mac, simulator.Inbound{From: from, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return guid
	}
	const friend, other = "+14155550201", "+14155550202"
	if err := simulator.SetTrouble(t.Context(), mac, simulator.Trouble{Drop: 1}); err != nil {
		t.Fatal(err)
	}
	sent := w.send(friend, "so it goes")
	eventually(t, 20*time.Second, "the hand-over", func() bool {
		list, err := simulator.Effects(mac)
		return err == nil && len(list) == 1
	})
	ours, typed := receive(friend, "so it goes"), receive(other, "from my phone")
	eventually(t, 20*time.Second, "what is nobody's send is told at once", func() bool { return len(w.all("direction=inbound")) == 1 })
	flip(typed)
	eventually(t, 20*time.Second, "the owner's words are the owner's", func() bool {
		list := w.all("direction=outbound")
		return len(list) == 2 && list[0].Content == "from my phone" && list[0].To == other && len(w.all("direction=inbound")) == 0
	})
	eventually(t, 45*time.Second, "the other waits as long as the send may show its row", func() bool { return len(w.all("direction=inbound")) == 1 })
	eventually(t, 20*time.Second, "nobody knows", func() bool { return w.get(sent.ID).ErrorCode == "outcome_unknown" })
	flip(ours)
	eventually(t, 20*time.Second, "sent", func() bool { return w.get(sent.ID).Status == "sent" && len(w.all("direction=inbound")) == 0 })
	if _, err := db.Exec("UPDATE message SET is_delivered = 1 WHERE guid = ?", ours); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "delivered", func() bool { return w.get(sent.ID).Status == "delivered" })
	want := []string{"message.received", "message.received", "message.sent", "message.updated replaced", "message.updated replaced"}
	eventually(t, 20*time.Second, "the webhooks", func() bool { return slices.Equal(hook.changes(t), want) })
}
