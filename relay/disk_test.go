package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"bluerelay/wire"
)

// limit lets the journal grow by so many pages more, as a disk does that becomes full.
func limit(t testing.TB, j *journal, more int) {
	t.Helper()
	var pages int
	if err := j.db.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := j.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+more)); err != nil {
		t.Fatal(err)
	}
}

// writable lets the journal be written, or not.
func writable(t testing.TB, j *journal, yes bool) {
	t.Helper()
	if _, err := j.db.Exec(fmt.Sprintf("PRAGMA query_only = %t", !yes)); err != nil {
		t.Fatal(err)
	}
}

// A journal that could not be written is said to be so until as much as an order can be
// written again. That shows within a second and without anything to do, and a small
// write that goes well meanwhile changes nothing.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		r := &Relay{log: slog.New(slog.DiscardHandler), health: newHealth(), journal: j, sendBell: make(chan struct{}, 1)}
		j.failed = r.unwritten
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- newKeeper(r).run(ctx) }()

		limit(t, j, 0)
		long := order("msg_1", 1, alice, string(make([]byte, 100_000)))
		if err := j.receive(t.Context(), long, time.Now()); !errors.Is(err, errUnwritten) {
			t.Fatalf("it was written: %v", err)
		}
		want := wire.Health{Code: wire.ProblemDisk, Reason: cannotWrite}
		if got := r.health.now(); got != want {
			t.Errorf("%+v", got)
		}
		limit(t, j, 10)
		if err := j.receive(t.Context(), order("msg_2", 1, alice, "short"), time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.health.now(); got != want {
			t.Errorf("with room for little: %+v", got)
		}
		limit(t, j, 1000)
		time.Sleep(2 * pulse)
		if got := r.health.now(); !got.Ready {
			t.Errorf("with room: %+v", got)
		}
		<-r.sendBell
		if left, err := j.meta(t.Context(), metaTrial); left != "" || err != nil {
			t.Errorf("%d bytes of the trial are left, %v", len(left), err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What fn says of itself is no trouble of the disk's.
func TestRefusalIsNoDisk(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	j.failed = func(err error) { t.Errorf("told %v", err) }
	inState(t, j, stateArmed)
	if err := j.revive(t.Context(), launch, 4, noon); !errors.Is(err, errInHand) || errors.Is(err, errUnwritten) {
		t.Errorf("%v", err)
	}
}
