package cloud

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// createPart makes the aside that shows a further file of a message that came in: one
// public API has a message for each file.
func (s *Service) createPart(tx *store.Tx, m store.Message, place int64) error {
	part := store.Message{
		ID: newMessageID(time.Now()), AccountID: m.AccountID, LineID: m.LineID, Direction: m.Direction, Status: m.Status, From: m.From, To: m.To, Peer: m.Peer,
		Service: m.Service, ChatGUID: m.ChatGUID, SentAt: m.SentAt, CreatedAt: m.CreatedAt, Junk: m.Junk, BelongsTo: m.ID, Place: place,
	}
	if err := tx.CreateAside(&part); err != nil {
		return fmt.Errorf("make a message of a further file: %w", err)
	}
	return nil
}

// standFor makes the aside of a file that was not announced with its message, and tells
// whether it did.
func (s *Service) standFor(tx *store.Tx, v store.Media) (made bool, err error) {
	if v.Variant != "" || v.Place < 2 {
		return false, nil
	}
	m, err := tx.Message(tx.Context(), v.AccountID, v.MessageID)
	if err != nil || m.Direction != store.Inbound {
		return false, err
	}
	if _, err := tx.Part(tx.Context(), m.ID, v.Place); !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	return true, s.createPart(tx, m, v.Place)
}

// tellParts records what has become of a message's further files, at the time of the
// message's own event.
func (s *Service) tellParts(tx *store.Tx, m store.Message) error {
	parts, err := tx.Parts(tx.Context(), m.ID)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := s.recordEvent(tx, part, store.Event{Type: eventTypes[part.Status], CreatedAt: m.UpdatedAt}); err != nil {
			return err
		}
	}
	return nil
}

// tellPart records that one further file is there: as a message where it is new as one,
// else as a change.
func (s *Service) tellPart(tx *store.Tx, m store.Message, v store.Media, made bool) error {
	part, err := tx.Part(tx.Context(), m.ID, v.Place)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if made {
		return s.record(tx, part)
	}
	return s.tellFile(tx, part, v)
}

// createTapback makes the aside that says a tapback in words, as Messages itself does to
// whoever cannot show one, and tells of it.
func (s *Service) createTapback(tx *store.Tx, line store.Line, t store.Tapback, m store.Message) (store.Message, error) {
	media, err := tx.MessageMedia(tx.Context(), m.ID)
	if err != nil {
		return store.Message{}, err
	}
	a := store.Message{
		ID: newMessageID(time.Now()), AccountID: m.AccountID, LineID: m.LineID, Direction: store.Inbound, Status: wire.StatusReceived, From: t.From, To: line.PhoneNumber, Peer: t.From,
		Content: sentence(t, m, media), Service: m.Service, ChatGUID: m.ChatGUID, SentAt: t.MadeAt, CreatedAt: t.CreatedAt, BelongsTo: m.ID,
	}
	if t.Origin == store.OriginDevice {
		a.Direction, a.Status, a.Origin, a.To = store.Outbound, wire.StatusSent, store.OriginDevice, m.Peer
	}
	if m.InGroup() || t.Origin == store.OriginDevice {
		a.Peer = m.Peer
	}
	if err := tx.CreateAside(&a); err != nil {
		return a, fmt.Errorf("make a message of a tapback: %w", err)
	}
	return a, s.record(tx, a)
}

// verbs are how Messages says a tapback, and how it says that one was taken back.
var verbs = map[string][2]string{
	"love":      {"Loved", "Removed a heart from"},
	"like":      {"Liked", "Removed a like from"},
	"dislike":   {"Disliked", "Removed a dislike from"},
	"laugh":     {"Laughed at", "Removed a laugh from"},
	"emphasize": {"Emphasized", "Removed an exclamation from"},
	"question":  {"Questioned", "Removed a question mark from"},
	"sticker":   {"Reacted with a sticker to", "Removed a sticker from"},
}

// sentence says a tapback in words.
func sentence(t store.Tapback, m store.Message, media []store.Media) string {
	verb, known := verbs[t.Kind]
	if !known { // any emoji
		verb = [2]string{"Reacted " + t.Emoji + " to", "Removed " + t.Emoji + " from"}
	}
	said := verb[0]
	if t.Removed {
		said = verb[1]
	}
	if m.Content != "" {
		return said + " “" + m.Content + "”"
	}
	return said + " " + whatOf(media)
}

// whatOf names what a message without words consists of.
func whatOf(media []store.Media) string {
	if len(media) == 0 {
		return "a message"
	}
	switch kind, _, _ := strings.Cut(media[0].MIME, "/"); kind {
	case "image":
		return "an image"
	case "video":
		return "a movie"
	case "audio":
		return "an audio message"
	}
	return "an attachment"
}
