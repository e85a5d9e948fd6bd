package relay

import (
	"time"

	"bluerelay/chatdb"
)

// judgeDamaged looks again, for as long as any row is waited for, at one that lies on
// damaged pages: a page may be whole again with the next commit. A row that is already
// followed stays so; another one is passed by in the end.
func (o *observer) judgeDamaged(f *finding, m chatdb.Message, now time.Time) {
	_, followed := o.followed[m.RowID]
	_, watched := o.watched[m.RowID]
	first, waited := o.waiting[m.RowID]
	switch {
	case followed || watched:
	case !waited:
		f.wait = append(f.wait, m.RowID)
		return
	case now.Sub(first) < o.cfg.Grace:
		return
	default:
		f.done = append(f.done, m.RowID)
	}
	o.log.Error("chatdb.row_unreadable", "rowid", m.RowID, "guid", m.GUID, "error", m.Damage.Error())
}

// again is when a row that is waited for is looked at without any event of the
// database: with growing gaps, the last time when the grace ends.
func again(first time.Time, grace time.Duration) []time.Time {
	var at []time.Time
	for part := grace; part > grace/32; part /= 2 {
		at = append(at, first.Add(part))
	}
	return at
}
