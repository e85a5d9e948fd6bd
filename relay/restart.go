package relay

import "errors"

// ErrRestart is what Run returns when only a new process can go on, and nobody needs to do
// anything: macOS gives a process the permissions that it had at its start. A daemon that
// has replaced its own program ends with it too. Its status is then not 0, and launchd
// starts it again.
var ErrRestart = errors.New("only a new process can go on: start bluerelay again")
