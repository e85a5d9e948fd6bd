package update

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The environment that makes the test binary a daemon of the program that is in place, and
// where it is to be killed.
const (
	daemonDir  = "UPDATE_TEST_DIR"
	daemonURL  = "UPDATE_TEST_URL"
	daemonKill = "UPDATE_TEST_KILL"
	daemonKeys = "UPDATE_TEST_KEYS"
)

// How a daemon ends.
const (
	endedGood = 0
	endedNew  = 7 // to be started anew
	endedBad  = 8 // the broken version
)

// links is a place in the manner of the bundle: the link "current" leads to the program,
// and one rename leads it elsewhere.
type links struct{ dir, kill string }

func (l links) at(point string) {
	mark := filepath.Join(l.dir, "killed")
	if l.kill != point {
		return
	}
	if _, err := os.Stat(mark); err == nil {
		return // once is enough
	}
	_ = os.WriteFile(mark, nil, 0o600)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (l links) lead(to string) error {
	next := filepath.Join(l.dir, "next")
	_ = os.Remove(next)
	if err := os.Symlink(to, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(l.dir, "current"))
}

func (l links) place() Place {
	return Place{
		Replace: func(_ context.Context, program, version string) error {
			l.at("replace begins")
			data, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(l.dir, "b-"+version), data, 0o700); err != nil {
				return err
			}
			l.at("replace is staged")
			if err := l.lead("b-" + version); err != nil {
				return err
			}
			l.at("replace ends")
			return nil
		},
		Rollback: func() error {
			l.at("rollback begins")
			if err := l.lead("a"); err != nil {
				return err
			}
			l.at("rollback ends")
			return nil
		},
		Keep: func() error { l.at("keep begins"); return nil },
	}
}

// version is that of the program in place, which must be whole.
func (l links) version() (string, error) {
	data, err := os.ReadFile(filepath.Join(l.dir, "current"))
	if err != nil {
		return "", err
	}
	for _, v := range []string{"1.0.0", "1.1.0"} {
		if string(data) == program(v) {
			return v, nil
		}
	}
	return "", fmt.Errorf("the program in place is %q", data)
}

// TestDaemon is the child of TestKilled: the life of one daemon. Version 1.1.0 works only
// where the folder has a file "works".
func TestDaemon(t *testing.T) {
	dir := os.Getenv(daemonDir)
	if dir == "" {
		t.Skip("only as a child of TestKilled")
	}
	os.Exit(daemon(t, links{dir, os.Getenv(daemonKill)}))
}

func daemon(t *testing.T, l links) int {
	version, err := l.version()
	if err != nil {
		t.Error(err)
		return 1
	}
	keys, err := ParsePublicKeys(os.Getenv(daemonKeys))
	if err != nil {
		t.Error(err)
		return 1
	}
	u := Updater{Source: Source{URL: os.Getenv(daemonURL), Keys: keys}, Dir: l.dir, Version: version, Platform: "darwin/arm64", Place: l.place()}
	again, _, err := u.Begin()
	if err != nil {
		t.Error(err)
		return 1
	}
	if again {
		return endedNew
	}
	if did, err := u.Settle(t.Context()); err != nil {
		t.Log(err) // it is fetched anew
	} else if did {
		return endedNew
	}
	if _, err := os.Stat(filepath.Join(l.dir, "works")); version == "1.1.0" && err != nil {
		return endedBad
	}
	if _, err := u.Good(); err != nil {
		t.Error(err)
		return 1
	}
	o, err := u.Check(t.Context())
	if err == nil {
		err = u.Fetch(t.Context(), o)
	}
	if err != nil {
		return endedGood
	}
	l.at("it is ready")
	if _, err := u.Settle(t.Context()); err != nil {
		t.Error(err)
		return 1
	}
	return endedNew
}

// TestKilled kills the daemon once at each step of an update that works and of one that does
// not. Whatever happens the program in place is the old one or the new one, whole, and in the
// end the right one.
func TestKilled(t *testing.T) {
	points := []string{"never", "the manifest comes", "the program comes", "it is ready", "replace begins", "replace is staged", "replace ends", "keep begins", "rollback begins", "rollback ends"}
	for _, works := range []bool{true, false} {
		for _, point := range points {
			t.Run(fmt.Sprintf("%s, works %t", point, works), func(t *testing.T) {
				t.Parallel()
				l := links{dir: t.TempDir()}
				s := newShop(t)
				s.publish(t, "1.1.0", program("1.1.0"))
				if err := errors.Join(os.WriteFile(filepath.Join(l.dir, "a"), []byte(program("1.0.0")), 0o700), l.lead("a")); err != nil {
					t.Fatal(err)
				}
				if works {
					if err := os.WriteFile(filepath.Join(l.dir, "works"), nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				var child *exec.Cmd
				killed := false
				s.mu.Lock()
				s.before = func(r *http.Request) {
					here := point == "the manifest comes" && strings.HasSuffix(r.URL.Path, ".json") || point == "the program comes" && !strings.HasSuffix(r.URL.Path, ".json")
					if here && !killed {
						killed = true
						_ = child.Process.Kill()
						<-r.Context().Done()
					}
				}
				s.mu.Unlock()
				var ends []int
				for {
					s.mu.Lock()
					child = exec.Command(os.Args[0], "-test.run=^TestDaemon$")
					child.Env = append(os.Environ(), daemonDir+"="+l.dir, daemonURL+"="+s.URL+"/releases/manifest.json", daemonKill+"="+point, daemonKeys+"="+key.Public().String())
					err := child.Start()
					s.mu.Unlock()
					if err != nil {
						t.Fatal(err)
					}
					_ = child.Wait()
					code := child.ProcessState.ExitCode()
					ends = append(ends, code)
					if _, err := l.version(); err != nil || code == 1 || len(ends) > 12 {
						t.Fatalf("ended with %v, %v", ends, err)
					}
					if code == endedGood {
						break
					}
				}
				got, err := l.version()
				st, serr := ReadState(l.dir)
				if err != nil || serr != nil {
					t.Fatal(err, serr)
				}
				if want := map[bool]string{true: "1.1.0", false: "1.0.0"}[works]; got != want || st.Trial != nil || st.Ready != nil || slices.Contains(st.Refused, "1.1.0") == works {
					t.Errorf("version %s is in place after %v, and the state is %+v", got, ends, st)
				}
				if bad := count(ends, endedBad); works && bad > 0 || !works && (bad < maxStarts-1 || bad > maxStarts) {
					t.Errorf("it ended with %v", ends)
				}
			})
		}
	}
}

func count(list []int, want int) (n int) {
	for _, v := range list {
		if v == want {
			n++
		}
	}
	return n
}
