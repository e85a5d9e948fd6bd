package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

// The first event of a time is found in a log whose times are not quite in its order, and
// whose beginning was removed.
func TestFirstEventSince(t *testing.T) {
	s, _ := open(t)
	g := rand.New(rand.NewPCG(1, 2))
	const second, events, removed = 1000, 2000, 300
	made := make([]int64, events+1) // by number
	write(t, s, func(tx *store.Tx) error {
		at := int64(1_700_000_000_000)
		for n := 1; n <= events; n++ {
			at += g.Int64N(20 * second)
			made[n] = at
			if g.IntN(5) == 0 {
				made[n] -= g.Int64N(120 * second) // it was late
			}
			if err := tx.CreateEvent(&store.Event{ID: fmt.Sprint("evt_", n), AccountID: accountID, Type: "message.received", CreatedAt: made[n]}); err != nil {
				return err
			}
		}
		return tx.RemoveEvents(accountID, removed)
	})
	first := func(at int64) int64 {
		for n := removed + 1; n <= events; n++ {
			if made[n] >= at {
				return int64(n)
			}
		}
		return 0
	}
	times := []int64{0, made[removed], made[events], made[events] + 200*second}
	for range 300 {
		times = append(times, made[1+g.IntN(events)]+g.Int64N(3)-1)
	}
	for _, at := range times {
		if got, err := s.FirstEventSince(t.Context(), accountID, at); err != nil || got != first(at) {
			t.Errorf("since %d: event %d, %v, want %d", at, got, err, first(at))
		}
	}
	if got, err := s.FirstEventSince(t.Context(), "team_none", 0); err != nil || got != 0 {
		t.Errorf("of nobody: %d, %v", got, err)
	}
}

// A place near the end of a long log is not looked for from its beginning.
func TestFirstEventOfALongLog(t *testing.T) {
	s, dsn := open(t)
	const events = 200_000
	storetest.Exec(t, dsn, fmt.Sprintf(`INSERT INTO events (id, account_id, seq, type, message_id, line_id, created_at, detail, relay_id)
		WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
		SELECT 'evt_' || n, '%s', n, 'message.received', '', '', n * 1000, '', '' FROM numbers`, events, accountID))
	storetest.Exec(t, dsn, fmt.Sprintf("UPDATE accounts SET event_seq = %d WHERE id = '%s'", events, accountID))
	took := func(want int64) time.Duration {
		best := time.Hour
		for range 10 {
			began := time.Now()
			if got, err := s.FirstEventSince(t.Context(), accountID, want*1000); err != nil || got != want {
				t.Fatalf("%d, %v, want %d", got, err, want)
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	if early, late := took(10), took(events-10); late > 5*early {
		t.Errorf("%s near the end, %s near the beginning", late, early)
	}
}
