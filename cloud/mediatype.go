package cloud

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bluerelay/wire"
)

// unknownType is what a browser offers to save and does nothing else with.
const unknownType = "application/octet-stream"

// mediaTypes are the types that are served as what they claim to be, each with the
// ending of a name. Whatever could run in a browser is none of them.
var mediaTypes = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/heic": ".heic", "image/heif": ".heif",
	"image/heic-sequence": ".heics", "image/tiff": ".tiff", "image/bmp": ".bmp", "image/avif": ".avif",
	"audio/mp4": ".m4a", "audio/mpeg": ".mp3", "audio/aac": ".aac", "audio/wav": ".wav", "audio/aiff": ".aiff", "audio/amr": ".amr", "audio/x-caf": ".caf",
	"video/mp4": ".mp4", "video/quicktime": ".mov", "video/3gpp": ".3gp",
	"application/pdf": ".pdf", "application/zip": ".zip", "text/plain": ".txt", "text/vcard": ".vcf", "text/calendar": ".ics", "text/csv": ".csv",
}

// cleanType is a type of the list, without parameters, or unknownType.
func cleanType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if _, known := mediaTypes[t]; err != nil || !known {
		return unknownType
	}
	return t
}

// shownInline tells whether a browser may show the file itself.
func shownInline(mime string) bool {
	kind, _, _ := strings.Cut(mime, "/")
	return kind == "image" || kind == "audio" || kind == "video"
}

// cleanName makes a name that another person gave into one element of a path and of
// a header: nothing but printable characters, no separator, no dot in front. It
// never fails and never gives "".
func cleanName(name, mime string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '"' || !unicode.IsPrint(r) {
			return -1
		}
		if r == ' ' {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(name, ".")
	if name == "" {
		return "file" + mediaTypes[cleanType(mime)]
	}
	ext := path.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	return clipText(strings.TrimSuffix(name, ext), wire.MaxMediaName-len(ext)) + ext
}

// clipText bounds a text in bytes without cutting a character.
func clipText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// sniffLength is how much of a file its type is told by, in bytes.
const sniffLength = 512

// sniffType is the type of a file that somebody wants sent, by its first bytes. What it
// is said to be counts only among kinds of plain text. It is false for a type that is
// not of the list: nothing else is handed to anybody's Messages.
func sniffType(head []byte, said string) (string, bool) {
	if t := sniffBox(head); t != "" {
		return t, true
	}
	t, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	if t == "text/plain" {
		t = sniffText(head, said)
	}
	if other, ok := sameTypes[t]; ok {
		t = other
	}
	_, known := mediaTypes[t]
	return t, known
}

// sameTypes are other names for types of the list.
var sameTypes = map[string]string{"audio/wave": "audio/wav"}

// brands are the kinds of files that begin with a box "ftyp" (ISO 14496-12), by their
// major brand.
var brands = map[string]string{
	"heic": "image/heic", "heix": "image/heic", "heim": "image/heic", "heis": "image/heic", "mif1": "image/heif", "msf1": "image/heic-sequence",
	"hevc": "image/heic-sequence", "hevx": "image/heic-sequence", "avif": "image/avif", "qt  ": "video/quicktime",
	"M4A ": "audio/mp4", "M4B ": "audio/mp4", "M4V ": "video/mp4", "isom": "video/mp4", "iso2": "video/mp4", "iso5": "video/mp4", "iso6": "video/mp4",
	"mp41": "video/mp4", "mp42": "video/mp4", "avc1": "video/mp4", "dash": "video/mp4", "mmp4": "video/mp4",
}

// sniffBox knows what net/http does not, or not exactly.
func sniffBox(head []byte) string {
	switch {
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		brand := string(head[8:12])
		if strings.HasPrefix(brand, "3g") {
			return "video/3gpp"
		}
		return brands[brand]
	case bytes.HasPrefix(head, []byte("caff")):
		return "audio/x-caf"
	case bytes.HasPrefix(head, []byte("#!AMR")):
		return "audio/amr"
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return "image/tiff"
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xf6 == 0xf0:
		return "audio/aac"
	case len(head) >= 2 && head[0] == 0xff && head[1]&0xe6 == 0xe2:
		return "audio/mpeg"
	}
	return ""
}

func sniffText(head []byte, said string) string {
	start := strings.ToUpper(string(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n")))
	switch {
	case strings.HasPrefix(start, "BEGIN:VCARD"):
		return "text/vcard"
	case strings.HasPrefix(start, "BEGIN:VCALENDAR"):
		return "text/calendar"
	case cleanType(said) == "text/csv":
		return "text/csv"
	}
	return "text/plain"
}

// otherEndings are endings of names that a type has beside its own.
var otherEndings = map[string][]string{
	"image/jpeg": {".jpeg", ".jpe"}, "image/tiff": {".tif"}, "image/heif": {".heic"}, "image/heic": {".heif"}, "audio/aiff": {".aif", ".aifc"},
	"audio/mp4": {".m4b", ".mp4"}, "video/mp4": {".m4v"}, "video/quicktime": {".qt"}, "text/plain": {".text", ".log", ".md"},
}

// fileName is a clean name whose ending is one of the type: the recipient's system
// opens a file by its ending.
func fileName(name, mime string) string {
	name = cleanName(name, mime)
	ending := mediaTypes[mime]
	ext := path.Ext(name)
	if lower := strings.ToLower(ext); lower == ending || slices.Contains(otherEndings[mime], lower) {
		return name
	}
	base := strings.TrimSuffix(name, ext)
	if base == "" {
		base = "file"
	}
	return clipText(base, wire.MaxMediaName-len(ending)) + ending
}
