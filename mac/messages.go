package mac

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The application Messages since macOS 11: the name of its process and its bundle
// identifier.
const (
	messagesName = "Messages"
	messagesID   = "com.apple.MobileSMS"
)

// Limits of programs that do not wait for Messages itself.
const (
	lookLimit = 10 * time.Second
	// launchLimit is for open, which a session without a screen makes hang or fail.
	launchLimit = 15 * time.Second
)

// Messages gives the processes of this user's Messages; none where it does not run.
func (t Tools) Messages(ctx context.Context) ([]int, error) {
	result, err := t.Run(ctx, lookLimit, nil, "pgrep", "-x", "-u", strconv.Itoa(os.Getuid()), messagesName)
	if err != nil {
		return nil, err
	}
	if result.Code > 1 || result.Code < 0 {
		return nil, fmt.Errorf("pgrep ended with code %d", result.Code)
	}
	var pids []int
	for word := range strings.FieldsSeq(string(result.Out)) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid <= 1 {
			return nil, errors.New("pgrep said something else than numbers of processes")
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// LaunchMessages starts Messages in the background and hidden, unless it runs. It returns
// when macOS has taken the order, which says nothing yet of Messages.
func (t Tools) LaunchMessages(ctx context.Context) error {
	result, err := t.Run(ctx, launchLimit, nil, "open", "-gj", "-b", messagesID)
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("open ended with code %d", result.Code)
	}
	if err != nil {
		return fmt.Errorf("launch Messages: %w", err)
	}
	return nil
}

// EndMessages ends this user's Messages, which may hang: it has grace to end by SIGTERM,
// then it is killed. It returns when it is gone, or grace later with an error. Only a
// process that pgrep names at this moment is touched.
func (t Tools) EndMessages(ctx context.Context, grace time.Duration) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pids, err := t.Messages(ctx)
		if err != nil {
			return fmt.Errorf("end Messages: %w", err)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, signal) // one that has gone meanwhile is what was wanted
		}
		if gone(ctx, pids, grace) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("end Messages: it is still there %s after SIGKILL", grace)
}

// gone waits until none of the processes is there, or ctx or grace is over.
func gone(ctx context.Context, pids []int, grace time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for _, pid := range pids {
		for pause := 10 * time.Millisecond; Alive(pid); pause = min(2*pause, 100*time.Millisecond) {
			if ctx.Err() != nil {
				return false
			}
			select {
			case <-ctx.Done(): // one more look
			case <-time.After(pause):
			}
		}
	}
	return true
}

// Alive tells whether there is a process of that number. It asks the kernel and starts no
// program. A number may have gone to another process since it was learned.
func Alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
