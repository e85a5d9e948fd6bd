package applescript

import (
	"encoding/json"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// holder names who holds a run's lock beside the shim. The shim writes it into the
// lock file once osascript runs, so that an osascript that has lost its shim can be
// ended although nobody waits for it.
type holder struct {
	Group   int   `json:"group"`   // process group of osascript
	Session int   `json:"session"` // that the shim and osascript share
	LimitMS int64 `json:"limit_ms"`
}

// overtime is how long after its deadline a run may hold the lock: the shim ends it
// earlier than that.
const overtime = killDelay + 3*time.Second

// note writes the holder into its lock file. It reaches the disk when it likes: a
// power cut ends the processes too.
func (h holder) note(lock *os.File) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = lock.WriteAt(data, 0)
	return err
}

// holder is who holds the lock, as far as the shim has said. Only while the lock is
// busy does it name processes of now.
func (r run) holder() (h holder, ok bool) {
	data, err := os.ReadFile(r.path(lockExt))
	if err != nil || json.Unmarshal(data, &h) != nil {
		return holder{}, false
	}
	return h, h.Group > 1 && h.Session > 1
}

// patience is how long the run may go on, counted from its start or later.
func (h holder) patience() time.Duration {
	return time.Duration(h.LimitMS)*time.Millisecond + overtime
}

// end kills osascript and all of its group, unless the number has come to stand for
// a process of another session: then osascript is dead and a stranger has its number.
func (h holder) end() {
	if session, err := unix.Getsid(h.Group); err == nil && session != h.Session {
		return
	}
	// An error means that the group is gone.
	_ = syscall.Kill(-h.Group, syscall.SIGKILL)
}

// ownSession is the session of this process.
func ownSession() int {
	id, err := unix.Getsid(0)
	if err != nil {
		return 0 // no system has this error for its own process
	}
	return id
}
