package applescript

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"bluerelay/fault"
)

// ShimArg is the first argument that makes the program a shim. A main function
// calls Shim before anything else when it finds it: start-up is paid on each send.
const ShimArg = "__osascript"

// order is what the daemon tells the shim, on standard input.
type order struct {
	Dir       string  `json:"dir"`
	ID        string  `json:"id"`
	Attempt   int     `json:"attempt"`
	Osascript string  `json:"osascript"`
	Request   Request `json:"request"`
	LimitMS   int64   `json:"limit_ms"`
	// Whole is last: its absence means that the daemon died while writing.
	Whole bool `json:"whole"`
}

// inheritedLock is the number of the lock's descriptor in the shim and in
// osascript, the first after the standard three.
const inheritedLock = 3

// How the shim ends.
const (
	exitDone    = 0 // a result is there
	exitFailed  = 1 // the files say what happened
	exitNothing = 3 // provably nothing happened, and the disk would not take that down
)

// Shim reads its order from stdin, runs osascript and leaves marker and result. It
// returns the exit code for the process. The files say what happened; the code tells a
// daemon that still waits what a full disk kept out of them.
func Shim(stdin io.Reader) int {
	data, err := io.ReadAll(io.LimitReader(stdin, 8*maxValue))
	if err != nil {
		return exitFailed
	}
	var o order
	if json.Unmarshal(data, &o) != nil || !o.Whole {
		return exitFailed
	}
	r, err := newRun(o.Dir, o.ID, o.Attempt)
	if err != nil {
		return exitFailed
	}
	lock := os.NewFile(inheritedLock, "lock")
	defer lock.Close()
	if !r.locks(lock) {
		return exitFailed // started without a lock: nobody could tell that we run
	}
	fault.About(o.ID)
	fault.Hit(fault.ShimOrder)
	if err := r.mark(); errors.Is(err, fs.ErrExist) {
		return exitFailed // the attempt was made before: its files tell how it ended
	} else if err != nil {
		return exitNothing
	}
	fault.After(fault.ShimMark)
	outcome := o.carryOut(lock)
	result, err := json.Marshal(outcome)
	if err != nil {
		return exitFailed
	}
	fault.Hit(fault.ShimEnded)
	if err := r.writeDurable(resultExt, result); err != nil {
		if outcome.Effect == NoEffect {
			return exitNothing
		}
		return exitFailed
	}
	fault.After(fault.ShimResult)
	return exitDone
}

// carryOut runs osascript as ordered.
func (o order) carryOut(lock *os.File) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(o.LimitMS)*time.Millisecond)
	defer cancel()
	return runOsascript(ctx, o.Osascript, o.Request, lock, func(group int) {
		fault.Hit(fault.ShimRun)
		// Without it an osascript that has lost its shim is not ended, only waited for.
		_ = holder{Group: group, Session: ownSession(), LimitMS: o.LimitMS}.note(lock)
	})
}
