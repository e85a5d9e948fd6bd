package cloud

import (
	"errors"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// tapbackEvent says that somebody reacted to a message, or no longer does.
const tapbackEvent = "message.tapback"

// groupEvent says that a group has other members, another name or another picture.
const groupEvent = "group.updated"

// How a message was updated: the detail of message.updated.
const (
	updateEdited   = "edited"
	updateUnsent   = "unsent"
	updateChat     = "chat"     // its conversation is known now
	updateText     = "text"     // its text came after its files or its subject line
	updateMedia    = "media"    // a file of it is here now
	updateReplaced = "replaced" // it is the line's own, as another message
)

// typed stores what the owner wrote on a device of his own, once. It is in lists and
// in the event log; no webhook hears of it, because nobody ordered it. Where it was told
// as somebody's before, it takes that one's place.
func (s *Service) typed(tx *store.Tx, relay store.Relay, line store.Line, r wire.Report, now time.Time) error {
	in := r.Inbound
	was, err := s.reported(tx, line, in.GUID)
	if err != nil || was != nil && was.Direction != store.Inbound || !typedStatus(in.Status) || in.From == "" && in.Chat == "" {
		return err
	}
	if was == nil {
		if known, err := tx.HasGUID(tx.Context(), line.ID, in.GUID); err != nil || known {
			return err // a message's that was ordered, beside its own
		}
	}
	if ours, err := s.leftover(tx, relay, line, r, now); err != nil || ours {
		return err
	}
	m, err := newMessage(tx, line, in, now)
	if err != nil {
		return err
	}
	m.Direction, m.Status, m.Origin = store.Outbound, in.Status, store.OriginDevice
	m.From, m.To = line.PhoneNumber, m.Peer
	if r.Fault != nil {
		m.ErrorCode, m.ErrorNumber, m.ErrorMessage = r.Fault.Code, r.Fault.Number, r.Fault.Text
	}
	if was != nil {
		if err := s.replace(tx, *was, m.ID, now); err != nil {
			return err
		}
	}
	if m, err = s.begin(tx, m); err != nil {
		return err
	}
	if was != nil {
		m, err = tx.TakeMedia(was.ID, m.ID, now.UnixMilli())
	} else {
		_, err = s.announce(tx, m, in.Media, now)
	}
	if err != nil {
		return err
	}
	return s.record(tx, m)
}

// typedStatus keeps a relay from making a message that another relay would send.
func typedStatus(st wire.Status) bool {
	return slices.Contains([]wire.Status{wire.StatusSent, wire.StatusDelivered, wire.StatusRead, wire.StatusFailed}, st)
}

// newMessage is a message that a row has brought; its direction and state are the
// caller's to set.
func newMessage(tx *store.Tx, line store.Line, in *wire.Inbound, now time.Time) (store.Message, error) {
	m := store.Message{
		ID: newMessageID(now), AccountID: line.AccountID, LineID: line.ID, Peer: in.From, Content: in.Text, Service: in.Service,
		ChatGUID: in.Chat, AppleGUID: in.GUID, SentAt: in.Sent, CreatedAt: now.UnixMilli(), Junk: in.Junk,
	}
	if in.Group || in.From == "" {
		m.Peer = in.Chat
	}
	if c := in.Change; c != nil {
		m.Revision, m.EditedAt = c.Version, c.At
		m.SetEdits(storedEdits(c.Edits))
	}
	if in.ReplyTo == "" {
		return m, nil
	}
	answered, err := tx.MessageByRow(tx.Context(), line.ID, in.ReplyTo)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	m.ReplyTo = answered.ID
	return m, nil
}

func storedEdits(list []wire.Edit) []store.Edit {
	edits := make([]store.Edit, len(list))
	for i, e := range list {
		edits[i] = store.Edit{Part: e.Part, Text: e.Text, At: e.At}
	}
	return edits
}

// changed writes an edit or an unsend into its message and records the event. Each
// counts once, whoever reports it; one of a message that is not here is no news.
func (s *Service) changed(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	m, err := s.reported(tx, line, r.GUID)
	if err != nil || m == nil {
		return err
	}
	c := store.Change{ID: m.ID, Now: now.UnixMilli(), Text: &r.Change.Text}
	detail := updateEdited
	if r.Kind == wire.Edited {
		c.Revision, c.EditedAt, c.Edits = r.Change.Version, r.Change.At, storedEdits(r.Change.Edits)
	} else {
		c.Unsent, c.UnsentAt, detail = r.Change.Version, r.Change.At, updateUnsent
	}
	return s.change(tx, c, detail)
}

// joined corrects a message that was given without its chat, or before its text.
func (s *Service) joined(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	m, err := s.reported(tx, line, r.GUID)
	if err != nil || m == nil {
		return err
	}
	in := r.Inbound
	if completed(*m, in.Text) {
		if err := s.change(tx, store.Change{ID: m.ID, Now: now.UnixMilli(), Late: in.Text}, updateText); err != nil {
			return err
		}
		m.Content = in.Text
	}
	c := store.Change{ID: m.ID, Now: now.UnixMilli(), ChatGUID: in.Chat}
	if in.Group {
		c.Peer = in.Chat
	}
	known := m.ChatGUID != ""
	if err := s.change(tx, c, updateChat); err != nil {
		return err
	}
	if !known {
		if err := s.changeAsides(tx, c); err != nil {
			return err
		}
	}
	if known || in.Group {
		return nil
	}
	// What it says counts only now that it is known to be no group's.
	m.ChatGUID = in.Chat
	said, err := s.heed(tx, *m, in, now)
	if err != nil {
		return err
	}
	return s.obey(tx, said, *m, now)
}

// completed tells whether a text is that of a message and what came after it: all of it, or
// what stands below the subject line that was told alone. Words that were edited or taken
// back since are not brought back.
func completed(m store.Message, text string) bool {
	if m.Revision > 0 || m.Unsent > 0 {
		return false
	}
	return m.Content == "" && text != "" || m.Content != "" && strings.HasPrefix(text, m.Content+"\n")
}

func (s *Service) change(tx *store.Tx, c store.Change, detail string) error {
	m, changed, err := tx.Change(c)
	if err != nil || !changed {
		return err
	}
	return s.recordEvent(tx, m, store.Event{Type: updatedEvent, Detail: detail})
}

// changeAsides gives what stands beside a message its conversation too.
func (s *Service) changeAsides(tx *store.Tx, c store.Change) error {
	asides, err := tx.Asides(tx.Context(), c.ID)
	if err != nil {
		return err
	}
	for _, a := range asides {
		c.ID = a.ID
		if err := s.change(tx, c, updateChat); err != nil {
			return err
		}
	}
	return nil
}

// reported is the message of a row, nil where it is not here: a chat that the owner keeps
// to himself, or history.
func (s *Service) reported(tx *store.Tx, line store.Line, guid string) (*store.Message, error) {
	m, err := tx.MessageByGUID(tx.Context(), line.ID, guid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &m, err
}

// tapped stores a tapback, once, and tells of it where its message is known.
func (s *Service) tapped(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	t := store.Tapback{
		ID: newID("tap_"), AccountID: line.AccountID, LineID: line.ID, AppleGUID: r.GUID, TargetGUID: r.Tapback.Target, Part: r.Tapback.Part,
		From: r.Tapback.From, Kind: r.Tapback.Kind, Emoji: r.Tapback.Emoji, Removed: r.Tapback.Removed, MadeAt: r.At, CreatedAt: now.UnixMilli(),
	}
	if r.Tapback.Own {
		t.From, t.Origin = line.PhoneNumber, store.OriginDevice
	}
	was, err := tx.Tapback(tx.Context(), line.ID, r.GUID)
	if err == nil && was.Origin == "" && r.Tapback.Own {
		return s.ownTapback(tx, line, was, now)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	m, err := tx.MessageByRow(tx.Context(), line.ID, t.TargetGUID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	t.MessageID = m.ID
	if err := tx.CreateTapback(t); err != nil || m.ID == "" {
		return err
	}
	m.UpdatedAt = t.CreatedAt
	if err := s.recordEvent(tx, m, store.Event{Type: tapbackEvent, Detail: t.ID, Tapback: &t}); err != nil {
		return err
	}
	_, err = s.createTapback(tx, line, t, m)
	return err
}

// grouped stores what happened to a group, once, and tells of it.
func (s *Service) grouped(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	known, err := tx.HasGroupChange(tx.Context(), line.ID, r.GUID)
	if err != nil || known {
		return err
	}
	g := store.GroupChange{
		ID: newID("grp_"), AccountID: line.AccountID, LineID: line.ID, AppleGUID: r.GUID, ChatGUID: r.Group.Chat, Kind: r.Group.Event,
		Who: r.Group.Who, Other: r.Group.Other, Name: r.Group.Name, MadeAt: r.At, CreatedAt: now.UnixMilli(),
	}
	if err := tx.CreateGroupChange(g); err != nil {
		return err
	}
	return s.recordOf(tx, line, store.Event{Type: groupEvent, Detail: g.ID, Group: &g}, now)
}
