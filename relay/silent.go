package relay

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"bluerelay/chatdb"
	"bluerelay/fault"
	"bluerelay/wire"
)

// A row may be bound and never say that it was sent or has failed: Messages was ended
// over it, its owner deleted the bubble while it was on its way, chat.db was put back to
// a copy without it. Then nobody can tell whether it has left the Mac, or yet will. The
// message ends as such a one, because others wait for its end; what its row says later
// counts all the same.

// unspoken is, of a send, that its row has said neither sent nor failed.
const unspoken = `state = 'observed' AND json_extract(seen, '$.sent') IS NULL AND json_extract(seen, '$.error') IS NULL`

// silentSchema finds those among all sends. It is run at each opening, like wroteSchema.
const silentSchema = `
CREATE INDEX IF NOT EXISTS sends_unspoken ON sends (state, armed_at) WHERE ` + unspoken + `;
`

// faultSilent is the code of a send whose row is no longer waited for.
const faultSilent = "silent_row"

// silent tells whether the row that is bound to a send was given up, and still says nothing.
func (s send) silent() bool {
	return s.state == stateObserved && s.fault != nil && s.fault.Code == faultSilent && !s.seen.Sent && s.seen.Error == 0
}

// unspoken are the sends armed before a time whose rows are still waited for.
func (j *journal) unspoken(ctx context.Context, before time.Time) ([]send, error) {
	list, err := j.querySends(ctx, unspoken+" AND armed_at < ? ORDER BY armed_at", before.UnixMilli())
	return slices.DeleteFunc(list, func(s send) bool { return s.silent() || s.ghost() }), err
}

// giveUp ends the wait for what the rows of sends say. What was to follow one is dropped,
// as where no row has come.
func (j *journal) giveUp(ctx context.Context, list []send, now time.Time) error {
	return j.write(ctx, fault.RelaySettle, func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range list {
			s.fault = &wire.Fault{Code: faultSilent, Text: "Messages has it, and says neither that it was sent nor that it has failed."}
			if err := saveFault(ctx, tx, s); err != nil {
				return err
			}
			if err := dropRest(ctx, tx, s); err != nil {
				return err
			}
			if err := tell(ctx, tx, s.message, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// giveUpSilent gives up the rows that have said nothing for stuckFor, and those that are
// gone from chat.db. It reads them itself: one that nobody has followed for long may
// have spoken since. Who is gone has the time that a file has to appear, for chat.db may
// be replaced at this moment.
func (o *observer) giveUpSilent(ctx context.Context, now time.Time) error {
	awake := o.cursor.awake(now)
	since := awake.Add(-o.cfg.SettleFile)
	sends, err := o.journal.unspoken(ctx, since)
	if err != nil || len(sends) == 0 {
		return err
	}
	byGUID := make(map[string]send)
	guids := make([]string, len(sends))
	for i, s := range sends {
		byGUID[s.guid], guids[i] = s, s.guid
	}
	rows, err := o.db.FindGUIDs(ctx, guids)
	if err != nil {
		return err
	}
	for _, m := range rows {
		o.followed[m.RowID] = byGUID[m.GUID]
	}
	if err := o.digest(ctx, rows, o.cursor); err != nil {
		return err
	}
	if sends, err = o.journal.unspoken(ctx, since); err != nil {
		return err
	}
	sends = slices.DeleteFunc(sends, func(s send) bool {
		there := slices.ContainsFunc(rows, func(m chatdb.Message) bool { return m.GUID == s.guid })
		return there && awake.Sub(s.armedAt) < stuckFor
	})
	if len(sends) == 0 {
		return nil
	}
	if err := o.journal.giveUp(ctx, sends, now); err != nil {
		return err
	}
	for _, s := range sends {
		o.log.Warn("message.silent", "message", s.message, "part", s.part, "attempt", s.attempt)
	}
	ring(o.outboxBell)
	return nil
}

// followAgain takes up a bound row that had gone, or was under another ROWID, as long as
// there may be something to learn from it.
func (o *observer) followAgain(ctx context.Context, f *finding, m chatdb.Message, now time.Time) error {
	list, err := o.journal.querySends(ctx, "guid = ?", m.GUID)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.seen.Read || o.cursor.awake(now).Sub(s.armedAt) > o.cfg.Observe {
			continue
		}
		changes, seen := chatdb.Diff(s.seen, m)
		f.saves = append(f.saves, save{s, m, changes, seen})
	}
	return nil
}
