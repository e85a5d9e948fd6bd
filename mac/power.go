package mac

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// powerLimit bounds the question.
const powerLimit = 5 * time.Second

// OnBattery tells whether the Mac runs on its battery, where macOS prevents less of its
// sleep. A Mac without one does not.
func (t Tools) OnBattery(ctx context.Context) (bool, error) {
	result, err := t.Run(ctx, powerLimit, nil, "pmset", "-g", "batt")
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("pmset ended with code %d", result.Code)
	}
	if err != nil {
		return false, err
	}
	// Now drawing from 'Battery Power'
	return bytes.Contains(result.Out, []byte("'Battery Power'")), nil
}
