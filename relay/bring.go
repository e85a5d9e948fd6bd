package relay

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"bluerelay/chatdb"
	"bluerelay/fault"
	"bluerelay/wire"
)

// serve makes one try with one file and writes down how it went.
func (u *uploader) serve(ctx context.Context, one upload) {
	log := u.log.With("attachment", one.attachment)
	began := time.Now()
	err := u.try(ctx, &one)
	if ctx.Err() != nil {
		return // cut by the stop; the next run goes on
	}
	if reason, ok := errors.AsType[dropped](err); ok {
		log.Warn("upload.dropped", "reason", string(reason))
		one.state, one.tries, one.nextAt = uploadDropped, 0, time.Now()
	} else if err != nil {
		pause := min(firstRetry<<min(one.tries, 10), u.cfg.RetryMax)
		one.tries++
		one.nextAt = time.Now().Add(pause)
		log.Info("upload.cut", "error", err.Error(), "tries", one.tries, "again_in_ms", pause.Milliseconds())
	} else if one.state == uploadStored {
		log.Info("upload.done", "ms", time.Since(began).Milliseconds())
	}
	if err := u.journal.saveUploads(ctx, one); err != nil {
		log.Error("upload.not_recorded", "error", err.Error())
		// The table still says that it is due: without a pause a full disk would have it
		// tried, and told here, as fast as the machine can.
		select {
		case <-ctx.Done():
		case <-time.After(u.cfg.Retry):
		}
	}
}

// dropped says that a file will never be sent, and why, in one word.
type dropped string

func (d dropped) Error() string { return string(d) }

// try brings a file, or the news that it will not come, to the cloud. It changes
// the state of one where that has worked.
func (u *uploader) try(ctx context.Context, one *upload) error {
	if one.state == uploadDropped {
		err := u.courier.giveUp(ctx, parcel{fileID: one.fileID})
		// A cloud that does not want to know after all this time never will.
		if err != nil && time.Since(one.createdAt) < u.cfg.Observe {
			return err
		}
		one.state = uploadFailed
		return nil
	}
	if time.Since(one.createdAt) > u.cfg.Observe {
		return dropped("too_late")
	}
	rows, err := u.rows(ctx, *one)
	if err != nil {
		return err
	}
	a, there := attachmentOf(rows[one.message], one.attachment)
	if there && a.TransferState == transferFailed {
		return dropped("transfer_failed")
	}
	fault.Hit(fault.RelayUploadPut)
	if err := u.bring(ctx, one.fileID, a); err != nil {
		return err
	}
	fault.Hit(fault.RelayUploadEnd)
	one.state = uploadStored
	return nil
}

// bring sends a file and what can be made of it. The copies go first, so that they
// are there when the cloud tells of the file.
func (u *uploader) bring(ctx context.Context, id fileID, a chatdb.Attachment) error {
	if a.Filename == "" {
		return u.patient(id, fs.ErrNotExist, "file_gone")
	}
	f, info, err := u.files.open(a.Filename)
	switch {
	case errors.Is(err, errForbidden):
		return dropped("forbidden_path")
	case errors.Is(err, fs.ErrNotExist):
		return u.patient(id, err, "file_gone")
	case err != nil:
		return err
	}
	defer f.Close()
	if info.Size() > wire.MaxMediaBytes {
		return dropped("too_large")
	}
	if a.TotalBytes > 0 && info.Size() != a.TotalBytes {
		// It may still be written. In the end the file counts, not the column: it is
		// what Messages itself shows.
		if err := u.patient(id, errors.New("the file has another size than Messages says"), ""); err != nil {
			return err
		}
	}
	p := parcel{fileID: id, name: displayName(a), mime: mimeOf(a)}
	if err := u.bringCopy(ctx, p, a); err != nil {
		return err
	}
	// Whatever the cloud answers, or a proxy before it, may be mended: only time ends
	// the tries.
	if err := u.courier.bring(ctx, p, f); err != nil {
		return err
	}
	u.forget(id)
	return nil
}

// patient lets a trouble with a file pass for as long as an incomplete row may
// stay so. After that it is the reason to drop the file; with "", none.
func (u *uploader) patient(id fileID, trouble error, reason dropped) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	first, known := u.missing[id]
	if !known {
		first = time.Now()
		u.missing[id] = first
	}
	if time.Since(first) < u.cfg.Grace {
		return trouble
	}
	delete(u.missing, id)
	if reason == "" {
		return nil
	}
	return reason
}

func (u *uploader) forget(id fileID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.missing, id)
}

// bringCopy converts a file and sends the copy. A file that cannot be converted is
// sent as it is.
func (u *uploader) bringCopy(ctx context.Context, p parcel, a chatdb.Attachment) error {
	v, ok := u.converter.conversion(p.mime)
	if !ok {
		return nil
	}
	in, err := u.files.path(a.Filename)
	if err != nil {
		return err
	}
	p.variant, p.name, p.mime = v.variant, copyName(p.name, v.ext), v.mime
	if there, err := u.courier.has(ctx, p); err != nil || there {
		return err
	}
	f, err := u.converter.convert(ctx, v, in)
	if err != nil {
		u.log.Warn("upload.not_converted", "attachment", p.attachment, "error", err.Error())
		return ctx.Err()
	}
	return errors.Join(u.courier.bring(ctx, p, f), drop(f))
}
