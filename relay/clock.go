package relay

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// clock tells when the wall clock has not gone as time did: somebody set it, or the
// Mac slept. A sleeping Mac's monotonic clock stands still. It is safe for concurrent
// use.
type clock struct {
	mu   sync.Mutex
	last time.Time // the last look; zero before the first
	wall time.Time // what the wall clock said then
}

// look is by how much the wall clock has gone wrong since the last look: less than
// zero where it was set back.
func (c *clock) look(now time.Time) (leap time.Duration) {
	_ = c.heed(now, func(by time.Duration) error { leap = by; return nil })
	return leap
}

// heed has somebody follow what look gives, unless that is nothing. Until that is done
// nobody else looks; where it fails, the next look gives it again.
func (c *clock) heed(now time.Time, follow func(leap time.Duration) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.IsZero() {
		passed := now.Sub(c.last)
		if passed < 0 {
			return nil // another look began later and was faster
		}
		if leap := leapt(now.Round(0).Sub(c.wall), passed); leap != 0 {
			if err := follow(leap); err != nil {
				return err
			}
		}
	}
	c.last, c.wall = now, now.Round(0)
	return nil
}

// leapt is the difference between what the wall clock and the monotonic clock say has
// passed, without what two clocks differ in by themselves.
func leapt(wall, mono time.Duration) time.Duration {
	if leap := wall - mono; leap <= -clockSlack || leap >= clockSlack {
		return leap
	}
	return 0
}

// heedClock puts the times of sends right whose rows are awaited, when the wall clock
// has leapt. Both who settles and who matches rows call it before they compare times.
func (r *Relay) heedClock(ctx context.Context, now time.Time) error {
	return r.clock.heed(now, func(leap time.Duration) error {
		r.log.Warn("clock.leapt", "by", leap.Round(time.Second).String())
		return r.journal.leap(ctx, leap)
	})
}

// leap moves what the journal compares with the wall clock. Where the clock was set
// back, a row that comes now is dated before its send was armed. Where it was set
// forward, or the Mac slept, the row has had no more time than before.
func (j *journal) leap(ctx context.Context, by time.Duration) error {
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		ms := by.Milliseconds()
		_, err := tx.ExecContext(ctx, "UPDATE sends SET settle_at = settle_at + ? WHERE state IN (?, ?) AND settle_at > 0", ms, stateHanded, stateUnknown)
		if err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE sends SET retry_at = retry_at + ? WHERE state = ? AND retry_at > 0", ms, stateReceived)
		}
		if err == nil && by < 0 {
			_, err = tx.ExecContext(ctx, `UPDATE sends SET armed_at = armed_at + ?, ended_at = CASE ended_at WHEN 0 THEN 0 ELSE ended_at + ? END
				WHERE state IN (?, ?, ?)`, ms, ms, stateArmed, stateHanded, stateUnknown)
		}
		if err != nil {
			return fmt.Errorf("follow the clock: %w", err)
		}
		return nil
	})
}

// undated are the sends as far as dates can be compared: one that was armed after now
// was armed before the clock was set back, while no daemon saw it. In the file of its
// mark the ROWID alone has to do.
func undated(sends []send, file string, now time.Time) []send {
	for i, s := range sends {
		if s.armedAt.After(now.Add(clockSlack)) && s.mark.File == file {
			sends[i].armedAt, sends[i].endedAt, sends[i].settled = time.Time{}, time.Time{}, time.Time{}
		}
	}
	return sends
}
