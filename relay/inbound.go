package relay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// judgeInbound reports what somebody wrote, once, as soon as its text and its chat
// are there; first is when the row was seen first. It returns false where the row
// has to be looked at again.
func (o *observer) judgeInbound(ctx context.Context, f *finding, m chatdb.Message, first, now time.Time) (bool, error) {
	patient := now.Sub(first) < o.cfg.Grace
	nameless := m.Handle == "" // so own rows look for a moment, before they say that they are own
	m.Handle = party(m)
	if old, err := o.history(ctx, m, now); old || err != nil {
		return err == nil, err
	}
	if patient && (m.Chat == nil || !m.HasBody && !m.HasAttachments || nameless) {
		return false, nil // a text may yet come below a subject
	}
	if !m.Says() || m.Handle == "" && m.Chat == nil {
		return now.Sub(first) > changeWindow, nil // nothing that anybody said, so far
	}
	// In a group nothing else names who wrote; what was said is told without a sender.
	if settled, mine, err := o.mayBeOurs(ctx, m, patient, now); mine || err != nil {
		return settled, err
	}
	if settled, again, err := o.repeats(ctx, m, first, now); again || err != nil {
		return settled, err
	}
	wanted, err := o.wanted(ctx, m.Handle)
	if err != nil || !wanted {
		return err == nil, err
	}
	if m.BodyErr != nil {
		o.log.Warn("chatdb.body_unreadable", "guid", m.GUID, "error", m.BodyErr.Error())
	}
	in := inboundOf(m)
	in.Sent = cmp.Or(in.Sent, now.UnixMilli())
	f.reports = append(f.reports, wire.Report{Kind: wire.Received, At: in.Sent, GUID: m.GUID, Service: m.Service, Inbound: in})
	f.fetch(m)
	f.watch(m, later(m.Date, now).Add(changeWindow))
	return true, nil
}

// party is the handle of the other person: a clean-up may have taken it from the row, and
// a chat of two names it too. It is empty where nobody is named, as in a group.
func party(m chatdb.Message) string {
	if m.Handle == "" && m.Chat != nil && !m.Chat.Group() {
		return m.Chat.Identifier
	}
	return m.Handle
}

func later(a, b time.Time) time.Time {
	if a.After(b) && a.Sub(b) < late { // not by a clock that is years ahead
		return a
	}
	return b
}

// inboundOf is the wire's form of a message that is not one of our sends.
func inboundOf(m chatdb.Message) *wire.Inbound {
	in := &wire.Inbound{
		GUID: m.GUID, From: m.Handle, To: m.Caller, Service: m.Service, Text: m.Words(), Sent: unixMilli(m.Date),
		Attachments: len(m.Attachments), Media: mediaOf(m), Junk: m.Junk(),
	}
	if m.Chat != nil {
		in.Chat, in.Group = m.Chat.GUID, m.Chat.Group()
	}
	if m.Reply != nil {
		in.ReplyTo = m.Reply.GUID
	}
	if m.Revision > 0 {
		in.Change = &wire.Change{Version: m.Revision, At: unixMilli(m.DateEdited), Text: m.Words(), Edits: edits(m)}
	}
	return in
}

// inFlight is how long after its arming a send may be about to show its row.
const inFlight = 2 * time.Minute

// mayBeOurs keeps our own words from coming back as somebody's. A row of ours was
// met that said inbound at first and own a moment later; and what is written to
// oneself has, on some Macs, a second row that says inbound. Where neither comes
// true while the row is waited for, somebody did repeat our words.
func (o *observer) mayBeOurs(ctx context.Context, m chatdb.Message, patient bool, now time.Time) (settled, mine bool, err error) {
	if o.toOneself(m) {
		own, err := o.db.OwnSince(ctx, m.Date.Add(-clockSlack), batch)
		if err != nil {
			return false, true, err
		}
		twin := slices.ContainsFunc(own, func(t chatdb.Message) bool {
			return t.Date.Sub(m.Date) < clockSlack && sameChat(t, m) && wire.Fold(t.Text) == wire.Fold(m.Text)
		})
		return twin, twin || patient, nil
	}
	if !patient {
		return false, false, nil
	}
	sends, err := o.journal.unresolved(ctx, now.Add(-inFlight))
	if err != nil {
		return false, true, err
	}
	m.FromMe = true // as it would be judged if it said so
	return false, slices.ContainsFunc(undated(sends, o.db.File(), now), func(s send) bool { return fits(s, m, o.db.File()) != noMatch }), nil
}

// preceding is how many rows before a link's balloon are searched for its text.
const preceding = 20

// repeats tells whether a row is only the preview of a link in a row before it. One that
// has the same link and is no preview so far may become one, and is looked at again.
func (o *observer) repeats(ctx context.Context, m chatdb.Message, first, now time.Time) (settled, again bool, err error) {
	early := now.Sub(first) < o.cfg.ghostAge()
	if !m.OnlyLink() || !early && m.Class(now) != chatdb.ClassPreview {
		return false, false, nil
	}
	before, err := o.db.Before(ctx, m.RowID, preceding)
	if err != nil || slices.ContainsFunc(before, m.Repeats) {
		return err == nil, true, err
	}
	return false, early && slices.ContainsFunc(before, m.MayRepeat), nil
}
