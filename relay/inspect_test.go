package relay

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// secret is in every field that another person or a program of his can fill.
const secret = "Sesame 4711"

func TestCensor(t *testing.T) {
	var c censor
	for _, one := range []struct {
		name      string
		got, want string
	}{
		{"text", c.text("Héllo, 42 👋\n"), "12 characters, 13 UTF-16 units: 1 upper 4 letter 2 digit 1 newline 2 space 1 punctuation 1 symbol"},
		{"no text", c.text(""), ""},
		{"number", c.handle("+14155550123"), "+1…0123"},
		{"short code", c.handle("262966"), "…"},
		{"address", c.handle("ann.smith@example.com"), "…@….com"},
		{"odd handle", c.handle("urn:biz:1234"), "12 characters, 12 UTF-16 units: 6 letter 4 digit 2 punctuation"},
		{"account", c.account("E:ann@example.com"), "E:…@….com"},
		{"chat", c.chat("any;-;+14155550123"), "any;-;+1…0123"},
		{"room", c.chat("iMessage;+;chat123456789"), "iMessage;+;chat123456789"},
		{"room by name", c.chat("SMS;+;Sesame"), "SMS;+;6 characters, 6 UTF-16 units: 1 upper 5 letter"},
		{"file", c.file("~/Library/Messages/Attachments/ab/Sesame.HEIC"), "….HEIC"},
		{"odd file", c.file("Sesame.opens at 4711"), "…"},
		{"guid", c.guid("at_0_11111111-2222-3333-4444-555555555555"), "at_0_11111111-2222-3333-4444-555555555555"},
		{"odd guid", c.guid("4711"), "4 characters, 4 UTF-16 units: 4 digit"},
		{"type", c.mediaType("image/heic"), "image/heic"},
		{"odd type", c.mediaType("Sesame"), "6 characters, 6 UTF-16 units: 1 upper 5 letter"},
		{"attribute", c.attribute(chatdb.Attr{Name: "__kIMLinkAttributeName", Value: chatdb.Value{Kind: chatdb.ValueURL, Text: "https://x"}}), "__kIMLinkAttributeName: 9 characters, 9 UTF-16 units: 6 letter 3 punctuation"},
		{"code", c.attribute(chatdb.Attr{Name: "__kIMOneTimeCodeAttributeName", Value: chatdb.Value{Kind: chatdb.ValueInt, Int: 4711}}), "__kIMOneTimeCodeAttributeName: a number"},
	} {
		if one.got != one.want {
			t.Errorf("%s: %q, want %q", one.name, one.got, one.want)
		}
	}
}

// Whatever a message holds, its sight tells nothing of it, and with show all.
func TestSightTellsNothing(t *testing.T) {
	attr := func(kind chatdb.ValueKind) chatdb.Attr {
		return chatdb.Attr{Name: secret, Value: chatdb.Value{Kind: kind, Text: secret, Int: 4711, Float: 4711, Date: time.Unix(4711, 0), Bytes: []byte(secret),
			List: []chatdb.Value{{Kind: chatdb.ValueText, Text: secret}}, Map: []chatdb.Attr{{Name: secret}}}}
	}
	m := chatdb.Message{
		RowID: 5, GUID: "THE-GUID", Text: secret, HasBody: true, BodyErr: errors.New(secret),
		Handle: secret, Service: secret, Account: "E:" + secret, Caller: "+4711471147119999", Subject: secret, Balloon: secret, RoomName: secret, Effect: secret,
		Error: 22, ItemType: 1, AssociatedType: 2, ScheduleType: 3, Date: noon,
		Tapback: &chatdb.Tapback{Kind: "emoji", Emoji: secret, Target: secret}, Event: &chatdb.GroupEvent{Kind: "renamed", Who: secret, Other: secret, Title: secret},
		Reply: &chatdb.Reply{GUID: secret}, Edits: []chatdb.Edit{{Text: secret, At: noon}}, Unsent: []int{1},
		Chat:        &chatdb.Chat{RowID: 1, GUID: "any;-;" + secret, Identifier: secret, Service: secret, DisplayName: secret},
		Chats:       []*chatdb.Chat{{GUID: secret}},
		Attachments: []chatdb.Attachment{{GUID: secret, Filename: secret, UTI: secret, MIME: secret, TransferName: secret, TransferState: 3}},
	}
	for kind := chatdb.ValueNil; kind <= chatdb.ValueOther; kind++ {
		m.Body.Runs = append(m.Body.Runs, chatdb.Run{Attachment: secret, Attrs: []chatdb.Attr{attr(kind)}})
	}
	told := func(show bool) string {
		data, err := json.Marshal(sightOf(censor{show}, m, noon))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, word := range []string{"Sesame", "4711"} {
		if out := told(false); strings.Contains(out, word) {
			t.Errorf("%q is in %s", word, out)
		}
	}
	for _, word := range []string{"THE-GUID", "22 recipient is not on iMessage", "item_type 1", "3 under way", "part 1 unsent", `"class"`} {
		if !strings.Contains(told(false), word) {
			t.Errorf("%q is not in %s", word, told(false))
		}
	}
	if n := strings.Count(told(true), secret); n < 25 {
		t.Errorf("with show it is told only %d times: %s", n, told(true))
	}
}
