package power_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the folder of the module.
const root = "../.."

// edit is a wait for the disk that is taken out of a build. The old text must stand in
// the file exactly once.
type edit struct{ name, file, old, new string }

var changes = []edit{
	{"the journal does not wait", "relay/journal.go", "_synchronous=FULL", "_synchronous=OFF"},
	{"the database does not wait", "cloud/store/sqlite.go", "_synchronous=FULL", "_synchronous=OFF"},
	{"the marker's folder is not synced", "applescript/files.go", "	if err := syncDir(r.dir); err != nil {\n", "	if err := error(nil); err != nil {\n"},
	{"a file is not synced before it has its name", "cloud/folder.go", "	if err := part.Sync(); err != nil {\n", "	if err := error(nil); err != nil {\n"},
	{"a file's name is not synced", "cloud/folder.go", "	return store.SyncDir(f.dir)\n", "	return nil\n"},
	{"the state folder's name is not synced", "relay/pair.go", "makeDir(dir)", "os.MkdirAll(dir, 0o700)"},
	{"the credential's name is not synced", "relay/dir.go", "err = syncFolder(dir)", "err = nil"},
}

// TestChanges sees that each change still fits the source.
func TestChanges(t *testing.T) {
	for _, one := range changes {
		if _, err := one.apply(t); err != nil {
			t.Error(err)
		}
	}
}

// apply is the changed file.
func (e edit) apply(t *testing.T) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, e.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(data, []byte(e.old)); n != 1 {
		t.Errorf("%s: %q stands %d times in %s", e.name, e.old, n, e.file)
	}
	return bytes.Replace(data, []byte(e.old), []byte(e.new), 1), nil
}

// build makes both programs, with one file changed if so wanted.
func build(t *testing.T, e *edit) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-buildvcs=false", "-o", dir + "/"}
	if e != nil {
		args = append(args, "-overlay", e.overlay(t, dir))
	}
	cmd := exec.Command("go", append(args, "./cmd/bluecloud", "./cmd/bluerelay")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	return dir
}

func (e edit) overlay(t *testing.T, dir string) string {
	t.Helper()
	data, err := e.apply(t)
	if err != nil {
		t.Fatal(err)
	}
	changed, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(filepath.Join(root, e.file))
	if err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err == nil {
		err = os.WriteFile(list, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}
