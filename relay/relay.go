// Package relay is the daemon on the Mac: it takes orders from the cloud, has them
// handed to Messages, watches Messages' database for what became of them and for
// what others write, and reports both.
//
// It refuses to guess and to repeat. Whatever it is ordered to do is in its journal
// before anything happens; an order whose outcome nobody can know is reported as
// unknown and looked for, never done again; a status is reported only from a row in
// chat.db. It speaks to one cloud, for one line, from one Mac.
//
// Eight goroutines do the work, each owned and awaited by Run: the observer reads
// chat.db, the sender runs osascript, the link keeps the websocket, the uploader
// brings the files of inbound messages to the cloud, the fetcher those of orders to
// the Mac, the keeper holds the Mac awake and tells when it slept. Two more look at the
// preconditions: the patrol now and then, for the cloud, and the desk whenever another
// command of this program asks at its socket. They meet in the journal and wake each
// other by doorbells; nothing lives only in memory. A Relay runs once and its exported
// methods are not for concurrent use.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/mac"
	"bluerelay/wire"
)

// Config says where everything is and how long things may take. Zero durations
// mean the defaults.
type Config struct {
	StateDir  string // journal, credential, locks; 0700
	Server    string // replaces the credential's server, for one that has moved
	ChatDB    string // ~/Library/Messages/chat.db
	Osascript string // /usr/bin/osascript
	Exe       string // this program, which becomes the shim when started with applescript.ShimArg
	Version   string // of this build
	Log       *slog.Logger
	Welcomed  func() // unless nil, called at each welcome of the cloud; must not block

	Attachments string    // Messages' folder of files: Attachments beside chat.db
	Fresh       string    // this program, asked as "probe chat-db" whether a new process may read what this one may not; empty: nobody is asked
	Tools       mac.Tools // the programs of macOS
	KeepAwake   bool      // hold the Mac awake by caffeinate, where there is one
	Notify      bool      // show on the screen of the Mac when a person is needed
	Sips        string    // converts pictures: /usr/bin/sips; a program that is not there converts nothing
	Afconvert   string    // converts sound: /usr/bin/afconvert

	Settle       time.Duration // from osascript's end until a text without a row is unknown: 30 s
	SettleFile   time.Duration // the same for a file: 10 min
	FileGap      time.Duration // between two files: 500 ms; Messages was met to drop one that comes sooner
	Observe      time.Duration // how long rows are looked for and followed: 7 days
	Grace        time.Duration // how long an incomplete row may stay so: 30 s
	Net          time.Duration // the slow look beneath lost file events: 1 s
	Retry        time.Duration // between tries at a chat.db or journal in trouble: 1 s
	Checkup      time.Duration // between two looks at the preconditions of this Mac: 15 min
	Drain        time.Duration // how long a stop waits for the osascript in hand: 15 s, below launchd's 20
	RetryMin     time.Duration // first bound of the pause before a reconnect: 500 ms
	RetryMax     time.Duration // last bound: 30 s
	RetryRefused time.Duration // between tries at a cloud that refuses us: 60 s, and up to 64 times as long where it does not know us
	Rotate       time.Duration // age at which the secret is exchanged: 30 days
	SendLimit    time.Duration // replaces osascript's deadline, 45 s for a text
	Reprobe      time.Duration // longest pause between questions to a macOS that does not allow Messages to be scripted: 3 min
	Look         time.Duration // between looks for a Messages that is not there: 30 s; one that is there is looked for at each twentieth time
	Ask          time.Duration // between questions to a Messages that has nothing to do: 15 min
	Notice       time.Duration // how long a problem lasts before a person at the Mac is told: 1 min
	Revivals     int           // how often Messages may be started in an hour: 4
	Hold         time.Duration // first pause after rows that say that Messages is signed out or stuck: 5 min
	Stuck        time.Duration // how long a file may be neither sent nor failed: 20 min
	FileWait     time.Duration // how long Messages may take to have an inbound file: 24 h
	Stall        time.Duration // how long an upload may stand still: 30 s
	ConvertLimit time.Duration // for one conversion: 1 min
	FreshGap     time.Duration // between two questions to a fresh process about chat.db: 5 s
	RestartGap   time.Duration // least time between two restarts for a permission that comes and goes: 10 min
}

func (c *Config) defaults() {
	c.Settle = cmp.Or(c.Settle, 30*time.Second)
	c.SettleFile = cmp.Or(c.SettleFile, 10*time.Minute)
	c.FileGap = cmp.Or(c.FileGap, 500*time.Millisecond)
	c.Observe = cmp.Or(c.Observe, 7*24*time.Hour)
	c.Grace = cmp.Or(c.Grace, 30*time.Second)
	c.Net = cmp.Or(c.Net, time.Second)
	c.Retry = cmp.Or(c.Retry, time.Second)
	c.Checkup = cmp.Or(c.Checkup, 15*time.Minute)
	c.Drain = cmp.Or(c.Drain, 15*time.Second)
	c.RetryMin = cmp.Or(c.RetryMin, 500*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 30*time.Second)
	c.RetryRefused = cmp.Or(c.RetryRefused, time.Minute)
	c.Rotate = cmp.Or(c.Rotate, 30*24*time.Hour)
	c.Reprobe = cmp.Or(c.Reprobe, 3*time.Minute)
	c.Look = cmp.Or(c.Look, 30*time.Second)
	c.Ask = cmp.Or(c.Ask, 15*time.Minute)
	c.Notice = cmp.Or(c.Notice, time.Minute)
	c.Revivals = cmp.Or(c.Revivals, 4)
	c.Hold = cmp.Or(c.Hold, 5*time.Minute)
	c.Stuck = cmp.Or(c.Stuck, 20*time.Minute)
	c.FileWait = cmp.Or(c.FileWait, 24*time.Hour)
	c.Stall = cmp.Or(c.Stall, 30*time.Second)
	c.ConvertLimit = cmp.Or(c.ConvertLimit, time.Minute)
	c.FreshGap = cmp.Or(c.FreshGap, 5*time.Second)
	c.RestartGap = cmp.Or(c.RestartGap, 10*time.Minute)
	c.Attachments = cmp.Or(c.Attachments, filepath.Join(filepath.Dir(c.ChatDB), "Attachments"))
	c.Sips = cmp.Or(c.Sips, "/usr/bin/sips")
	c.Afconvert = cmp.Or(c.Afconvert, "/usr/bin/afconvert")
}

// simulated tells whether another program stands in for osascript: then the real Messages
// of this machine, and what else concerns it, say nothing.
func (c *Config) simulated() bool { return c.Osascript != "/usr/bin/osascript" }

// Relay is one daemon.
type Relay struct {
	cfg        Config
	log        *slog.Logger
	credential Credential // without its secrets, which keys has
	keys       *keyring
	journal    *journal
	health     *health
	hold       hold
	clock      clock
	days       days
	lock       *os.File

	sendBell   chan struct{} // there may be something to send
	outboxBell chan struct{} // there may be something to report
	uploadBell chan struct{} // there may be files to send
	fetchBell  chan struct{} // there may be files to fetch
	welcome    atomic.Bool   // the cloud has welcomed this run of the relay and has not sent it away since
	acked      atomic.Int64  // the last report that the cloud has committed
	idle       atomic.Bool   // the sender waits for work
	awaiting   atomic.Bool   // the uploader waits for Messages to have a file
	gone       atomic.Bool   // Messages does not run, as far as the keeper saw
	answers    atomic.Int64  // how often Messages has answered
	blind      atomic.Bool   // what the keeper sees of Messages does not count
	hurry      atomic.Bool   // the cloud is back: the uploader need not pause any longer

	began   time.Time                     // when this process took the state folder
	asks    chan chan applescript.Outcome // questions for Messages, to the sender
	sent    chan struct{}                 // closed when the sender has ended
	heard   atomic.Pointer[heard]         // what Messages said last; nil before the first
	checkup atomic.Pointer[wire.Checkup]  // the last look at the preconditions; nil before the first

	dbMu  sync.RWMutex
	db    *chatdb.DB // lent by the observer to the sender; nil while there is none
	dbErr error      // why there is none, as far as that is known
}

// ErrBusy says that another relay runs on the same state folder.
var ErrBusy = errors.New("another bluerelay is already running with this state folder")

// Open prepares a relay: it reads the credential, takes the state folder's lock and
// opens the journal. The error says what a person should do.
func Open(ctx context.Context, cfg Config) (*Relay, error) {
	cfg.defaults()
	credential, err := LoadCredential(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(cfg.StateDir); err != nil {
		return nil, err
	}
	credential.Server = cmp.Or(cfg.Server, credential.Server)
	lock, err := lockDir(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(ctx, cfg.StateDir)
	if err != nil {
		unlockDir(lock)
		return nil, err
	}
	if err := makeDir(filepath.Join(cfg.StateDir, sendsFolder)); err != nil {
		j.close()
		unlockDir(lock)
		return nil, fmt.Errorf("make the folder of running sends: %w", err)
	}
	r := &Relay{
		cfg: cfg, log: cfg.Log, credential: credential, keys: &keyring{dir: cfg.StateDir, tools: cfg.Tools}, journal: j, health: newHealth(), lock: lock,
		sendBell: make(chan struct{}, 1), outboxBell: make(chan struct{}, 1), uploadBell: make(chan struct{}, 1), fetchBell: make(chan struct{}, 1),
		began: time.Now(), asks: make(chan chan applescript.Outcome), sent: make(chan struct{}),
	}
	j.failed = r.unwritten
	return r, nil
}

func lockDir(dir string) (*os.File, error) { return lockFile(filepath.Join(dir, "lock"), ErrBusy) }

// CheckFree returns ErrBusy while a relay runs on the state folder. A folder that is not
// there is free.
func CheckFree(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockDir(dir)
	if err == nil {
		unlockDir(lock)
	}
	return err
}

// lockFile takes a lock that ends with the process, or returns busy.
func lockFile(path string, busy error) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, busy
	}
	return nil, fmt.Errorf("lock the state folder: %w", err)
}

// unlockDir lets go at once: a child that is being forked at this instant holds a
// copy of the file for a moment longer than we do.
func unlockDir(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it does the rest
	f.Close()
}

// Run works until ctx ends and returns when everything it started has ended. A stop
// lets the osascript in hand finish, for at most Config.Drain; one that takes
// longer goes on by itself and is accounted for by the next run.
func (r *Relay) Run(ctx context.Context) error {
	defer unlockDir(r.lock)
	defer r.journal.close()
	r.health.set(wire.ProblemStarting, "The relay is finding out what became of messages of its last run.")
	// The sender stops first; link and observer stay until it has ended, so that
	// its last word is still reported.
	outer, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	var others, sendings sync.WaitGroup
	var errs [6]error
	others.Go(func() { errs[0] = (&observer{Relay: r}).run(outer); cancel() })
	others.Go(func() { errs[1] = (&link{Relay: r}).run(outer); cancel() })
	others.Go(func() { errs[3] = newUploader(r).run(outer); cancel() })
	others.Go(func() { errs[4] = newFetcher(r).run(outer); cancel() })
	others.Go(func() { errs[5] = newKeeper(r).run(outer); cancel() })
	others.Go(func() { (&desk{r}).run(outer) })
	others.Go(func() { r.patrol(outer) })
	sendings.Go(func() {
		errs[2] = (&sender{Relay: r, script: applescript.Sender{
			Osascript: r.cfg.Osascript, Exe: r.cfg.Exe, Dir: filepath.Join(r.cfg.StateDir, sendsFolder), Limit: r.cfg.SendLimit,
		}}).run(sending)
	})
	sendings.Wait()
	close(r.sent)
	stop()
	others.Wait()
	return errors.Join(errs[:]...)
}

// known is the credential, without its secrets, as it counts now: what it trusts may have
// been exchanged by another process since the start.
func (r *Relay) known(ctx context.Context) Credential {
	c := r.credential
	c.CA = r.keys.authorities(ctx)
	return c
}

// lendDB lets the sender use the observer's database, or ends that. It returns only
// when the sender has let go of the former one.
func (r *Relay) lendDB(db *chatdb.DB) {
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	r.db = db
	if db != nil {
		r.dbErr = nil
	}
}

// missDB notes why chat.db cannot be read.
func (r *Relay) missDB(err error) {
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	r.dbErr = err
}

// unread tells whether chat.db has rows that were not looked at, or cannot be read.
func (r *Relay) unread(ctx context.Context) (bool, error) {
	at, err := r.journal.cursor(ctx)
	if err != nil {
		return false, err
	}
	db, done := r.borrowDB()
	defer done()
	if db == nil || at == nil {
		return true, nil
	}
	newest, err := db.Mark(ctx)
	// A chat.db in trouble is the observer's to report.
	return err != nil || newest.File != at.File || newest.RowID > at.RowID, nil
}

// borrowDB is nil while chat.db cannot be read. The caller must call done.
func (r *Relay) borrowDB() (db *chatdb.DB, done func()) {
	r.dbMu.RLock()
	return r.db, r.dbMu.RUnlock
}
