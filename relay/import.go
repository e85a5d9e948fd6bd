package relay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"bluerelay/chatdb"
	"bluerelay/mac"
	"bluerelay/wire"
)

// Import brings messages of the past to the cloud, because a person asked for it.
// They are stored there as they were, without events.
//
// It may run beside the daemon and leaves to it what is the daemon's: rows above its
// cursor, and those that it has still to report or wait for. What the cloud has
// already it recognises by Apple's guid, so that an import may be repeated.
type Import struct {
	StateDir string
	ChatDB   string
	Since    time.Time // older messages stay on the Mac
	// Progress, unless nil, is called after each part, by the goroutine of Run.
	Progress func(Imported)
	Tools    mac.Tools     // the programs of macOS: the keychain may have the credential
	Retry    time.Duration // first pause before a part is sent again, then doubled: 500 ms

	client *http.Client
}

// Imported counts what an import has done so far, runs before it that were cut short
// not included.
type Imported struct {
	New        int     `json:"new"`        // stored by the cloud
	Known      int     `json:"known"`      // the cloud had them already
	Withheld   int     `json:"withheld"`   // left out by the scope that was chosen at pairing
	Unreadable int     `json:"unreadable"` // on damaged pages, without a text that could be read, or too long
	Files      int     `json:"files"`      // attachments, which stay on the Mac
	Done       float64 `json:"-"`          // the share of rows looked at, 0 to 1
}

const (
	importBatch   = 500 // rows of one part
	importTries   = 6   // of one part, over half a minute
	importTimeout = time.Minute
)

// ErrImporting says that another import runs with this state folder.
var ErrImporting = errors.New("another import is running with this state folder")

// Run imports until all is done or ctx ends, and goes on where a run with the same
// or an earlier date was cut short; after one that was not, it begins anew. The error
// says what a person should do, or is ctx's.
func (im Import) Run(ctx context.Context) (done Imported, err error) {
	credential, err := LoadCredential(im.StateDir)
	if err != nil {
		return done, err
	}
	lock, err := lockFile(filepath.Join(im.StateDir, "import.lock"), ErrImporting)
	if err != nil {
		return done, err
	}
	defer unlockDir(lock)
	claims, err := readClaims(ctx, im.StateDir)
	if err != nil {
		return done, err
	}
	db, err := chatdb.Open(ctx, im.ChatDB)
	if err != nil {
		return done, errors.New(chatDBSentence(err))
	}
	defer db.Close()
	if same, err := sameFile(ctx, db, claims.cursor.Mark); err != nil {
		return done, err
	} else if !same {
		return done, errors.New("the relay has not read this chat.db yet: start it with `bluerelay run`, then import")
	}
	place := bookmark{path: filepath.Join(im.StateDir, importFile), Relay: credential.RelayID, Since: im.Since}
	first, err := place.find(ctx, db)
	if err != nil {
		return done, err
	}
	r := past{db: db, credential: credential, claims: claims, since: im.Since, first: first, now: time.Now()}
	im.client = (&keyring{dir: im.StateDir, tools: im.Tools}).client(credential)
	defer im.client.CloseIdleConnections()
	return im.post(ctx, &r, place)
}

// sameFile tells whether a mark still means what it meant. A row that is gone, or lies on
// damaged pages, is no reason to doubt it within one file.
func sameFile(ctx context.Context, db *chatdb.DB, mark chatdb.Mark) (bool, error) {
	guid, there, err := db.GUIDAt(ctx, mark.RowID)
	if errors.Is(err, chatdb.ErrNotDatabase) || err == nil && (!there || mark.GUID == "") {
		return mark.File == db.File(), nil
	}
	return err == nil && guid == mark.GUID, err
}

// post sends the parts in their order while the next ones are read.
func (im Import) post(ctx context.Context, r *past, place bookmark) (done Imported, err error) {
	ctx, cancel := context.WithCancel(ctx)
	parts := make(chan part, 1)
	var reading sync.WaitGroup
	var readErr error
	reading.Go(func() {
		defer close(parts)
		readErr = r.read(ctx, parts)
	})
	defer reading.Wait()
	defer cancel()
	for p := range parts {
		added := 0
		if p.messages > 0 {
			if added, err = im.send(ctx, r.credential, p); err != nil {
				return done, err
			}
		}
		if err := place.move(p.last); err != nil {
			return done, err
		}
		done.New, done.Known = done.New+added, done.Known+p.messages-added
		done.Withheld, done.Unreadable, done.Files = done.Withheld+p.withheld, done.Unreadable+p.unreadable, done.Files+p.files
		done.Done = p.done
		if im.Progress != nil {
			im.Progress(done)
		}
	}
	reading.Wait()
	if readErr != nil {
		return done, readErr
	}
	return done, place.remove()
}

// errAway is a cloud that may answer better in a moment.
type errAway struct{ error }

func (e errAway) Unwrap() error { return e.error }

// send posts one part, again while the cloud is away: repeating it stores nothing
// twice.
func (im Import) send(ctx context.Context, c Credential, p part) (added int, err error) {
	pause := cmp.Or(im.Retry, 500*time.Millisecond)
	for try := 1; ; try++ {
		added, err = im.sendOnce(ctx, c, p)
		if _, away := errors.AsType[errAway](err); !away || try == importTries {
			return added, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause << (try - 1)):
		}
	}
}

func (im Import) sendOnce(ctx context.Context, c Credential, p part) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Server+"/relay/v1/history", bytes.NewReader(p.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := im.client.Do(req)
	if err != nil {
		return 0, errAway{fmt.Errorf("reach the cloud at %s: %w", c.Server, explain(unwrapURL(err), hostOf(c.Server)))}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxFrame))
	if err != nil {
		return 0, errAway{fmt.Errorf("read the cloud's answer: %w", err)}
	}
	var answer wire.HistoryAnswer
	_ = json.Unmarshal(data, &answer) // a proxy's page is no JSON; the status says enough
	switch {
	case resp.StatusCode == http.StatusOK:
		return answer.New, nil
	case resp.StatusCode == http.StatusUnauthorized:
		return 0, ErrRevoked
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return 0, errors.New("the cloud does not know imports yet: update bluecloud")
	}
	err = errors.New(cmp.Or(answer.Error, fmt.Sprintf("the cloud refused the messages (HTTP %d)", resp.StatusCode)))
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return 0, errAway{err}
	}
	return 0, err
}
