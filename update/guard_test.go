package update

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What becomes of a version that was put in place, by how often launchd has started it.
func TestGuard(t *testing.T) {
	broken := errors.New("launchctl does not answer")
	for name, tt := range map[string]struct {
		starts func(second int) (int, bool, error)
		state  func(second int, s *State) // what others write meanwhile
		back   bool
		within time.Duration
		err    error
	}{
		"it dies before it counts": {starts: func(n int) (int, bool, error) { return 7 + n/30, true, nil }, back: true, within: 2*time.Minute + guardEvery},
		"it hangs":                 {starts: func(int) (int, bool, error) { return 7, true, nil }, back: true, within: guardFor + guardEvery},
		"it counts its starts": {
			starts: func(n int) (int, bool, error) { return 7 + n/30, true, nil },
			state:  func(n int, s *State) { s.Trial.Starts = n / 40 }, within: 41 * time.Second,
		},
		"it has shown that it works":  {starts: func(int) (int, bool, error) { return 7, true, nil }, state: func(_ int, s *State) { s.Trial = nil }, within: guardEvery},
		"another one was put there":   {starts: func(int) (int, bool, error) { return 7, true, nil }, state: func(_ int, s *State) { s.Trial.From = "1.0.1" }, within: guardEvery},
		"nobody is to start it":       {starts: func(n int) (int, bool, error) { return 7, n < 5, nil }, within: 6 * time.Second},
		"launchd is slow to answer":   {starts: func(n int) (int, bool, error) { return 7 + n, true, errors.Join(when(n < 60, broken)) }, back: true, within: 70 * time.Second},
		"launchd never says anything": {starts: func(int) (int, bool, error) { return 0, false, broken }, within: guardFor + guardEvery, err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				rolled := false
				u := Updater{Dir: dir, Version: "1.0.0", Place: Place{Rollback: func() error { rolled = true; return nil }}}
				if err := u.setTrial(&Trial{From: "1.0.0", To: "1.1.0"}); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				back, err := u.Guard(t.Context(), func(context.Context) (int, bool, error) {
					n := int(time.Since(begun).Seconds())
					if tt.state != nil {
						if err := change(dir, func(s *State) error { tt.state(n, s); return nil }); err != nil {
							t.Fatal(err)
						}
					}
					return tt.starts(n)
				})
				took := time.Since(begun)
				s, serr := ReadState(dir)
				if serr != nil || back != tt.back || rolled != tt.back || slices.Contains(s.Refused, "1.1.0") != tt.back || !errors.Is(err, tt.err) || took > tt.within {
					t.Errorf("back %t after %s, rolled back %t, %+v, %v, %v", back, took, rolled, s, err, serr)
				}
			})
		})
	}
}

func when(ok bool, err error) error {
	if ok {
		return err
	}
	return nil
}

// A version that comes to life while it is given up stays.
func TestGuardAtTheLastMoment(t *testing.T) {
	u := Updater{Dir: t.TempDir(), Version: "1.0.0", Place: Place{Rollback: func() error { t.Error("put back"); return nil }}}
	if err := u.setTrial(&Trial{From: "1.0.0", To: "1.1.0", Starts: 1}); err != nil {
		t.Fatal(err)
	}
	if back, err := u.takeBack(); back || err != nil {
		t.Error(back, err)
	}
	if s, err := ReadState(u.Dir); err != nil || len(s.Refused) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
