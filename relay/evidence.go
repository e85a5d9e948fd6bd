package relay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// What rows give away beside the state of a message: that Messages made nothing of a
// send, put it somewhere else, or did it twice.

// faultGhost is the code of a send of which Messages made a row and nothing more.
const faultGhost = "ghost_row"

// ghost tells whether the row that is bound to a send is a ghost, and still is.
func (s send) ghost() bool {
	return s.state == stateObserved && s.fault != nil && s.fault.Code == faultGhost && !s.seen.Sent
}

// haunted tells whether an own row can be the ghost of a send: of no text, in no chat
// or in a hidden one, named like the chat that was asked for, made while osascript ran.
// macOS 26 leaves such rows when it cannot route what it has taken.
func haunted(s send, m chatdb.Message, file string) bool {
	if m.Says() || m.Chat != nil && !m.Chat.Filtered || m.Handle == "" {
		return false
	}
	return aboveMark(s, m, file) && s.ranAt(m.Date) && s.named(m.Handle)
}

// named tells whether a handle is that of the person or, of a group, its guid, its
// guid with the other sign, or its name.
func (s send) named(handle string) bool {
	if s.chat == "" {
		return sameHandle(s.handle, handle[strings.LastIndexByte(handle, ';')+1:])
	}
	return handle[strings.LastIndexByte(handle, ';')+1:] == s.chat[strings.LastIndexByte(s.chat, ';')+1:]
}

func aboveMark(s send, m chatdb.Message, file string) bool {
	return s.mark.File != file || m.RowID > s.mark.RowID
}

// ghostAge is how long a row may be of nothing until it is taken for a ghost: its text
// comes with it or at once, its chat within some seconds. It ends before the send is
// given up as unknown.
func (c Config) ghostAge() time.Duration { return c.Grace / 3 }

// judgeGhost looks at an own row without a text. It returns true where the row is the
// ghost of a send, which has then failed.
func (o *observer) judgeGhost(f *finding, m chatdb.Message, sends []send, first, now time.Time) bool {
	if now.Sub(first) < o.cfg.ghostAge() {
		return false
	}
	i := slices.IndexFunc(sends, func(s send) bool { return haunted(s, m, o.db.File()) })
	if i < 0 {
		return false
	}
	s := sends[i]
	s.fault = &wire.Fault{Code: faultGhost, Number: m.Error, Text: "Messages took it and sent it to nobody: it does not reach this conversation."}
	_, seen := chatdb.Diff(chatdb.Seen{}, m)
	f.saves = append(f.saves, save{s, m, []chatdb.Change{{Kind: chatdb.KindFailed, Error: m.Error}}, seen})
	return true
}

// strays are the sends whose text an own row has although it is not in their
// conversation, made while their osascript ran. As long as their own row may come, it
// may be chance: the owner wrote the same words to somebody else at that moment.
func strays(sends []send, m chatdb.Message, file string) (list []send) {
	for _, s := range sends {
		if s.part == partText && !s.addressed(m) && wire.Letters(s.text) != "" && wire.Fold(s.text) == wire.Fold(m.Text) && aboveMark(s, m, file) && s.ranAt(m.Date) {
			list = append(list, s)
		}
	}
	return list
}

// raise tells of an own row that is nobody's, once it is settled, where it should not
// be there. It never counts as a success.
func (o *observer) raise(ctx context.Context, f *finding, m chatdb.Message, sends []send, now time.Time) error {
	if m.Balloon != "" || wire.Fold(m.Text) == "" {
		return nil
	}
	if list := strays(sends, m, o.db.File()); len(list) > 0 && m.Chat != nil {
		f.alarm(list[0], m, wire.Fault{Code: wire.FaultMisrouted, Text: "The text of this message appeared in another conversation."}, now)
		o.log.Error("row.misrouted", "message", list[0].message, "guid", m.GUID)
		return nil
	}
	s, ok, err := o.repeated(ctx, f, m)
	if err != nil || !ok {
		return err
	}
	f.alarm(s, m, wire.Fault{Code: wire.FaultDuplicate, Text: "Messages has one more row with the text of this message than it was asked for."}, now)
	o.log.Error("row.duplicate", "message", s.message, "guid", m.GUID)
	return nil
}

func (f *finding) alarm(s send, m chatdb.Message, fault wire.Fault, now time.Time) {
	f.reports = append(f.reports, wire.Report{Kind: wire.Alarm, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt, GUID: m.GUID, Fault: &fault})
}

// longestRun bounds osascript's run where its end was not noted.
const longestRun = 4 * time.Minute

// repeated finds the send of which m is one row too many: its own row is bound, has the
// same text in the same conversation, and m was made while its osascript ran. What the
// owner writes later, in the same words, is not meant.
func (o *observer) repeated(ctx context.Context, f *finding, m chatdb.Message) (send, bool, error) {
	for _, one := range f.saves {
		if one.send.made(m) && one.row.GUID != m.GUID && wire.Fold(one.row.Text) == wire.Fold(m.Text) {
			return one.send, true, nil
		}
	}
	for _, s := range o.madeWith(m) {
		// Its end may have been noted since it was loaded.
		fresh, err := o.journal.querySends(ctx, "message = ? AND part = ? AND attempt = ?", s.message, s.part, s.attempt)
		if err != nil {
			return send{}, false, err
		}
		if len(fresh) == 0 || !fresh[0].made(m) {
			continue
		}
		rows, err := o.db.Rows(ctx, []int64{s.rowid})
		if err != nil {
			return send{}, false, fmt.Errorf("compare with the row of a send: %w", err)
		}
		if len(rows) == 1 && rows[0].GUID == s.guid && s.guid != m.GUID && wire.Fold(rows[0].Text) == wire.Fold(m.Text) {
			return s, true, nil
		}
	}
	return send{}, false, nil
}

// madeWith are the bound sends whose osascript can have made m, the oldest first.
func (o *observer) madeWith(m chatdb.Message) (list []send) {
	for rowid, s := range o.followed {
		if s.made(m) && rowid != m.RowID {
			s.rowid = rowid // the file may have been replaced
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b send) int { return cmp.Or(a.armedAt.Compare(b.armedAt), cmp.Compare(a.seq, b.seq)) })
	return list
}

// made tells whether an own row can come of the osascript that ran for this send.
func (s send) made(m chatdb.Message) bool {
	if s.part != partText || m.Date.Before(s.armedAt.Add(-time.Second)) || !s.addressed(m) {
		return false
	}
	if s.endedAt.IsZero() {
		return m.Date.Before(s.armedAt.Add(longestRun))
	}
	return s.ranAt(m.Date)
}
