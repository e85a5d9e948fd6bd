package relay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// groupEvents are the kinds of chatdb.GroupEvent that are about a group's members, its
// name or its picture; the others are nobody's news.
var groupEvents = [...]string{"joined", "left", "removed", "renamed", "photo_set", "photo_removed"}

// judgeGroup reports what happened to a group, once: each event has a row of its own,
// which does not change and whose guid names it. Like a message it waits for its chat,
// without which it says nothing.
func (o *observer) judgeGroup(ctx context.Context, f *finding, m chatdb.Message, first, now time.Time) (bool, error) {
	if !slices.Contains(groupEvents[:], m.Event.Kind) {
		return true, nil
	}
	if old, err := o.history(ctx, m, now); old || err != nil {
		return err == nil, err
	}
	if m.Chat == nil {
		return now.Sub(first) > changeWindow, nil
	}
	if !m.Chat.Group() {
		return true, nil
	}
	who := m.Event.Who
	if m.FromMe {
		who = ""
	}
	wanted, err := o.wanted(ctx, who)
	if err != nil || !wanted {
		return err == nil, err
	}
	f.reports = append(f.reports, wire.Report{
		Kind: wire.Grouped, At: cmp.Or(unixMilli(m.Date), now.UnixMilli()), GUID: m.GUID, Service: m.Service,
		Group: &wire.Group{Chat: m.Chat.GUID, Event: m.Event.Kind, Who: who, Other: m.Event.Other, Name: m.Event.Title},
	})
	return true, nil
}
