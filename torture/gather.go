package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"bluerelay/simulator"
)

// patience is how long the product may take to come to rest.
const patience = 75 * time.Second

// rest ends the torture and lets every process live; what has not yet come to its end
// does so now. It returns when it began.
func (r *round) rest(ctx context.Context) time.Time {
	r.planner.end()
	r.proxy.quiet.Store(true)
	r.hook.quiet.Store(true)
	r.files.quiet.Store(true)
	// Those that have a plan still must not carry it out.
	r.cloud.signal(syscall.SIGKILL)
	for _, l := range r.lines {
		for _, one := range l.processes() {
			one.daemon.signal(syscall.SIGKILL)
		}
	}
	return time.Now()
}

// pairAgain does what a person does who reads that a Mac is to be paired again: a
// journal that was brought back may be refused only now.
func (r *round) pairAgain(ctx context.Context) error {
	for _, l := range r.lines {
		if l.current().refused.Load() < often {
			continue
		}
		began := time.Now()
		err := l.repair(ctx)
		r.history.during(whatRepair, l.number, began)
		if err != nil {
			return fmt.Errorf("pair the Mac of %s again: %w", l.number, err)
		}
	}
	return nil
}

// judge gathers the evidence again and again until nothing is wrong, or the time for
// coming to rest is over. What cannot mend ends it at once.
func (r *round) judge(ctx context.Context, since time.Time) error {
	var found []violation
	var e evidence
	for {
		err := r.pairAgain(ctx)
		if err != nil {
			return err
		}
		if e, err = r.gather(ctx); err == nil {
			found = judge(e)
		}
		hopeless := slices.ContainsFunc(found, func(v violation) bool { return v.Rule == "doubled" || v.Rule == "invented" })
		if err == nil && (len(found) == 0 || hopeless) {
			break
		}
		if time.Since(since) > r.shape.patience() {
			if err != nil {
				return fmt.Errorf("gather the evidence: %w", err)
			}
			break
		}
		if !r.sleep(ctx, 250*time.Millisecond) {
			return ctx.Err()
		}
	}
	e.broken = r.check(ctx)
	if len(e.broken) > 0 {
		found = judge(e)
	}
	sortViolations(found)
	r.total.add(e, found)
	return nil
}

// patience of a round in which a rule is broken is shorter: it will not come to rest.
func (s shape) patience() time.Duration {
	if s.hasty {
		return 30 * time.Second
	}
	return patience
}

// gather asks everybody.
func (r *round) gather(ctx context.Context) (evidence, error) {
	e := evidence{round: r.total.Rounds, runs: make(map[string][]scriptRun), dropped: make(map[group]int), again: make(map[group]int), bySMS: make(map[string]bool)}
	for _, l := range r.lines {
		e.bySMS[l.number] = l.bySMS
	}
	var err error
	if e.claims, err = r.list(ctx); err != nil {
		return e, err
	}
	for _, l := range r.lines {
		effects, err := simulator.Effects(l.mac.dir)
		if err != nil {
			return e, err
		}
		runs, err := readRuns(l.mac.dir)
		if err != nil {
			return e, err
		}
		e.runs[l.number] = runs
		e.take(l.number, effects)
	}
	h := &r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	e.sent, e.received, e.windows = slices.Clone(h.sent), slices.Clone(h.received), slices.Clone(h.windows)
	e.typed, e.doubt = maps.Clone(h.typed), maps.Clone(h.doubt)
	if e.typed == nil {
		e.typed = make(map[string]int)
	}
	e.told = make(map[string]map[string]int)
	for _, kind := range []string{"message.received", "message.sent", "message.delivered", "message.read", "message.failed"} {
		e.told[kind] = r.hook.told(kind)
	}
	e.unknowns, e.clashes = r.hook.unknowns(), r.hook.clashes()
	return e, nil
}

// take takes Messages' log of a line: what left the Mac, and what Messages took and
// made nothing of.
func (e *evidence) take(line string, effects []simulator.Effect) {
	paths := make(map[string]string) // what stands for a file, by the hash of its path
	runs := e.runs[line]
	for i, r := range runs {
		if r.File != "" {
			paths[r.Value] = fileHash(r.File)
			runs[i].Value = fileHash(r.File)
		}
	}
	for _, one := range effects {
		g := effect{line, one.Recipient, cmp.Or(paths[one.SHA256], one.SHA256)}
		switch {
		case !one.Sent():
			e.dropped[group(g)]++
		case one.Kind == simulator.EffectDuplicate:
			e.again[group(g)]++
		default:
			e.effects = append(e.effects, g)
		}
	}
}

// list walks the whole list of messages, and asks about those of which it does not
// tell enough.
func (r *round) list(ctx context.Context) ([]claim, error) {
	var all []claim
	for cursor, more := "", true; more; {
		var page struct {
			Messages []claim `json:"messages"`
			Cursor   string  `json:"cursor"`
			HasMore  bool    `json:"has_more"`
		}
		if err := r.get(ctx, "/v1/messages?limit=100&cursor="+cursor, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Messages...)
		cursor, more = page.Cursor, page.HasMore
	}
	for i, c := range all {
		if c.Status == "failed" || c.Status == "polling" {
			if err := r.get(ctx, "/v1/messages/"+c.ID, &all[i]); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (r *round) get(ctx context.Context, path string, into any) error {
	status, body, err := r.call(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", path, status, body)
	}
	return json.Unmarshal(body, into)
}

// check has SQLite look at every database of ours.
func (r *round) check(ctx context.Context) []string {
	paths := []string{r.database()}
	for _, l := range r.lines {
		list, err := filepath.Glob(filepath.Join(l.disk.dir, "*", "journal.db"))
		if err == nil {
			paths = append(paths, list...)
		}
	}
	var broken []string
	for _, path := range paths {
		if said, err := integrity(ctx, path); err != nil || said != "ok" {
			broken = append(broken, fmt.Sprintf("%s: %s %v", path, said, err))
		}
	}
	return broken
}

func integrity(ctx context.Context, path string) (said string, err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		return "", err
	}
	defer db.Close()
	return said, db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said)
}
