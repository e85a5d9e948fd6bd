package relay

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bluerelay/chatdb"
)

func TestSafeName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"cat.png":                          "cat.png",
		"Ré sumé (1).PDF":                  "Ré sumé (1).PDF",
		"re\u0301sume\u0301.pdf":           "résumé.pdf",
		"../../etc/passwd":                 "passwd",
		`C:\Users\a\cat.png`:               "cat.png",
		"/":                                "file",
		"":                                 "file",
		".":                                "file",
		"..":                               "file",
		"...":                              "file",
		".bashrc":                          "bashrc",
		". . hidden.txt":                   "hidden.txt",
		"a:b.txt":                          "a-b.txt",
		"a\x00b\n.t\txt":                   "ab.txt",
		"gpj.\u202eexe.png":                "gpj.exe.png",
		"\ufeffa\u2028b.txt":               "ab.txt",
		"ends. . ":                         "ends",
		"👩\u200d👧.png":                     "👩\u200d👧.png",
		"bad\xff\xfe.txt":                  "bad.txt",
		"-rf":                              "-rf",
		strings.Repeat("a", 300) + ".jpeg": strings.Repeat("a", maxName-5) + ".jpeg",
		strings.Repeat("é", 300):           strings.Repeat("é", maxName/2),
		"a." + strings.Repeat("b", 300):    "a." + strings.Repeat("b", maxName-2),
	} {
		if got := safeName(name); got != want {
			t.Errorf("%+q gives %+q, want %+q", name, got, want)
		}
	}
}

// FuzzSafeName: whatever somebody calls a file, the name is one, and stays what it is.
func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{"cat.png", "../../x", ".", "a\x00:\u202e", strings.Repeat("ü.", 150), "\u0301", ". .", "a/."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := safeName(name)
		if got == "" || got[0] == '.' || strings.ContainsAny(got, "/\\\x00:\n") || !filepath.IsLocal(got) || filepath.Base(got) != got || len(got) > maxName+4 || !utf8.ValidString(got) {
			t.Fatalf("%+q gives %+q", name, got)
		}
	})
}

// write stages a file with that content.
func (st stage) write(t testing.TB, name, content string) string {
	t.Helper()
	to, err := st.create(name)
	if err == nil {
		_, err = to.Write([]byte(content))
	}
	if err == nil {
		err = to.finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return to.rel
}

func TestStagedFilesArePrivate(t *testing.T) {
	t.Parallel()
	st := stage{filepath.Join(t.TempDir(), "Attachments")}
	one, two := st.write(t, "a/cat.png", "meow"), st.write(t, "cat.png", "meow")
	if one == two || filepath.Base(one) != "cat.png" || !st.there(one) {
		t.Errorf("%q and %q", one, two)
	}
	for path, want := range map[string]os.FileMode{".": 0o700, stageDir: 0o700, filepath.Dir(one): 0o700, one: 0o600} {
		info, err := os.Stat(filepath.Join(st.root, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestStageIsNoLink: a folder of ours that leads elsewhere is not written into.
func TestStageIsNoLink(t *testing.T) {
	t.Parallel()
	st, elsewhere := stage{t.TempDir()}, t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(st.root, stageDir)); err != nil {
		t.Fatal(err)
	}
	if to, err := st.create("cat.png"); err == nil {
		t.Errorf("it wrote %s", to.rel)
	}
	if list, err := os.ReadDir(elsewhere); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(st.root, "link")); err != nil {
		t.Fatal(err)
	}
	if st.there("link") {
		t.Error("a link would be sent")
	}
}

// TestSweep: a file stays while its message is on its way and for its time after that;
// what nobody knows of goes when it is old.
func TestSweep(t *testing.T) {
	t.Parallel()
	j, st := newJournal(t), stage{t.TempDir()}
	give(t, j, withFile("msg_1", ""))
	rel, lost := st.write(t, "cat.png", "abc"), st.write(t, "lost.png", "abc")
	if ok, err := j.staged(t.Context(), partOf(t, j, "msg_1", partFile), rel); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, path := range []string{rel, lost} {
		if err := os.Chtimes(filepath.Join(st.root, filepath.Dir(path)), noon, noon); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(at time.Duration) {
		t.Helper()
		needed, err := j.neededFiles(t.Context(), noon.Add(at))
		if err == nil {
			err = st.sweep(needed, noon.Add(at))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sweep(time.Hour)
	if !st.there(rel) || !st.there(lost) {
		t.Error("it is gone too soon")
	}
	sweep(100 * keptStaged)
	if !st.there(rel) || st.there(lost) {
		t.Error("what waits is gone, or what nobody knows is there")
	}
	armPart(t, j, "msg_1", partFile)
	rowOf(t, j, "msg_1", partFile, sentRow)
	sweep(keptStaged - time.Minute)
	if !st.there(rel) {
		t.Error("it is gone too soon")
	}
	sweep(keptStaged + time.Minute)
	if st.there(rel) || partOf(t, j, "msg_1", partFile).staged != "" {
		t.Error("it was kept")
	}
	if err := (stage{filepath.Join(t.TempDir(), "nothing")}).sweep(nil, noon); err != nil {
		t.Error(err)
	}
}

// TestFileUnderWayIsKept: a row that is there and not sent yet reads from the file.
func TestFileUnderWayIsKept(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	give(t, j, withFile("msg_1", ""))
	stageFor(t, j, "msg_1")
	armPart(t, j, "msg_1", partFile)
	rowOf(t, j, "msg_1", partFile, func(*chatdb.Message) {})
	needed, err := j.neededFiles(t.Context(), noon.Add(2*keptStaged))
	if err != nil || !needed["bluerelay/x"] {
		t.Errorf("%v, %v", needed, err)
	}
}

// TestFolderThatCannotBeMade is an error, not a panic.
func TestFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (stage{root}).create("a"); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
