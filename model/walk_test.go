package model_test

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
)

// rule names a rule that a broken protocol leaves out; noRule for the protocol as it is.
type rule int

const (
	noRule rule = iota
	leases
	replacementRequeues
	shimLocks
	ambiguousRetried
	memoryOnly
	oldJournalTrusted
	armLost
	killedIsNothing
	forgetsEarly
	unfenced
	cancelAlone
	staleFallback
	fallbackMoves
	beginsUnasked
	rowCountsTwice
	rowOfEither
	armLostAlone
	numbersAlone
	unadopted
	forgetsUntold
)

// scenario says what may happen in a walk.
type scenario struct {
	messages int
	attempts uint8 // the last that may be made; 2 where it is 0
	faults   int
	broken   rule

	cancels, expires   bool // messages are withdrawn, or their time passes
	releases, replaces bool // a Mac is exchanged, planned or not
	refuses            bool // some refusals are for good
	fails, fallsBack   bool // rows fail, and the line falls back to SMS
	deletes, restores  bool // of the first Mac's journal
	folder             bool // with the files of its runs
	backups            bool // of the cloud's database
	wires              bool // each frame of a report, and answers to orders that come again
	coarse             bool // a run is a matter of three steps, not of eight
	files              bool // how acknowledgements and the end of a run's files go
	silences           bool // rows say nothing at first, and orders are forgotten
}

// walk visits every state that a scenario can reach: first those that need no fault, the
// nearest first, then those that need one, and so on. How many faults have happened is no
// part of a state: what can happen after more of them can happen after fewer.
type walk struct {
	scenario
	states []state
	layer  []uint8   // the least number of faults by which the state is reached
	open   [][]int32 // by layer
	table  []int32   // open addressing: 1 + index into states
	parent []int32
	via    []uint8
	names  []string // of transitions, in the order of their first use
	taken  map[string]uint8
	edges  [][2]int32 // without a fault
	from   int32
	steps  int
	bad    string // the first thing that must not be
	badAt  int32
}

var seed = maphash.MakeSeed()

func newWalk(sc scenario) *walk {
	sc.attempts = cmp.Or(sc.attempts, 2)
	w := &walk{scenario: sc, table: make([]int32, 1<<16), taken: make(map[string]uint8), badAt: -1, open: make([][]int32, sc.faults+1), from: -1}
	first := start()
	w.add(&first, 0)
	return w
}

// run walks until everything was seen, or something bad, and tells what.
func (w *walk) run() string {
	for layer := range w.open {
		for i := 0; i < len(w.open[layer]) && w.bad == ""; i++ {
			w.from = w.open[layer][i]
			if int(w.layer[w.from]) == layer {
				s := w.states[w.from]
				s.faults = uint8(layer)
				w.expand(&s)
			}
		}
	}
	if w.bad == "" {
		w.findStuck()
	}
	return w.bad
}

// expand reaches every state that one transition leads to.
func (w *walk) expand(s *state) {
	if s.messages[w.messages-1].status == absent {
		w.create(s) // first, for nothing can happen before
		return
	}
	for _, move := range []func(*state){
		w.cancel, w.expire, w.assign, w.lapse, w.order, w.release, w.replace, w.admit, w.apply, w.acknowledge,
		w.report, w.receive, w.declines, w.arm, w.conclude, w.bind, w.settle, w.hear, w.forget, w.prune,
		w.begin, w.beside, w.speak, w.mend, w.copyJournal, w.backUp, w.disrupt,
	} {
		move(s)
	}
}

// reach notes that a transition of that name leads to s.
func (w *walk) reach(name string, s *state) {
	id, ok := w.taken[name]
	if !ok {
		id = uint8(len(w.names))
		w.taken[name] = id
		w.names = append(w.names, name)
	}
	free := s.faults == w.layer[w.from]
	to := w.add(s, id)
	if to == w.from {
		return
	}
	w.steps++
	if free {
		w.edges = append(w.edges, [2]int32{w.from, to})
	}
}

// add returns the number of a state, a new one where it was not seen before.
func (w *walk) add(s *state, via uint8) int32 {
	if len(w.states) > len(w.table)/2 {
		w.grow()
	}
	layer := s.faults
	s.faults = 0
	defer func() { s.faults = layer }()
	slot := w.find(s)
	n := w.table[slot] - 1
	switch {
	case n < 0:
		n = int32(len(w.states))
		w.states = append(w.states, *s)
		w.layer = append(w.layer, layer)
		w.parent = append(w.parent, w.from)
		w.via = append(w.via, via)
		w.table[slot] = n + 1
		if why := w.wrong(s); why != "" && w.bad == "" {
			w.bad, w.badAt = why, n
		}
	case w.layer[n] > layer:
		w.layer[n], w.parent[n], w.via[n] = layer, w.from, via
	default:
		return n
	}
	w.open[layer] = append(w.open[layer], n)
	return n
}

func (w *walk) find(s *state) uint64 {
	mask := uint64(len(w.table) - 1)
	slot := maphash.Comparable(seed, *s) & mask
	for w.table[slot] != 0 && w.states[w.table[slot]-1] != *s {
		slot = (slot + 1) & mask
	}
	return slot
}

func (w *walk) grow() {
	w.table = make([]int32, 2*len(w.table))
	for i := range w.states {
		w.table[w.find(&w.states[i])] = int32(i + 1)
	}
}

// trace tells how the bad state is reached, by the names of transitions.
func (w *walk) trace() []string {
	var names []string
	for at := w.badAt; w.parent[at] >= 0; at = w.parent[at] {
		names = append(names, w.names[w.via[at]])
	}
	slices.Reverse(names)
	return names
}

// wrong tells what of a state must not be.
func (w *walk) wrong(s *state) string {
	good, said := 0, 0
	for _, r := range s.rows[:s.rowCount] {
		if !r.failed && !r.silent {
			good++
		}
	}
	for i := range s.messages {
		m := &s.messages[i]
		if m.effects > 1 {
			return fmt.Sprintf("message %d left %d times", i+1, m.effects)
		}
		switch {
		case m.status == sent:
			said++
		case m.status == canceled || m.status == expired || m.status == queued && m.install == 0:
			if m.effects > 0 && m.row == 0 && !s.restored {
				return fmt.Sprintf("message %d is said not to have left, and has", i+1)
			}
		case m.status == failed:
			if m.effects > 0 && m.row == 0 {
				return fmt.Sprintf("message %d has failed without a row, and has left", i+1)
			}
		case m.status == unknown:
			// What one Mac cannot tell apart, its row may have gone to the other message.
			if other := s.messages[1-i]; !m.blurred && !(w.messages > 1 && other.blurred && other.install == m.install) {
				return fmt.Sprintf("message %d is unknown for no reason", i+1)
			}
		}
	}
	if said > good {
		return "more is sent than there are rows"
	}
	return ""
}

// findStuck looks for states from which no end can be reached without another fault.
func (w *walk) findStuck() {
	first := make([]int32, len(w.states)+1)
	for _, e := range w.edges {
		first[e[1]+1]++
	}
	for i := range w.states {
		first[i+1] += first[i]
	}
	back := make([]int32, len(w.edges))
	fill := slices.Clone(first)
	for _, e := range w.edges {
		back[fill[e[1]]] = e[0]
		fill[e[1]]++
	}
	ends := make([]bool, len(w.states))
	var open []int32
	for i := range w.states {
		if w.ended(&w.states[i]) {
			ends[i] = true
			open = append(open, int32(i))
		}
	}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range back[first[at]:first[at+1]] {
			if !ends[from] {
				ends[from] = true
				open = append(open, from)
			}
		}
	}
	if i := slices.Index(ends, false); i >= 0 {
		w.bad, w.badAt = "no end can be reached", int32(i)
	}
}

// ended tells whether every message has come to an end, and to the right one where a
// journal still knows it.
func (w *walk) ended(s *state) bool {
	for i := range w.messages {
		m := &s.messages[i]
		if m.status.begun() && m.install == 0 && s.macs[s.owner].session == denied {
			return true // the next step is a person's
		}
		if !m.status.ended() || m.effects > 0 && m.status != sent && !m.erased && w.messages == 1 {
			return false
		}
	}
	return true
}
