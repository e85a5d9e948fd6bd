package relay

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"bluerelay/chatdb"
)

// The uploader's limits.
const (
	uploadsAtOnce = 3                      // so that a large file does not keep a small one waiting
	lookPause     = 50 * time.Millisecond  // between two looks at files under way: the observer reads the same connection
	slowLook      = 30 * time.Second       // beneath lost doorbells
	firstRetry    = 100 * time.Millisecond // mostly the report was still on its way
	tidyEvery     = time.Hour
)

// uploader brings the files of inbound messages to the cloud: it waits until
// Messages has a file, then sends it, again until the cloud has it. One goroutine
// runs it, which starts and awaits one more for each file under way.
type uploader struct {
	*Relay
	files     attachments
	converter converter
	courier   courier

	work sync.WaitGroup
	done chan fileID // room for every worker, so that none waits here

	running map[fileID]bool
	looked  time.Time // at the files that Messages does not have yet
	lookAt  time.Time // when to look again; zero for when the doorbell rings
	tidied  time.Time

	mu      sync.Mutex
	missing map[fileID]time.Time // files that Messages calls finished and that are not whole, with the first sight
}

func newUploader(r *Relay) *uploader {
	return &uploader{
		Relay:     r,
		files:     attachments{root: r.cfg.Attachments, chatDB: r.cfg.ChatDB},
		converter: converter{sips: r.cfg.Sips, afconvert: r.cfg.Afconvert, dir: filepath.Join(r.cfg.StateDir, "copies"), limit: r.cfg.ConvertLimit},
		courier:   newCourier(r),
		done:      make(chan fileID, uploadsAtOnce),
		running:   make(map[fileID]bool),
		missing:   make(map[fileID]time.Time),
	}
}

// run works until ctx ends; uploads in hand are cut then and go on with the next
// run.
func (u *uploader) run(ctx context.Context) error {
	defer u.courier.http.CloseIdleConnections()
	defer u.work.Wait()
	if err := u.converter.empty(); err != nil {
		u.log.Error("upload.no_copies", "error", err.Error()) // the files themselves can go
	}
	rung := true
	for ctx.Err() == nil {
		next, err := u.round(ctx, rung)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			u.log.Error("upload.stopped", "error", err.Error())
			next = time.Now().Add(u.cfg.Retry)
		}
		rung = u.rest(ctx, next)
	}
	return nil
}

// rest waits for the doorbell, an upload's end or the next due time, and tells
// whether the doorbell rang.
func (u *uploader) rest(ctx context.Context, next time.Time) (rung bool) {
	var timer <-chan time.Time
	if !next.IsZero() {
		timer = time.After(time.Until(next))
	}
	select {
	case <-ctx.Done():
	case <-u.uploadBell:
		return true
	case id := <-u.done:
		delete(u.running, id)
	case <-timer:
	}
	return false
}

// round does what is due and returns when there will be more; the zero time where
// only the doorbell can bring it.
func (u *uploader) round(ctx context.Context, rung bool) (next time.Time, err error) {
	now := time.Now()
	if u.hurry.Swap(false) {
		if err := u.journal.hurryUploads(ctx, now); err != nil {
			return next, err
		}
	}
	if now.Sub(u.tidied) > tidyEvery {
		if err := u.journal.forgetUploads(ctx, now.Add(-u.cfg.Observe)); err != nil {
			return next, err
		}
		u.tidied = now
	}
	if next, err = u.look(ctx, rung, now); err != nil {
		return next, err
	}
	open, err := u.journal.openUploads(ctx, 2*uploadsAtOnce)
	if err != nil {
		return next, err
	}
	for _, one := range open {
		switch {
		case u.running[one.fileID]:
		case one.nextAt.After(now):
			return sooner(next, one.nextAt), nil
		case len(u.running) < uploadsAtOnce:
			u.running[one.fileID] = true
			u.work.Go(func() {
				u.serve(ctx, one)
				u.done <- one.fileID
			})
		default:
			return next, nil // the end of one of them wakes us
		}
	}
	return next, nil
}

// sooner is the earlier of two times of which the first may be zero.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// look asks chat.db about the files that Messages does not have yet, and returns
// when to look again without a doorbell.
func (u *uploader) look(ctx context.Context, rung bool, now time.Time) (time.Time, error) {
	if rung {
		// After a pause: what rings may ring a thousand times a second.
		u.lookAt = sooner(u.lookAt, latest(now, u.looked.Add(lookPause)))
	}
	if u.lookAt.IsZero() || u.lookAt.After(now) {
		return u.lookAt, nil
	}
	waiting, err := u.journal.uploads(ctx, uploadWaiting)
	if err != nil {
		return u.lookAt, err
	}
	u.looked, u.lookAt = now, time.Time{}
	u.awaiting.Store(len(waiting) > 0)
	if len(waiting) == 0 {
		return u.lookAt, nil
	}
	rows, err := u.rows(ctx, waiting...)
	if err != nil {
		u.lookAt = now.Add(u.cfg.Retry)
		if errors.Is(err, errNoChatDB) {
			err = nil // the observer says so, and rings when it is back
		}
		return u.lookAt, err
	}
	// The oldest comes first and is the first to be given up.
	u.lookAt = sooner(now.Add(slowLook), latest(waiting[0].createdAt.Add(u.cfg.FileWait), now.Add(lookPause)))
	var changed []upload
	for _, one := range waiting {
		if state := u.judge(one, rows, now); state != one.state {
			one.state, one.nextAt = state, now
			changed = append(changed, one)
		}
	}
	return u.lookAt, u.journal.saveUploads(ctx, changed...)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rows reads the messages of files, by guid.
func (u *uploader) rows(ctx context.Context, list ...upload) (map[string]chatdb.Message, error) {
	db, done := u.borrowDB()
	defer done()
	if db == nil {
		return nil, errNoChatDB
	}
	guids := make([]string, len(list))
	for i, one := range list {
		guids[i] = one.message
	}
	found, err := db.FindGUIDs(ctx, guids)
	if err != nil {
		return nil, fmt.Errorf("look for attachments: %w", err)
	}
	rows := make(map[string]chatdb.Message, len(found))
	for _, m := range found {
		rows[m.GUID] = m
	}
	return rows, nil
}

// judge tells what became of a file that is waited for.
func (u *uploader) judge(one upload, rows map[string]chatdb.Message, now time.Time) string {
	a, there := attachmentOf(rows[one.message], one.attachment)
	reason := ""
	switch {
	case there && !forPeople(a):
		reason = "payload"
	case there && a.TransferState == transferFailed:
		reason = "transfer_failed"
	case there && a.TransferState == transferFinished:
		return uploadReady
	case now.Sub(one.createdAt) > u.cfg.FileWait:
		reason = "never_came"
	default:
		return uploadWaiting
	}
	u.log.Warn("upload.dropped", "attachment", one.attachment, "reason", reason)
	return uploadDropped
}
