package chatdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// never is a net that no test waits for: what is found, file events found.
const never = time.Hour

func newWatcher(t testing.TB, db *chatdb.DB, net time.Duration) *chatdb.Watcher {
	t.Helper()
	w, err := chatdb.NewWatcher(db, net, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// wait fails where no event comes.
func wait(t testing.TB, w *chatdb.Watcher, want chatdb.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := w.Wait(ctx); err != nil || got != want {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
}

// until waits for events until the database shows n messages. A checkpoint may
// give one event more than there are commits.
func until(t testing.TB, w *chatdb.Watcher, db *chatdb.DB, n int) {
	t.Helper()
	for {
		wait(t, w, chatdb.Changed)
		got, err := db.After(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == n {
			return
		}
	}
}

func quiet(t *testing.T, w *chatdb.Watcher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, %v; want quiet", got, err)
	}
}

const insertion = "INSERT INTO message (guid, attributedBody) VALUES (?, ?)"

func TestWait(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	w := newWatcher(t, db, never)
	wait(t, w, chatdb.Changed) // the first always
	quiet(t, w)
	child := newWriter(t, f.path)
	child.do(insertion, "a", plainBody("committed before"))
	until(t, w, db, 1)
	quiet(t, w)
	child.do("PRAGMA synchronous = NORMAL") // no wait for the disk between the event and the commit
	child.send(insertion, "b", plainBody("committed while waiting"))
	until(t, w, db, 2)
	child.answer()
	// Nothing is in a transaction that was rolled back.
	child.do("BEGIN")
	child.do(insertion, "c", plainBody("not committed"))
	child.do("ROLLBACK")
	quiet(t, w)
}

func TestWaitAcrossCheckpoint(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	w := newWatcher(t, db, never)
	wait(t, w, chatdb.Changed)
	child := newWriter(t, f.path)
	for i := range 3 {
		child.do(insertion, fmt.Sprint(i), plainBody("x"))
		until(t, w, db, i+1)
		child.do("PRAGMA wal_checkpoint(TRUNCATE)")
	}
}

// The -wal and -shm are removed under the watcher and made anew, with new
// inodes, by the next writer.
func TestCase21_NewLog(t *testing.T) {
	for name, newWatcher := range map[string]func(testing.TB, *chatdb.DB) *chatdb.Watcher{
		"file events": func(t testing.TB, db *chatdb.DB) *chatdb.Watcher { return newWatcher(t, db, never) },
		"net":         newDeafWatcher,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.message("a", "x", nil)
			f.db.Close()
			child := newWriter(t, f.path)
			child.do("PRAGMA wal_autocheckpoint=0")
			db := f.open()
			w := newWatcher(t, db)
			until(t, w, db, 1)
			child.kill()
			for _, suffix := range []string{"-wal", "-shm"} {
				if err := os.Remove(f.path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			child = newWriter(t, f.path)
			child.do(insertion, "b", plainBody("x"))
			until(t, w, db, 2)
			child.do(insertion, "c", plainBody("x"))
			until(t, w, db, 3)
		})
	}
}

func newDeafWatcher(t testing.TB, db *chatdb.DB) *chatdb.Watcher {
	t.Helper()
	w, err := chatdb.NewDeafWatcher(db, time.Millisecond, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestCase22_NoFileEvents(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	w := newDeafWatcher(t, db)
	wait(t, w, chatdb.Changed)
	quiet(t, w)
	f.message("a", "x", nil)
	until(t, w, db, 1)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	wait(t, w, chatdb.Replaced)
}

func TestWaitReplaced(t *testing.T) {
	f := newFixture(t)
	f.message("old", "x", nil)
	db := f.open()
	w := newWatcher(t, db, never)
	wait(t, w, chatdb.Changed)
	other := newFixture(t)
	other.message("new", "x", nil)
	other.db.Close()
	if err := os.Rename(other.path, f.path); err != nil {
		t.Fatal(err)
	}
	wait(t, w, chatdb.Replaced)
	wait(t, w, chatdb.Replaced)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	old := db.File()
	f.db.Close()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(f.path + suffix) // the old database's; they belong to no file now
	}
	db = f.open()
	if got, err := db.After(t.Context(), 0, 0); err != nil || len(got) != 1 || got[0].GUID != "new" {
		t.Errorf("got %+v, %v", got, err)
	}
	if db.File() == old {
		t.Error("both files have one name")
	}
}

func TestWaitThroughLock(t *testing.T) {
	f := newFixture(t)
	f.exec("PRAGMA journal_mode=DELETE")
	db := f.open()
	w := newWatcher(t, db, 10*time.Millisecond)
	wait(t, w, chatdb.Changed)
	child := newWriter(t, f.path)
	child.do("BEGIN EXCLUSIVE")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if got, err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, %v; want it to wait", got, err)
	}
	child.do(insertion, "a", plainBody("x"))
	child.do("COMMIT")
	until(t, w, db, 1)
}

func TestWaitEnds(t *testing.T) {
	f := newFixture(t)
	w := newWatcher(t, f.open(), never)
	wait(t, w, chatdb.Changed)
	done := make(chan error, 1)
	go func() {
		_, err := w.Wait(t.Context())
		done <- err
	}()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want it closed", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func BenchmarkDataVersion(b *testing.B) {
	f := newFixture(b)
	w := newDeafWatcher(b, f.open())
	wait(b, w, chatdb.Changed)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := chatdb.Look(ctx, w); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWake measures from the start of another process's commit until the
// row has been read, by file events alone.
func BenchmarkWake(b *testing.B) {
	f := newFixture(b)
	db := f.open()
	w := newWatcher(b, db, never)
	child := newWriter(b, f.path)
	chat := f.chat("any;-;+15551230001", 45)
	var took []time.Duration
	last := int64(0)
	wait(b, w, chatdb.Changed)
	for b.Loop() {
		start := time.Now()
		child.send("INSERT INTO message (guid, attributedBody, service, date, cache_roomnames) VALUES (?, ?, 'iMessage', ?, ?)",
			fmt.Sprint(len(took)), plainBody("hello"), date(int64(len(took))), chat)
		for found := false; !found; {
			wait(b, w, chatdb.Changed)
			got, err := db.After(b.Context(), last, 100)
			if err != nil {
				b.Fatal(err)
			}
			if found = len(got) > 0; found {
				took = append(took, time.Since(start))
				last = got[len(got)-1].RowID
			}
		}
		child.answer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
