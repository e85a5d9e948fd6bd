package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// planner chooses where processes are to die: places that were hit seldom are chosen
// more often. It may be used concurrently.
type planner struct {
	mode   string
	places []string
	only   []string // where a broken rule needs certain places; empty for all
	often  []string // where it needs processes to stop

	mu     sync.Mutex
	ended  bool
	wanted string // where the next process of its program is to die; "" for nowhere
	random *rand.Rand
	hits   map[string]int // ends by place, in this run
	former map[string]int // and in those before it
	tried  map[string]int // how often a place was in a plan
}

func newPlanner(o options, places []string, s shape, hits, former map[string]int) *planner {
	return &planner{mode: o.mode, places: places, only: s.only, often: s.stops, random: rand.New(rand.NewPCG(o.seed, 2)), hits: hits, former: former, tried: make(map[string]int)}
}

// inShim are the prefixes of places inside the shim, a process for each send: there a
// number of passes would mean each process's first, so they get a probability.
var inShim = []string{"shim.order", "shim.mark", "shim.run", "shim.ended", "shim.result"}

// stops are places at which a process that stands still is as bad as a dead one.
var stops = []string{"relay.arm.after", "relay.receive.after", "shim.start", "shim.order", "shim.mark.after", "shim.run", "shim.ended", "cloud.order", "cloud.apply.after"}

// env is the plan for one process: places beginning with one of the prefixes.
func (p *planner) env(prefixes ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seed := fmt.Sprintf("FAULT_SEED=%d", p.random.Uint64())
	if p.ended || p.mode == modeRandom && len(p.only) == 0 {
		return []string{seed}
	}
	if p.wanted != "" && hasPrefix(p.wanted, prefixes) {
		place := p.wanted
		p.wanted = ""
		return []string{seed, "FAULT_PLAN=" + place}
	}
	if p.random.IntN(16) == 0 {
		return []string{seed}
	}
	if p.random.IntN(5) < 4 && len(p.only) == 0 && len(p.often) == 0 {
		return []string{seed, "FAULT_PLAN=" + strings.Join(p.behind(prefixes), ",")}
	}
	if p.random.IntN(3) == 0 && len(p.often) == 0 {
		// Nothing but one place, or those that are met seldom would never be.
		return []string{seed, "FAULT_PLAN=" + p.step(p.choose(prefixes, func(string) bool { return true }))}
	}
	var plan []string
	for range 4 {
		if step := p.step(p.choose(prefixes, func(place string) bool { return !isInShim(place) })); step != "" {
			plan = append(plan, step)
		}
	}
	if step := p.step(p.choose(prefixes, isInShim)); step != "" {
		plan = append(plan, step)
	}
	if p.random.IntN(4) == 0 {
		place := stops[p.random.IntN(len(stops))]
		if hasPrefix(place, prefixes) {
			plan = append(plan, place+"!stop@0.1")
		}
	}
	for _, place := range p.often {
		if hasPrefix(place, prefixes) {
			plan = append(plan, place+"!stop@0.5")
		}
	}
	return []string{seed, "FAULT_PLAN=" + strings.Join(plan, ",")}
}

// behind is a plan of all places that were met as seldom as one drawn by lot, and not more
// often than places are on average, whichever the process comes to first. Those that every
// process comes to are soon met often enough and leave the way to the others free. Of before
// and after it has one: the other would never be met.
func (p *planner) behind(prefixes []string) []string {
	limit := p.average()
	for range 3 {
		if place := p.places[p.random.IntN(len(p.places))]; hasPrefix(place, prefixes) {
			limit = min(limit, p.met(place))
		}
	}
	side := []string{".before", ".after"}[p.random.IntN(2)]
	lags := func(place string) bool { return p.met(place) <= limit }
	var plan, inside []string
	for _, place := range p.places {
		step, isSide := strings.CutSuffix(place, side)
		switch {
		case !hasPrefix(place, prefixes) || !lags(place):
		case isSide && lags(step+".before") && lags(step+".after"):
			continue
		case isInShim(place):
			inside = append(inside, place+"@0.25")
		default:
			plan = append(plan, place)
		}
	}
	// Not all of a shim's, or no send would come to its end.
	p.random.Shuffle(len(inside), func(i, k int) { inside[i], inside[k] = inside[k], inside[i] })
	return append(plan, inside[:min(2, len(inside))]...)
}

// step is the part of a plan for a place; "" for "".
func (p *planner) step(place string) string {
	switch {
	case place == "":
		return ""
	case isInShim(place):
		return place + "@0.25"
	}
	// The first time, until that has shown that the place is met often.
	return fmt.Sprintf("%s#%d", place, 1+p.random.IntN(1+min(p.met(place), 5)))
}

// want chooses one of the places that begin like this, and makes the next process that
// can come there die there.
func (p *planner) want(prefixes ...string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.mode == modeRandom || len(p.only) > 0 {
		return ""
	}
	p.wanted = p.choose(prefixes, func(string) bool { return true })
	return p.wanted
}

func isInShim(place string) bool { return hasPrefix(place, inShim) }

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

// choose draws one place, the seldom ones first. Those that are never met must not
// take the room of others, so it counts too how often one was tried. Where all that
// there is to draw from was met much more often than places are on average, it draws
// nothing: a command that is run for every change of a Mac would die each time.
func (p *planner) choose(prefixes []string, ok func(string) bool) string {
	var list []string
	var weights []float64
	total := 0.0
	for _, place := range p.places {
		if !hasPrefix(place, prefixes) || !ok(place) || len(p.only) > 0 && !hasPrefix(place, p.only) {
			continue
		}
		w := 1 / (1 + float64(p.met(place)) + float64(p.tried[place])/10)
		list, weights, total = append(list, place), append(weights, w), total+w
	}
	at := p.random.Float64() * total
	for i, w := range weights {
		if at -= w; at >= 0 {
			continue
		}
		if len(p.only) == 0 && p.met(list[i]) > 2+2*p.average() && p.random.IntN(10) > 0 {
			return ""
		}
		p.tried[list[i]]++
		return list[i]
	}
	return ""
}

// met is how often processes have ended at a place, in all runs.
func (p *planner) met(place string) int { return p.hits[place] + p.former[place] }

// average is how often a place was met.
func (p *planner) average() int {
	sum := 0
	for _, place := range p.places {
		sum += p.met(place)
	}
	return sum / len(p.places)
}

// end makes every further plan an empty one.
func (p *planner) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

func (p *planner) count(place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[place]++
}

// end is a line that a process left before it killed or stopped itself.
type end struct {
	at      int64 // Unix milliseconds
	pid     int
	stopped bool
	place   string
	subject string
}

// ends follows the file of such lines.
type ends struct {
	path string
	read int64
}

// news are the whole lines written since the last call.
func (e *ends) news() ([]end, error) {
	f, err := os.Open(e.path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(e.read, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	e.read += int64(len(whole))
	var list []end
	lines := bufio.NewScanner(bytes.NewReader(whole))
	for lines.Scan() {
		var one end
		var word string
		if _, err := fmt.Sscan(lines.Text(), &one.at, &one.pid, &word, &one.place, &one.subject); err != nil {
			return nil, fmt.Errorf("read where processes ended: %w: %s", err, strconv.Quote(lines.Text()))
		}
		one.stopped = word == "stop"
		list = append(list, one)
	}
	return list, lines.Err()
}
