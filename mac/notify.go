package mac

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

// notifyScript is constant; what is shown comes in argv.
//
//go:embed notify.applescript
var notifyScript []byte

// notifyLimit bounds the program that hands a notification over.
const notifyLimit = 10 * time.Second

// Notify shows a notification on this user's screen. macOS keeps it for later while
// nobody is there, and shows none where the person has switched those of Script Editor
// off, in whose name osascript speaks.
func (t Tools) Notify(ctx context.Context, title, text string) error {
	result, err := t.Run(ctx, notifyLimit, notifyScript, "osascript", "-l", "AppleScript", "-", title, text)
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("osascript ended with code %d", result.Code)
	}
	if err != nil {
		return fmt.Errorf("show a notification: %w", err)
	}
	return nil
}
