package relay

import (
	"context"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// judgeTapback reports a reaction, or its withdrawal. It never waits: what it
// belongs to is named by its guid.
func (o *observer) judgeTapback(ctx context.Context, f *finding, m chatdb.Message, now time.Time) error {
	old, err := o.history(ctx, m, now)
	if old || err != nil || m.Tapback.Target == "" || m.Handle == "" && !m.FromMe {
		return err
	}
	wanted, err := o.wanted(ctx, m.Handle)
	if err != nil || !wanted {
		return err
	}
	at := m.Date
	if at.IsZero() {
		at = now
	}
	t := &wire.Tapback{
		Target: m.Tapback.Target, Part: m.Tapback.Part, From: m.Handle, Own: m.FromMe,
		Kind: m.Tapback.Kind, Emoji: m.Tapback.Emoji, Removed: m.Tapback.Removed,
	}
	if t.Own {
		t.From = ""
	}
	f.reports = append(f.reports, wire.Report{Kind: wire.Tapped, At: at.UnixMilli(), GUID: m.GUID, Service: m.Service, Tapback: t})
	return nil
}
