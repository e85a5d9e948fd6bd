// Torture runs the product as real processes and does to them what a machine, a
// network and a person can do: it kills them at random and at every durable write,
// stops them, cuts and delays their connections, repeats frames, fills the disk,
// replaces Messages' database, brings back an old journal, swaps the Mac. Meanwhile it
// sends and receives messages; afterwards it lets everything come to rest and judges.
//
// It believes nobody but the simulated Messages: what left the Mac is what Messages'
// own log says, what came in is what was put in. Our programs only say what they
// claim, and the claim is held against that.
//
// It refuses to test what a killed process cannot show: written data survives the end
// of a process whether it was synced or not. Package torture/power does that.
//
// The program is started by `make torture`; it builds what it tests. Under the name
// osascript it is the simulated osascript with a log of its own. It is no library:
// one run owns everything, and nothing is to be called from elsewhere.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "osascript" {
		os.Exit(osascript(os.Args[0], os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(start(ctx, os.Args[1:]))
}

// options are the command line.
type options struct {
	seed     uint64
	duration time.Duration
	round    time.Duration
	kills    int
	mode     string
	json     bool
	source   string
	keep     string
	broken   string
	after    string
	places   string
}

// The modes: where processes are killed.
const (
	modeRandom = "random" // anywhere
	modePoints = "points" // at the places that the programs name
	modeBoth   = "both"
)

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.Uint64Var(&o.seed, "seed", 1, "chooses what happens when; the same seed gives the same plan, not the same instants")
	flags.DurationVar(&o.duration, "duration", time.Minute, "how long the product is tortured altogether")
	flags.DurationVar(&o.round, "round", 30*time.Second, "after how long everything is brought to rest and judged")
	flags.IntVar(&o.kills, "kills", 0, "end when that many processes were killed, whatever -duration says; 0 for no such end")
	flags.StringVar(&o.mode, "mode", modeBoth, "random, points or both: where processes are killed")
	flags.BoolVar(&o.json, "json", false, "print the summary as one JSON object")
	flags.StringVar(&o.source, "source", ".", "root of the module to build")
	flags.StringVar(&o.keep, "keep", os.TempDir(), "where the folder of a round with a violation is left")
	flags.StringVar(&o.after, "after", "", "summaries of former runs, `FILES` of -json separated by commas: what they met seldom is aimed at first")
	flags.StringVar(&o.places, "places", "", "with -mode points: kill only at places that begin with one of these, `PREFIXES` separated by commas")
	flags.StringVar(&o.broken, "broken", "", "break rules on purpose, `NAMES` separated by commas or all, and fail where the harness does not notice")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.mode != modeRandom && o.mode != modePoints && o.mode != modeBoth {
		return o, fmt.Errorf("-mode must be random, points or both, not %q", o.mode)
	}
	if o.round <= 0 || o.duration <= 0 || flags.NArg() > 0 {
		return o, errors.New("usage: torture [flags], with times above zero; see -help")
	}
	return o, nil
}

// start runs the program and returns the exit code: 0 without a violation, 1 with
// one or with a failure of the harness itself, 2 for wrong usage.
func start(ctx context.Context, args []string) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	if err := ownMounts(); err != nil {
		fmt.Fprintln(os.Stderr, "torture: no disks of our own, so none will be full:", err)
	}
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	run := torture
	if o.broken != "" {
		run = breakRules
	}
	ok, err := run(ctx, o, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
}

// torture runs round after round and prints the summary. It returns false where a
// rule was violated.
func torture(ctx context.Context, o options, dir string) (bool, error) {
	bin, err := build(ctx, o.source, filepath.Join(dir, "bin"), nil)
	if err != nil {
		return false, err
	}
	places, err := bin.places(ctx)
	if err != nil {
		return false, err
	}
	total := newTally(o, places)
	if err := total.recall(o.after); err != nil {
		return false, err
	}
	bar := newBar(o)
	defer bar.end()
	var failed error // of the harness itself; what was found until then is printed
	for began := time.Now(); failed == nil && ctx.Err() == nil && total.goesOn(o, time.Since(began)); {
		left := o.duration - time.Since(began)
		if o.kills > 0 {
			left = o.round
		}
		one, err := newRound(o, bin, filepath.Join(dir, fmt.Sprintf("round%d", total.Rounds)), total, min(o.round, left))
		if err != nil {
			return false, err
		}
		err = one.run(ctx, func() { bar.show(total, time.Since(began)) })
		if err != nil && ctx.Err() == nil {
			failed = err
		}
	}
	total.Interrupted = ctx.Err() != nil
	bar.end()
	total.Seconds = int(time.Since(total.began).Seconds())
	if o.json {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return len(total.Violations) == 0, errors.Join(failed, out.Encode(total))
	}
	return len(total.Violations) == 0, errors.Join(failed, total.print(os.Stdout))
}
