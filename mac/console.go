package mac

import (
	"context"
	"fmt"
	"os"
	"time"

	"howett.net/plist"
)

// Console is who is at the Mac's screen.
type Console struct {
	Known  bool // somebody is logged in at it
	Ours   bool // this user has it
	Beside bool // this user is logged in, and another has the screen
	Locked bool // the screen, or this user's session, is locked
}

// consoleLimit bounds the question.
const consoleLimit = 5 * time.Second

// Console asks the registry of devices, which names the sessions at the screen.
func (t Tools) Console(ctx context.Context) (Console, error) {
	result, err := t.Run(ctx, consoleLimit, nil, "ioreg", "-n", "Root", "-d1", "-a")
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("ioreg ended with code %d", result.Code)
	}
	if err != nil {
		return Console{}, err
	}
	return parseConsole(result.Out, os.Getuid())
}

// parseConsole reads the property list that ioreg -a prints. The names of its keys are not
// documented by Apple; they have been the same for many years.
func parseConsole(data []byte, uid int) (Console, error) {
	var root struct {
		Locked bool `plist:"IOConsoleLocked"`
		Users  []struct {
			UID    int64 `plist:"kCGSSessionUserIDKey"`
			At     bool  `plist:"kCGSSessionOnConsoleKey"`
			Locked bool  `plist:"CGSSessionScreenIsLocked"`
		} `plist:"IOConsoleUsers"`
	}
	if _, err := plist.Unmarshal(data, &root); err != nil {
		return Console{}, fmt.Errorf("read what ioreg says: %w", err)
	}
	c := Console{Locked: root.Locked}
	var here bool
	for _, u := range root.Users {
		mine := u.UID == int64(uid)
		here = here || mine
		c.Known = c.Known || u.At
		c.Ours = c.Ours || u.At && mine
		c.Locked = c.Locked || u.Locked && mine
	}
	c.Beside = here && c.Known && !c.Ours
	return c, nil
}
