package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The rule by which the relay starts Messages, or ends and starts it again.
//
// Nothing that the relay does is ever repeated because Messages was restarted: what was
// handed over is looked for, never handed over again. So a restart could double a
// message only by what Messages itself does with what it has in hand, and nobody has
// proven what that is. Therefore it is left alone
//
//   - while osascript may be running (a send is armed): it may be about to hand over;
//   - while the row of a send is awaited (its settle window): Messages may be writing it;
//   - for a restart also while a row of ours is neither sent nor failed: Messages has it
//     in hand, and might begin anew with it or show it as failed while it goes out. That
//     includes a stuck file, for which the relay does nothing by itself; after a day
//     such a row is dead;
//   - more often than Config.Revivals times an hour, counted through restarts of the
//     relay: a Messages that does not stay needs a person.
//
// A send whose window is over (unknown) does not count. What a hung Messages has taken of
// it dies with the process, the row that appears all the same is bound, and the
// relay sends it again in neither case.
//
// The sender asks and acts, so that no send begins in between.

// revival is what is to be done to Messages.
type revival string

const (
	launch  revival = "launch"  // it does not run
	restart revival = "restart" // it runs and does not answer
)

// Why Messages is left alone.
var (
	errInHand   = errors.New("a send is in hand")
	errAwaited  = errors.New("the row of a send is awaited")
	errUnderWay = errors.New("a message of ours is neither sent nor failed")
	errTooOften = errors.New("it was started as often as is allowed in an hour")
)

// revivals are counted over this time.
const revivalPeriod = time.Hour

// revive notes that Messages is about to be started, where the rule allows it; else the
// error is one of the above.
func (j *journal) revive(ctx context.Context, what revival, most int, now time.Time) error {
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		if err := mayRevive(ctx, tx, what, now); err != nil {
			return err
		}
		var data string
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", metaRevivals).Scan(&data)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the journal: %w", err)
		}
		var times, recent []int64
		_ = json.Unmarshal([]byte(data), &times) // what is unreadable was never counted
		for _, at := range times {
			// One in the future was noted before the clock was set back.
			if now.Sub(time.UnixMilli(at)).Abs() < revivalPeriod {
				recent = append(recent, at)
			}
		}
		if len(recent) >= most {
			return errTooOften
		}
		noted, err := json.Marshal(append(recent, now.UnixMilli()))
		if err != nil {
			return err
		}
		return setMeta(ctx, tx, metaRevivals, string(noted))
	})
}

// mayRevive holds the sends of the journal against the rule.
func mayRevive(ctx context.Context, tx *sql.Tx, what revival, now time.Time) error {
	open, err := querySends(ctx, tx, `state IN (?, ?) OR state = ? AND armed_at > ? AND json_extract(seen, '$.sent') IS NOT 1`,
		stateArmed, stateHanded, stateObserved, now.Add(-stuckFor).UnixMilli())
	if err != nil {
		return err
	}
	for _, s := range open {
		switch {
		case s.state == stateArmed:
			return errInHand
		case s.state == stateHanded:
			return errAwaited
		case what == restart && s.failure() == nil:
			return errUnderWay
		}
	}
	return nil
}
