package simulator

import (
	"context"
	"fmt"
	"time"
	"unicode/utf16"

	"howett.net/plist"
)

// alteration is the request of Edit, Unsend and Tapback.
type alteration struct {
	GUID string `json:"guid"`
	Text string `json:"text,omitzero"`
	From string `json:"from,omitzero"`
	Kind string `json:"kind,omitzero"`
}

// Edit gives the message with that guid another text, as its sender would: in its
// own row, with all its texts kept beside it. It fails with ErrNotRunning where no
// Messages runs in dir.
func Edit(ctx context.Context, dir, guid, text string) error {
	_, err := act(ctx, dir, pathEdit, alteration{GUID: guid, Text: text})
	return err
}

// Unsend takes the message with that guid back, all of it. It fails with
// ErrNotRunning where no Messages runs in dir.
func Unsend(ctx context.Context, dir, guid string) error {
	_, err := act(ctx, dir, pathUnsend, alteration{GUID: guid})
	return err
}

// Tapback lets somebody react to the message with that guid and returns the guid of
// the reaction. Kinds are love, like, dislike, laugh, emphasize and question. It
// fails with ErrNotRunning where no Messages runs in dir.
func Tapback(ctx context.Context, dir, guid, from, kind string) (string, error) {
	return act(ctx, dir, pathTapback, alteration{GUID: guid, From: from, Kind: kind})
}

// history is a row's message_summary_info, as far as edits and unsends need it.
type history struct {
	Edits  map[string][]edition      `plist:"ec,omitempty"`
	Edited []int                     `plist:"ep,omitempty"`
	Ranges map[string]map[string]int `plist:"otr"`
	Unsent []int                     `plist:"rp,omitempty"`
	Shown  bool                      `plist:"ust"`
}

type edition struct {
	Text    []byte  `plist:"t"` // a typedstream
	Seconds float64 `plist:"d"` // since 2001
}

// historyOf reads a row's history, or begins one with the text it has.
func (db *messagesDB) historyOf(ctx context.Context, guid string) (h history, body []byte, date int64, err error) {
	var data []byte
	ok, err := db.file.find(ctx, []any{&data, &body, &date}, "SELECT message_summary_info, attributedBody, date FROM message WHERE guid = ?", guid)
	if err == nil && !ok {
		err = faultf("there is no message %s", guid)
	}
	if err != nil {
		return h, nil, 0, err
	}
	if len(data) > 0 {
		_, err = plist.Unmarshal(data, &h)
	}
	h.Shown = true
	if h.Ranges == nil {
		h.Ranges = map[string]map[string]int{"0": {"lo": 0, "le": len(body)}}
	}
	return h, body, date, err
}

func (db *messagesDB) edit(ctx context.Context, guid, text string) error {
	h, body, date, err := db.historyOf(ctx, guid)
	if err != nil {
		return err
	}
	next := messageBody(text, "", false)
	if h.Edits == nil {
		h.Edits = map[string][]edition{"0": {{Text: body, Seconds: float64(date) / float64(time.Second)}}}
		h.Edited, h.Ranges = []int{0}, map[string]map[string]int{"0": {"lo": 0, "le": len(utf16.Encode([]rune(text)))}}
	}
	now := appleNow()
	h.Edits["0"] = append(h.Edits["0"], edition{Text: next, Seconds: float64(now) / float64(time.Second)})
	return db.saveHistory(ctx, guid, h, next, 1, now)
}

func (db *messagesDB) unsend(ctx context.Context, guid string) error {
	h, _, _, err := db.historyOf(ctx, guid)
	if err != nil {
		return err
	}
	h.Unsent = []int{0}
	return db.saveHistory(ctx, guid, h, nil, 0, appleNow())
}

func (db *messagesDB) saveHistory(ctx context.Context, guid string, h history, body []byte, parts int, now int64) error {
	data, err := plist.Marshal(h, plist.BinaryFormat)
	if err != nil {
		return fmt.Errorf("encode history: %w", err)
	}
	var kept any
	if body != nil {
		kept = body
	}
	_, err = db.file.exec(ctx, "UPDATE message SET attributedBody = ?, text = NULL, message_summary_info = ?, date_edited = ?, part_count = ?, is_empty = ? WHERE guid = ?",
		kept, data, now, parts, parts == 0, guid)
	return err
}

// tapbackTypes are the values of associated_message_type.
var tapbackTypes = map[string]int{"love": 2000, "like": 2001, "dislike": 2002, "laugh": 2003, "emphasize": 2004, "question": 2005}

func (db *messagesDB) tapback(ctx context.Context, guid, from, kind string) (string, error) {
	number, ok := tapbackTypes[kind]
	if !ok || !plausibleHandle(from) {
		return "", faultf("a tapback needs a sender and one of love, like, dislike, laugh, emphasize, question")
	}
	l := &life{GUID: newGUID(), Service: serviceIMessage, Peer: from, Chat: directChat(from)}
	err := db.file.commit(ctx, func() error {
		handle, err := db.handle(ctx, l)
		if err != nil {
			return err
		}
		_, err = db.file.exec(ctx, `INSERT INTO message (guid, handle_id, attributedBody, version, service, account_guid, date, is_finished, is_delivered,
			associated_message_type, associated_message_guid) VALUES (?, ?, ?, 10, ?, ?, ?, 1, 1, ?, ?)`,
			l.GUID, handle, messageBody("Reacted to a message", "", false), l.Service, db.account, appleNow(), number, "p:0/"+guid)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("insert tapback: %w", err)
	}
	return l.GUID, db.join(ctx, l)
}
