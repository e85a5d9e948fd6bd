package cloud

import (
	"mime"
	"path"
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
