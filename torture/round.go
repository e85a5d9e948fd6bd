package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// round is one life of the whole product: from empty folders through the torture to
// rest and judgement.
type round struct {
	options options
	bin     programs
	dir     string
	total   *tally
	time    time.Duration
	shape   shape
	traffic traffic
	planner *planner
	random  *rand.Rand // the nemesis's own

	address string // the cloud's
	key     string
	account string
	proxy   *proxy
	hook    *hook
	files   *files
	cloud   *keeper
	disk    *disk // the cloud's
	lines   []*line
	ends    ends
	client  http.Client

	work    sync.WaitGroup // pauses and holes under way
	history history
}

// shape is what a round consists of; the zero value is everything.
type shape struct {
	only   []string // the places where processes die; empty for all
	stops  []string // places where processes stop often; empty for seldom and anywhere
	swaps  bool     // more of them
	silent bool     // recipients of whom no row comes get more messages
	old    bool     // of them only journals that are brought back
	slow   bool     // Messages answers late more often
	calm   bool     // daemons and cloud are killed seldom but at named places
	queued bool     // osascript takes long, so that orders wait
	hasty  bool     // a round that does not come to rest is not waited for long
}

// lineCount is how many lines there are; one of them sends by SMS who is not on iMessage,
// both with -mode points: it is seldom.
const (
	lineCount    = 2
	fallbackLine = 1
)

func numberOf(line int) string { return fmt.Sprintf("+1415555987%d", line) }

func newRound(o options, bin programs, dir string, total *tally, d time.Duration) (*round, error) {
	seed := o.seed*1000 + uint64(total.Rounds)
	o.seed = seed
	r := &round{
		options: o, bin: bin, dir: dir, total: total, time: d, shape: total.shape,
		random: rand.New(rand.NewPCG(seed, 1)), client: http.Client{Timeout: 3 * time.Second},
	}
	r.traffic = ordinary
	if o.mode == modePoints {
		r.traffic = sparse
	}
	if len(r.shape.only) == 0 { // no broken rule asks for certain places
		r.shape.calm = total.Rounds%2 == 1
		r.shape.queued = r.shape.calm && (total.Rounds%4 == 3 || o.mode == modePoints)
	}
	places := total.places
	if o.places != "" {
		r.shape.calm, r.shape.queued = true, true
		prefixes := strings.Split(o.places, ",")
		places = slices.DeleteFunc(slices.Clone(places), func(place string) bool { return !hasPrefix(place, prefixes) })
		if len(places) == 0 {
			return nil, fmt.Errorf("no place begins with one of %s", o.places)
		}
	}
	r.planner = newPlanner(o, places, total.shape, total.Hits, total.former)
	r.ends.path = filepath.Join(dir, "ends.log")
	return r, os.MkdirAll(dir, 0o700)
}

func (r *round) database() string { return filepath.Join(r.disk.dir, "cloud.db") }

// faultEnv adds where a process is to write that it ends.
func (r *round) faultEnv(plan []string) []string { return append(plan, "FAULT_LOG="+r.ends.path) }

// run does the round. Violations go into the tally; the error is the harness's own.
func (r *round) run(ctx context.Context, tick func()) (err error) {
	defer func() { err = errors.Join(err, r.close(err != nil)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	// From the first pairing on, or plans would not know what was met; and to the end: a shim
	// that was left behind may still stop at a place.
	watching, stopWatch := context.WithCancel(ctx)
	var watch, writers, nemesis sync.WaitGroup
	watch.Go(func() { r.watch(watching, tick, stopLoad) })
	defer func() {
		stopWatch()
		watch.Wait()
		r.work.Wait()
	}()
	if err := r.set(ctx); err != nil {
		return fmt.Errorf("set up a round: %w", err)
	}
	defer time.AfterFunc(r.time, stopLoad).Stop()
	for _, l := range r.lines {
		r.load(loading, l, &writers)
	}
	nemesis.Go(func() { r.torment(ctx, loading) })
	writers.Wait()
	nemesis.Wait()
	r.work.Wait()
	resting := r.rest(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.judge(ctx, resting)
}

// await asks again and again until ok says yes. It returns false when the time is over.
func (r *round) await(ctx context.Context, within time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
	}
}

// call makes one request to the cloud's API.
func (r *round) call(ctx context.Context, method, path, idempotency string, body any) (int, []byte, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("x-api-key", r.key)
	req.Header.Set("Content-Type", "application/json")
	if idempotency != "" {
		req.Header.Set("Idempotency-Key", idempotency)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, data, err
}

// watch follows where processes end, lets those go on that have stopped, and looks
// for what is plainly wrong already.
func (r *round) watch(ctx context.Context, tick func(), stopLoad func()) {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for n := 0; ; n++ {
		news, err := r.ends.news()
		if err != nil {
			r.total.fail("harness", err.Error())
		}
		for _, e := range news {
			r.planner.count(e.place)
			r.history.end(e)
			if e.stopped {
				r.total.count(&r.total.Pauses, 1)
				r.later(r.random2(20, 400), func() { _ = syscall.Kill(e.pid, syscall.SIGCONT) })
			} else {
				r.total.count(&r.total.Kills.Points, 1)
			}
		}
		if n%25 == 0 {
			tick()
			if r.total.enough(r.options) {
				stopLoad()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// random2 is a time in milliseconds that need not repeat with the seed.
func (r *round) random2(from, to int) time.Duration {
	return time.Duration(from+rand.IntN(to-from)) * time.Millisecond
}

// later does something after a while; rest waits for it.
func (r *round) later(d time.Duration, f func()) {
	r.work.Go(func() {
		time.Sleep(d)
		f()
	})
}

// close ends everything. The folder stays where something was wrong.
func (r *round) close(failed bool) error {
	for _, l := range r.lines {
		if l.relay != nil {
			for _, one := range l.processes() {
				one.daemon.stop()
			}
		}
	}
	if r.cloud != nil {
		r.cloud.stop()
	}
	for _, l := range r.lines {
		if l.mac != nil && l.mac.messages != nil {
			l.mac.messages.stop()
		}
	}
	if r.proxy != nil {
		r.proxy.close()
		r.total.Repeated += r.proxy.repeated.Load()
	}
	if r.files != nil {
		r.files.close()
	}
	if r.hook != nil {
		r.hook.close()
		r.total.Hooks += r.hook.posts
	}
	var err error
	if !r.shape.hasty && (failed || r.total.bad(r.total.Rounds-1)) {
		err = r.keepFolder()
	}
	for _, l := range r.lines {
		if l.disk != nil {
			l.disk.remove()
		}
	}
	if r.disk != nil {
		r.disk.remove()
	}
	// An osascript that was left behind writes its log once more.
	var removed error
	r.await(context.Background(), 10*time.Second, func() bool { removed = os.RemoveAll(r.dir); return removed == nil })
	return errors.Join(err, removed)
}

func (r *round) keepFolder() error {
	to, err := os.MkdirTemp(r.options.keep, "torture-kept")
	if err != nil {
		return err
	}
	// With what was done to it.
	var b strings.Builder
	for _, w := range r.history.windows {
		fmt.Fprintf(&b, "%s %s %s %s\n", w.from.Format(time.RFC3339Nano), w.to.Format(time.RFC3339Nano), w.line, w.what)
	}
	if err := os.WriteFile(filepath.Join(to, "windows"), []byte(b.String()), 0o600); err != nil {
		return err
	}
	r.total.Kept = append(r.total.Kept, to)
	if err := copyFolder(filepath.Join(to, "round"), r.dir); err != nil {
		return fmt.Errorf("keep the folder of a round: %w", err)
	}
	return nil
}

// copyFolder copies folders and files. Sockets, which a killed daemon leaves behind,
// have nothing to copy.
func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch name = filepath.Join(to, name); {
		case entry.IsDir():
			return os.MkdirAll(name, 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(name, data, 0o600)
	})
}
