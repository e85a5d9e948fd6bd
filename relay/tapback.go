package relay

import (
	"cmp"
	"context"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// judgeTapback reports a reaction, or its withdrawal. What it belongs to is named by its
// guid, so that it needs no chat; one that names nobody waits like a message, because it
// may be the owner's. It returns false where the row has to be looked at again.
func (o *observer) judgeTapback(ctx context.Context, f *finding, m chatdb.Message, first, now time.Time) (bool, error) {
	old, err := o.history(ctx, m, now)
	if old || err != nil || m.Tapback.Target == "" {
		return err == nil, err
	}
	if m.Handle == "" && !m.FromMe {
		if now.Sub(first) < o.cfg.Grace {
			return false, nil
		}
		if m.Chat == nil {
			return true, nil
		}
		if !m.Chat.Group() {
			m.Handle = m.Chat.Identifier
		}
	}
	wanted, err := o.wanted(ctx, m.Handle)
	if err != nil || !wanted {
		return err == nil, err
	}
	t := &wire.Tapback{
		Target: m.Tapback.Target, Part: m.Tapback.Part, From: m.Handle, Own: m.FromMe,
		Kind: m.Tapback.Kind, Emoji: m.Tapback.Emoji, Removed: m.Tapback.Removed,
	}
	if t.Own {
		t.From = ""
	} else {
		f.watch(m, now.Add(o.cfg.Grace)) // it may yet say that it is the owner's
	}
	f.reports = append(f.reports, wire.Report{Kind: wire.Tapped, At: cmp.Or(unixMilli(m.Date), now.UnixMilli()), GUID: m.GUID, Service: m.Service, Tapback: t})
	return true, nil
}
