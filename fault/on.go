//go:build fault

package fault

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Built tells whether points do anything in this build.
const Built = true

// The environment of a program built with the tag.
const (
	// planEnv is the plan: parts separated by commas, each PLACE, or * for every
	// place, then optionally !stop (SIGSTOP instead of SIGKILL), then #N (the Nth
	// time that the process comes there) or @P (each time with probability P).
	//
	//	relay.arm.after#2,shim.mark.before@0.3,shim.order!stop@0.1,*@0.001
	planEnv = "FAULT_PLAN"
	// seedEnv makes the probabilities repeatable, as far as processes are.
	seedEnv = "FAULT_SEED"
	// logEnv is the file that gets one line for each end or stop:
	// MILLISECONDS PID kill|stop PLACE SUBJECT
	logEnv = "FAULT_LOG"
	// tuneEnv is JSON with members of the program's configuration; durations are in
	// nanoseconds.
	tuneEnv = "FAULT_CONFIG"
)

// rule is one part of a plan.
type rule struct {
	stop   bool
	nth    int     // 0 for a probability
	chance float64 // 0 for the nth time
}

// process is the plan of this process and how far it has come.
type process struct {
	mu      sync.Mutex
	plan    map[string][]rule
	passed  map[string]int
	random  *rand.Rand
	log     string
	subject string
}

// state is the one variable of this package, in builds for tests only: points are met
// in places that nothing can be handed to.
var state = sync.OnceValue(func() *process {
	p := &process{plan: parse(os.Getenv(planEnv)), passed: make(map[string]int), log: os.Getenv(logEnv), subject: "-"}
	seed, _ := strconv.ParseUint(os.Getenv(seedEnv), 10, 64)
	// Children have their parent's environment, and are to differ from it.
	p.random = rand.New(rand.NewPCG(seed, uint64(os.Getpid())))
	return p
})

// parse reads a plan. A plan that cannot be read is a mistake of the harness and ends
// the program.
func parse(text string) map[string][]rule {
	plan := make(map[string][]rule)
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		place, r, err := parsePart(part)
		if err != nil {
			fmt.Fprintf(os.Stderr, "fault: %s in %s: %v\n", part, planEnv, err)
			os.Exit(2)
		}
		plan[place] = append(plan[place], r)
	}
	return plan
}

func parsePart(part string) (place string, r rule, err error) {
	if head, n, ok := strings.Cut(part, "#"); ok {
		part = head
		if r.nth, err = strconv.Atoi(n); err != nil {
			return "", r, err
		}
	} else if head, chance, ok := strings.Cut(part, "@"); ok {
		part = head
		if r.chance, err = strconv.ParseFloat(chance, 64); err != nil {
			return "", r, err
		}
	} else {
		r.nth = 1
	}
	place, r.stop = strings.CutSuffix(part, "!stop")
	return place, r, nil
}

// Before marks the place in front of a durable step's last move: the commit, the
// rename, the sync.
func Before(p Point) { state().at(string(p) + before) }

// After marks the place right behind it.
func After(p Point) { state().at(string(p) + after) }

// Hit marks an instant.
func Hit(p Point) { state().at(string(p)) }

// About names what this process is at work on, for the line that an end leaves.
func About(subject string) {
	s := state()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subject = subject
}

// Tune changes a configuration, a pointer to a struct, as the harness wants it: with
// windows of minutes it would have to wait for minutes.
func Tune(cfg any) {
	text, ok := os.LookupEnv(tuneEnv)
	if !ok {
		return
	}
	if err := json.Unmarshal([]byte(text), cfg); err != nil {
		fmt.Fprintf(os.Stderr, "fault: %s: %v\n", tuneEnv, err)
		os.Exit(2)
	}
}

// at does what the plan has for a place, at most one thing.
func (p *process) at(place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed[place]++
	for _, name := range []string{place, "*"} {
		for _, r := range p.plan[name] {
			if r.nth == p.passed[place] || r.chance > 0 && p.random.Float64() < r.chance {
				p.end(place, r)
				return
			}
		}
	}
}

// end leaves a line and then dies, or stops until somebody continues the process.
func (p *process) end(place string, r rule) {
	word, sig := "kill", syscall.SIGKILL
	if r.stop {
		word, sig = "stop", syscall.SIGSTOP
	}
	if f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err == nil {
		fmt.Fprintf(f, "%d %d %s %s %s\n", time.Now().UnixMilli(), os.Getpid(), word, place, p.subject)
		f.Close()
	}
	_ = syscall.Kill(os.Getpid(), sig)
	if !r.stop {
		select {} // the signal is on its way; nothing may happen any more
	}
}
