package cloud

import (
	"encoding/hex"
	"mime"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"bluerelay/wire"
)

// A digest is read or refused, and what is read is 32 bytes in hex.
func FuzzDigest(f *testing.F) {
	for _, s := range []string{"", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "sha-256=::", "sha-256=:", "sha-512=:47DE:", "sha-256=:AAAA:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		hash, err := readDigest(header)
		if sum, herr := hex.DecodeString(hash); err == nil && (herr != nil || len(sum) != 32) {
			t.Errorf("%q is read as %q", header, hash)
		}
	})
}

// Whatever name somebody gave, it is one element of a path and of a header.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a/b", `..\..\x.exe`, ".htaccess", "a\r\nb: c", "\x00", "été.jpg", strings.Repeat("é", 300) + ".jpeg", "x." + strings.Repeat("y", 300), "a\u202egpj.exe", `"q"`, "\xff\xfe", " ", "a b.c"} {
		f.Add(s, "image/jpeg")
	}
	f.Fuzz(func(t *testing.T, name, kind string) {
		got := cleanName(name, kind)
		switch {
		case got == "" || got == "." || got == "..", got != path.Base(got), strings.HasPrefix(got, "."):
			t.Errorf("%q becomes %q, which is not a name", name, got)
		case len(got) > wire.MaxMediaName, !utf8.ValidString(got), strings.ContainsAny(got, "\"\\\r\n\x00"):
			t.Errorf("%q becomes %q", name, got)
		case cleanName(got, kind) != got:
			t.Errorf("%q becomes %q and then %q", name, got, cleanName(got, kind))
		}
		u, err := url.Parse("https://blue.example/media/t/" + url.PathEscape(got))
		if err != nil || u.Path != "/media/t/"+got {
			t.Errorf("%q does not survive in an address: %v", got, err)
		}
		if mime.FormatMediaType("attachment", map[string]string{"filename": got}) == "" {
			t.Errorf("%q cannot be in a header", got)
		}
		if _, known := mediaTypes[cleanType(kind)]; !known && cleanType(kind) != unknownType {
			t.Errorf("%q is served as %q", kind, cleanType(kind))
		}
	})
}
