package store

import (
	"encoding/json"
)

// Edit is one text that a part of a message had, the first one included.
type Edit struct {
	Part int    `json:"part"`
	Text string `json:"text"`
	At   int64  `json:"at"` // Unix ms
}

// EditList are the texts that the message had, oldest first within each part; nil
// for a message that was never edited.
func (m Message) EditList() []Edit {
	if m.Edits == "" {
		return nil
	}
	var list []Edit
	// Only this package's callers write it; what cannot be read is no history.
	_ = json.Unmarshal([]byte(m.Edits), &list)
	return list
}

// SetEdits writes what EditList reads.
func (m *Message) SetEdits(list []Edit) { m.Edits = encodeEdits(list) }

func encodeEdits(list []Edit) string {
	if len(list) == 0 {
		return ""
	}
	data, _ := json.Marshal(list) // numbers and strings can always be written
	return string(data)
}

// Change is what becomes of a message that is there already. Zero members change
// nothing.
type Change struct {
	ID       string
	Now      int64   // Unix ms
	Text     *string // the text from now on
	Late     string  // all of its words, where more of them come after the message
	Revision int64   // of an edit: at most one change has it
	Edits    []Edit  // all of them
	EditedAt int64
	Unsent   int64 // parts taken back by now
	UnsentAt int64
	Peer     string
	ChatGUID string
}

// Change changes a message. It returns the message as it is then, and false where
// it says nothing new: an edit or an unsend that was applied before, or a chat that
// was known.
func (tx *Tx) Change(c Change) (Message, bool, error) {
	list, err := collect(tx.ctx, tx.reader, scanMessage, `UPDATE messages SET content = CASE WHEN $11 <> '' THEN $11 ELSE COALESCE($1, content) END, updated_at = $2,
		revision = CASE WHEN $3 > revision THEN $3 ELSE revision END, edits = CASE WHEN $4 = '' THEN edits ELSE $4 END,
		edited_at = CASE WHEN CAST($5 AS BIGINT) = 0 THEN edited_at ELSE $5 END,
		unsent = CASE WHEN $6 > unsent THEN $6 ELSE unsent END, unsent_at = CASE WHEN CAST($7 AS BIGINT) = 0 THEN unsent_at ELSE $7 END,
		peer = CASE WHEN $8 = '' THEN peer ELSE $8 END, chat_guid = CASE WHEN $9 = '' THEN chat_guid ELSE $9 END
		WHERE id = $10 AND ($3 > revision OR $6 > unsent OR ($9 <> '' AND chat_guid = '') OR ($11 <> '' AND content <> $11)) RETURNING `+messageColumns,
		nullText(c.Text), c.Now, c.Revision, encodeEdits(c.Edits), c.EditedAt, c.Unsent, c.UnsentAt, c.Peer, c.ChatGUID, c.ID, c.Late)
	if err != nil || len(list) == 0 {
		return Message{}, false, err
	}
	m, err := tx.settled(list[0], nil)
	if err == nil && c.Peer != "" {
		err = tx.spoke(m)
	}
	if (c.Text != nil || c.Late != "") && m.HiddenAt == 0 {
		tx.text(m, m.Content, true)
	}
	return m, err == nil, err
}

func nullText(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
