package launchd_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bluerelay/launchd"
)

const file = "dev.bluerelay.relay.plist"

// folder returns a folder of mode 0700, whatever the umask of the machine.
func folder(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "LaunchAgents")
	if err := os.Mkdir(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// wantOnly fails unless the folder holds exactly the named files: no temporary file stays.
func wantOnly(tb testing.TB, dir string, names ...string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		tb.Errorf("folder holds %q, want %q", got, names)
	}
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("HOME", "/Users/zoe")
	got, err := launchd.DefaultPath("dev.bluerelay.relay")
	if want := "/Users/zoe/Library/LaunchAgents/dev.bluerelay.relay.plist"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := launchd.DefaultPath("../relay"); err == nil {
		t.Errorf("a label that climbs gave %q", got)
	}
}

func TestWriteCreatesFolderAndReplacesFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "LaunchAgents")
	path := filepath.Join(dir, file)
	a := agent()
	for _, argument := range []string{"run", "run again"} {
		a.Arguments = []string{argument}
		if err := a.Write(path); err != nil {
			t.Fatal(err)
		}
		want, err := a.Plist()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != string(want) {
			t.Fatalf("file holds %q, %v, want %q", got, err, want)
		}
		wantOnly(t, dir, file)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestWriteRefusesSymlinkAndLeavesItsTarget(t *testing.T) {
	dir := folder(t)
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, file)); err != nil {
		t.Fatal(err)
	}
	if err := agent().Write(filepath.Join(dir, file)); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("error is %v, want a refusal of the link", err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "untouched" {
		t.Errorf("target holds %q, %v", got, err)
	}
	wantOnly(t, dir, file, "target")
}

func TestWriteRefusesFoldersOfOthers(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o707, 0o777 | os.ModeSticky} {
		dir := folder(t)
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := agent().Write(filepath.Join(dir, file)); err == nil || !strings.Contains(err.Error(), "can be written by others") {
			t.Errorf("mode %o: error is %v, want a refusal", mode, err)
		}
		wantOnly(t, dir)
	}

	foreign := "/"
	if os.Geteuid() == 0 {
		const nobody = 65534
		foreign = folder(t)
		if err := os.Chown(foreign, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := agent().Write(filepath.Join(foreign, file)); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("error is %v, want a refusal of another user's folder", err)
	}
}

func TestWriteRefusesOtherPlaces(t *testing.T) {
	dir := folder(t)
	if err := agent().Write(filepath.Join(dir, "other.plist")); err == nil {
		t.Error("a file name that differs from the label was accepted")
	}
	if err := agent().Write(filepath.Join(dir, "no", "such", file)); err == nil {
		t.Error("a whole tree of folders was created")
	}
	broken := agent()
	broken.Program = "bluerelay"
	if err := broken.Write(filepath.Join(dir, file)); err == nil {
		t.Error("an invalid agent was written")
	}
	wantOnly(t, dir)
}

// TestWriteIsAtomic reads while others write: each reader sees one whole file.
func TestWriteIsAtomic(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, file)
	short, long := agent(), agent()
	long.Arguments = []string{strings.Repeat("x", 1<<16)}
	whole := map[string]bool{}
	for _, a := range []launchd.Agent{short, long} {
		data, err := a.Plist()
		if err != nil {
			t.Fatal(err)
		}
		whole[string(data)] = true
	}
	if err := short.Write(path); err != nil {
		t.Fatal(err)
	}

	var writers sync.WaitGroup
	for _, a := range []launchd.Agent{short, long} {
		writers.Go(func() {
			for range 20 {
				if err := a.Write(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		writers.Wait()
		close(done)
	}()
	for {
		got, err := os.ReadFile(path)
		if err != nil || !whole[string(got)] {
			t.Errorf("read %d bytes, %v: not one of the two files", len(got), err)
		}
		select {
		case <-done:
			wantOnly(t, dir, file)
			return
		default:
		}
	}
}
