package cloud

import (
	"context"
	"encoding/json"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// orphanLife is how long facts about messages that are not here are kept.
const orphanLife = 30 * 24 * time.Hour

// orphaned keeps a fact about a message that is not here: this database was restored
// from a copy that is older than the message. Nothing but the fact is left of it then.
func (s *Service) orphaned(tx *store.Tx, relay store.Relay, install string, r wire.Report, now time.Time) error {
	if r.Message == "" {
		return nil // what the owner typed, and keeps to himself
	}
	s.log.Warn("report.without_message", "relay", relay.ID, "message", clip(r.Message), "kind", string(r.Kind))
	data, err := json.Marshal(wire.Report{
		Seq: r.Seq, Kind: r.Kind, At: r.At, Message: r.Message, Attempt: r.Attempt, GUID: r.GUID, Service: r.Service, Fault: r.Fault, Downgraded: r.Downgraded, Again: r.Again,
	})
	if err != nil {
		return err
	}
	return tx.AddOrphan(store.Orphan{
		RelayID: relay.ID, InstallID: install, Seq: r.Seq, MessageID: clip(r.Message), Kind: string(r.Kind), Report: string(data), CreatedAt: now.UnixMilli(),
	})
}

// sweepOrphans forgets facts that nobody has asked for in all that time.
func (s *Service) sweepOrphans(ctx context.Context) error {
	before := time.Now().Add(-orphanLife).UnixMilli()
	old, err := s.store.HasOrphans(ctx, before)
	if err != nil || !old {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.SweepOrphans(before) })
}
