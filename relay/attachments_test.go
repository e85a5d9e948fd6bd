package relay

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// Only plain files below the folder are opened, however a row names them.
func TestOpenAttachment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "Attachments")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "ab", "01"), 0o700))
	must(os.WriteFile(filepath.Join(root, "ab", "01", "photo.jpg"), []byte("picture"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	must(os.Symlink(filepath.Join(dir, "secret"), filepath.Join(root, "out")))
	must(os.Symlink("ab/01/photo.jpg", filepath.Join(root, "in")))
	must(os.Symlink("ab", filepath.Join(root, "folder")))
	must(os.Symlink(root, filepath.Join(dir, "link")))
	must(syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	chatDB := filepath.Join(dir, "chat.db")
	must(os.WriteFile(chatDB, nil, 0o600))
	a := attachments{root: root, chatDB: chatDB}
	for name, want := range map[string]error{
		"~/Library/Messages/Attachments/ab/01/photo.jpg":    nil,
		filepath.Join(root, "ab/01/photo.jpg"):              nil,
		filepath.Join(root, "ab/../ab/01/photo.jpg"):        nil,
		"~/Library/Messages/Attachments/ab/01/gone.jpg":     fs.ErrNotExist,
		"~/Library/Messages/Attachments/../secret":          errForbidden,
		"~/Library/Messages/Attachments/ab/../../../secret": errForbidden,
		"~/Library/Messages/StickerCache/x":                 errForbidden,
		"~/../../etc/passwd":                                errForbidden,
		filepath.Join(dir, "secret"):                        errForbidden,
		root + "/../secret":                                 errForbidden,
		root:                                                errForbidden,
		"/etc/passwd":                                       errForbidden,
		"ab/01/photo.jpg":                                   errForbidden,
		"":                                                  errForbidden,
		"~":                                                 errForbidden,
		filepath.Join(root, "out"):                          errForbidden,
		filepath.Join(root, "in"):                           errForbidden,
		filepath.Join(root, "folder/01/photo.jpg"):          errForbidden,
		filepath.Join(root, "pipe"):                         errForbidden,
		filepath.Join(root, "ab"):                           errForbidden,
		"~/Library/Messages/Attachments/ab/01/photo.jpg\x00.x": errForbidden,
	} {
		f, info, err := a.open(name)
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
		if err != nil {
			if strings.Contains(err.Error(), "photo") || strings.Contains(err.Error(), "gone.jpg") {
				t.Errorf("the error names the file: %v", err)
			}
			continue
		}
		data, err := io.ReadAll(f)
		if err != nil || string(data) != "picture" || info.Size() != 7 {
			t.Errorf("%q: %q, %v", name, data, err)
		}
		f.Close()
	}
	// A folder that is reached by a link, as /var is on a Mac.
	linked := attachments{root: filepath.Join(dir, "link"), chatDB: chatDB}
	if f, _, err := linked.open(filepath.Join(root, "ab/01/photo.jpg")); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// ~ is the home of whoever owns chat.db.
func TestHomeOfTheOwner(t *testing.T) {
	t.Parallel()
	chatDB := filepath.Join(t.TempDir(), "chat.db")
	if err := os.WriteFile(chatDB, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := attachments{chatDB: chatDB}
	home, err := a.home()
	if err != nil || home == "" {
		t.Fatalf("%q, %v", home, err)
	}
	a.root = filepath.Join(home, "Somewhere")
	if rel, err := a.relative("~/Somewhere/a/b"); err != nil || rel != filepath.Join("a", "b") {
		t.Errorf("%q, %v", rel, err)
	}
}

// No name of a row leads out of the folder.
func FuzzAttachmentPath(f *testing.F) {
	for _, s := range []string{"~/Library/Messages/Attachments/a/b", "~/Library/Messages/Attachments/../x", "/root/a", "/root/../x", "~/x", "..", "", "//root//a", "~/Library/Messages/Attachments//etc"} {
		f.Add(s)
	}
	a := attachments{root: "/root", chatDB: "/nowhere/chat.db"}
	f.Fuzz(func(t *testing.T, name string) {
		rel, err := a.relative(name)
		if err == nil && (!filepath.IsLocal(rel) || rel != filepath.Clean(rel)) {
			t.Errorf("%q leads to %q", name, rel)
		}
	})
}

func TestTypesAreNamedRightly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a    chatdb.Attachment
		want string
	}{
		{chatdb.Attachment{UTI: "com.apple.coreaudio-format", TransferName: "Audio Message.caf"}, "audio/x-caf"},
		{chatdb.Attachment{UTI: "public.heic", MIME: "image/jpeg", TransferName: "IMG.HEIC"}, "image/heic"},
		{chatdb.Attachment{UTI: "dyn.age80", MIME: "Image/PNG"}, "image/png"},
		{chatdb.Attachment{TransferName: "VOICE.CAF"}, "audio/x-caf"},
		{chatdb.Attachment{Filename: "~/Library/Messages/Attachments/a/IMG.heic"}, "image/heic"},
		{chatdb.Attachment{UTI: "com.apple.m4a-audio", MIME: "audio/x-m4a"}, "audio/mp4"},
		{chatdb.Attachment{TransferName: "what"}, "application/octet-stream"},
		{chatdb.Attachment{}, "application/octet-stream"},
	} {
		if got := mimeOf(c.a); got != c.want {
			t.Errorf("%+v is %s, want %s", c.a, got, c.want)
		}
	}
}

func TestMediaOfAMessage(t *testing.T) {
	t.Parallel()
	run := func(guid string) chatdb.Run { return chatdb.Run{Attachment: guid} }
	row := func(guid string) chatdb.Attachment {
		return chatdb.Attachment{GUID: guid, TransferName: guid + ".txt", TotalBytes: -1}
	}
	ids := func(m chatdb.Message) (list []string) {
		for _, v := range mediaOf(m) {
			list = append(list, v.ID)
		}
		return list
	}
	hidden := row("H")
	hidden.Hidden = true
	m := chatdb.Message{Body: chatdb.Body{Runs: []chatdb.Run{run("B"), {}, run("Z"), run("A"), run("H"), run("B"), run(".."), run(strings.Repeat("x", 300))}},
		Attachments: []chatdb.Attachment{row("A"), row("B"), row("C"), hidden}}
	if got := strings.Join(ids(m), " "); got != "B Z A C" {
		t.Errorf("the files are %s", got)
	}
	m.Balloon = "com.apple.messages.URLBalloonProvider"
	if got := strings.Join(ids(m), " "); got != "B A C" {
		t.Errorf("the files of a balloon are %s", got)
	}
	var many chatdb.Message
	for range 3 * wire.MaxMedia {
		many.Attachments = append(many.Attachments, row("G"+strings.Repeat("x", len(many.Attachments)%190)+string(rune('a'+len(many.Attachments)/190))))
	}
	if got := len(mediaOf(many)); got != wire.MaxMedia {
		t.Errorf("%d files are announced", got)
	}
	for i := range many.Attachments {
		many.Attachments[i].GUID = strings.Repeat("<", 150) + many.Attachments[i].GUID[max(0, len(many.Attachments[i].GUID)-40):] + string(rune('a'+i%26))
		many.Attachments[i].TransferName = strings.Repeat("<", 300)
	}
	report := wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "G", Media: mediaOf(many), Text: strings.Repeat("<", 1<<20)}}
	if data, err := encodeReport(report); err != nil || len(data) > wire.MaxFrame {
		t.Errorf("a report of %d bytes, %v", len(data), err)
	}
	long := chatdb.Attachment{TransferName: "a\n" + strings.Repeat("é", 300) + ".jpeg"}
	if got := displayName(long); len(got) > wire.MaxMediaName || !strings.HasSuffix(got, "é.jpeg") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}
