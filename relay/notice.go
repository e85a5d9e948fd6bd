package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bluerelay/wire"
)

// A person at the Mac is told on its screen when the relay needs one. The cloud tells
// others by relay.attention; but where the cloud cannot be reached, or nobody listens to
// it, the screen is all there is.

const (
	// noticeEvery is how often one problem is shown at most, through restarts of the relay.
	noticeEvery = 24 * time.Hour
	// noticeLook is how often a problem that lasts is held against that.
	noticeLook  = time.Hour
	noticeTitle = "bluerelay needs you"
)

// notice is what the keeper knows of the problem that it may have to show.
type notice struct {
	problem wire.Problem // the gravest now, "" while none needs a person
	next    time.Time    // when it may be to be shown
}

// tellPerson shows a problem once it has lasted for Config.Notice: what mends itself needs
// nobody. The sentence is the one of relay.attention; no text and no number of a message
// is in it.
func (k *keeper) tellPerson(ctx context.Context, now time.Time) {
	h := k.health.now()
	problem := h.Code
	if problem == wire.ProblemStarting || problem == wire.ProblemReleased {
		problem = "" // it passes by itself, or somebody has just brought it about
	}
	if problem != k.notice.problem {
		k.notice = notice{problem: problem, next: now.Add(k.cfg.Notice)}
	}
	if problem == "" || now.Before(k.notice.next) {
		return
	}
	k.notice.next = now.Add(noticeLook) // whatever comes of it
	if last, ok := k.shown[problem]; ok && now.Sub(last) < noticeEvery {
		return
	}
	fresh, err := k.journal.noteNotice(ctx, problem, now)
	if err != nil {
		k.log.Warn("notice.not_noted", "error", err.Error()) // a full disk is what is to be shown
	} else if !fresh {
		return
	}
	k.shown[problem] = now
	if err := k.cfg.Tools.Notify(ctx, noticeTitle, h.Reason); err != nil {
		k.log.Warn("notice.not_shown", "problem", string(problem), "error", err.Error())
		return
	}
	k.log.Info("notice.shown", "problem", string(problem))
}

// noteNotice notes that a problem is about to be shown. It returns false where it was
// shown within noticeEvery.
func (j *journal) noteNotice(ctx context.Context, p wire.Problem, now time.Time) (fresh bool, err error) {
	err = j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		var data string
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", metaNotices).Scan(&data)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the journal: %w", err)
		}
		shown := make(map[wire.Problem]int64)
		_ = json.Unmarshal([]byte(data), &shown) // what is unreadable was never shown
		if last, ok := shown[p]; ok && now.Sub(time.UnixMilli(last)).Abs() < noticeEvery {
			return nil
		}
		fresh, shown[p] = true, now.UnixMilli()
		noted, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		return setMeta(ctx, tx, metaNotices, string(noted))
	})
	return fresh, err
}
