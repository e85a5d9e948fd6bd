package mac

import (
	"context"
	"fmt"
	"time"
)

// ExcludeFromBackup keeps a file or folder, wherever it is moved, out of Time Machine's
// backups and of others that heed the same mark.
func (t Tools) ExcludeFromBackup(ctx context.Context, path string) error {
	result, err := t.Run(ctx, 15*time.Second, nil, "tmutil", "addexclusion", path)
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("tmutil ended with %d", result.Code)
	}
	return err
}
