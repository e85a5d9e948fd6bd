package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"bluerelay/cli"
)

// tally is what all rounds come to, and the object that -json prints. Its methods may
// be called concurrently.
type tally struct {
	Seed    uint64 `json:"seed"`
	Mode    string `json:"mode"`
	Seconds int    `json:"seconds"`
	Rounds  int    `json:"rounds"`
	// Interrupted says that the last round was not judged; its kills are counted.
	Interrupted bool  `json:"interrupted,omitzero"`
	Kills       kills `json:"kills"`
	Pauses      int   `json:"pauses"`
	Cuts        int   `json:"cut_links"`
	Repeated    int64 `json:"repeated_frames"`
	Swaps       int   `json:"swaps"`
	Restores    int   `json:"restored_or_lost_journals"`
	Replaced    int   `json:"replaced_chat_dbs"`
	FullDisks   int   `json:"full_disks"`

	Accepted int            `json:"accepted"`
	Effects  int            `json:"left_the_mac"`
	Outcomes map[string]int `json:"outcomes"`
	Unknown  int            `json:"unknown"`
	Injected int            `json:"injected_ambiguities"`
	Inbound  int            `json:"inbound"`
	Hooks    int            `json:"webhook_posts"`
	Hits     map[string]int `json:"hits"`

	Violations []violation `json:"violations"`
	Kept       []string    `json:"kept,omitzero"`

	mu     sync.Mutex
	began  time.Time
	places []string
	shape  shape
	former map[string]int // hits of former runs
}

// kills are the processes that were killed, by kind; Points killed themselves where
// their plan said.
type kills struct {
	Cloud     int `json:"cloud"`
	Relay     int `json:"relay"`
	Shim      int `json:"shim"`
	Osascript int `json:"osascript"`
	Messages  int `json:"messages"`
	Points    int `json:"points"`
}

func (k kills) all() int { return k.Cloud + k.Relay + k.Shim + k.Osascript + k.Messages + k.Points }

func newTally(o options, places []string) *tally {
	return &tally{
		Seed: o.seed, Mode: o.mode, began: time.Now(), places: places,
		Hits: make(map[string]int), former: make(map[string]int), Outcomes: make(map[string]int), Violations: []violation{},
	}
}

// recall adds what former runs have met, so that this one goes on from there. files are
// their summaries, separated by commas.
func (t *tally) recall(files string) error {
	for _, name := range strings.FieldsFunc(files, func(r rune) bool { return r == ',' }) {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var former tally
		if err := json.Unmarshal(data, &former); err != nil {
			return fmt.Errorf("read the summary %s: %w", name, err)
		}
		for place, n := range former.Hits {
			t.former[place] += n
		}
	}
	return nil
}

// goesOn tells whether another round is due.
func (t *tally) goesOn(o options, since time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.Violations) > 0 {
		return false
	}
	if o.kills > 0 {
		return t.Kills.all() < o.kills
	}
	return since < o.duration
}

// enough tells whether there were as many kills as asked for.
func (t *tally) enough(o options) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return o.kills > 0 && t.Kills.all() >= o.kills
}

func (t *tally) count(what *int, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*what += n
}

// fail notes what went wrong outside of a judgement.
func (t *tally) fail(rule, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Violations = append(t.Violations, violation{t.Rounds, rule, detail})
}

// bad tells whether a round has a violation.
func (t *tally) bad(round int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.Violations, func(v violation) bool { return v.Round == round })
}

// add takes the result of a round.
func (t *tally) add(e evidence, found []violation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Rounds++
	t.Violations = append(t.Violations, found...)
	t.Accepted += len(e.sent)
	t.Effects += len(e.effects)
	t.Injected += len(e.doubt)
	for _, c := range e.claims {
		switch {
		case c.Direction == "inbound":
			t.Inbound++
		case !c.ordered():
			t.Outcomes["typed by the owner"]++
		case c.unknown():
			t.Unknown++
			t.Outcomes["unknown"]++
		case c.Status == "failed":
			t.Outcomes["failed: "+c.ErrorCode]++
		default:
			t.Outcomes[c.Status]++
		}
	}
}

// print writes the summary on a page.
func (t *tally) print(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "torture: seed %d, mode %s, %d rounds in %d s\n\n", t.Seed, t.Mode, t.Rounds, t.Seconds)
	fmt.Fprintf(&b, "killed     %d: cloud %d, relay %d, shim %d, osascript %d, Messages %d, themselves at a named place %d\n",
		t.Kills.all(), t.Kills.Cloud, t.Kills.Relay, t.Kills.Shim, t.Kills.Osascript, t.Kills.Messages, t.Kills.Points)
	fmt.Fprintf(&b, "otherwise  %d pauses, %d cut links, %d repeated frames, %d swaps, %d journals restored or lost, %d chat.db replaced, %d full disks\n",
		t.Pauses, t.Cuts, t.Repeated, t.Swaps, t.Restores, t.Replaced, t.FullDisks)
	fmt.Fprintf(&b, "messages   %d accepted, %d left the Mac, %d came in, %d webhook posts\n", t.Accepted, t.Effects, t.Inbound, t.Hooks)
	for _, name := range slices.Sorted(maps.Keys(t.Outcomes)) {
		fmt.Fprintf(&b, "           %6d %s\n", t.Outcomes[name], name)
	}
	if t.Interrupted {
		b.WriteString("\ninterrupted: the last round was not judged\n")
	}
	t.printPlaces(&b)
	t.printViolations(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *tally) printPlaces(b *strings.Builder) {
	if t.Mode == modeRandom {
		return
	}
	met := 0
	b.WriteString("\nends at named places\n")
	for i, place := range t.places {
		fmt.Fprintf(b, "%7d %-28s", t.Hits[place], place)
		if i%2 == 1 || i == len(t.places)-1 {
			b.WriteByte('\n')
		}
		if t.Hits[place] > 0 {
			met++
		}
	}
	fmt.Fprintf(b, "%d of %d places were met\n", met, len(t.places))
}

// shown bounds the violations on the page; -json has all.
const shown = 20

func (t *tally) printViolations(b *strings.Builder) {
	if len(t.Violations) == 0 {
		b.WriteString("\nno violation: nothing lost, nothing doubled, no false state, unknown only with a reason\n")
		return
	}
	fmt.Fprintf(b, "\n%d VIOLATIONS\n", len(t.Violations))
	for _, v := range t.Violations[:min(shown, len(t.Violations))] {
		fmt.Fprintf(b, "round %d  %-8s %s\n", v.Round, v.Rule, v.Detail)
	}
	for _, dir := range t.Kept {
		fmt.Fprintf(b, "kept in %s\n", dir)
	}
}

// bar is the progress bar.
type bar struct {
	progress *cli.Progress
	options  options
}

func newBar(o options) *bar { return &bar{cli.NewProgress(os.Stderr), o} }

func (b *bar) show(t *tally, since time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	share := float64(since) / float64(b.options.duration)
	if b.options.kills > 0 {
		share = float64(t.Kills.all()) / float64(b.options.kills)
	}
	b.progress.Show(share, fmt.Sprintf("round %d, %d kills, %d pauses, %d swaps and restores, %d accepted", t.Rounds+1, t.Kills.all(), t.Pauses, t.Swaps+t.Restores, t.Accepted))
}

func (b *bar) end() { b.progress.End() }
