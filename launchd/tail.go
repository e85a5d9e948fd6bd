package launchd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Tail writes the last lines of the log in dir to w, at most n of them. With follow it goes
// on with what is added, through rotations, until ctx ends, which is no error.
func Tail(ctx context.Context, w io.Writer, dir string, n int, follow bool) error {
	f, err := os.Open(numberedLog(dir, 0))
	if errors.Is(err, fs.ErrNotExist) && !follow {
		return fmt.Errorf("there is no log in %s yet: see `bluerelay status`", dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the log: %w", err)
	}
	lines, err := lastLines(f, dir, n)
	if err == nil {
		_, err = w.Write(bytes.Join(lines, nil))
	}
	if err == nil && follow {
		return followLog(ctx, w, dir, f)
	}
	if f != nil {
		f.Close()
	}
	return err
}

// lastLines takes the last n lines of f, nil for none, and of the logs before it.
func lastLines(f *os.File, dir string, n int) ([][]byte, error) {
	if f == nil {
		return nil, nil
	}
	data, err := io.ReadAll(f)
	lines := slices.Collect(bytes.Lines(data))
	for i := 1; i < logFiles && err == nil && len(lines) < n; i++ {
		data, err = os.ReadFile(numberedLog(dir, i))
		lines = append(slices.Collect(bytes.Lines(data)), lines...)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return lines[max(0, len(lines)-n):], nil
}

// lookAtLog is how often a followed log is looked at.
const lookAtLog = 250 * time.Millisecond

// followLog copies what is added to the log from where f stands, which it closes.
func followLog(ctx context.Context, w io.Writer, dir string, f *os.File) error {
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	for {
		// First the path, then the rest of the open file: between the two nothing more comes
		// to a log that was moved aside.
		next, err := os.Open(numberedLog(dir, 0))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the log: %w", err)
		}
		if f != nil {
			if _, err := io.Copy(w, f); err != nil {
				return fmt.Errorf("read the log: %w", err)
			}
		}
		switch {
		case next == nil:
		case f != nil && same(f, next):
			next.Close()
		default:
			if f != nil {
				f.Close()
			}
			f = next
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookAtLog):
		}
	}
}

func same(a, b *os.File) bool {
	one, err := a.Stat()
	if err != nil {
		return false
	}
	other, err := b.Stat()
	return err == nil && os.SameFile(one, other)
}
