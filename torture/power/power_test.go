package power_test

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	images = flag.Int("images", 200, "how many folders to build and start from")
	seed   = flag.Uint64("seed", 1, "of the instants and of what the disk keeps")
	broken = flag.Bool("broken", false, "see that programs which do not wait for the disk are caught")
)

// judges is how many images are judged at a time: mostly they wait.
const judges = 8

// TestPowerLoss records one busy run and judges both programs by images of their disks.
func TestPowerLoss(t *testing.T) {
	needStrace(t)
	for _, failure := range powerLoss(t, nil, *images) {
		t.Error(failure)
	}
}

// TestPowerLossBroken takes away one wait for the disk at a time. It is part of the long
// form only.
func TestPowerLossBroken(t *testing.T) {
	if !*broken {
		t.Skip("without -broken")
	}
	needStrace(t)
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			failures := powerLoss(t, &change, *images)
			if len(failures) == 0 {
				t.Fatal("not noticed")
			}
			first, _, _ := strings.Cut(failures[0], "\n")
			t.Logf("noticed in %d of %d images, first: %s", len(failures), *images, first)
		})
	}
}

func needStrace(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	if _, err := exec.LookPath("strace"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("strace is missing: run scripts/install-test-tools.sh")
	}
	t.Skip("strace is not there: run scripts/install-test-tools.sh")
}

// powerLoss builds the programs, with a change if there is one, and returns what is wrong
// with the images of one run.
func powerLoss(t *testing.T, c *edit, images int) []string {
	t.Helper()
	began := time.Now()
	r := newRecord(t, build(t, c))
	t.Logf("recorded %d calls of the server and %d of the Mac in %s", len(r.onServer), len(r.onMac), time.Since(began).Round(time.Millisecond))
	mac := r.replay(t, r.mac.dir, r.onMac, images/2, r.judgeMac)
	return append(mac, r.replay(t, r.server.dir, r.onServer, images-images/2, r.judgeServer)...)
}

// judge starts a program on an image and tells what is wrong with it.
type judge func(t testing.TB, dir string, s *said) error

// replay goes through a record once, cuts the power at random instants and has each
// image judged.
func (r *record) replay(t *testing.T, root string, calls []call, images int, judge judge) (failures []string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(*seed, uint64(images)))
	cuts := choose(rng, calls, images)
	var judging sync.WaitGroup
	var mu sync.Mutex
	places := make(chan bool, judges)
	began := time.Now()
	d, s := newDisk(root), newSaid(r)
	for i, c := range calls {
		if err := d.replay(c); err != nil {
			t.Fatal(err)
		}
		s.hear(c)
		for ; len(cuts) > 0 && cuts[0] == i; cuts = cuts[1:] {
			dir := filepath.Join(t.TempDir(), "image")
			if err := d.top.image(dir, newChance(rng)); err != nil {
				t.Fatal(err)
			}
			now := s.clone()
			places <- true
			judging.Go(func() {
				defer func() { <-places }()
				if err := judge(t, dir, now); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, fmt.Sprintf("%s cut after call %d of %d, seed %d: %v\n%s", filepath.Base(root), i, len(calls), *seed, err, list(dir)))
				}
				// A shim that the daemon has left behind may still write.
				if !until(10*time.Second, func() bool { return os.RemoveAll(dir) == nil }) {
					t.Errorf("%s cannot be removed", dir)
				}
			})
		}
	}
	judging.Wait()
	t.Logf("%d images of the %s in %s", images, filepath.Base(root), time.Since(began).Round(time.Millisecond))
	r.install = cmp.Or(s.install, r.install)
	if err := d.top.same(root); err != nil {
		t.Errorf("the replay is not what the disk has: %v", err)
	}
	return failures
}

// choose picks the instants: any, but one in ten where a command has just ended, because
// what it did is seldom followed by a sync.
func choose(rng *rand.Rand, calls []call, n int) []int {
	var ends []int
	for i, c := range calls {
		if c.endsCommand() {
			ends = append(ends, i)
		}
	}
	cuts := make([]int, n)
	for i := range cuts {
		cuts[i] = rng.IntN(len(calls))
		if i%10 == 0 {
			cuts[i] = ends[rng.IntN(len(ends))]
		}
	}
	slices.Sort(cuts)
	return cuts
}

// same compares the replay, as if all had been synced, with what is really there.
func (n *node) same(path string) error {
	if !n.dir {
		data, err := os.ReadFile(path)
		if err == nil && string(data) != string(n.now) {
			err = fmt.Errorf("%s has other bytes", path)
		}
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	left := maps.Clone(n.namesNow)
	for _, e := range entries {
		at := left[e.Name()]
		delete(left, e.Name())
		if transient(e.Name()) || e.Type() == fs.ModeSocket { // a socket holds nothing, and is made anew at each start
			continue
		}
		if at == nil {
			return fmt.Errorf("%s was not replayed", filepath.Join(path, e.Name()))
		}
		if err := at.same(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	for name := range left {
		return fmt.Errorf("%s is not there", filepath.Join(path, name))
	}
	return nil
}

// list tells what is in a folder.
func list(dir string) string {
	text := ""
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			text += fmt.Sprintf("\t%s %d\n", rel, info.Size())
		}
		return nil
	})
	return text
}
