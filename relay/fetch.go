package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"bluerelay/wire"
)

// fetcher brings the files of orders from the cloud to where Messages can read them.
// A file is sent only once it is there, whole and on disk; meanwhile messages to
// others go their way. One goroutine runs it, which starts and awaits one more for
// each file under way.
type fetcher struct {
	*Relay
	stage   stage
	http    *http.Client
	work    sync.WaitGroup
	done    chan string // messages whose file is no longer under way
	running map[string]bool
	tidied  time.Time

	mu      sync.Mutex
	cramped map[string]bool // messages for whose file there is no room
}

// fetchesAtOnce bounds the files under way. The cloud gives a relay fewer messages
// than that at a time.
const fetchesAtOnce = 8

func newFetcher(r *Relay) *fetcher {
	return &fetcher{
		Relay: r, stage: stage{r.cfg.Attachments}, http: r.keys.longClient(),
		done: make(chan string, fetchesAtOnce), running: make(map[string]bool), cramped: make(map[string]bool),
	}
}

// run works until ctx ends; what was fetched by half is fetched again by the next run.
func (f *fetcher) run(ctx context.Context) error {
	defer f.http.CloseIdleConnections()
	defer f.work.Wait()
	for ctx.Err() == nil {
		if err := f.round(ctx); err != nil && ctx.Err() == nil {
			f.log.Error("fetch.stopped", "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-f.fetchBell:
		case message := <-f.done:
			delete(f.running, message)
		case <-time.After(slowLook):
		}
	}
	return nil
}

func (f *fetcher) round(ctx context.Context) error {
	if now := time.Now(); now.Sub(f.tidied) > tidyEvery {
		needed, err := f.journal.neededFiles(ctx, now)
		if err != nil {
			return err
		}
		if err := f.stage.sweep(needed, now); err != nil {
			f.log.Warn("fetch.not_swept", "error", err.Error())
		}
		f.tidied = now
	}
	list, err := f.journal.unfetched(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if f.running[s.message] || len(f.running) >= fetchesAtOnce {
			continue
		}
		f.running[s.message] = true
		f.work.Go(func() {
			f.serve(ctx, s)
			f.done <- s.message
		})
	}
	return nil
}

// What a try at a file can come to, beside success and a trouble that may pass.
var (
	errGone    = errors.New("the cloud does not have the file any more")
	errDamaged = errors.New("the file that came is another one than the one that was ordered")
)

// maxDamaged is how often a file may come with other bytes than those ordered.
const maxDamaged = 3

// serve fetches the file of one order, again until it is there, or will never be, or
// nobody waits for it any more.
func (f *fetcher) serve(ctx context.Context, s send) {
	log := f.log.With("message", s.message, "attempt", s.attempt)
	began := time.Now()
	defer f.room(s, true) // whatever becomes of it, nothing waits for room for it any more
	var to *staging
	kept := false
	defer func() {
		if to == nil || kept {
			return
		}
		if err := to.drop(); err != nil {
			log.Warn("fetch.not_dropped", "error", err.Error()) // the sweep will find it
		}
	}()
	for try, damaged := 0, 0; f.awaited(ctx, s); try++ {
		size := int64(0)
		if to != nil {
			size = to.size
		}
		err := f.try(ctx, s, &to)
		if err == nil {
			f.room(s, true)
			if kept, err = f.journal.staged(ctx, s, to.rel); err != nil {
				err = errors.Join(err, to.drop())
				to = nil
			}
		}
		switch {
		case err == nil:
			log.Info("fetch.done", "bytes", s.file.Size, "ms", time.Since(began).Milliseconds(), "wanted", kept)
			ring(f.sendBell)
			return
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGone):
			f.fail(ctx, s, wire.Fault{Code: "file_gone", Text: "The cloud does not have the file any more."})
			return
		case errors.Is(err, errDamaged):
			if damaged++; damaged == maxDamaged {
				f.fail(ctx, s, wire.Fault{Code: "file_damaged", Text: "The file did not arrive at the Mac as it was ordered."})
				return
			}
		case full(err):
			f.room(s, false)
		case to != nil && to.size > size:
			try = 0
		}
		pause := min(firstRetry<<min(try, 10), f.cfg.RetryMax)
		log.Warn("fetch.cut", "error", err.Error(), "again_in_ms", pause.Milliseconds())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// room notes whether there is room for the file of an order. The problem stands for as
// long as one waits for some: an order that ends takes its own with it.
func (f *fetcher) room(s send, enough bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if enough {
		delete(f.cramped, s.message)
	} else {
		f.cramped[s.message] = true
	}
	reason := ""
	if len(f.cramped) > 0 {
		reason = "There is no room on the Mac's disk for a file that is to be sent: free some space."
	}
	f.health.setBy(inFiles, wire.ProblemDisk, reason)
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// awaited tells whether the order still waits for its file: it may have been canceled,
// expired or given back.
func (f *fetcher) awaited(ctx context.Context, s send) bool {
	rows, err := f.journal.querySends(ctx, "message = ? AND part = ? AND attempt = ? AND state = ?", s.message, s.part, s.attempt, stateReceived)
	return ctx.Err() == nil && (err != nil || len(rows) > 0)
}

func (f *fetcher) fail(ctx context.Context, s send, fault wire.Fault) {
	if err := f.journal.noSend(ctx, &s, fault, false, false, time.Now()); err != nil {
		f.log.Error("fetch.not_recorded", "message", s.message, "error", err.Error())
	}
	ring(f.outboxBell)
}

// try goes on with a file, to its end or to the next trouble. What came so far stays
// with to.
func (f *fetcher) try(ctx context.Context, s send, to **staging) (err error) {
	if s.file.Size <= 0 || s.file.Size > wire.MaxMediaBytes || s.file.ID == "" {
		return errGone // no such file was ever stored
	}
	if *to == nil {
		if *to, err = f.stage.create(s.file.Name); err != nil {
			return err
		}
	}
	if err := f.get(ctx, s.file, *to); err != nil {
		return err
	}
	if (*to).size != s.file.Size || !strings.EqualFold((*to).digest(), s.file.SHA256) {
		return errors.Join(errDamaged, (*to).reset())
	}
	if err := (*to).finish(); err != nil {
		err = errors.Join(err, (*to).drop())
		*to = nil // it cannot be gone on with
		return err
	}
	return nil
}

// get brings what is missing, for as long as something moves.
func (f *fetcher) get(ctx context.Context, file *wire.File, to *staging) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(f.cfg.Stall, cancel)
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.credential.Server+"/relay/v1/files/"+url.PathEscape(file.ID), nil)
	if err != nil {
		return fmt.Errorf("fetch a file: %w", unwrapURL(err))
	}
	req.Header.Set("Accept-Encoding", "identity")
	if to.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", to.size))
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return fmt.Errorf("fetch a file: %w", unwrapURL(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return errGone
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", to.size)):
	case resp.StatusCode == http.StatusOK:
		if err := to.reset(); err != nil {
			return err
		}
	default:
		return &refusal{resp.StatusCode}
	}
	// One byte more than there may be, so that a longer file is found out.
	_, err = io.Copy(to, io.LimitReader(&watched{resp.Body, watch, f.cfg.Stall}, file.Size-to.size+1))
	if err != nil {
		return fmt.Errorf("fetch a file: %w", unwrapURL(err))
	}
	if to.size < file.Size {
		return fmt.Errorf("fetch a file: %w", io.ErrUnexpectedEOF)
	}
	return nil
}
