package relay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

func TestJournalFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	check := func() {
		t.Helper()
		for _, name := range []string{"journal.db", "journal.db-wal", "journal.db-shm"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("%s has mode %04o", name, mode)
			}
		}
	}
	check()
	j.close()
	if err := os.Chmod(filepath.Join(dir, "journal.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, dir)
	if err := j.setCursor(t.Context(), cursor{}); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestJournalWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "fullfsync": "1", "checkpoint_fullfsync": "1", "foreign_keys": "1"} {
		var got string
		if err := j.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
}

func TestJournalIdentity(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	first := install(t, j)
	j.close()
	if again := install(t, reopen(t, dir)); again != first {
		t.Errorf("the install changed from %s to %s", first, again)
	}
	if other := install(t, newJournal(t)); other == first {
		t.Error("two journals share an install")
	}
}

func TestJournalOfANewerBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	if _, err := j.db.Exec("PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	j.close()
	if _, err := openJournal(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "newer bluerelay") {
		t.Errorf("got %v", err)
	}
}

func TestJournalThatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(t.Context(), dir); err == nil {
		t.Error("it was opened")
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	if c, err := j.cursor(t.Context()); err != nil || c != nil {
		t.Fatalf("a new journal has the cursor %+v, %v", c, err)
	}
	want := cursor{Mark: chatdb.Mark{RowID: 1 << 40, GUID: "G-1", File: "1:2"}, Floor: 3, Seen: 4}
	for range 2 {
		if err := j.setCursor(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		j.close()
		j = reopen(t, dir)
		got, err := j.cursor(t.Context())
		if err != nil || *got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		want.RowID++
	}
	if err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error { return setMeta(ctx, tx, metaCursor, "{") }); err != nil {
		t.Fatal(err)
	}
	if _, err := j.cursor(t.Context()); err == nil {
		t.Error("a damaged cursor was read")
	}
}

func TestWaitingRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	for _, f := range []struct {
		finding
		at time.Time
	}{
		{finding{wait: []int64{7, 3}}, noon},
		{finding{wait: []int64{7, 9}}, noon.Add(time.Minute)}, // 7 keeps its first sight
		{finding{done: []int64{3, 100}}, noon},
	} {
		if err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error { return f.commit(ctx, tx, cursor{}, f.at) }); err != nil {
			t.Fatal(err)
		}
	}
	j.close()
	got, err := reopen(t, dir).waiting(t.Context())
	want := []waitingRow{{7, time.UnixMilli(noon.UnixMilli())}, {9, time.UnixMilli(noon.Add(time.Minute).UnixMilli())}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// TestFindingIsOneTransaction: reports and cursor go together or not at all.
func TestFindingIsOneTransaction(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	broken := errors.New("broken")
	err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
		f := finding{reports: []wire.Report{{Kind: wire.Received, GUID: "G"}}, wait: []int64{1}}
		if err := f.commit(ctx, tx, cursor{Floor: 1}, noon); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if c, err := j.cursor(t.Context()); c != nil || err != nil {
		t.Errorf("the cursor moved to %+v, %v", c, err)
	}
	if list := reportsOf(t, j); len(list) > 0 {
		t.Errorf("it reported %v", list)
	}
}

// TestWriteOutlivesItsContext: what has begun is finished.
func TestWriteOutlivesItsContext(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.receive(ctx, order("msg_1", 1, alice, "a"), noon); err != nil {
		t.Error(err)
	}
	if got := sendIn(t, j, "msg_1"); got.state != stateReceived {
		t.Errorf("got %+v", got)
	}
}

// TestRenew: the same line keeps what happened, another one keeps nothing; neither
// keeps its identity or gives a number out again.
func TestRenew(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprintf("same %t", same), func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			before := install(t, j)
			give(t, j, order("msg_received", 1, alice, "a"), order("msg_armed", 1, alice, "b"), order("msg_unknown", 1, alice, "c"), order("msg_nosend", 1, bob, "d"))
			arm(t, j, "msg_armed", noon)
			arm(t, j, "msg_unknown", noon)
			hand(t, j, "msg_unknown", noon, noon)
			if _, err := j.settle(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			arm(t, j, "msg_nosend", noon)
			refuse(t, j, "msg_nosend", noon)
			if err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
				f := finding{wait: []int64{5}}
				return f.commit(ctx, tx, cursor{Floor: 1}, noon)
			}); err != nil {
				t.Fatal(err)
			}
			reports := len(reportsOf(t, j))
			high, err := j.high(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			if err := j.renew(t.Context(), "", same, nil, noon); err != nil {
				t.Fatal(err)
			}
			if install(t, j) == before {
				t.Error("the install stayed")
			}
			if now, err := j.high(t.Context()); err != nil || now != high {
				t.Errorf("the highest number went from %d to %d, %v", high, now, err)
			}
			sends, err := j.querySends(t.Context(), "1 ORDER BY message")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range sends {
				names = append(names, s.message)
			}
			waiting, err := j.waiting(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c, err := j.cursor(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantNames := []string(nil)
			if same {
				wantNames = []string{"msg_armed", "msg_nosend", "msg_unknown"}
			} else {
				reports = 0
			}
			if !reflect.DeepEqual(names, wantNames) || len(reportsOf(t, j)) != reports || (len(waiting) == 1) != same || (c != nil) != same {
				t.Errorf("left: sends %q, %d reports, waiting %v, cursor %v", names, len(reportsOf(t, j)), waiting, c)
			}
			if wrote, err := j.wroteTo(t.Context(), bob); err != nil || wrote != same {
				t.Errorf("wroteTo %t, %v", wrote, err)
			}
			give(t, j, order("msg_new", 1, alice, "e"))
			list := reportsOf(t, j)
			if last := list[len(list)-1]; last.Seq <= high {
				t.Errorf("number %d was given out again", last.Seq)
			}
		})
	}
}
