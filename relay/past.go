package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// past reads the messages of an import. One goroutine uses it.
type past struct {
	db         *chatdb.DB
	credential Credential
	claims     claims
	since      time.Time
	first      int64 // the first ROWID that counts
	now        time.Time
	recent     []chatdb.Message // the rows before the present one, oldest first
}

// previewReach is how many rows before a link's balloon its text is looked for.
const previewReach = 16

// part is what goes to the cloud in one request.
type part struct {
	body       []byte // a wire.History
	messages   int
	withheld   int
	unreadable int
	files      int
	last       chatdb.Mark // the last row that it accounts for
	done       float64
}

// The JSON of a wire.History around its messages.
const (
	partHead = `{"messages":[`
	partTail = `]}`
)

// read hands out the rows up to the daemon's cursor, in order.
func (r *past) read(ctx context.Context, parts chan<- part) error {
	end := r.claims.cursor.RowID
	for at := r.first - 1; at < end; {
		rows, err := r.db.After(ctx, at, importBatch)
		if err != nil {
			return err
		}
		rows = rows[:len(rows)-countAbove(rows, end)]
		if len(rows) == 0 {
			return nil
		}
		at = rows[len(rows)-1].RowID
		if err := r.pack(ctx, rows, parts); err != nil {
			return err
		}
	}
	return nil
}

func countAbove(rows []chatdb.Message, end int64) (n int) {
	for _, m := range slices.Backward(rows) {
		if m.RowID <= end {
			break
		}
		n++
	}
	return n
}

// pack makes one part of the rows, or more where their texts are long.
func (r *past) pack(ctx context.Context, rows []chatdb.Message, parts chan<- part) error {
	var p part
	body := bytes.NewBufferString(partHead)
	flush := func() error {
		body.WriteString(partTail)
		p.body = body.Bytes()
		p.done = float64(p.last.RowID-r.first+1) / float64(max(1, r.claims.cursor.RowID-r.first+1))
		select {
		case parts <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		p, body = part{last: p.last}, bytes.NewBufferString(partHead)
		return nil
	}
	for _, m := range rows {
		data := r.weigh(&p, m)
		r.remember(m)
		if p.messages > 0 && body.Len()+len(data)+len(partTail)+1 > wire.MaxHistoryBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if data != nil {
			if p.messages > 0 {
				body.WriteByte(',')
			}
			body.Write(data)
			p.messages++
			for _, a := range m.Attachments {
				if !a.Hidden {
					p.files++
				}
			}
		}
		p.last = chatdb.Mark{RowID: m.RowID, GUID: m.GUID, File: r.db.File()}
	}
	return flush()
}

// weigh gives the JSON of a row that is to be imported, nil for any other.
func (r *past) weigh(p *part, m chatdb.Message) []byte {
	if r.claims.holds(m) {
		return nil
	}
	if m.Damage != nil || m.GUID == "" {
		p.unreadable++
		return nil
	}
	if m.Date.IsZero() || m.Date.Before(r.since) || m.Deleted || !r.says(m) {
		return nil
	}
	m.Handle = party(m)
	somebodys := m.Handle != "" || m.Chat != nil && (m.FromMe || m.Chat.Group())
	if !m.Says() || !somebodys {
		return nil // nothing that anybody said
	}
	status := pastStatus(m)
	if status == "" {
		return nil // never left
	}
	if !r.wanted(m) {
		p.withheld++
		return nil
	}
	data, err := json.Marshal(r.message(m, status))
	if err != nil || len(data)+len(partHead)+len(partTail) > wire.MaxHistoryBytes || m.BodyErr != nil && m.Text == "" {
		p.unreadable++
		return nil
	}
	return data
}

// says tells whether a row is a message, or the balloon of a link that stands in no
// message before it.
func (r *past) says(m chatdb.Message) bool {
	class := m.Class(r.now)
	if class == chatdb.ClassPreview && slices.ContainsFunc(r.recent, m.Repeats) {
		return false
	}
	return class == chatdb.ClassMessage || class == chatdb.ClassPreview
}

// remember keeps the rows that a link's balloon may repeat.
func (r *past) remember(m chatdb.Message) {
	if len(r.recent) == previewReach {
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
	r.recent = append(r.recent, m)
}

func (r *past) message(m chatdb.Message, status wire.Status) wire.Past {
	one := wire.Past{
		GUID: m.GUID, Own: m.FromMe, Handle: m.Handle, Service: m.Service, Text: m.Words(), Status: status, At: m.Date.UnixMilli(), Junk: m.Junk(),
	}
	if m.Reply != nil {
		one.ReplyTo = m.Reply.GUID
	}
	if m.Chat != nil {
		one.Chat, one.Group = m.Chat.GUID, m.Chat.Group()
	}
	switch status {
	case wire.StatusFailed:
		one.Fault = &wire.Fault{Code: "messages_error", Number: m.Error, Text: failureSentence(m.Error)}
	case wire.StatusRead:
		one.Read = unixMilli(m.DateRead)
		one.Delivered = unixMilli(m.DateDelivered)
	case wire.StatusDelivered:
		one.Delivered = unixMilli(m.DateDelivered)
	}
	return one
}

// unixMilli is 0 for never.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// pastStatus is what the row says of a message, "" for an own one that it does not
// say to have been sent.
func pastStatus(m chatdb.Message) wire.Status {
	if !m.FromMe {
		return wire.StatusReceived
	}
	_, seen := chatdb.Diff(chatdb.Seen{}, m)
	switch {
	case seen.Error != 0:
		return wire.StatusFailed
	case seen.Read:
		return wire.StatusRead
	case seen.Delivered:
		return wire.StatusDelivered
	case seen.Sent:
		return wire.StatusSent
	}
	return ""
}

// wanted applies what the owner chose at pairing to leave the Mac. An own message goes with
// the person it was written to, so that none to a group is wanted where people are listed.
func (r *past) wanted(m chatdb.Message) bool {
	handle := m.Handle
	if m.FromMe && m.Chat != nil && m.Chat.Group() {
		handle = ""
	}
	wanted, _ := r.credential.wants(handle, func() (bool, error) { return r.claims.wrote[strings.ToLower(handle)], nil })
	return wanted
}
