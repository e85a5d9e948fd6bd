package cloud

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"bluerelay/cloud/store"
)

// The codes of messages whose file was not fit to be sent.
const (
	mediaUnavailable = "media_unavailable"
	mediaTooLarge    = "media_too_large"
	mediaType        = "media_type"
)

// unfit says why a file will never be sent, whatever else is tried.
type unfit struct {
	code string
	text string // one sentence for the sender
}

func (e *unfit) Error() string { return e.text }

// source is where a file is fetched from.
type source struct {
	client *http.Client
	store.Fetch
}

// load brings a file into the folder, where it is whole and on disk when load returns
// nil, and describes it. An error that is not unfit may pass.
func (f *fetcher) load(ctx context.Context, from source) (store.Media, error) {
	v, err := f.store.MediaByID(ctx, from.MediaID)
	if err != nil {
		return v, err
	}
	if from.CopyOf != "" {
		if v, ok, err := f.copied(ctx, v, from.CopyOf); ok || err != nil {
			return v, err
		}
	}
	if token, name, own := f.ownPath(from.URL); own {
		return f.fromFolder(ctx, v, token, name, from.MaxBytes)
	}
	return f.download(ctx, from, v)
}

// download brings a file from its server.
func (f *fetcher) download(ctx context.Context, from source, v store.Media) (store.Media, error) {
	resp, err := from.get(ctx)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	return f.fit(v, givenName(resp), resp.Header.Get("Content-Type"), resp.Body, from.MaxBytes)
}

// fit brings the bytes of a file into the folder and gives it a type by them and a name
// that fits the type. It refuses what is not sent to anybody.
func (s *Service) fit(v store.Media, name, said string, body io.Reader, most int64) (store.Media, error) {
	head, err := s.write(&v, body, most)
	if err != nil {
		return v, err
	}
	kind, ok := sniffType(head, said)
	if !ok {
		return v, &unfit{mediaType, "The file at 'media_url' is of a type that is not sent: pictures, sound, video, PDF, ZIP, plain text, contacts and calendars are."}
	}
	v.MIME, v.Name = kind, fileName(name, kind)
	return v, nil
}

// get asks for the file. What the other side refuses for good is unfit.
func (from source) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.URL, nil)
	if err != nil {
		return nil, &unfit{mediaUnavailable, "The 'media_url' cannot be asked for."}
	}
	req.Header.Set("User-Agent", "bluecloud")
	resp, err := from.client.Do(req)
	if err != nil {
		return nil, judge(err)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusOK && resp.ContentLength > from.MaxBytes:
		err = tooLarge(from.MaxBytes)
	case status == http.StatusOK:
		return resp, nil
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500:
		err = fmt.Errorf("the server answered with %d", status)
	default:
		err = &unfit{mediaUnavailable, fmt.Sprintf("The file at 'media_url' could not be fetched: the server answered with %d.", status)}
	}
	resp.Body.Close()
	return nil, err
}

// judge tells what another try cannot mend from what it may.
func judge(err error) error {
	if errors.Is(err, ErrForbiddenAddress) {
		return &unfit{mediaUnavailable, "The file at 'media_url' could not be fetched: its address is not a public one, or its port not one of the web."}
	}
	if errors.Is(err, errRedirected) {
		return &unfit{mediaUnavailable, "The file at 'media_url' could not be fetched: it is redirected too often, or not to HTTPS."}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &unfit{mediaUnavailable, "The file at 'media_url' could not be fetched: the certificate of its server is not valid."}
	}
	return err
}

func tooLarge(most int64) error {
	size := fmt.Sprintf("%d bytes", most)
	if most%(1<<20) == 0 {
		size = fmt.Sprintf("%d MB", most>>20)
	}
	return &unfit{mediaTooLarge, "The file at 'media_url' is larger than " + size + "."}
}

// write brings the bytes into the folder, sets size and hash of v, and returns what the
// file begins with.
func (s *Service) write(v *store.Media, body io.Reader, most int64) (head []byte, err error) {
	if err := s.folder.remove(v.ID); err != nil {
		return nil, err
	}
	part, err := s.folder.part(v.ID)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(part, sum), io.LimitReader(body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the file: %w", err)
	case n > most:
		return nil, tooLarge(most)
	case n == 0:
		return nil, &unfit{mediaUnavailable, "The file at 'media_url' is empty."}
	}
	head = make([]byte, min(n, sniffLength))
	if _, err := part.ReadAt(head, 0); err != nil {
		return nil, err
	}
	v.Size, v.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	return head, s.folder.finish(v.ID, part, v.Size, v.SHA256)
}

// copied takes the file of the message that is sent again, if it is still here: its URL
// may have ended meanwhile.
func (f *fetcher) copied(ctx context.Context, v store.Media, messageID string) (store.Media, bool, error) {
	old, err := f.store.Outgoing(ctx, messageID)
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	file, err := f.folder.open(old.ID)
	if err != nil {
		return v, false, nil // it is fetched again
	}
	defer file.Close()
	if _, err := f.write(&v, file, old.Size); err != nil {
		return v, false, err
	}
	v.Name, v.MIME = old.Name, old.MIME
	return v, true, nil
}

// givenName is how the other side calls the file.
func givenName(resp *http.Response) string {
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		return params["filename"]
	}
	return strings.Trim(path.Base(resp.Request.URL.Path), "/")
}
