package applescript_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bluerelay/applescript"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, name := range []string{"msg_1.1.lock", "msg_1.1.marker", "msg_1.1.result", "msg_1.2.lock", "msg_1-file.1.result.tmp",
		"spare.lock", "msg_2.lock", "msg_2.x.lock", "msg_2.0.lock", "msg_2.-1.lock", ".1.lock", "in hand.1.lock", "msg_2.1"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "msg_1.1.marker" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &applescript.Sender{Dir: dir}
	runs, err := s.Runs()
	if err != nil || len(runs) != 3 {
		t.Fatalf("%+v, %v", runs, err)
	}
	slices.SortFunc(runs, func(a, b applescript.Run) int { return cmp.Or(cmp.Compare(a.ID, b.ID), a.Attempt-b.Attempt) })
	if runs[0].ID != "msg_1" || runs[0].Attempt != 1 || !runs[0].Changed.After(old) {
		t.Errorf("%+v", runs[0])
	}
	if runs[1].ID != "msg_1" || runs[1].Attempt != 2 || !runs[1].Changed.Equal(old) || runs[2].ID != "msg_1-file" {
		t.Errorf("%+v", runs[1:])
	}
	for _, r := range runs {
		if err := s.Forget(r.ID, r.Attempt); err != nil {
			t.Fatal(err)
		}
	}
	if runs, err := s.Runs(); err != nil || len(runs) > 0 {
		t.Errorf("left are %+v, %v", runs, err)
	}
	if _, err := (&applescript.Sender{Dir: filepath.Join(dir, "none")}).Runs(); err == nil {
		t.Error("a folder that is not there was listed")
	}
}
