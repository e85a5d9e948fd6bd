package relay

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// maxFollowed bounds the rows of our own sends that are followed; the newest are kept.
	maxFollowed = 5000

	// failWindow is how long after its arming a row is followed that says sent and can
	// have no receipt. A failure follows it within minutes, but the phone may take an SMS
	// hours after it was given to it.
	failWindow = 24 * time.Hour
)

// followed are the sends with a bound row that may still change, the newest of them, by
// the rule of follows.
func (j *journal) followed(ctx context.Context, observe time.Duration, awake, present time.Time) ([]send, error) {
	return j.querySends(ctx, `state = ? AND armed_at >= ? AND (armed_at >= ? OR json_extract(seen, '$.read') IS NOT 1 AND
			(armed_at >= ? OR json_extract(seen, '$.sent') IS NOT 1 OR json_extract(seen, '$.no_receipts') IS NOT 1))
		ORDER BY rowid_ DESC LIMIT ?`,
		stateObserved, awake.Add(-observe).UnixMilli(), present.Add(-changeWindow).UnixMilli(), awake.Add(-failWindow).UnixMilli(), maxFollowed)
}

// follows tells whether a bound row may still change: one that was read can be edited,
// one of which no receipt can come can also fail, and any other gets its receipts. The
// times are those that stand still while the Mac is off.
func (s send) follows(observe time.Duration, awake, present time.Time) bool {
	switch {
	case awake.Sub(s.armedAt) > observe:
		return false
	case s.seen.Read:
		return present.Sub(s.armedAt) <= changeWindow
	case s.seen.Sent && s.seen.NoReceipts:
		return awake.Sub(s.armedAt) <= failWindow
	}
	return true
}

// loadFollowed finds the bound rows again, by guid where the file has changed.
func (o *observer) loadFollowed(ctx context.Context) error {
	now := time.Now()
	sends, err := o.journal.followed(ctx, o.cfg.Observe, o.cursor.awake(now), o.cursor.present(now))
	if err != nil {
		return err
	}
	byGUID := make(map[string]send)
	for _, s := range sends {
		byGUID[s.guid] = s
	}
	o.followed = make(map[int64]send)
	rows, err := o.db.FindGUIDs(ctx, slices.Collect(maps.Keys(byGUID)))
	if err != nil {
		return err
	}
	for _, m := range rows {
		o.followed[m.RowID] = byGUID[m.GUID]
	}
	return nil
}
