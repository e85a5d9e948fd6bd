package relay

import (
	"context"
	"fmt"
	"time"

	"bluerelay/wire"
)

// A damaged chat.db may be unable to tell where one order goes, and know the way of all
// others. So such an order is put off, and ends without effect after some tries. Where
// two in a row meet it, none is ended for it: a person has to see to the database.

// maxMisses is how often an order is tried whose way lies on damaged pages; the pauses
// between its tries double up to maxMissPause.
const (
	maxMisses    = 10
	maxMissPause = 32 * time.Second
)

const damagedChats = "Messages' database is damaged: quit Messages, copy chat.db, chat.db-wal and chat.db-shm aside together, and check the copy with PRAGMA quick_check."

// misses counts what chat.db could not tell.
type misses struct {
	tries map[string]int // by message
	last  string         // the message that met it last, "" once a way was found after it
}

// miss puts an order off whose way chat.db could not tell because of err, or ends it.
func (s *sender) miss(ctx context.Context, one *send, err error, now time.Time) error {
	s.log.Error("send.no_way", "message", one.message, "error", err.Error())
	if s.misses.last != "" && s.misses.last != one.message {
		s.health.setBy(inSender, wire.ProblemChatDB, damagedChats)
	}
	if s.misses.tries == nil {
		s.misses.tries = make(map[string]int)
	}
	s.misses.last = one.message
	s.misses.tries[one.message]++
	tries := s.misses.tries[one.message]
	if tries < maxMisses || s.health.reasonBy(inSender, wire.ProblemChatDB) != "" {
		return s.journal.putOff(ctx, one, now.Add(min(firstPause<<min(tries-1, 10), maxMissPause)))
	}
	delete(s.misses.tries, one.message)
	return s.journal.noSend(ctx, one, wire.Fault{Code: string(wire.ProblemChatDB), Text: damagedChats}, false, false, now)
}

// hit notes that chat.db has told the way of an order.
func (s *sender) hit(one *send) {
	s.misses.last = ""
	delete(s.misses.tries, one.message)
	s.health.setBy(inSender, wire.ProblemChatDB, "")
}

// forgive ends the problem when the orders that met it are gone: a Mac that is given none
// would never find out.
func (s *sender) forgive(ctx context.Context) error {
	if s.health.reasonBy(inSender, wire.ProblemChatDB) == "" {
		return nil
	}
	var n int
	err := s.journal.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sends WHERE state = ? AND retry_at > 0", stateReceived).Scan(&n)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if n == 0 {
		s.misses = misses{}
		s.health.setBy(inSender, wire.ProblemChatDB, "")
	}
	return nil
}
