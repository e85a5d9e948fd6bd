package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bluerelay/chatdb"
)

// Sight is what the relay sees of one row of chat.db: for bug reports. Unless the
// texts were asked for, it holds no text, no full number and no address: a text is
// its length and the kinds of its characters, a number its ends, a file its ending.
type Sight struct {
	GUID    string   `json:"guid"`
	RowID   int64    `json:"rowid"`
	Class   string   `json:"class"`
	Flags   []string `json:"flags"` // the true ones
	Service string   `json:"service,omitempty"`
	Error   string   `json:"error,omitempty"` // number and name
	Handle  string   `json:"handle,omitempty"`
	Account string   `json:"account,omitempty"`
	Caller  string   `json:"caller,omitempty"`
	Room    string   `json:"room,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Balloon string   `json:"balloon,omitempty"`
	Effect  string   `json:"effect,omitempty"`
	Numbers []string `json:"numbers,omitempty"` // columns of kinds that are not 0

	Date      string `json:"date,omitempty"`
	Delivered string `json:"date_delivered,omitempty"`
	Read      string `json:"date_read,omitempty"`
	Edited    string `json:"date_edited,omitempty"`
	Recovered string `json:"date_recovered,omitempty"`

	Text      string     `json:"text,omitempty"`
	BodyError string     `json:"body_error,omitempty"`
	Runs      []SightRun `json:"runs,omitempty"`
	Tapback   string     `json:"tapback,omitempty"`
	Event     string     `json:"event,omitempty"`
	Reply     string     `json:"reply,omitempty"`
	History   []string   `json:"history,omitempty"` // edits and unsent parts

	Chats       []SightChat `json:"chats,omitempty"`
	Attachments []SightFile `json:"attachments,omitempty"`
}

// SightRun is a run of the body.
type SightRun struct {
	Start      int      `json:"start"`
	Length     int      `json:"length"`
	Part       int      `json:"part"`
	Attachment string   `json:"attachment,omitempty"`
	Attrs      []string `json:"attributes,omitempty"`
}

// SightChat is a chat that the row is joined to.
type SightChat struct {
	RowID      int64  `json:"rowid"`
	GUID       string `json:"guid"`
	Identifier string `json:"identifier"`
	Service    string `json:"service,omitempty"`
	Name       string `json:"name,omitempty"`
	Style      int    `json:"style"`
}

// SightFile is an attachment.
type SightFile struct {
	GUID  string   `json:"guid"`
	Name  string   `json:"name,omitempty"`
	File  string   `json:"file,omitempty"`
	UTI   string   `json:"uti,omitempty"`
	MIME  string   `json:"mime,omitempty"`
	Bytes int64    `json:"bytes"`
	State string   `json:"state"`
	Flags []string `json:"flags,omitempty"`
}

// Inspect looks at the message that Apple calls guid. show puts texts, numbers and
// addresses in. The error says what a person should do.
func Inspect(ctx context.Context, chatDB, guid string, show bool) (Sight, error) {
	db, err := chatdb.Open(ctx, chatDB)
	if err != nil {
		return Sight{}, errors.New(chatDBSentence(err))
	}
	defer db.Close()
	rows, err := db.FindGUIDs(ctx, []string{guid})
	if err != nil {
		return Sight{}, err
	}
	if len(rows) == 0 {
		return Sight{}, unseen(ctx, db, guid)
	}
	return sightOf(censor{show}, rows[0], time.Now()), nil
}

// unseen says why there is nothing to be seen of a message.
func unseen(ctx context.Context, db *chatdb.DB, guid string) error {
	rowid, there, err := db.RowIDOf(ctx, guid)
	switch {
	case err != nil:
		return err
	case there:
		return fmt.Errorf("the message with this guid lies on damaged pages of chat.db and cannot be read (ROWID %d): copy chat.db, chat.db-wal and chat.db-shm aside together and check the copy with PRAGMA quick_check", rowid)
	}
	return errors.New("there is no message with this guid in chat.db: it is the apple guid that is asked for, not the id msg_…")
}

func sightOf(c censor, m chatdb.Message, now time.Time) Sight {
	s := Sight{
		GUID: m.GUID, RowID: m.RowID, Class: string(m.Class(now)), Service: c.token(m.Service), Handle: c.handle(m.Handle),
		Account: c.account(m.Account), Caller: c.handle(m.Caller), Room: c.chat(m.RoomName),
		Subject: c.text(m.Subject), Balloon: c.bundle(m.Balloon), Effect: c.bundle(m.Effect),
		Date: sightTime(m.Date), Delivered: sightTime(m.DateDelivered), Read: sightTime(m.DateRead),
		Edited: sightTime(m.DateEdited), Recovered: sightTime(m.DateRecovered),
		Flags: sightFlags(m), Numbers: sightNumbers(m), Text: c.text(m.Text),
	}
	if m.Error != 0 {
		s.Error = strings.TrimSpace(fmt.Sprintf("%d %s", m.Error, chatdb.ErrorName(m.Error)))
	}
	if m.BodyErr != nil {
		s.BodyError = c.text(m.BodyErr.Error())
	}
	for _, r := range m.Body.Runs {
		run := SightRun{Start: r.Start, Length: r.Length, Part: r.Part, Attachment: c.guid(r.Attachment)}
		for _, a := range r.Attrs {
			run.Attrs = append(run.Attrs, c.attribute(a))
		}
		s.Runs = append(s.Runs, run)
	}
	s.relations(c, m)
	chats := m.Chats
	if m.Chat != nil {
		chats = append([]*chatdb.Chat{m.Chat}, chats...)
	}
	for _, chat := range chats {
		s.Chats = append(s.Chats, SightChat{
			RowID: chat.RowID, GUID: c.chat(chat.GUID), Identifier: c.chat(chat.Identifier), Service: c.token(chat.Service), Name: c.text(chat.DisplayName), Style: chat.Style,
		})
	}
	for _, a := range m.Attachments {
		s.Attachments = append(s.Attachments, SightFile{
			GUID: c.guid(a.GUID), Name: c.file(a.TransferName), File: c.file(a.Filename), UTI: c.mediaType(a.UTI), MIME: c.mediaType(a.MIME), Bytes: a.TotalBytes,
			State: transferState(a.TransferState), Flags: names(flag{"outgoing", a.Outgoing}, flag{"hidden", a.Hidden}, flag{"sticker", a.Sticker}),
		})
	}
	return s
}

// relations tells what the row says of other rows and of its own past.
func (s *Sight) relations(c censor, m chatdb.Message) {
	if t := m.Tapback; t != nil {
		s.Tapback = fmt.Sprintf("%s %s on part %d of %s", c.token(t.Kind), c.text(t.Emoji), t.Part, c.guid(t.Target))
		if t.Removed {
			s.Tapback += ", removed"
		}
	}
	if e := m.Event; e != nil {
		s.Event = fmt.Sprintf("%s by %s of %s, title: %s", e.Kind, c.handle(e.Who), c.handle(e.Other), c.text(e.Title))
	}
	if r := m.Reply; r != nil {
		s.Reply = fmt.Sprintf("to part %d of %s", r.Part, c.guid(r.GUID))
	}
	for _, e := range m.Edits {
		s.History = append(s.History, fmt.Sprintf("part %d said at %s: %s", e.Part, sightTime(e.At), c.text(e.Text)))
	}
	for _, part := range m.Unsent {
		s.History = append(s.History, fmt.Sprintf("part %d unsent", part))
	}
}

func sightTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

type flag struct {
	name string
	set  bool
}

func names(flags ...flag) []string {
	set := []string{}
	for _, f := range flags {
		if f.set {
			set = append(set, f.name)
		}
	}
	return set
}

func sightFlags(m chatdb.Message) []string {
	return names(
		flag{"from_me", m.FromMe}, flag{"received", !m.FromMe}, flag{"sent", m.Sent}, flag{"delivered", m.Delivered}, flag{"read", m.Read},
		flag{"finished", m.Finished}, flag{"downgraded", m.Downgraded}, flag{"spam", m.Spam}, flag{"junk", m.Junk()}, flag{"system", m.System},
		flag{"empty", m.Empty}, flag{"audio", m.Audio}, flag{"pending_satellite", m.PendingSatellite}, flag{"has_attachments", m.HasAttachments},
		flag{"has_body", m.HasBody}, flag{"retracted", m.Retracted}, flag{"deleted", m.Deleted},
	)
}

func sightNumbers(m chatdb.Message) (list []string) {
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"item_type", int64(m.ItemType)}, {"associated_message_type", int64(m.AssociatedType)}, {"schedule_type", int64(m.ScheduleType)},
		{"filter_action", int64(m.Filter)}, {"revision", m.Revision},
	} {
		if n.value != 0 {
			list = append(list, fmt.Sprintf("%s %d", n.name, n.value))
		}
	}
	return list
}

func transferState(state int) string {
	switch state {
	case 0:
		return "0 waiting"
	case 5:
		return "5 complete"
	case 6:
		return "6 failed"
	}
	return fmt.Sprintf("%d under way", state)
}
