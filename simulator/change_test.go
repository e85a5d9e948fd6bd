package simulator_test

import (
	"database/sql"
	"testing"

	"howett.net/plist"

	"bluerelay/simulator"
)

func TestChangesOfAMessage(t *testing.T) {
	b := start(t, fast)
	guid, err := simulator.Receive(t.Context(), b.dir, simulator.Inbound{From: "+14155550123", Text: "one"})
	if err != nil {
		t.Fatal(err)
	}
	b.await(t, "join", "+14155550123", func(r row) bool { return r.chats == 1 })
	for _, text := range []string{"two", "three"} {
		if err := simulator.Edit(t.Context(), b.dir, guid, text); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite3", b.dir+"/chat.db?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read := func() (h map[string]any, body []byte) {
		t.Helper()
		var data []byte
		var edited int64
		if err := db.QueryRow("SELECT message_summary_info, attributedBody, date_edited FROM message WHERE guid = ?", guid).Scan(&data, &body, &edited); err != nil || edited == 0 {
			t.Fatalf("edited at %d, %v", edited, err)
		}
		if _, err := plist.Unmarshal(data, &h); err != nil {
			t.Fatal(err)
		}
		return h, body
	}
	h, body := read()
	if parts, _ := h["ec"].(map[string]any); len(parts) != 1 || len(parts["0"].([]any)) != 3 || len(body) == 0 {
		t.Errorf("%v", h)
	}
	if err := simulator.Unsend(t.Context(), b.dir, guid); err != nil {
		t.Fatal(err)
	}
	if h, body := read(); len(h["rp"].([]any)) != 1 || len(body) != 0 {
		t.Errorf("%v", h)
	}
	tap, err := simulator.Tapback(t.Context(), b.dir, guid, "+14155550123", "love")
	if err != nil {
		t.Fatal(err)
	}
	var kind, chats int
	var target string
	err = db.QueryRow("SELECT associated_message_type, associated_message_guid, (SELECT count(*) FROM chat_message_join WHERE message_id = message.ROWID) FROM message WHERE guid = ?", tap).Scan(&kind, &target, &chats)
	if err != nil || kind != 2000 || target != "p:0/"+guid || chats != 1 {
		t.Errorf("type %d, target %q, %d chats, %v", kind, target, chats, err)
	}
	for name, err := range map[string]error{
		"edit":   simulator.Edit(t.Context(), b.dir, "nobody's", "x"),
		"unsend": simulator.Unsend(t.Context(), b.dir, "nobody's"),
	} {
		if err == nil {
			t.Errorf("%s of a message that is not there", name)
		}
	}
	if _, err := simulator.Tapback(t.Context(), b.dir, guid, "+14155550123", "shrug"); err == nil {
		t.Error("a tapback of no kind")
	}
}
