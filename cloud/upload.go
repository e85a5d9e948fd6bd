package cloud

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// uploadChunk is how much of an upload is in memory at a time, in bytes.
const uploadChunk = 128 << 10

// upload is what a relay says of a file that it sends, and what is known of it.
type upload struct {
	relay   store.Relay
	message store.Message
	media   store.Media // zero where it was never announced
	guid    string
	variant string
	size    int64
	hash    string // hex, "" where the relay only asks
}

// refused is a request of a relay that cannot be served; the relay sees status and
// text.
type refused struct {
	status int
	text   string
}

func (e *refused) Error() string { return e.text }

// serveUpload answers HEAD, PUT and DELETE of one file.
func (s *Service) serveUpload(w http.ResponseWriter, r *http.Request) {
	err := s.upload(w, r)
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*refused](err); ok {
		http.Error(w, e.text, e.status)
		return
	}
	status := http.StatusServiceUnavailable
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrNoSpace) {
		status = http.StatusInsufficientStorage
	}
	if r.Context().Err() == nil {
		s.log.Error("upload.failed", "error", err.Error())
	}
	http.Error(w, http.StatusText(status), status)
}

func (s *Service) upload(w http.ResponseWriter, r *http.Request) error {
	relay, err := s.relayOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	// The line's own name for the file: others wait for nobody here.
	key := relay.LineID + "\x00" + q.Get("message") + "\x00" + r.PathValue("id") + "\x00" + q.Get("variant")
	in := &intake{body: r.Body, rc: http.NewResponseController(w), stall: s.cfg.MediaStall}
	end, ok := s.transfers.begin(key, in.cut)
	if !ok {
		in.cut()
		return errCut
	}
	defer end()
	u, err := s.readUpload(r, q, relay)
	if err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodDelete:
		return s.giveUp(w, r, u)
	case u.media.State == store.MediaStored:
		return answerUpload(w, http.StatusOK, u.media.Size, true)
	case r.Method == http.MethodHead:
		offset, err := s.uploaded(u)
		if err != nil {
			return err
		}
		return answerUpload(w, http.StatusOK, offset, false)
	}
	return s.receiveFile(w, r, u, in)
}

// readUpload finds the file that a request is about. The message must be one of the
// relay's own line; everything else does not exist for it.
func (s *Service) readUpload(r *http.Request, q url.Values, relay store.Relay) (u upload, err error) {
	u = upload{relay: relay, guid: r.PathValue("id"), variant: q.Get("variant")}
	if !validMediaID(u.guid) || u.variant != "" && u.variant != wire.VariantJPEG && u.variant != wire.VariantM4A {
		return u, &refused{http.StatusBadRequest, "no such file is possible"}
	}
	if digest := r.Header.Get(wire.HeaderDigest); digest != "" || r.Method == http.MethodPut {
		if u.hash, err = readDigest(digest); err != nil {
			return u, err
		}
		u.size, err = strconv.ParseInt(r.Header.Get(wire.HeaderLength), 10, 64)
		if err != nil || u.size < 0 {
			return u, &refused{http.StatusBadRequest, "the length is missing"}
		}
		if u.size > wire.MaxMediaBytes {
			return u, &refused{http.StatusRequestEntityTooLarge, "the file is too large"}
		}
	}
	u.message, err = s.store.MessageByGUID(r.Context(), relay.LineID, q.Get("message"))
	if errors.Is(err, store.ErrNotFound) {
		return u, &refused{http.StatusNotFound, "the message is not known yet"}
	}
	if err != nil {
		return u, fmt.Errorf("find the message: %w", err)
	}
	if ordered(u.message) {
		return u, &refused{http.StatusNotFound, "the message has its files from here"}
	}
	u.media, err = s.store.Media(r.Context(), u.message.ID, u.guid, u.variant)
	if errors.Is(err, store.ErrNotFound) {
		return u, nil
	}
	return u, err
}

func readDigest(header string) (string, error) {
	bad := &refused{http.StatusBadRequest, "the digest is missing or not of SHA-256"}
	value, ok := strings.CutPrefix(header, "sha-256=:")
	if !ok {
		return "", bad
	}
	value, ok = strings.CutSuffix(value, ":")
	sum, err := base64.StdEncoding.DecodeString(value)
	if !ok || err != nil || len(sum) != 32 {
		return "", bad
	}
	return hex.EncodeToString(sum), nil
}

// uploaded is how much of that very file is there: what came of another file under
// the same name does not count.
func (s *Service) uploaded(u upload) (int64, error) {
	if u.media.ID == "" || u.hash == "" || u.media.SHA256 != u.hash || u.media.Size != u.size {
		return 0, nil
	}
	return s.folder.size(u.media.ID)
}

func answerUpload(w http.ResponseWriter, status int, offset int64, complete bool) error {
	w.Header().Set(wire.HeaderOffset, strconv.FormatInt(offset, 10))
	if complete {
		w.Header().Set(wire.HeaderComplete, "?1")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return nil
}

// receiveFile takes the rest of a file and stores it once it is whole.
func (s *Service) receiveFile(w http.ResponseWriter, r *http.Request, u upload, in *intake) error {
	offset, err := s.uploaded(u)
	if err != nil {
		return err
	}
	if said := r.Header.Get(wire.HeaderOffset); said != strconv.FormatInt(offset, 10) {
		return answerUpload(w, http.StatusConflict, offset, false)
	}
	if offset == 0 {
		if u.media, err = s.beginUpload(r, u); err != nil {
			return err
		}
	}
	part, err := s.folder.part(u.media.ID)
	if err != nil {
		return err
	}
	defer part.Close()
	offset, err = in.append(part, offset, u.size)
	if err != nil {
		return err
	}
	if offset < u.size {
		return answerUpload(w, http.StatusOK, offset, false)
	}
	if err := s.storeFile(r, u, part); err != nil {
		return err
	}
	return answerUpload(w, http.StatusCreated, offset, true)
}

// beginUpload writes down what the file will be, before its first byte is.
func (s *Service) beginUpload(r *http.Request, u upload) (store.Media, error) {
	now := time.Now()
	v := u.media
	if v.ID != "" {
		if err := s.folder.remove(v.ID); err != nil {
			return v, err
		}
	}
	name, mime := r.URL.Query().Get("name"), r.URL.Query().Get("mime")
	err := s.store.Write(r.Context(), func(tx *store.Tx) error {
		if v.ID == "" {
			place, err := placeOf(tx, u)
			if err != nil {
				return err
			}
			v = s.newMedia(u.message, u.guid, u.variant, place, now)
			if err := tx.CreateMedia(v); err != nil {
				return err
			}
		}
		v.Name, v.MIME, v.Size, v.SHA256, v.State = cleanName(name, mime), cleanType(mime), u.size, u.hash, store.MediaPending
		defer fault.Before(fault.CloudUploadBegin)
		return tx.UpdateMedia(v)
	})
	fault.After(fault.CloudUploadBegin)
	return v, err
}

// placeOf is where a file that was not announced comes in its message: a variant
// beside its original, any other after all.
func placeOf(tx *store.Tx, u upload) (int64, error) {
	all, err := tx.MessageMedia(tx.Context(), u.message.ID)
	if err != nil {
		return 0, err
	}
	if len(all) >= 2*wire.MaxMedia {
		return 0, &refused{http.StatusRequestEntityTooLarge, "the message has too many files"}
	}
	next := int64(1)
	for _, v := range all {
		if v.GUID == u.guid {
			return v.Place, nil
		}
		next = max(next, v.Place+1)
	}
	return next, nil
}

// storeFile checks a file that is whole, and shows and tells it.
func (s *Service) storeFile(r *http.Request, u upload, part *os.File) error {
	err := s.folder.finish(u.media.ID, part, u.size, u.hash)
	if errors.Is(err, errOtherBytes) {
		return &refused{http.StatusUnprocessableEntity, err.Error()}
	}
	if err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	now := time.Now()
	// The relay may hang up now; the file is here all the same.
	ctx := context.WithoutCancel(r.Context())
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		defer fault.Before(fault.CloudUploadDone)
		return s.arrived(tx, u.media, now)
	})
	if err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	fault.After(fault.CloudUploadDone)
	s.dispatch.ring()
	s.log.Info("media.stored", "media", u.media.ID, "message", u.message.ID, "variant", u.variant, "bytes", u.size)
	return nil
}

// giveUp notes that a file and its variants will not come.
func (s *Service) giveUp(w http.ResponseWriter, r *http.Request, u upload) error {
	if u.media.ID != "" && u.media.State == store.MediaPending {
		if err := s.folder.remove(u.media.ID); err != nil {
			return err
		}
		now := time.Now()
		if err := s.store.Write(r.Context(), func(tx *store.Tx) error { return s.lostMedia(tx, u.media, now) }); err != nil {
			return fmt.Errorf("give a file up: %w", err)
		}
		s.dispatch.ring()
		s.log.Info("media.given_up", "media", u.media.ID, "message", u.message.ID)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// intake reads the body of an upload for as long as bytes come.
type intake struct {
	body   io.Reader
	rc     *http.ResponseController
	stall  time.Duration
	closed atomic.Bool
}

// errCut makes the relay come again.
var errCut = &refused{http.StatusServiceUnavailable, "the server is stopping, or another connection has taken over"}

// cut ends the reading soon. It is called while the request is served.
func (in *intake) cut() {
	in.closed.Store(true)
	_ = in.rc.SetReadDeadline(time.Now()) // a connection without deadlines ends by itself
}

// Read reads a piece of the body, within the time that an upload may bring nothing. A
// connection that is lost is an error of type refused.
func (in *intake) Read(p []byte) (int, error) {
	_ = in.rc.SetReadDeadline(time.Now().Add(in.stall)) // instead of one for the whole request
	if in.closed.Load() {
		in.cut() // nobody waits for the rest of the body
		return 0, errCut
	}
	n, err := in.body.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		_ = in.rc.SetReadDeadline(time.Time{})
	case in.closed.Load():
		err = errCut
	default:
		err = &refused{http.StatusRequestTimeout, "the connection was lost"}
	}
	return n, err
}

// append writes the body to a part that has offset bytes, and returns how many it
// has then. What came before an error is kept.
func (in *intake) append(part *os.File, offset, size int64) (int64, error) {
	chunk := make([]byte, uploadChunk)
	for {
		n, err := in.Read(chunk)
		if offset+int64(n) > size {
			return offset, &refused{http.StatusBadRequest, "more bytes than announced"}
		}
		written, werr := part.Write(chunk[:n])
		fault.Hit(fault.CloudPart)
		offset += int64(written)
		if werr != nil {
			return offset, werr
		}
		if errors.Is(err, io.EOF) {
			return offset, nil
		}
		if err != nil {
			return offset, err
		}
	}
}
