package simulator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// attachment is a file on its way with a message. Path lies below the
// Attachments folder: kept where the file was already there, a copy otherwise.
type attachment struct {
	GUID       string
	Path       string
	Name       string
	Bytes      int64
	Unreadable bool // gone or not readable when Messages came to copy it
}

// Values of attachment.transfer_state.
const (
	transferWaiting  = 0
	transferRunning  = 3
	transferFinished = 5
	transferFailed   = 6
)

// errNoFile is returned for what is no readable regular file.
var errNoFile = errors.New("not a readable file")

// takeFile makes an attachment of the file at path for the message guid.
// Messages reads the file itself, so a relay may not remove it at once; a file
// below Attachments already is used where it lies.
func takeFile(root, path, guid string) (*attachment, error) {
	a := &attachment{
		GUID: "at_0_" + guid,
		Path: path,
		Name: filepath.Base(path),
	}
	size, err := regularFile(path)
	if err != nil {
		return a, err
	}
	a.Bytes = size
	if below(root, path) {
		return a, nil
	}
	a.Path = filepath.Join(root, strings.ToLower(guid[:2]), strings.ToLower(guid[2:4]), a.GUID, a.Name)
	if err := copyFile(a.Path, path); err != nil {
		return a, fmt.Errorf("copy attachment: %w", err)
	}
	return a, nil
}

// steps is how an attachment follows its message: its row and join after the
// message's, then its transfer.
func (a *attachment) steps() []step {
	if a == nil {
		return nil
	}
	end := doArrive
	if a.Unreadable {
		end = doBreak
	}
	return []step{
		{Do: doAttach, After: attachDelay},
		{Do: doTransfer, After: transferDelay},
		{Do: end, After: transferDelay},
	}
}

// kind gives the uniform type identifier and MIME type by the name's ending.
// Core Audio files have no MIME type in chat.db.
func (a *attachment) kind() (uti string, mime any) {
	switch strings.ToLower(filepath.Ext(a.Name)) {
	case ".jpg", ".jpeg":
		return "public.jpeg", "image/jpeg"
	case ".png":
		return "public.png", "image/png"
	case ".gif":
		return "com.compuserve.gif", "image/gif"
	case ".heic":
		return "public.heic", "image/heic"
	case ".webp":
		return "org.webmproject.webp", "image/webp"
	case ".mov":
		return "com.apple.quicktime-movie", "video/quicktime"
	case ".mp4":
		return "public.mpeg-4", "video/mp4"
	case ".m4a":
		return "com.apple.m4a-audio", "audio/x-m4a"
	case ".mp3":
		return "public.mp3", "audio/mpeg"
	case ".caf":
		return "com.apple.coreaudio-format", nil
	case ".pdf":
		return "com.adobe.pdf", "application/pdf"
	case ".txt":
		return "public.plain-text", "text/plain"
	case ".vcf":
		return "public.vcard", "text/vcard"
	default:
		return "public.data", "application/octet-stream"
	}
}

func regularFile(path string) (size int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, errors.Join(errNoFile, err)
	}
	if !info.Mode().IsRegular() {
		return 0, errNoFile
	}
	return info.Size(), nil
}

func below(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel) && rel != "."
}

func copyFile(to, from string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return errors.Join(errNoFile, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
