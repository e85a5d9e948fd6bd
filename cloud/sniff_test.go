package cloud

import (
	"strings"
	"testing"
	"unicode/utf8"

	"bluerelay/wire"
)

func TestSniffType(t *testing.T) {
	box := func(brand string) string { return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00" }
	for head, want := range map[string]string{
		"\xff\xd8\xff\xe0": "image/jpeg", "\x89PNG\r\n\x1a\n": "image/png", "GIF89a": "image/gif", "RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp", "BM\x00": "image/bmp",
		box("heic"): "image/heic", box("mif1"): "image/heif", box("avif"): "image/avif", box("qt  "): "video/quicktime", box("mp42"): "video/mp4", box("M4A "): "audio/mp4", box("3gp4"): "video/3gpp",
		"II*\x00": "image/tiff", "MM\x00*": "image/tiff", "caff\x00\x01": "audio/x-caf", "#!AMR\n": "audio/amr", "ID3\x03": "audio/mpeg", "\xff\xfb\x90": "audio/mpeg", "\xff\xf1\x50": "audio/aac",
		"RIFF\x00\x00\x00\x00WAVEfmt ": "audio/wav", "FORM\x00\x00\x00\x00AIFF": "audio/aiff", "%PDF-1.7": "application/pdf", "PK\x03\x04": "application/zip",
		"hello": "text/plain", "BEGIN:VCARD\r\n": "text/vcard", "\xef\xbb\xbfbegin:vcalendar\n": "text/calendar",
		"<!DOCTYPE html>": "", "<html>": "", "<?xml version=\"1.0\"?><svg/>": "", "\x7fELF\x02\x01": "", "MZ\x90\x00\x03": "", "\xca\xfe\xba\xbe\x00": "", "\x1f\x8b\x08": "", "\x1aE\xdf\xa3": "", box("jp2 "): "",
	} {
		if got, ok := sniffType([]byte(head), "image/png"); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %t, want %q", head, got, ok, want)
		}
	}
	for said, want := range map[string]string{"text/csv; charset=utf-8": "text/csv", "text/html": "text/plain", "application/x-sh": "text/plain", "": "text/plain"} {
		if got, ok := sniffType([]byte("a,b\n"), said); !ok || got != want {
			t.Errorf("said to be %q: %q", said, got)
		}
	}
}

func TestFileName(t *testing.T) {
	for _, c := range []struct{ name, mime, want string }{
		{"cat.jpg", "image/jpeg", "cat.jpg"}, {"cat.JPEG", "image/jpeg", "cat.JPEG"}, {"cat.png", "image/jpeg", "cat.jpg"}, {"cat", "image/jpeg", "cat.jpg"}, {"", "image/jpeg", "file.jpg"},
		{"run.command", "text/plain", "run.txt"}, {"../../x.pdf", "application/pdf", "x.pdf"}, {".bashrc", "text/plain", "bashrc.txt"}, {"a b.heif", "image/heic", "a_b.heif"},
		{"/", "video/mp4", "file.mp4"}, {".", "video/mp4", "file.mp4"}, {"invoice.pdf\u202egpj.exe", "application/pdf", "invoice.pdfgpj.pdf"},
		{strings.Repeat("é", 300) + ".jpg", "image/jpeg", strings.Repeat("é", 98) + ".jpg"},
	} {
		if got := fileName(c.name, c.mime); got != c.want {
			t.Errorf("%q of %s: %q, want %q", c.name, c.mime, got, c.want)
		}
	}
}

// Whatever comes from outside, the type is one of the list and the name one that a
// relay may write to its disk.
func FuzzFetchedFile(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff"), "image/jpeg", "a.jpg")
	f.Add([]byte("\x00\x00\x00\x18ftypheic"), "", "../a")
	f.Add([]byte("hello"), "text/csv; x=\"", strings.Repeat("x", 400)+".verylongendingindeed")
	f.Fuzz(func(t *testing.T, head []byte, said, name string) {
		kind, ok := sniffType(head, said)
		if !ok {
			return
		}
		if cleanType(kind) != kind {
			t.Fatalf("%q is not of the list", kind)
		}
		got := fileName(name, kind)
		if got == "" || len(got) > wire.MaxMediaName || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00\"") || strings.HasPrefix(got, ".") {
			t.Fatalf("%q", got)
		}
		if again := fileName(got, kind); again != got {
			t.Fatalf("%q became %q", got, again)
		}
	})
}
