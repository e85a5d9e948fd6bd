package chatdb_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/chatdb"
)

func kindOf(err error) string {
	for _, kind := range []error{chatdb.ErrMissing, chatdb.ErrPermission, chatdb.ErrNotDatabase, chatdb.ErrBusy, chatdb.ErrNotMessages} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(dir, "other.db")
	w := openWriter(t, other)
	if _, err := w.Exec("CREATE TABLE message (guid TEXT); CREATE TABLE unrelated (x)"); err != nil {
		t.Fatal(err)
	}
	sound := newFixture(t)
	sound.db.Close()
	whole, err := os.ReadFile(sound.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		want       error
	}{
		{"missing", filepath.Join(dir, "none.db"), chatdb.ErrMissing},
		{"missing folder", filepath.Join(dir, "none", "chat.db"), chatdb.ErrMissing},
		{"text", write("text.db", strings.Repeat("this is no database ", 200)), chatdb.ErrNotDatabase},
		{"folder", dir, chatdb.ErrNotDatabase},
		{"empty", write("empty.db", ""), chatdb.ErrNotMessages},
		{"cut off", write("cut.db", string(whole[:5000])), chatdb.ErrNotDatabase},
		{"another schema", other, chatdb.ErrNotMessages},
		{"odd name", write("a?mode=rwc&x=#1 %41.db", ""), chatdb.ErrNotMessages},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := chatdb.Open(t.Context(), tt.path)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			e, ok := errors.AsType[*chatdb.Error](err)
			if !ok || e.Path != tt.path || e.Op == "" || e.Hint == "" {
				t.Errorf("got %#v", e)
			}
		})
	}
}

// macOS withholds the folder, the file, or only what lies beside it. Another
// user's rights do the same here.
func TestCase57_PermissionWithheld(t *testing.T) {
	base, err := os.MkdirTemp("", "chatdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(base, 0o755))
	binary := copyBinary(t, base)
	for _, tt := range []struct {
		name   string
		closed string // what is withheld
		want   string
	}{
		{"nothing", "", "ok"},
		{"file", "chat.db", chatdb.ErrPermission.Error()},
		{"log", "chat.db-wal", chatdb.ErrPermission.Error()},
		{"index", "chat.db-shm", chatdb.ErrPermission.Error()},
		{"folder", ".", chatdb.ErrPermission.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(base, tt.name)
			must(os.Mkdir(dir, 0o755))
			f := newFixtureAt(t, filepath.Join(dir, "chat.db"), readSchema(t, projectSchema))
			f.message("a", "hello", nil)
			for _, name := range []string{"chat.db", "chat.db-wal", "chat.db-shm"} {
				must(os.Chmod(filepath.Join(dir, name), 0o644))
			}
			if tt.closed != "" {
				must(os.Chmod(filepath.Join(dir, tt.closed), 0))
				t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, tt.closed), 0o700) })
			}
			cmd := exec.Command(binary, f.path)
			cmd.Env = append(os.Environ(), childRole+"=reader")
			cmd.Dir = base
			if os.Getuid() == 0 {
				// No mode keeps root out.
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.Output()
			must(err)
			if got := strings.TrimSpace(string(out)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// copyBinary puts the test binary where another user can run it.
func copyBinary(t *testing.T, dir string) string {
	t.Helper()
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "reader"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

func TestCase58_CreatedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	if _, err := chatdb.Open(t.Context(), path); !errors.Is(err, chatdb.ErrMissing) {
		t.Fatalf("got %v, want it missing", err)
	}
	f := newFixtureAt(t, path, readSchema(t, projectSchema))
	db := f.open()
	mark, err := db.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if mark.RowID != 0 || mark.GUID != "" || mark.File != db.File() {
		t.Errorf("mark of an empty database: %+v", mark)
	}
	if db.Path() != path {
		t.Errorf("path %q", db.Path())
	}
}

func TestOpenThroughLink(t *testing.T) {
	f := newFixture(t)
	f.message("a", "hello", nil)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(f.path, link); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, link).After(t.Context(), 0, 0)
	if err != nil || len(got) != 1 {
		t.Errorf("got %d messages, %v; want what is still in the log", len(got), err)
	}
}

func TestReadOnly(t *testing.T) {
	f := newFixture(t)
	f.message("a", "hello", nil)
	before, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	db := f.open()
	if _, err := db.After(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	// No read transaction is left open, or this would report busy.
	var busy, inLog, moved int
	if err := f.db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &moved); err != nil || busy != 0 {
		t.Errorf("checkpoint: busy %d, %v", busy, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(before) == 0 {
		t.Error("empty file")
	}
	if _, err := db.After(t.Context(), 0, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestFile(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE _SqliteDatabaseProperties (key TEXT, value TEXT, UNIQUE(key))")
	plain := f.open().File()
	f.exec("INSERT INTO _SqliteDatabaseProperties VALUES ('_UniqueIdentifier', 'ABC-1')")
	named := f.open().File()
	if plain == "" || named == plain || !strings.HasPrefix(named, plain) || !strings.Contains(named, "ABC-1") {
		t.Errorf("files %q and %q", plain, named)
	}
	if again := f.open().File(); again != named {
		t.Errorf("file %q, then %q", named, again)
	}
}

func TestReplaced(t *testing.T) {
	f := newFixture(t)
	db := f.open()
	check := func(want bool) {
		t.Helper()
		if got, err := db.Replaced(); err != nil || got != want {
			t.Errorf("replaced %v, %v; want %v", got, err, want)
		}
	}
	check(false)
	aside := f.path + ".aside"
	if err := os.Rename(f.path, aside); err != nil {
		t.Fatal(err)
	}
	check(true)
	if err := os.WriteFile(f.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check(true)
	if err := os.Rename(aside, f.path); err != nil {
		t.Fatal(err)
	}
	check(false)
}

// A writer that holds the whole file for a while costs time, and nothing else.
func TestCase23_ExclusiveLock(t *testing.T) {
	f := newFixture(t)
	f.message("a", "hello", nil)
	f.exec("PRAGMA journal_mode=DELETE") // in WAL mode a writer never locks readers out
	db := f.open()
	w := newWriter(t, f.path)
	w.do("BEGIN EXCLUSIVE")

	// Locked: the end of ctx is answered soon, and the lock is named.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := db.After(ctx, 0, 0)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}

	done := make(chan error, 1)
	go func() {
		got, err := db.After(t.Context(), 0, 0)
		if err == nil && len(got) != 2 {
			err = errors.New("messages missing")
		}
		done <- err
	}()
	opened := make(chan error, 1)
	go func() {
		second, err := chatdb.Open(t.Context(), f.path)
		if err == nil {
			err = second.Close()
		}
		opened <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("read through the lock: %v", err)
	case err := <-opened:
		t.Fatalf("opened through the lock: %v", err)
	case <-time.After(600 * time.Millisecond): // longer than SQLite's own patience here
	}
	w.do("INSERT INTO message (guid, attributedBody) VALUES ('b', ?)", plainBody("second"))
	w.do("COMMIT")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// A connection is bound to the -wal and -shm that it opened. When they are
// removed under it and made anew, it must move to the new ones.
func TestReadsAfterLogRenewed(t *testing.T) {
	f := newFixture(t)
	f.message("a", "first", nil)
	f.db.Close() // checkpoints
	w := newWriter(t, f.path)
	w.do("PRAGMA wal_autocheckpoint=0")
	db := f.open()
	if got, err := db.After(t.Context(), 0, 0); err != nil || len(got) != 1 {
		t.Fatalf("got %d, %v", len(got), err)
	}
	w.kill()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(f.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	w = newWriter(t, f.path)
	w.do("INSERT INTO message (guid, attributedBody) VALUES ('b', ?)", plainBody("second"))
	got, err := db.After(t.Context(), 0, 0)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d, %v; want both", len(got), err)
	}
	w.do("INSERT INTO message (guid, attributedBody) VALUES ('c', ?)", plainBody("third"))
	if got, err = db.After(t.Context(), 2, 0); err != nil || len(got) != 1 || got[0].Text != "third" {
		t.Errorf("got %+v, %v", got, err)
	}
}
