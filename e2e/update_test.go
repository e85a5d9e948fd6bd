package e2e_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bluerelay/update"
)

// releases serves signed manifests and programs, as whoever publishes them does.
type releases struct {
	t    testing.TB
	base string // of the server
	dir  string
	key  string // file with the private key
	pub  string // file with the public one
	mu   sync.Mutex
}

// newReleases leaves the public key in a folder that the Mac's user can read.
func newReleases(t testing.TB, shared string) *releases {
	t.Helper()
	r := &releases{t: t, dir: t.TempDir(), key: filepath.Join(t.TempDir(), "release.key"), pub: filepath.Join(shared, "release.pub")}
	public := run(t, "go", "run", "bluerelay/update/sign", "-new-key", r.key)
	if err := os.WriteFile(r.pub, []byte(public), 0o644); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		http.FileServer(http.Dir(r.dir)).ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.base = server.URL
	return r
}

// build makes bluerelay of a version.
func (r *releases) build(version string) (program string) {
	r.t.Helper()
	program = filepath.Join(r.t.TempDir(), "bluerelay-"+version)
	run(r.t, "go", "build", "-ldflags", "-X main.version="+version, "-o", program, "bluerelay/cmd/bluerelay")
	return program
}

// publish makes a program the newest one.
func (r *releases) publish(version, program string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	data, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, filepath.Base(program)), data, 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	run(r.t, "go", "run", "bluerelay/update/sign", "-key", r.key, "-version", version, "-out", filepath.Join(r.dir, "manifest.json"), runtime.GOOS+"/"+runtime.GOARCH+"="+program)
}

// TestUpdateStory is the life of an installed daemon that is updated by its person, gets a
// version that does not come up, and updates itself, in real processes under a launchd of the
// test.
func TestUpdateStory(t *testing.T) {
	t.Parallel()
	u := newMacUser(t)
	r := newReleases(t, u.base)
	w, mac, setup := newOwner(t, u)
	u.own(filepath.Join(u.base, "mac"))
	first, second := r.build("1.0.0"), r.build("1.1.0")
	if err := os.Rename(first, u.program); err != nil {
		t.Fatal(err)
	}
	u.own(filepath.Dir(u.program))
	from := []string{"--from", r.base + "/manifest.json", "--update-key", r.pub}
	with := func(args ...string) []string { return append(args, from...) }

	// Nothing is installed, and what is installed is the newest.
	r.publish("1.0.0", u.program)
	if _, errs, code := u.run(with("update")...); code != 1 || !strings.Contains(errs, "no daemon is installed here") {
		t.Errorf("%d %s", code, errs)
	}
	u.must("install", "--", "--chat-db", mac.ChatDB(), "--osascript", mac.Osascript(), "--keep-awake=false", "--programs", u.mac.Tools.Dir)
	u.must("pair", setup, "--chat-db", mac.ChatDB())
	u.logged("link.up")
	if out := u.must(with("update", "--check")...); !strings.Contains(out, "1.0.0 is the newest version") {
		t.Errorf("%s", out)
	}

	// By hand.
	r.publish("1.1.0", second)
	if out := u.must(with("update", "--check", "--json")...); !strings.Contains(out, `"newest": "1.1.0"`) || !strings.Contains(out, `"installed": "1.0.0"`) {
		t.Errorf("%s", out)
	}
	former := u.status()
	if out := u.must(with("update")...); !strings.Contains(out, "1.1.0 is installed and works") {
		t.Errorf("%s", out)
	}
	if s := u.version(); !s.Running || s.Version != "1.1.0" || s.PID == former.PID || s.GrantsLost != "" {
		t.Errorf("%+v after %+v", s, former)
	}
	u.logged("update.good")

	// A version that dies before it has reached the cloud is taken back.
	w.cloud.kill()
	r.publish("1.2.0", r.build("1.2.0"))
	stop := u.killTrials("1.2.0")
	_, errs, code := u.run(with("update")...)
	stop()
	if code != 1 || !strings.Contains(errs, "did not come up, and 1.1.0 is taken again") {
		t.Errorf("%d %s", code, errs)
	}
	eventually(t, time.Minute, "1.1.0 runs again", func() bool { s := u.version(); return s.Running && s.Version == "1.1.0" })
	u.logged("was taken back")
	if _, errs, code := u.run(with("update")...); code != 1 || !strings.Contains(errs, "did not come up on this machine") {
		t.Errorf("%d %s", code, errs)
	}

	// One that dies before it has counted a start is taken back by a process of the former one.
	dead := filepath.Join(t.TempDir(), "bluerelay-1.2.1")
	script := "#!/bin/sh\ncase \"$*\" in *--version) echo 1.2.1;; *--help) ;; *) exit 3;; esac\n"
	if err := os.WriteFile(dead, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r.publish("1.2.1", dead)
	if _, errs, code := u.run(with("update")...); code != 1 || !strings.Contains(errs, "did not come up, and 1.1.0 is taken again") {
		t.Errorf("%d %s", code, errs)
	}
	eventually(t, time.Minute, "1.1.0 runs once more", func() bool { s := u.version(); return s.Running && s.Version == "1.1.0" })
	u.logged("version 1.2.1 did not come up and was taken back")

	// By itself, and never to an old one.
	w.startCloud()
	if _, errs, code := u.run("install", "--auto-update"); code != 1 || !strings.Contains(errs, "without an address") {
		t.Errorf("%d %s", code, errs)
	}
	data, err := os.ReadFile(second)
	if err == nil {
		err = os.WriteFile(u.program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.publish("1.3.0", r.build("1.3.0"))
	u.must("install", "--auto-update", "--update-from", r.base+"/manifest.json", "--update-key", r.pub,
		"--", "--chat-db", mac.ChatDB(), "--osascript", mac.Osascript(), "--keep-awake=false", "--programs", u.mac.Tools.Dir, "--update-every", "3s")
	eventually(t, time.Minute, "1.3.0 has shown that it works", func() bool {
		s, err := update.ReadState(u.version().StateDir)
		return err == nil && s.Trial == nil && s.Seen == "1.3.0" && u.version().Version == "1.3.0"
	})
	r.publish("1.1.0", second)
	u.logged("bringing an old version back")
	if s := u.version(); !s.Running || s.Version != "1.3.0" {
		t.Errorf("%+v", s)
	}
}

// installedVersion is more of what `status --json` says.
type installedVersion struct {
	daemonStatus
	Version  string `json:"version"`
	StateDir string `json:"state_dir"`
}

func (u *macUser) version() installedVersion {
	u.t.Helper()
	return decode[installedVersion](u.t, u.must("status", "--json"))
}

// killTrials kills each daemon of a version as soon as it has counted its start, until stop.
func (u *macUser) killTrials(version string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for killed := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			log, _ := os.ReadFile(filepath.Join(u.base, "Library/Logs/bluerelay/bluerelay.log")) // the next look sees it
			job := u.mac.State(u.t).Jobs["com.bluerelay.agent"]
			if strings.Count(string(log), "version "+version+" is on trial") > killed && job != nil && job.PID > 0 {
				_ = syscall.Kill(job.PID, syscall.SIGKILL)
				killed++
			}
		}
	})
	return func() { cancel(); working.Wait() }
}
