package mac

import (
	"context"
	"fmt"
	"strconv"
)

// KeepAwake holds the Mac awake by caffeinate until ctx ends, whose error it then returns. It
// prevents the sleep of a Mac that nobody uses (-i), and on mains any other sleep but that of a
// closed lid and of the menu (-s); on battery macOS does not heed -s. The display may sleep.
//
// caffeinate ends with the process pid, ours, however that ends. One that ends before is an
// error, ErrNoTool where there is none; the caller decides whether to try again.
func (t Tools) KeepAwake(ctx context.Context, pid int) error {
	result, err := t.run(ctx, nil, "caffeinate", "-i", "-s", "-w", strconv.Itoa(pid))
	if err != nil {
		return err
	}
	return fmt.Errorf("caffeinate ended by itself with code %d", result.Code)
}
