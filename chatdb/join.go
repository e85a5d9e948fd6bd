package chatdb

import (
	"cmp"
	"context"
	"slices"
)

// joiner gathers the messages of one read and adds what is joined to them. What a
// message does not have is not looked for.
type joiner struct {
	*session
	limit int // of messages; 0 is none
	found []Message
	known map[int64]*Chat
}

// add takes a row of a statement made by schema.messages, unless it begins a message
// beyond the limit.
func (j *joiner) add(r row) (enough bool) {
	if n := len(j.found); n == 0 || j.found[n-1].RowID != r.int(0) {
		if n > 0 && n == j.limit {
			return true
		}
		j.found = append(j.found, messageOf(r))
	}
	j.addChat(&j.found[len(j.found)-1], r[len(messageColumns):])
	return false
}

// addChat takes the columns of a chat, which are NULL where there is none. One that has
// no guid is nowhere. The messages of one read share their chats.
func (j *joiner) addChat(m *Message, r row) {
	id := r.int(0)
	if id == 0 {
		return
	}
	c := j.known[id]
	if c == nil {
		if c = chatOf(r); j.known == nil {
			j.known = make(map[int64]*Chat)
		}
		j.known[id] = c
	}
	if c.GUID != "" {
		m.join(c)
	}
}

// complete looks for what has tables of its own. What it finds may be a moment
// younger than the rows: an attachment more, but no other message.
func (j *joiner) complete(ctx context.Context) error {
	for i := range j.found {
		m := &j.found[i]
		if m.Chat == nil {
			// Deleting moves the join of a message to another table, so a row without
			// a chat is either too young or in Recently Deleted.
			if err := j.query(ctx, queryTrash, args(m.RowID), func(r row) { j.addChat(m, r) }); err != nil {
				return err
			}
			m.Deleted = m.Chat != nil
		}
		if err := j.addAttachments(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// addAttachments finds them through the join and through the body. Messages sets
// cache_has_attachments with each join, by a trigger; images of groups were met
// without join rows (macOS 15.7.7), where the body alone names them.
func (j *joiner) addAttachments(ctx context.Context, m *Message) error {
	named := m.Body.attachments()
	if len(named) == 0 && !m.HasAttachments && j.has["message"]["cache_has_attachments"] {
		return nil
	}
	add := func(r row) { m.Attachments = append(m.Attachments, attachmentOf(r)) }
	if err := j.query(ctx, queryAttachments, args(m.RowID), add); err != nil {
		return err
	}
	for _, guid := range named {
		if slices.ContainsFunc(m.Attachments, func(a Attachment) bool { return a.GUID == guid }) {
			continue
		}
		if err := j.query(ctx, queryAttachment, args(guid), add); err != nil {
			return err
		}
	}
	m.orderAttachments(named)
	return nil
}

// maxNamed bounds the attachments that are looked up for one message by the names in
// its body, which another person wrote.
const maxNamed = 256

// attachments lists the attachments that the body names, in order.
func (b Body) attachments() (guids []string) {
	for _, run := range b.Runs {
		if len(guids) == maxNamed {
			break
		}
		if run.Attachment != "" && !slices.Contains(guids, run.Attachment) {
			guids = append(guids, run.Attachment)
		}
	}
	return guids
}

func (m *Message) orderAttachments(named []string) {
	if len(m.Attachments) < 2 {
		return
	}
	place := func(a Attachment) int {
		if i := slices.Index(named, a.GUID); i >= 0 {
			return i
		}
		return len(named)
	}
	slices.SortFunc(m.Attachments, func(a, b Attachment) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.RowID, b.RowID))
	})
}
