//go:build !fault

package fault

// Built tells whether points do anything in this build.
const Built = false

// Before marks the place in front of a durable step's last move: the commit, the
// rename, the sync.
func Before(Point) {}

// After marks the place right behind it.
func After(Point) {}

// Hit marks an instant.
func Hit(Point) {}

// About names what this process is at work on, for the line that an end leaves.
func About(string) {}

// Tune changes a configuration as the harness wants it.
func Tune(any) {}
