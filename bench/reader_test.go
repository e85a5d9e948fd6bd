//go:build linux

package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bluerelay/chatdb"
)

// readChatDB reads as the relay does: it waits for the Watcher, reads what is new, and
// looks again at rows whose chat is not there yet.
func readChatDB(ctx context.Context, path string, messages int, ready func(), got func(rowid int64)) error {
	return readAndFollow(ctx, path, 0, messages, ready, got)
}

// watched is how many rows the relay looks at again at most, beside those of its sends.
const watched = 500

// readWatching does all that the relay does: it also looks, after what is new, whether
// something has become of the last rows.
func readWatching(ctx context.Context, path string, messages int, ready func(), got func(rowid int64)) error {
	return readAndFollow(ctx, path, watched, messages, ready, got)
}

func readAndFollow(ctx context.Context, path string, follow int64, messages int, ready func(), got func(rowid int64)) error {
	db, err := chatdb.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	mark, err := db.Mark(ctx)
	if err != nil {
		return err
	}
	w, err := chatdb.NewWatcher(db, time.Second, nil)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.Wait(ctx); err != nil { // the first one is for free
		return err
	}
	told := follower{db: db}
	if err := told.look(ctx, mark.RowID, follow); err != nil {
		return err
	}
	ready()
	waiting := make(map[int64]bool)
	take := func(list []chatdb.Message) {
		for _, m := range list {
			if m.Chat == nil {
				waiting[m.RowID] = true
				continue
			}
			delete(waiting, m.RowID)
			got(m.RowID)
			messages--
		}
	}
	const batch = 200
	for messages > 0 {
		if _, err := w.Wait(ctx); err != nil {
			return err
		}
		again, err := db.Rows(ctx, slices.Collect(maps.Keys(waiting)))
		if err != nil {
			return err
		}
		take(again)
		for {
			list, err := db.After(ctx, mark.RowID, batch)
			if err != nil {
				return err
			}
			take(list)
			if len(list) > 0 {
				mark.RowID = list[len(list)-1].RowID
			}
			if len(list) < batch {
				break
			}
		}
		if err := told.look(ctx, mark.RowID, follow); err != nil {
			return err
		}
	}
	return nil
}

// follower looks again at rows that were read, as relay/review.go does.
type follower struct {
	db        *chatdb.DB
	near, all chatdb.States
	due       time.Time
}

// look reads those of the last n rows that have changed: of the newest 50 at once, of all
// no more than a hundredth of the time.
func (f *follower) look(ctx context.Context, last, n int64) error {
	const nearby, rareness = 50, 100
	err := f.lookAt(ctx, &f.near, last, min(n, nearby))
	if err != nil || n <= nearby || time.Now().Before(f.due) {
		return err
	}
	began := time.Now()
	err = f.lookAt(ctx, &f.all, last, n)
	f.due = time.Now().Add(rareness * time.Since(began))
	return err
}

// lookAt reads those of the last n rows whose states have moved.
func (f *follower) lookAt(ctx context.Context, states *chatdb.States, last, n int64) error {
	if n == 0 {
		return nil
	}
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = last - int64(i)
	}
	now, err := f.db.States(ctx, ids)
	if err != nil {
		return err
	}
	_, err = f.db.Rows(ctx, now.Moved(*states))
	*states = now
	return err
}

// readerFunc reads that many new messages of the database at path. It calls ready
// before the first, and got with each.
type readerFunc func(ctx context.Context, path string, messages int, ready func(), got func(rowid int64)) error

// runReader reads with one of the readers and prints, for each message, its ROWID and
// when it was there, then the processor time and the memory that it took.
func runReader(path string, messages int, read readerFunc) error {
	type delivery struct{ rowid, at int64 }
	list := make([]delivery, 0, messages)
	var before unix.Rusage
	// What is left when the driver of the benchmark closes our input is lost.
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		cancel()
	}()
	err := read(ctx, path, messages, func() {
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before) // it cannot fail for oneself
		fmt.Println("ready")
	}, func(rowid int64) { list = append(list, delivery{rowid, time.Now().UnixNano()}) })
	var after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	if err != nil && ctx.Err() == nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, d := range list {
		fmt.Fprintln(out, d.rowid, d.at)
	}
	cpu := func(u unix.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }
	fmt.Fprintln(out, "used", cpu(after)-cpu(before), resident())
	return out.Flush()
}

// resident is the largest memory that this process had, in bytes.
func resident() int64 {
	data, _ := os.ReadFile("/proc/self/status")
	var kb int64
	for l := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			_, _ = fmt.Sscan(rest, &kb)
		}
	}
	return kb << 10
}
