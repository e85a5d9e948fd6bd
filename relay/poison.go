package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bluerelay/wire"
)

// A message that ends the daemon each time it is handled must not end it for ever: the
// queue behind it would stand still.

// inHand is the note of the send that is being handled. It is written without waiting
// for the disk: it has to outlive the process, and a power cut is nobody's fault.
type inHand struct {
	Message string `json:"message"`
	Part    string `json:"part"`
	Attempt int    `json:"attempt"`
	// Since is when the note was begun, or when a death was counted last, Unix ms.
	Since int64 `json:"since"`
}

const (
	inHandFile = "in_hand.json"
	// deadly is how many deaths make a message a poison.
	deadly = 3
	// betweenDeaths is the least time between two deaths that count. A daemon that dies
	// by itself is started again after ten seconds by launchd; one that somebody keeps
	// killing is not ended by what it does.
	betweenDeaths = 5 * time.Second
)

// poison is the fault of a message that has ended the daemon too often.
var poison = wire.Fault{Code: "poison", Text: "Handling this message has ended the relay several times; it is left alone so that the others can go."}

// grasp notes that a send is being handled. Where it cannot be noted a death by it
// does not count.
func (s *sender) grasp(one *send) {
	note := inHand{Message: one.message, Part: one.part, Attempt: one.attempt, Since: time.Now().UnixMilli()}
	if s.died.Message == note.Message && s.died.Part == note.Part && s.died.Attempt == note.Attempt {
		note.Since = s.died.Since
	}
	if data, err := json.Marshal(note); err == nil {
		_ = os.WriteFile(s.inHand(), data, 0o600)
	}
}

// letGo notes that it has been handled, whatever came of it.
func (s *sender) letGo() { _ = os.Remove(s.inHand()) } // a note that stays is corrected by the next

func (s *sender) inHand() string { return filepath.Join(s.cfg.StateDir, inHandFile) }

// autopsy finds out whether the last daemon died over a send, counts that, and ends a
// send that was too often the last.
func (s *sender) autopsy(ctx context.Context, now time.Time) error {
	data, err := os.ReadFile(s.inHand())
	if errors.Is(err, fs.ErrNotExist) || err == nil && json.Unmarshal(data, &s.died) != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what was in hand: %w", err)
	}
	if age := now.Sub(time.UnixMilli(s.died.Since)); age >= 0 && age < betweenDeaths {
		return nil
	}
	s.died.Since = now.UnixMilli()
	one, err := s.journal.died(ctx, s.died)
	if err != nil || one == nil {
		return err
	}
	if one.state == stateReceived {
		err = s.journal.noSend(ctx, one, poison, false, false, now)
	} else {
		// Its osascript may have run: nobody knows, and nobody is to try to find out.
		err = s.journal.handed(ctx, one, poison, now, now)
	}
	if err != nil {
		return err // the note stays: this is done again
	}
	s.letGo()
	s.log.Error("message.poison", "message", one.message, "part", one.part, "state", one.state)
	ring(s.outboxBell)
	return nil
}

// died counts a death over a send that was not over, and returns it where that was one
// too many.
func (j *journal) died(ctx context.Context, note inHand) (one *send, err error) {
	err = j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		const which = "message = ? AND part = ? AND attempt = ? AND state IN ('" + stateReceived + "', '" + stateArmed + "')"
		if _, err := tx.ExecContext(ctx, "UPDATE sends SET tries = tries + 1 WHERE "+which, note.Message, note.Part, note.Attempt); err != nil {
			return fmt.Errorf("count a death: %w", err)
		}
		list, err := querySends(ctx, tx, which+" AND tries >= ?", note.Message, note.Part, note.Attempt, deadly)
		if len(list) > 0 {
			one = &list[0]
		}
		return err
	})
	return one, err
}
