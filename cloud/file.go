package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Uploads: files that are brought before the message that they are to be sent with.

// File is an uploaded file.
type File struct {
	ID  string
	URL string // for a media_url; it works for Config.MediaLife
	store.Media
}

// The limits of uploads.
const (
	uploadTime = time.Hour        // that one may be on its way
	fetchTime  = 45 * time.Second // for one that this server fetches: clients wait for a minute
)

// Intake is the body of a long request, to be read at the speed of the sender: it fails
// after Config.MediaStall without a byte, and soon when the server stops. end must be
// called when it is read.
func (s *Service) Intake(w http.ResponseWriter, r *http.Request) (body io.Reader, end func(), err error) {
	in := &intake{body: r.Body, rc: http.NewResponseController(w), stall: s.cfg.MediaStall}
	end, ok := s.transfers.begin("", in.cut)
	if !ok {
		return nil, nil, errStopping
	}
	return in, end, nil
}

var errStopping = &Error{Code: Unavailable, Message: "The server is stopping. Try again.", RetryAfter: 5 * time.Second}

// StoreFile stores an uploaded file of at most wire.MaxMediaBytes. What it is called and
// said to be are only hints: its bytes tell its type, and only types that may be sent are
// stored. When it returns nil the file is on disk.
func (s *Service) StoreFile(ctx context.Context, p Principal, name, said string, body io.Reader) (File, error) {
	return s.keepUpload(ctx, p, nil, nil, func(v store.Media) (store.Media, error) {
		return s.fit(v, name, said, body, wire.MaxMediaBytes)
	})
}

// FetchFile stores the file at an address, fetched now, as those of messages are. once
// makes a request that comes again get the first one's answer, *Replay, which answer renders
// inside the transaction; nil for one that takes effect each time.
func (s *Service) FetchFile(ctx context.Context, p Principal, raw string, once *Once, answer func(File) (status int, body []byte, err error)) (File, error) {
	if checkMediaURL(raw) != nil {
		return File{}, Invalid("media_url", "Invalid media URL")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return File{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	end, ok := s.transfers.begin("", cancel)
	if !ok {
		return File{}, errStopping
	}
	defer end()
	place := store.Fetch{MediaID: newID(uploadPrefix), AccountID: p.Account.ID, Host: strings.ToLower(u.Host), URL: raw, MaxBytes: wire.MaxMediaBytes}
	if !s.fetch.take(place) {
		return File{}, &Error{Code: Unavailable, Message: "The server is fetching as many files as it can, or as many of this account's as it does at once. Try again.", RetryAfter: 2 * time.Second}
	}
	defer s.fetch.ring()
	defer s.fetch.give(place)
	return s.keepUpload(ctx, p, once, answer, func(v store.Media) (store.Media, error) {
		v, err := s.fetch.download(ctx, source{s.fetch.client, place}, v)
		if _, final := errors.AsType[*unfit](err); err == nil || final {
			return v, err
		}
		s.log.Warn("upload.not_fetched", "problem", categorize(err))
		return v, &unfit{mediaUnavailable, "The file at 'media_url' could not be fetched."}
	})
}

// uploadPrefix is what ids of uploads begin with: Sendblue's media objects are called so.
const uploadPrefix = "MO_"

// keepUpload makes a file that bring brings. It is in the table before its first byte is
// on disk, so that nothing is left behind by a crash.
func (s *Service) keepUpload(ctx context.Context, p Principal, once *Once, answer func(File) (int, []byte, error), bring func(store.Media) (store.Media, error)) (File, error) {
	now := time.Now()
	v := store.Media{
		ID: newID(uploadPrefix), AccountID: p.Account.ID, Name: cleanName("", ""), MIME: unknownType, Size: wire.MaxMediaBytes,
		State: store.MediaPending, Token: randomText(tokenLength), CreatedAt: now.UnixMilli(), ExpiresAt: now.Add(uploadTime).UnixMilli(),
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		taken, err := tx.UploadedBytes(tx.Context(), p.Account.ID)
		if err != nil {
			return err
		}
		if taken+v.Size > s.cfg.MediaQuota {
			return Invalid("file", "The account's uploaded files take %d MB already, and are kept for %d days.", taken>>20, int(s.cfg.MediaLife.Hours()/24))
		}
		return tx.CreateUpload(v)
	})
	if err != nil {
		return File{}, err
	}
	stored, err := bring(v)
	ctx = context.WithoutCancel(ctx) // what was begun is brought to an end
	if err != nil {
		return File{}, errors.Join(s.uploadError(err), s.dropUpload(ctx, v))
	}
	stored.State, stored.ExpiresAt = store.MediaStored, now.Add(s.cfg.MediaLife).UnixMilli()
	f := File{ID: stored.ID + path.Ext(stored.Name), URL: s.cfg.PublicURL + stored.Path(), Media: stored}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.replay(tx.Context(), tx, p, once); err != nil {
			return err
		}
		if err := tx.UpdateUpload(stored); err != nil {
			return err
		}
		return once.keep(tx, p, now, func() (int, []byte, error) { return answer(f) })
	})
	if again, ok := errors.AsType[*Replay](err); ok { // another try of the request was quicker
		s.seenAgain(ctx, p, once, err)
		return File{}, errors.Join(again, s.dropUpload(ctx, v))
	}
	if err != nil {
		return File{}, fmt.Errorf("store an upload: %w", err)
	}
	s.log.Info("upload.stored", "media", stored.ID, "bytes", stored.Size)
	return f, nil
}

// uploadError turns what went wrong with an upload into words for whoever sent it.
func (s *Service) uploadError(err error) error {
	if bad, ok := errors.AsType[*unfit](err); ok {
		return Invalid("", "%s", strings.Replace(bad.text, " at 'media_url'", "", 1))
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok { // our disk, not their connection
		s.log.Error("upload.failed", "error", err.Error())
		return Public(store.ErrNoSpace)
	}
	return Invalid("file", "The file did not come whole.")
}

func (s *Service) dropUpload(ctx context.Context, v store.Media) error {
	if err := s.folder.remove(v.ID); err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.RemoveUpload(v.ID) })
}

// expireUploads removes uploads whose time is over, those that a crash has left half done
// among them. The file goes before its row, as in expireMedia.
func (s *Service) expireUploads(ctx context.Context) error {
	over, err := s.store.ExpiredUploads(ctx, time.Now().UnixMilli(), mediaBatch)
	if err != nil {
		return err
	}
	for _, v := range over {
		if err := s.dropUpload(ctx, v); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// ownPath tells whether an address is one of this server's files, and which: such a file
// is taken from the folder, whatever the guard would say to this server's own address.
func (s *Service) ownPath(raw string) (token, name string, own bool) {
	rest, own := strings.CutPrefix(raw, s.cfg.PublicURL+"/media/")
	if !own {
		return "", "", false
	}
	token, escaped, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return "", "", true // the address of no file
	}
	return token, name, true
}

type fileReader interface {
	MediaByToken(ctx context.Context, token string) (store.Media, error)
	UploadByToken(ctx context.Context, token string) (store.Media, error)
}

// fileAt finds the stored file at a public path, of an account, or of any with "". It
// returns ErrNotFound for one whose time is over.
func fileAt(ctx context.Context, r fileReader, accountID, token, name string, now time.Time) (store.Media, error) {
	v, err := r.MediaByToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		v, err = r.UploadByToken(ctx, token)
	}
	if err == nil && (v.State != store.MediaStored || v.Name != name || v.ExpiresAt <= now.UnixMilli() || accountID != "" && v.AccountID != accountID) {
		err = store.ErrNotFound
	}
	return v, err
}

// fromFolder takes a file of this server, of the same account, for a message.
func (f *fetcher) fromFolder(ctx context.Context, v store.Media, token, name string, most int64) (store.Media, error) {
	gone := &unfit{mediaUnavailable, "The file at 'media_url' is not here any more."}
	old, err := fileAt(ctx, f.store, v.AccountID, token, name, time.Now())
	if errors.Is(err, store.ErrNotFound) {
		return v, gone
	}
	if err != nil {
		return v, err
	}
	file, err := f.folder.open(old.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return v, gone
	}
	if err != nil {
		return v, err
	}
	defer file.Close()
	return f.fit(v, old.Name, old.MIME, file, most)
}
