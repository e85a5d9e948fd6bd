package model_test

import (
	"strings"
	"testing"
)

// scenarios together hold every transition. The number of faults is the one from which
// on more of them lead to no new state, but where the time of a test bounds it.
var scenarios = []struct {
	name string
	scenario
}{
	{"a lost Mac", scenario{messages: 1, faults: 5, replaces: true}},
	{"every frame and a deleted journal", scenario{messages: 1, attempts: 3, faults: 5, wires: true, deletes: true}},
	{"an older copy of the journal", scenario{messages: 1, faults: 5, files: true, restores: true}},
	{"an older copy that is to give back what it has sent", scenario{messages: 1, faults: 2, coarse: true, files: true, restores: true, cancels: true, expires: true}},
	{"withdrawn in time or not", scenario{messages: 1, faults: 5, cancels: true, expires: true, refuses: true}},
	{"a planned change of the Mac", scenario{messages: 1, faults: 1, coarse: true, cancels: true, releases: true, replaces: true}},
	{"two equal messages", scenario{messages: 2, faults: 5, coarse: true}},
	{"two equal messages and a lost Mac", scenario{messages: 2, attempts: 1, faults: 1, coarse: true, replaces: true}},
	{"a failed row and SMS", scenario{messages: 1, faults: 1, coarse: true, fails: true, fallsBack: true, replaces: true}},
	{"a row that says nothing", scenario{messages: 1, faults: 5, coarse: true, files: true, silences: true}},
	{"an older copy of the cloud's database", scenario{messages: 1, faults: 5, backups: true}},
}

func TestProtocol(t *testing.T) {
	for _, one := range scenarios {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(one.scenario)
			if why := w.run(); why != "" {
				t.Errorf("%s after %s", why, w.told())
			}
			t.Logf("%d states, %d transitions", len(w.states), w.steps)
		})
	}
}

// told is the shortest way to what is bad.
func (w *walk) told() string { return strings.Join(w.trace(), ", ") }

// TestWeaker leaves out one rule at a time: each must be missed.
func TestWeaker(t *testing.T) {
	for _, one := range []struct {
		name string
		rule rule
		scenario
	}{
		{"a lease that ends", leases, scenario{messages: 1}},
		{"a lost Mac's messages are queued again", replacementRequeues, scenario{messages: 1, replaces: true}},
		{"the shim takes the lock itself", shimLocks, scenario{messages: 1, faults: 1}},
		{"an ambiguous end is tried again", ambiguousRetried, scenario{messages: 1}},
		{"orders are known in memory only", memoryOnly, scenario{messages: 1, faults: 1, files: true}},
		{"an old journal is trusted", oldJournalTrusted, scenario{messages: 1, faults: 2, files: true, restores: true}},
		{"arming is not waited for", armLost, scenario{messages: 1, faults: 1}},
		{"a killed osascript has done nothing", killedIsNothing, scenario{messages: 1, faults: 1}},

		{"a run's files go before the cloud has heard", forgetsEarly, scenario{messages: 1, faults: 2, files: true, restores: true}},
		{"a daemon begins before it is welcomed", beginsUnasked, scenario{messages: 1, faults: 3, files: true, restores: true}},
		{"an old journal is known by its numbers alone", numbersAlone, scenario{messages: 1, faults: 3, files: true, restores: true}},
		{"an old journal gives back what it has sent", unadopted, scenario{messages: 1, faults: 2, files: true, restores: true, cancels: true, expires: true}},
		{"claims count from any attempt", unfenced, scenario{messages: 1, attempts: 3, faults: 1, wires: true}},
		{"the cloud cancels alone", cancelAlone, scenario{messages: 1, cancels: true}},
		{"a row counts for two messages", rowCountsTwice, scenario{messages: 2, attempts: 1, faults: 1, coarse: true, replaces: true}},
		{"a row counts for the first of two messages that says so", rowOfEither, scenario{messages: 2, attempts: 1, faults: 1, coarse: true, replaces: true}},
		{"a failed row is not looked at before SMS", staleFallback, scenario{messages: 1, coarse: true, fails: true, fallsBack: true}},
		{"an order goes before its end is heard of", forgetsUntold, scenario{messages: 1, coarse: true, files: true, silences: true}},
		{"a fallback may move to another Mac", fallbackMoves, scenario{messages: 1, coarse: true, fails: true, fallsBack: true, replaces: true}},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.broken = one.rule
			w := newWalk(one.scenario)
			why := w.run()
			if why == "" {
				t.Fatalf("not missed in %d states", len(w.states))
			}
			t.Logf("%s, with %d faults in %d steps: %s", why, w.layer[w.badAt], len(w.trace()), w.told())
		})
	}
}

// TestSecondLine leaves out a rule beneath which another one holds: the marker of a run
// says that it was made, whatever became of its record.
func TestSecondLine(t *testing.T) {
	w := newWalk(scenario{messages: 1, faults: 3, broken: armLostAlone})
	if why := w.run(); why != "" {
		t.Errorf("%s after %s", why, w.told())
	}
}

// TestBeyond shows what no rule of ours can see: a whole state folder that is put back,
// journal and markers together, to before an arming of which the cloud never heard.
func TestBeyond(t *testing.T) {
	w := newWalk(scenario{messages: 1, faults: 2, files: true, restores: true, folder: true})
	why := w.run()
	if why == "" {
		t.Fatal("it is seen after all: say so in docs/reliability.md")
	}
	t.Logf("%s after %s", why, w.told())
}
