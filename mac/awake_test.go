package mac

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// caffeinate runs until ctx ends, and is told whose end is its own.
func TestKeepAwake(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	standIn(t, dir, "caffeinate", `echo "$@" > "`+said+`.tmp"; mv "`+said+`.tmp" "`+said+`"; exec sleep 600`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Tools{Dir: dir}.KeepAwake(ctx, 4711) }()
	for {
		data, err := os.ReadFile(said)
		if err == nil {
			if got := strings.TrimSpace(string(data)); got != "-i -s -w 4711" {
				t.Errorf("caffeinate %s", got)
			}
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestKeepAwakeEnds(t *testing.T) {
	dir := t.TempDir()
	if err := (Tools{Dir: dir}).KeepAwake(t.Context(), 1); !errors.Is(err, ErrNoTool) {
		t.Errorf("without caffeinate: %v", err)
	}
	standIn(t, dir, "caffeinate", `exit 3`)
	if err := (Tools{Dir: dir}).KeepAwake(t.Context(), 1); err == nil || errors.Is(err, ErrNoTool) {
		t.Errorf("a caffeinate that ends: %v", err)
	}
}
