package relay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// judgeTyped reports an own row that no send of ours made: the owner wrote it, on
// this Mac or on another device. It is told with the state that the row has, so it
// waits until there is one.
func (o *observer) judgeTyped(ctx context.Context, f *finding, m chatdb.Message, sends []send, first, now time.Time) (bool, error) {
	if old, err := o.history(ctx, m, now); old || err != nil {
		return err == nil, err
	}
	patient := now.Sub(first) < o.cfg.Grace
	if patient && (m.Chat == nil || inFlightTo(sends, m, now) || len(strays(sends, m, o.db.File())) > 0) {
		return false, nil
	}
	if !m.Says() || m.Handle == "" && m.Chat == nil {
		return now.Sub(first) > changeWindow, nil // a ghost: Messages made a row and nothing of it
	}
	changes, seen := chatdb.Diff(chatdb.Seen{}, m)
	status := stateOf(changes)
	if status == "" {
		return now.Sub(first) > o.cfg.Observe, nil
	}
	if settled, again, err := o.repeats(ctx, m, first, now); again || err != nil {
		return settled, err
	}
	in := inboundOf(m)
	if in.Group {
		in.From = ""
	}
	wanted, err := o.wanted(ctx, in.From)
	if err != nil || !wanted {
		return err == nil, err
	}
	in.Status = status
	in.Sent = cmp.Or(in.Sent, now.UnixMilli())
	r := wire.Report{Kind: wire.Typed, At: in.Sent, GUID: m.GUID, Service: m.Service, Inbound: in}
	if m.Error != 0 {
		r.Fault = &wire.Fault{Code: "messages_error", Number: m.Error, Text: failureSentence(m.Error)}
	}
	f.reports = append(f.reports, r)
	f.fetch(m)
	until := now.Add(o.cfg.Observe)
	if seen.Sent && seen.NoReceipts {
		until = now.Add(min(failWindow, o.cfg.Observe))
	}
	f.watch(m, until)
	o.heed(m, changes, now)
	return true, nil
}

// stateOf is the last state among changes, "" without any.
func stateOf(changes []chatdb.Change) (s wire.Status) {
	for _, c := range changes {
		switch c.Kind {
		case chatdb.KindSent, chatdb.KindDelivered, chatdb.KindRead, chatdb.KindFailed:
			s = wire.Kind(c.Kind).Status()
		}
	}
	return s
}

// inFlightTo tells whether a send to the same person is about to show its row, with
// whatever Messages may make of its text.
func inFlightTo(sends []send, m chatdb.Message, now time.Time) bool {
	return slices.ContainsFunc(sends, func(s send) bool {
		return s.state != stateUnknown && now.Sub(s.armedAt) < inFlight && s.addressed(m)
	})
}
