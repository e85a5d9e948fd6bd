package chatdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// What can be wrong with Messages' database, as far as a person or a caller
// must act on it. They always arrive inside an *Error; branch with errors.Is.
var (
	// ErrMissing: there is no file at the path. Messages was never signed in
	// for this user, or the path belongs to another user.
	ErrMissing = errors.New("no such database")

	// ErrPermission: macOS withholds the folder, chat.db, or its -wal or -shm
	// file. Full Disk Access is missing, or was lost with an update.
	ErrPermission = errors.New("permission denied")

	// ErrNotDatabase: the file is no SQLite database, or a damaged one.
	ErrNotDatabase = errors.New("not a database")

	// ErrBusy: somebody held a lock for longer than a read is willing to wait.
	// The next call may succeed.
	ErrBusy = errors.New("database is locked")

	// ErrNotMessages: a sound database that lacks the tables of Messages.
	ErrNotMessages = errors.New("not a Messages database")
)

// Error is the failure of one operation on the database. It never holds
// message text or a phone number.
type Error struct {
	Op   string // what was being done, such as "open" or "read messages"
	Path string // the database, as given to Open
	Kind error  // one of the sentinels above, or nil where none applies
	Err  error  // the cause, if there is one beyond Kind
	Hint string // one sentence that tells a person what to do, or empty
}

// Error says what failed and why. It leaves out the hint, which is for people.
func (e *Error) Error() string {
	switch {
	case e.Kind == nil && e.Err == nil:
		return e.Op + " " + e.Path
	case e.Kind == nil:
		return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err)
	case e.Err == nil:
		return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Kind)
	default:
		return fmt.Sprintf("%s %s: %v: %v", e.Op, e.Path, e.Kind, e.Err)
	}
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// wrapError finds the kind of err. An end of ctx passes with its own identity
// kept, and an *Error is given back as it is.
func wrapError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	kind := kindOf(path, err)
	return &Error{Op: op, Path: path, Kind: kind, Err: err, Hint: hint(kind, err)}
}

func kindOf(path string, err error) error {
	cause, ok := errors.AsType[sqlite3.Error](err)
	switch {
	case !ok && errors.Is(err, fs.ErrNotExist):
		return ErrMissing
	case !ok && errors.Is(err, fs.ErrPermission):
		return ErrPermission
	case !ok:
		return nil
	}
	switch cause.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrProtocol:
		return ErrBusy
	case sqlite3.ErrNotADB, sqlite3.ErrCorrupt:
		return ErrNotDatabase
	case sqlite3.ErrCantOpen, sqlite3.ErrAuth, sqlite3.ErrPerm, sqlite3.ErrReadonly, sqlite3.ErrIoErr:
		return probe(path, cause)
	}
	return nil
}

// probe asks the file system what SQLite could not say: "unable to open
// database file" stands for a missing file, a withheld one, and a withheld
// -wal or -shm alike. It runs after a failure only, because closing any
// descriptor of a file drops the POSIX locks that this process holds on it.
func probe(path string, cause sqlite3.Error) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	} else if errors.Is(err, fs.ErrPermission) {
		return ErrPermission
	}
	for _, name := range []string{path, path + walSuffix, path + shmSuffix} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrPermission) {
			return ErrPermission
		}
		if err == nil {
			f.Close()
		}
	}
	// macOS 26.3 was reported to refuse the -wal with "authorization denied"
	// although a plain open succeeds.
	if cause.Code == sqlite3.ErrAuth || cause.Code == sqlite3.ErrPerm {
		return ErrPermission
	}
	if cause.SystemErrno == syscall.EPERM || cause.SystemErrno == syscall.EACCES {
		return ErrPermission
	}
	return nil
}

func hint(kind, err error) string {
	switch kind {
	case ErrMissing:
		return "Sign in to Messages on this Mac as the user that runs this program, or give the path of that user's chat.db."
	case ErrPermission:
		program, err := os.Executable()
		if err != nil {
			program = "this program"
		}
		return "Turn on Full Disk Access for " + program + " in System Settings, Privacy & Security (off and on again if it is on already), then start it again."
	case ErrNotDatabase:
		return "Copy chat.db, chat.db-wal and chat.db-shm aside together and check the copy with PRAGMA quick_check; do not repair the original."
	case ErrBusy:
		return "Another program holds Messages' database locked; close tools that have chat.db open and try again."
	case ErrNotMessages:
		return "Give the path of Messages' own database, usually ~/Library/Messages/chat.db."
	}
	if cause, ok := errors.AsType[sqlite3.Error](err); ok && cause.Code == sqlite3.ErrReadonly {
		return "If this is a copy of chat.db, copy chat.db-wal and chat.db-shm with it, into a folder that can be written."
	}
	return ""
}

// transient tells the failures that pass by themselves: a lock, and a race
// with the recovery of the write-ahead log.
func transient(err error) bool {
	cause, ok := errors.AsType[sqlite3.Error](err)
	return ok && (cause.Code == sqlite3.ErrBusy || cause.Code == sqlite3.ErrLocked || cause.Code == sqlite3.ErrProtocol)
}
