package relay

import (
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// clockSlack is how much earlier than the arming a row's date may be: Messages
// stamps rows with whole clock ticks of its own process.
const clockSlack = 10 * time.Second

// match is how well a row fits a send.
type match int

const (
	noMatch    match = iota
	weakMatch        // the same letters and digits: Messages changed the punctuation
	exactMatch       // the same text but for quotes, spaces and invisible marks
)

// lateRow is how long after the end of its window the row of a send may be made. Messages
// makes it when it acts on what it was given: at once, or when it lives again after a
// hang, which the relay ends within some minutes. Later an equal text is the owner's, who
// has written himself what did not go.
const lateRow = 10 * time.Minute

// fits tells whether an own row can be the effect of a send: newer than the mark,
// to the same person, with the same text. The mark counts only in the file it was
// taken in; where chat.db was replaced, the date alone has to do. Once nobody knows of
// the send, only exactly its text will do, made soon after it, or its very file; or what
// Messages made of its text while osascript ran, which may say only now that it is own.
func fits(s send, m chatdb.Message, file string) match {
	if !m.FromMe || m.Date.Before(s.armedAt.Add(-clockSlack)) {
		return noMatch
	}
	if s.mark.File == file && m.RowID <= s.mark.RowID {
		return noMatch
	}
	if !s.addressed(m) {
		return noMatch
	}
	how := s.fitsText(m)
	if s.part == partFile {
		how = s.fitsFile(m)
	}
	if s.state == stateUnknown && !s.carried(m) && !s.saidDuring(m) && (how != exactMatch || !s.timely(m)) {
		return noMatch
	}
	return how
}

// saidDuring tells whether a row was made while osascript is known to have run for this text.
func (s send) saidDuring(m chatdb.Message) bool {
	return s.part != partFile && !s.endedAt.IsZero() && s.ranAt(m.Date)
}

// timely tells whether a row was made while that of the send could be. Without a window,
// because the clock was set, the mark alone has to do.
func (s send) timely(m chatdb.Message) bool {
	return s.settled.IsZero() || !m.Date.After(s.settled.Add(lateRow))
}

// fitsText compares with the text that a row has, or had before it was edited.
func (s send) fitsText(m chatdb.Message) match {
	if first, edited := firstText(m); edited {
		m.Text = first
	}
	switch {
	case wire.SameText(s.text, m.Text):
		return exactMatch
	case wire.SameLetters(s.text, m.Text):
		return weakMatch
	}
	return noMatch
}

// addressed tells whether a row is in the conversation that the send went to.
func (s send) addressed(m chatdb.Message) bool {
	if s.chat != "" {
		return inGroup(s.chat, m)
	}
	if m.RoomName != "" || m.Chat != nil && m.Chat.Group() {
		return false
	}
	return sameHandle(m.Handle, s.handle) || m.Chat != nil && sameHandle(m.Chat.Identifier, s.handle)
}

// inGroup tells whether a row is in the group of that guid. An update of macOS may
// have given it another guid since, but not another name.
func inGroup(guid string, m chatdb.Message) bool {
	name := guid[strings.LastIndexByte(guid, ';')+1:]
	if m.Chat == nil {
		return m.RoomName == name
	}
	return slices.ContainsFunc(append([]*chatdb.Chat{m.Chat}, m.Chats...), func(c *chatdb.Chat) bool {
		return c.Group() && (c.GUID == guid || c.Identifier == name)
	})
}

// fitsFile tells whether a row carries the file of a send: the very file where it was
// staged, else one of its name and size. Messages may make another size of a picture.
func (s send) fitsFile(m chatdb.Message) match {
	if wire.Fold(m.Text) != "" {
		return noMatch
	}
	if s.carried(m) {
		return exactMatch
	}
	best := noMatch
	for _, a := range m.Attachments {
		name := norm.NFC.String(a.TransferName) == path.Base(s.staged)
		switch {
		case name && a.TotalBytes == s.file.Size:
			return exactMatch
		case name:
			best = weakMatch
		}
	}
	return best
}

// firstText is what a row of one part said before it was edited.
func firstText(m chatdb.Message) (text string, edited bool) {
	for i, e := range m.Edits {
		if e.Part != 0 {
			return "", false
		}
		if i == 0 {
			text, edited = e.Text, true
		}
	}
	return text, edited
}

// undone picks the send that made a row which was taken back before anybody saw it, and
// says nothing any more: the only one whose osascript ran at its date, to that person. An
// earlier text, where the row has one, must be the send's.
func undone(sends []send, m chatdb.Message, file string) (send, bool) {
	var list []send
	for _, s := range sends {
		if s.part != partText || !m.FromMe || !aboveMark(s, m, file) || !s.addressed(m) || !s.ranAt(m.Date) {
			continue
		}
		if _, edited := firstText(m); !edited || s.fitsText(m) != noMatch {
			list = append(list, s)
		}
	}
	if len(list) != 1 {
		return send{}, false
	}
	return list[0], true
}

// carried tells whether a row carries the file of a send from where it was staged, which
// nobody else has there.
func (s send) carried(m chatdb.Message) bool {
	return s.part == partFile && slices.ContainsFunc(m.Attachments, func(a chatdb.Attachment) bool {
		return strings.Contains(a.Filename, "/"+path.Dir(s.staged)+"/")
	})
}

// choose picks the send that a row belongs to, from sends in the order of their
// arming: the only one whose osascript ran at the row's date, else the oldest. An
// exact text goes before a weak one.
func choose(sends []send, m chatdb.Message, file string) (send, bool) {
	for _, strength := range []match{exactMatch, weakMatch} {
		var fitting, during []send
		for _, s := range sends {
			if fits(s, m, file) != strength {
				continue
			}
			fitting = append(fitting, s)
			if s.ranAt(m.Date) {
				during = append(during, s)
			}
		}
		if len(during) == 1 {
			return during[0], true
		}
		if len(fitting) > 0 {
			return fitting[0], true
		}
	}
	return send{}, false
}

// ranAt tells whether osascript ran for this send at that time, give or take the
// moment that Messages needs.
func (s send) ranAt(t time.Time) bool {
	return !t.Before(s.armedAt.Add(-time.Second)) && (s.endedAt.IsZero() || !t.After(s.endedAt.Add(2*time.Second)))
}

func sameHandle(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
