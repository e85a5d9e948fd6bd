package relay

import (
	"context"
	"slices"
	"time"

	"bluerelay/chatdb"
)

const (
	// late is how old a message may be when its row appears and still be news: the
	// sender's phone was offline, or its clock is wrong. What iCloud brings back by
	// the thousand is months old, and new to nobody.
	late = 7 * 24 * time.Hour

	// skew is how far before the pairing a row above the pairing's mark may be dated:
	// its date is by the sender's clock, not by this Mac's.
	skew = 10 * time.Minute

	// gap is how long chat.db is not looked at before that counts as down time: the
	// Mac slept, or the daemon did not run. What came meanwhile is news however old.
	gap = 5 * time.Minute

	// catchUp is how long after a down time its messages may keep coming in.
	catchUp = time.Hour
)

// look notes that chat.db is being read now, and the down time before.
func (c *cursor) look(now time.Time) {
	ms := now.UnixMilli()
	if ms-c.Seen > gap.Milliseconds() {
		c.Down, c.Up = c.Seen, ms
	}
	c.Seen = ms
}

// present is the time as far as rows that may change are concerned, whose windows stand
// still while chat.db is not looked at: what happens to a message while the Mac sleeps,
// or the daemon is down, comes in after that. For as long as a window it is the
// beginning of the down time.
func (c cursor) present(now time.Time) time.Time { return c.standing(now, changeWindow) }

// awake is the same for the rows of sends: iCloud may take a while to bring what happened
// to them.
func (c cursor) awake(now time.Time) time.Time { return c.standing(now, catchUp) }

func (c cursor) standing(now time.Time, window time.Duration) time.Time {
	if now.UnixMilli()-c.Up < window.Milliseconds() {
		return time.UnixMilli(min(now.UnixMilli(), c.Down))
	}
	return now
}

// news is the time from which on a row is news; older ones are history.
func (c cursor) news(now time.Time) time.Time {
	since := c.Seen
	if now.UnixMilli()-c.Up < catchUp.Milliseconds() {
		since = min(since, c.Down)
	}
	return time.UnixMilli(max(c.Floor-skew.Milliseconds(), since-late.Milliseconds()))
}

// history tells whether a row that is new here is an old message: iCloud gives them
// new ROWIDs, and sometimes new guids. A row without a date is taken for news.
func (o *observer) history(ctx context.Context, m chatdb.Message, now time.Time) (bool, error) {
	if !m.DateRecovered.IsZero() {
		return true, nil // back from Recently Deleted
	}
	if m.Date.IsZero() {
		return false, nil
	}
	if m.Date.Before(o.cursor.news(now)) {
		return true, nil
	}
	if now.Sub(m.Date) < overlap {
		return false, nil
	}
	// It may be a second copy, under another guid, of one that came at its time.
	copies, err := o.db.Dated(ctx, m.Date, batch)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(copies, func(c chatdb.Message) bool {
		return c.RowID < m.RowID && c.FromMe == m.FromMe && c.Handle == m.Handle && c.Text == m.Text && sameChat(c, m)
	}), nil
}

func sameChat(a, b chatdb.Message) bool {
	return a.Chat == nil || b.Chat == nil || a.Chat.RowID == b.Chat.RowID
}
