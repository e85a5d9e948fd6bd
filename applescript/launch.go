package applescript

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// errNoLauncher says that there is no program to launch Messages with.
var errNoLauncher = errors.New("no program to launch Messages with")

// launchLimit bounds the start of the program that launches Messages. It does not wait
// for Messages itself; a session without a screen makes it hang or fail.
const launchLimit = 15 * time.Second

// Launch starts Messages in the background and hidden, unless it runs. It returns when
// macOS has taken the order, which says nothing yet: Probe waits until Messages
// answers. Without Sender.Open it fails.
func (s *Sender) Launch(ctx context.Context) error {
	if s.Open == "" {
		return fmt.Errorf("launch Messages: %w", errNoLauncher)
	}
	ctx, cancel := context.WithTimeout(ctx, launchLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Open, "-gj", "-b", messagesID)
	cmd.WaitDelay = killDelay
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("launch Messages: %w", err)
	}
	return nil
}

// messagesID is Messages' bundle identifier since macOS 11, also in the script.
const messagesID = "com.apple.MobileSMS"
