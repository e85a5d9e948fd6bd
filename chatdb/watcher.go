package chatdb

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// DefaultNet is how often a Watcher looks by itself where NewWatcher is given
// no interval. A look costs some microseconds.
const DefaultNet = 2 * time.Second

// Event is why Wait returned.
type Event int

const (
	// Changed: another connection committed, or checkpointed. What has changed
	// is found by reading.
	Changed Event = iota + 1

	// Replaced: the path names another file, or none. Close the Watcher and
	// the DB and open anew; until then Wait gives Replaced each time.
	Replaced
)

// String gives the event's name.
func (e Event) String() string {
	switch e {
	case Changed:
		return "changed"
	case Replaced:
		return "replaced"
	}
	return "none"
}

// Watcher tells when the database has changed. Make one with NewWatcher and
// call Wait from one goroutine.
//
// A file event only wakes it; the truth is PRAGMA data_version, which moves
// with every commit of others. Without any file event the net, a slow look,
// finds the same.
type Watcher struct {
	db  *DB
	net time.Duration
	log *slog.Logger

	done chan struct{} // closed by Close
	once sync.Once

	mu     sync.Mutex        // held by Wait, and by the end of Close
	files  *fsnotify.Watcher // nil where there are no file events
	each   bool              // the files are watched beside their folder
	seen   version
	pauses []time.Duration // those that are left before the next looks
	wal    bool            // the last event was of the write-ahead log
	locked bool            // the last look met a lock
	moved  bool            // one of the files has appeared or gone since the last look
	looked time.Time       // when that was
}

// The event of a commit's write comes before the commit can be seen, by microseconds,
// or by as long as the disk needs to flush.
const (
	// eager is how long after an event of the write-ahead log the database is looked
	// at without a pause: a timer of less than a millisecond is none on Linux, where
	// the Go runtime rounds it up.
	eager = 200 * time.Microsecond

	ms = time.Millisecond
)

var (
	// afterEvent are the pauses between looks after an event, while nothing is seen.
	afterEvent = []time.Duration{ms, 2 * ms, 4 * ms, 8 * ms, 16 * ms, 32 * ms, 64 * ms, 100 * ms}

	// afterChange are those once a change was seen. The events that came with it may
	// have been those of the next commit too, but hardly ever are: then it is found
	// by the look with which Wait begins, or by this one.
	afterChange = []time.Duration{100 * ms}
)

// whileLocked is the longest pause while a lock is met: no event tells of its end.
const whileLocked = 100 * ms

// NewWatcher watches db, which must stay open until the Watcher is closed. net
// is the interval of the slow look beneath the file events; zero or less means
// DefaultNet. A nil log discards. That the system gives no file events is
// logged and is no error.
func NewWatcher(db *DB, net time.Duration, log *slog.Logger) (*Watcher, error) {
	w, err := newDeafWatcher(db, net, log)
	if err != nil {
		return nil, err
	}
	// No buffer: what is not taken stays with the kernel, which makes one event of
	// the many writes of a commit.
	if w.files, err = fsnotify.NewWatcher(); err != nil {
		w.files = nil
		w.log.Warn("chatdb.watch.deaf", "err", err, "net", w.net)
		return w, nil
	}
	// inotify tells of writes to the files of a watched folder, and would tell twice;
	// kqueue does not tell of them.
	w.each = runtime.GOOS != "linux"
	if err := w.files.Add(filepath.Dir(db.real)); err != nil {
		w.log.Warn("chatdb.watch.folder", "err", err, "net", w.net)
		w.each = true
	}
	w.arm()
	return w, nil
}

// newDeafWatcher has the net alone.
func newDeafWatcher(db *DB, net time.Duration, log *slog.Logger) (*Watcher, error) {
	if net <= 0 {
		net = DefaultNet
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{db: db, net: net, log: log, done: make(chan struct{})}
	if _, err := db.Replaced(); err != nil {
		return nil, err
	}
	return w, nil
}

// arm watches the files themselves beside their folder, where that is needed. A watch holds on to an
// inode: it must be laid again when the -wal has been made anew.
func (w *Watcher) arm() {
	if !w.each {
		return
	}
	for _, name := range []string{w.db.real, w.db.real + walSuffix} {
		// Whether there was a watch to remove, or is a file to watch, does not
		// matter: the folder tells when one appears.
		_ = w.files.Remove(name)
		_ = w.files.Add(name)
	}
}

// Wait returns Changed once another connection has committed since the last
// Wait, at once if it already has; the first Wait returns Changed at once. It
// returns Replaced when the file was replaced or removed, ctx's error when ctx
// ends, fs.ErrClosed after Close, and an *Error when the database can no
// longer be looked at. A locked database is no error: it waits.
func (w *Watcher) Wait(ctx context.Context) (Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	timer := time.NewTimer(w.net)
	defer timer.Stop()
	if w.drain() {
		w.pauses, w.wal = afterChange, false
	}
	for {
		if err := w.ended(ctx); err != nil {
			return 0, err
		}
		event, err := w.find(ctx)
		if event != 0 || err != nil {
			w.pauses, w.wal = afterChange, false
			return event, err
		}
		timer.Reset(w.pause())
		if err := w.sleep(ctx, timer.C); err != nil {
			return 0, err
		}
	}
}

// find looks at nothing but what a commit changes, after an event of the log for a
// while; and at the files too where an event was about those, or the net is due.
func (w *Watcher) find(ctx context.Context) (Event, error) {
	if w.moved || w.locked || time.Since(w.looked) >= w.net {
		return w.look(ctx)
	}
	changed, err := w.stare(ctx)
	switch {
	case err != nil:
		return w.look(ctx) // it knows what to make of that
	case changed:
		return Changed, nil
	}
	return 0, nil
}

func (w *Watcher) ended(ctx context.Context) error {
	select {
	case <-w.done:
		return fs.ErrClosed
	default:
		return ctx.Err()
	}
}

func (w *Watcher) pause() time.Duration {
	w.wal = false
	if len(w.pauses) > 0 {
		next := w.pauses[0]
		w.pauses = w.pauses[1:]
		return min(next, w.net)
	}
	if w.locked {
		return min(whileLocked, w.net)
	}
	return w.net
}

// stare looks at nothing but the data version, after an event of the log again and
// again for a moment.
func (w *Watcher) stare(ctx context.Context) (changed bool, err error) {
	for began := time.Now(); ; {
		now, err := w.db.glance(ctx, w.seen)
		if err != nil {
			return false, err
		}
		if now != w.seen {
			w.seen = now
			return true, nil
		}
		if !w.wal || time.Since(began) > eager {
			return false, nil
		}
		runtime.Gosched() // events must get through on a machine with one core
	}
}

// look compares the database, and its files, with what was seen last.
func (w *Watcher) look(ctx context.Context) (Event, error) {
	w.looked = time.Now()
	replaced, err := w.db.Replaced()
	if err != nil {
		return 0, err
	}
	if replaced {
		return Replaced, nil
	}
	now, err := w.db.version(ctx)
	switch {
	case transient(err):
		if !w.locked {
			w.log.Info("chatdb.watch.locked", "err", err)
		}
		w.locked = true
		return 0, nil
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return Replaced, nil
	case err != nil:
		return 0, err
	}
	w.locked, w.moved = false, false
	if now == w.seen {
		return 0, nil
	}
	w.seen = now
	return Changed, nil
}

// sleep returns after a pause, or earlier with a file event of the database.
func (w *Watcher) sleep(ctx context.Context, pause <-chan time.Time) error {
	for {
		var (
			events <-chan fsnotify.Event
			errs   <-chan error
		)
		if w.files != nil {
			events, errs = w.files.Events, w.files.Errors
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.done:
			return fs.ErrClosed
		case <-pause:
			return nil
		case event := <-events:
			// One look does for all that have come.
			if here, more := w.concerns(event), w.drain(); !here && !more {
				continue
			}
		case err := <-errs:
			// Events may have been lost, so look; the net goes on regardless.
			w.log.Warn("chatdb.watch.events", "err", err)
		}
		w.pauses = afterEvent
		return nil
	}
}

// drain takes the events that are there and tells whether one was of the database.
func (w *Watcher) drain() (any bool) {
	for w.files != nil {
		select {
		case event, ok := <-w.files.Events:
			if !ok {
				return any
			}
			any = w.concerns(event) || any
			runtime.Gosched() // whoever gave it may have another one
			continue
		default:
		}
		break
	}
	return any
}

// concerns tells whether an event is about the database, and lays the watches
// again when one of its files appeared or went.
func (w *Watcher) concerns(event fsnotify.Event) bool {
	name, base := filepath.Base(event.Name), filepath.Base(w.db.real)
	if name != base && name != base+walSuffix && name != base+shmSuffix {
		return false
	}
	w.wal = w.wal || name == base+walSuffix
	if event.Has(fsnotify.Create) || event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
		w.moved = true
		w.arm()
	}
	return event.Op != fsnotify.Chmod
}

// Close ends the Watcher, and a Wait that is under way.
func (w *Watcher) Close() error {
	w.once.Do(func() { close(w.done) })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files == nil {
		return nil
	}
	err := w.files.Close()
	w.files = nil
	return err
}
