package chatdb

import (
	"strings"
	"time"
)

// Class is what a row is to its reader.
type Class string

// The classes. Only ClassMessage and ClassPreview are something that a person wrote
// and sent.
const (
	ClassMessage Class = "message"
	ClassPreview Class = "link_preview" // a link's balloon: a message, unless it Repeats the row before it
	ClassTapback Class = "tapback"
	ClassGroup   Class = "group_event"
	ClassPending Class = "pending" // scheduled, or waiting for a satellite: neither sent nor failed yet
	ClassNothing Class = "nothing" // of no meaning to a reader: a vote in a poll, a note of the system, a message taken back, a damaged row
)

const (
	// scheduled is the schedule_type of Send Later: the row is there at once, with
	// its date in the future.
	scheduled = 2

	linkBalloon = "com.apple.messages.URLBalloonProvider"
)

// Class tells what the row is at this moment; a pending one becomes a message when
// it is sent or fails, and a message becomes nothing when it is taken back.
func (m Message) Class(now time.Time) Class {
	switch {
	case m.Damage != nil:
		return ClassNothing
	case m.Event != nil:
		return ClassGroup
	case m.Tapback != nil:
		return ClassTapback
	case m.System, m.Retracted, m.AssociatedType != 0 && m.AssociatedType != 2 && m.AssociatedType != 3:
		return ClassNothing
	case m.Error == 0 && (m.PendingSatellite || m.ScheduleType == scheduled && (m.Date.After(now) || m.FromMe && !m.Sent)):
		return ClassPending
	case m.Balloon == linkBalloon && m.OnlyLink():
		return ClassPreview
	}
	return ClassMessage
}

// previewWithin is how long after a link its balloon comes at most. Pairs some
// seconds apart are common; users have reported up to a minute and a half.
const previewWithin = 90 * time.Second

// Repeats tells whether m is the balloon of a link that earlier, a row before it,
// holds as text already: the same person, the same chat, soon after. The link then
// has two rows and is one message.
func (m Message) Repeats(earlier Message) bool {
	if m.Balloon != linkBalloon || earlier.Balloon != "" || earlier.Tapback != nil || earlier.Event != nil || earlier.RowID >= m.RowID ||
		m.FromMe != earlier.FromMe || m.Handle != earlier.Handle {
		return false
	}
	if m.Chat != nil && earlier.Chat != nil && m.Chat.RowID != earlier.Chat.RowID {
		return false
	}
	if d := m.Date.Sub(earlier.Date); d < -previewWithin || d > previewWithin {
		return false
	}
	shown := address(link(m.Text))
	if shown == "" {
		return false
	}
	for word := range strings.FieldsSeq(earlier.Text) {
		if address(word) == shown {
			return true
		}
	}
	return false
}

// MayRepeat tells whether m, a link and nothing else, will repeat earlier if it becomes
// a balloon: Messages says so with a later commit than that of the row.
func (m Message) MayRepeat(earlier Message) bool {
	if m.Balloon != "" || !m.OnlyLink() {
		return false
	}
	m.Balloon = linkBalloon
	return m.Repeats(earlier)
}

// OnlyLink tells whether the text is a web address and nothing else.
func (m Message) OnlyLink() bool {
	address := link(m.Text)
	return address != "" && address == strings.TrimSpace(m.Text)
}

// link is the first word of a text that begins like a web address.
func link(text string) string {
	for word := range strings.FieldsSeq(text) {
		lower := strings.ToLower(word[:min(len(word), len("https://"))])
		if strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
			return word
		}
	}
	return ""
}

// address is the web address in a word, from its scheme on and without the punctuation
// of the sentence behind it; "" where there is none. A slash at the end makes no other
// address. It is compared whole: another one may begin with it.
func address(word string) string {
	const behind = `/.,;:!?…)]}>"'”’»`
	scheme, _, found := strings.Cut(word, "://")
	if !found {
		return ""
	}
	for _, known := range []string{"https", "http"} {
		if from := len(scheme) - len(known); from >= 0 && strings.EqualFold(scheme[from:], known) {
			return strings.TrimRight(word[from:], behind)
		}
	}
	return ""
}

// Junk tells whether Messages keeps the message out of the owner's sight: as spam,
// or with the unknown senders. It is in the database all the same, and one-time
// codes are among them.
func (m Message) Junk() bool {
	return m.Spam || m.Filter == filterJunk || m.Chat != nil && m.Chat.Filtered
}

// filterJunk is a filter_action of macOS 27: 1 allow, 2 junk, 3 promotion, 4
// transaction.
const filterJunk = 2
