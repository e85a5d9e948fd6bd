package relay

import "errors"

// ErrRestart is what Run returns when only a new process can go on, and nobody needs to do
// anything: macOS gives a process the permissions that it had at its start. The daemon
// ends with a status that is not 0, and launchd starts it again.
var ErrRestart = errors.New("macOS has granted what only a new process can use: start bluerelay again")
