package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"bluerelay/fault"
)

// intent is a pairing that has begun. It is in the journal before the cloud is asked and
// goes with the commit that gives the journal to the new pairing. One that is still there
// was cut off: perhaps the cloud counts on this Mac since then, so that what came in
// since then is news to the pairing that repeats it. Which line it was for, only the
// cloud's answer would have said.
type intent struct {
	Server string `json:"server"`
	Mark   cursor `json:"mark"` // where chat.db ended, or when nobody could know
}

// intentKept is how long a pairing that was cut off is waited for to be repeated. The
// limit is for privacy: who begins and leaves it does not mean the months that follow.
const intentKept = 24 * time.Hour

// repeats tells whether a pairing with a server, now, is the same one again.
func (i intent) repeats(server string, now time.Time) bool {
	return i.Server == server && now.Sub(time.UnixMilli(i.Mark.Floor)) < intentKept
}

// intend notes where a pairing with a server reads on: at the mark, or where an earlier
// pairing stood that this one repeats. fresh tells that the note is this pairing's own.
func (j *journal) intend(ctx context.Context, server string, mark cursor, now time.Time) (at cursor, fresh bool, err error) {
	v, err := j.meta(ctx, metaIntent)
	if err != nil {
		return at, false, err
	}
	var old intent
	if v != "" {
		if err := json.Unmarshal([]byte(v), &old); err != nil {
			return at, false, fmt.Errorf("read the pairing that was cut off: %w", err)
		}
	}
	if old.repeats(server, now) {
		return old.Mark, false, nil
	}
	note, err := json.Marshal(intent{server, mark})
	if err != nil {
		return at, false, err
	}
	return mark, true, j.write(ctx, fault.RelayIntend, func(ctx context.Context, tx *sql.Tx) error {
		return setMeta(ctx, tx, metaIntent, string(note))
	})
}

// dropIntent forgets a pairing that the cloud has refused.
func (j *journal) dropIntent(ctx context.Context) error {
	return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		return setMeta(ctx, tx, metaIntent, "")
	})
}
