package relay

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// Values of attachment.transfer_state that decide something; all others are on the
// way (reference: attachments, transfer_state).
const (
	transferFinished = 5
	transferFailed   = 6
)

// payloadExt ends the names of what apps and link previews bring along for
// themselves.
const payloadExt = ".pluginpayloadattachment"

// forPeople tells files that somebody sent from payloads of apps and previews.
func forPeople(a chatdb.Attachment) bool {
	payload := strings.HasSuffix(strings.ToLower(a.TransferName), payloadExt) || strings.HasSuffix(strings.ToLower(a.Filename), payloadExt)
	return !a.Hidden && !payload
}

// mediaOf lists the files of a message in the order of its body. One that the body
// names and that has no row yet is on its way: its row comes with a later commit.
func mediaOf(m chatdb.Message) []wire.Media {
	var list []wire.Media
	add := func(v wire.Media) {
		known := slices.ContainsFunc(list, func(o wire.Media) bool { return o.ID == v.ID })
		if !known && validMediaID(v.ID) && len(list) < wire.MaxMedia {
			list = append(list, v)
		}
	}
	for _, run := range m.Body.Runs {
		if run.Attachment == "" {
			continue
		}
		a, there := attachmentOf(m, run.Attachment)
		switch {
		case there && forPeople(a):
			add(describe(a))
		case !there && m.Balloon == "":
			add(wire.Media{ID: run.Attachment})
		}
	}
	for _, a := range m.Attachments {
		if forPeople(a) {
			add(describe(a))
		}
	}
	return list
}

// fetch lets the files of a message be sent as soon as Messages has them.
func (f *finding) fetch(m chatdb.Message) {
	for _, v := range mediaOf(m) {
		f.uploads = append(f.uploads, fileID{m.GUID, v.ID})
	}
}

// validMediaID bounds what goes into the path of a request.
func validMediaID(id string) bool {
	return id != "" && len(id) <= wire.MaxMediaID && id != "." && id != ".."
}

func attachmentOf(m chatdb.Message, guid string) (chatdb.Attachment, bool) {
	i := slices.IndexFunc(m.Attachments, func(a chatdb.Attachment) bool { return a.GUID == guid })
	if i < 0 {
		return chatdb.Attachment{}, false
	}
	return m.Attachments[i], true
}

func describe(a chatdb.Attachment) wire.Media {
	return wire.Media{ID: a.GUID, Name: displayName(a), MIME: mimeOf(a), Size: max(a.TotalBytes, 0)}
}

// displayName is the sender's name of a file, without control characters and within
// wire.MaxMediaName, its ending kept.
func displayName(a chatdb.Attachment) string {
	name := a.TransferName
	if name == "" && a.Filename != "" {
		name = filepath.Base(a.Filename)
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if len(name) <= wire.MaxMediaName {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	cut := wire.MaxMediaName - len(ext)
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + ext
}

// mimeOf names the type of a file: by Apple's identifier, which is right where the
// column mime_type is NULL (voice notes) or vague, then by that column, then by the
// name.
func mimeOf(a chatdb.Attachment) string {
	if t := typesByUTI[strings.ToLower(a.UTI)]; t != "" {
		return t
	}
	if a.MIME != "" {
		return strings.ToLower(a.MIME)
	}
	if t := typesByExt[strings.ToLower(filepath.Ext(displayName(a)))]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// typesByUTI are Apple's uniform type identifiers.
var typesByUTI = map[string]string{
	"public.jpeg": "image/jpeg", "public.png": "image/png", "com.compuserve.gif": "image/gif", "org.webmproject.webp": "image/webp", "public.webp": "image/webp",
	"public.heic": "image/heic", "public.heif": "image/heif", "public.heics": "image/heic-sequence", "public.heif-standard": "image/heif", "public.tiff": "image/tiff", "com.microsoft.bmp": "image/bmp", "public.avif": "image/avif",
	"com.apple.coreaudio-format": "audio/x-caf", "com.apple.m4a-audio": "audio/mp4", "public.mpeg-4-audio": "audio/mp4", "public.mp3": "audio/mpeg", "public.aac-audio": "audio/aac",
	"com.microsoft.waveform-audio": "audio/wav", "public.aiff-audio": "audio/aiff", "public.aifc-audio": "audio/aiff", "org.3gpp.adaptive-multi-rate-audio": "audio/amr",
	"com.apple.quicktime-movie": "video/quicktime", "public.mpeg-4": "video/mp4", "com.apple.m4v-video": "video/mp4", "public.3gpp": "video/3gpp",
	"com.adobe.pdf": "application/pdf", "public.zip-archive": "application/zip", "public.plain-text": "text/plain", "public.vcard": "text/vcard", "com.apple.ical.ics": "text/calendar", "public.comma-separated-values-text": "text/csv",
}

// typesByExt are the endings of names, for rows that say nothing else.
var typesByExt = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".heic": "image/heic", ".heif": "image/heif",
	".heics": "image/heic-sequence", ".tif": "image/tiff", ".tiff": "image/tiff", ".bmp": "image/bmp", ".avif": "image/avif",
	".caf": "audio/x-caf", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".aac": "audio/aac", ".wav": "audio/wav", ".aif": "audio/aiff", ".aiff": "audio/aiff", ".amr": "audio/amr",
	".mov": "video/quicktime", ".mp4": "video/mp4", ".m4v": "video/mp4", ".3gp": "video/3gpp",
	".pdf": "application/pdf", ".zip": "application/zip", ".txt": "text/plain", ".vcf": "text/vcard", ".ics": "text/calendar", ".csv": "text/csv",
}
