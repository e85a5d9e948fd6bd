package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// judge holds the claims against what happened. The empty list is the promise kept.
func judge(e evidence) []violation {
	j := &jury{evidence: e}
	j.everyAnswerCounts()
	j.oneEffectEach()
	j.unknownHasItsReason()
	j.nothingIsStuck()
	j.inboundOnce()
	j.webhooksTold()
	j.inOrder()
	j.notIdle()
	for _, id := range e.clashes {
		j.accuse("webhook", "event %s came with two bodies", id)
	}
	for _, name := range e.broken {
		j.accuse("database", "%s", name)
	}
	return j.found
}

type jury struct {
	evidence
	found []violation
}

func (j *jury) accuse(rule, format string, args ...any) {
	j.found = append(j.found, violation{j.round, rule, fmt.Sprintf(format, args...)})
}

// everyAnswerCounts: what was answered with 202 is in the list.
func (j *jury) everyAnswerCounts() {
	known := make(map[string]int)
	for _, c := range j.claims {
		known[c.ID]++
	}
	for _, s := range j.sent {
		if known[s.id] != 1 {
			j.accuse("lost", "message %s was accepted and is %d times in the list", s.id, known[s.id])
		}
	}
	// A request is repeated with its key until it is answered, and its text is its own.
	standings := j.standings()
	for _, s := range j.sent {
		if g := standings[group{s.line, s.to, s.hash}]; s.unique && g != nil && len(g.ids) > 1 {
			j.accuse("doubled", "one request has made the messages %v", g.ids)
		}
	}
}

func (j *jury) standings() map[group]*standing {
	all := make(map[group]*standing)
	of := func(g group) *standing {
		if all[g] == nil {
			all[g] = &standing{}
		}
		return all[g]
	}
	for _, c := range j.claims {
		if !c.ordered() {
			continue
		}
		if c.MediaURL != "" {
			of(c.file()).addFile(c)
		}
		s := of(c.text())
		s.ids = append(s.ids, c.ID)
		switch {
		case c.went():
			s.went++
		case c.unknown():
			s.unknown++
		case j.failedRow(c):
			s.failedRow++
		default:
			s.other++
		}
	}
	for _, e := range j.effects {
		of(group(e)).effects++
	}
	return all
}

// failedRow tells whether a message has a row that Messages itself marks as failed. One
// that recovers later does so in vain where the Mac that followed it was replaced.
func (j *jury) failedRow(c claim) bool {
	return c.Status == "failed" && c.ErrorCode == "messages_error" && (c.To == notOnIMessage || c.To == recovers && j.changed(c.From))
}

// oneEffectEach: who is said to have been written to was, once; who is not, was not.
func (j *jury) oneEffectEach() {
	for g, s := range j.standings() {
		least, most := s.went+s.failedRow, s.went+s.failedRow+s.unknown
		if g.to == notOnIMessage && j.bySMS[g.line] {
			most += s.went + s.unknown + s.other // the row that failed, and the SMS
		}
		switch {
		case s.effects > most+s.other:
			j.accuse("doubled", "%d messages %v to %s left the Mac %d times", len(s.ids), s.ids, g.to, s.effects)
		case s.effects > most:
			j.accuse("false", "of the messages %v to %s %d left the Mac, and only %d are said to have", s.ids, g.to, s.effects, most)
		case s.effects < least:
			j.accuse("false", "of the messages %v to %s %d left the Mac, and %d are said to have", s.ids, g.to, s.effects, least)
		}
	}
}

// unknownHasItsReason: nobody knows only where the harness took care that nobody can.
func (j *jury) unknownHasItsReason() {
	standings := j.standings()
	for _, c := range j.claims {
		if !c.ordered() || !c.unknown() || j.retired(c) {
			continue
		}
		if !j.excused(c) {
			j.accuse("unknown", "message %s to %s is unknown without a reason", c.ID, c.To)
		}
		s := standings[c.text()]
		if c.To != notOnIMessage && s.effects > s.went+s.failedRow {
			j.accuse("unknown", "message %s to %s is unknown though its row is there", c.ID, c.To)
		}
	}
}

// retirement is how long after a Mac was changed its messages may become unknown: the
// cloud learns of another journal with the next hello.
const retirement = 8 * time.Second

// retired tells whether a message became unknown by the loss of its Mac or journal.
func (j *jury) retired(c claim) bool {
	at, ok := j.unknowns[c.ID]
	return ok && slices.ContainsFunc(j.windows, func(w window) bool {
		return w.retires() && w.line == c.From && w.around(at, time.Second, retirement)
	})
}

// excused tells whether a run of the message was broken off, or can have been.
func (j *jury) excused(c claim) bool {
	if c.To == silentOne || j.doubt[c.ID] != "" || j.dropped[c.text()] > 0 {
		return true
	}
	if c.MediaURL != "" && (j.dropped[c.file()] > 0 || j.brokenRun(c.file())) {
		return true
	}
	return j.brokenRun(c.text())
}

// brokenRun tells whether an osascript that was to send this did not come to its end,
// or to a bad one after it had begun to send.
func (j *jury) brokenRun(g group) bool {
	state := make(map[int]string)
	for _, r := range j.runs[g.line] {
		switch {
		case r.To != g.to || r.Value != g.hash:
		case j.noRoom(g.line, time.UnixMilli(r.At)):
			return true // its result may not have found any
		case r.Event == runEnds && (r.Code == 0 || state[r.PID] != runDispatch):
			delete(state, r.PID) // it came to its end, or never began to send
		case r.Event == runEnds:
			return true
		default:
			state[r.PID] = r.Event
		}
	}
	return len(state) > 0
}

// noRoom tells whether the disk of a line's relays was full at that time.
func (j *jury) noRoom(line string, at time.Time) bool {
	return slices.ContainsFunc(j.windows, func(w window) bool {
		return w.what == whatFull && w.line == line && w.around(at, time.Second, time.Second)
	})
}

func (j *jury) nothingIsStuck() {
	for _, c := range j.claims {
		if c.ordered() && c.open() {
			j.accuse("stuck", "message %s to %s is still %s", c.ID, c.To, c.Status)
		}
	}
}

// handover is how long around the loss of a journal what comes in may be history to the
// next one: what was not acknowledged yet, and what comes before that one has begun to
// read. On a machine with much to do, processes that are killed again and again need
// this long.
const handover = 15 * time.Second

// inboundOnce: what came in is there once, and nothing else is.
func (j *jury) inboundOnce() {
	there := make(map[string]int)
	for _, c := range j.claims {
		switch {
		case c.Direction == "inbound":
			there[c.To+" "+c.Content]++
		case c.Origin != "":
			key := c.From + c.To + hashOf(c.Content)
			if j.typed[key]--; j.typed[key]+j.again[c.text()] < 0 {
				j.accuse("typed", "message %s is said to have been typed by the owner", c.ID)
			}
		}
	}
	for _, in := range j.received {
		key := in.line + " " + in.text
		n := there[key]
		delete(there, key)
		switch {
		case n > 1:
			j.accuse("doubled", "%q came in once and is there %d times", in.text, n)
		case n == 0 && in.sure && !j.betweenMacs(in):
			j.accuse("lost", "%q came in and is not there", in.text)
		}
	}
	for key := range there {
		j.accuse("invented", "nobody wrote %q", key)
	}
}

func (j *jury) changed(line string) bool {
	return slices.ContainsFunc(j.windows, func(w window) bool { return w.retires() && w.line == line })
}

func (j *jury) betweenMacs(in received) bool {
	return slices.ContainsFunc(j.windows, func(w window) bool {
		return w.forgets() && w.line == in.line && j.since(w).around(in.at, handover, handover)
	})
}

// since is a window from when on there was perhaps no daemon that could have told what
// came in: from the beginning of the changes that it follows at once.
func (j *jury) since(w window) window {
	for moved := true; moved; {
		moved = false
		for _, v := range j.windows {
			if v.retires() && v.line == w.line && v.from.Before(w.from) && v.to.After(w.from.Add(-handover)) {
				w.from, moved = v.from, true
			}
		}
	}
	return w
}

// webhooksTold: every message that came in has its event once, and every end of a
// message that went out has one.
func (j *jury) webhooksTold() {
	for _, c := range j.claims {
		if c.Direction == "inbound" {
			if n := j.told["message.received"][c.ID]; n != 1 {
				j.accuse("webhook", "that message %s came in was told by %d events", c.ID, n)
			}
			continue
		}
		if !c.ordered() {
			continue
		}
		kind := "message." + c.Status
		if c.Status == "delivered" && j.told["message.read"][c.ID] > 0 {
			kind = "message.read" // shown as delivered
		}
		if (c.went() || c.Status == "failed" && !c.unknown()) && j.told[kind][c.ID] == 0 {
			j.accuse("webhook", "that message %s is %s was told to nobody", c.ID, c.Status)
		}
	}
}

// inOrder: what was accepted first to one person left first. Where a row came after
// its message was given up, and where texts are alike, there is no order to be told.
func (j *jury) inOrder() {
	status := make(map[string]claim)
	for _, c := range j.claims {
		status[c.ID] = c
	}
	type place struct {
		at int
		id string
	}
	turn := make(map[group]place)
	for i, s := range j.sent {
		_, doubted := j.unknowns[s.id]
		if s.unique && !doubted && status[s.id].went() {
			turn[group{s.line, s.to, s.hash}] = place{i, s.id}
		}
	}
	last := make(map[[2]string]place)
	for _, e := range j.effects {
		now, ok := turn[group(e)]
		if !ok {
			continue
		}
		person := [2]string{e.line, e.to}
		if before, ok := last[person]; ok && before.at > now.at {
			j.accuse("order", "message %s to %s left after %s, which was accepted later", now.id, e.to, before.id)
		}
		last[person] = now
	}
}

// notIdle: who lets everything fail or be unknown keeps all the other rules.
func (j *jury) notIdle() {
	sent, went := 0, 0 // without those that were meant to be canceled or to run out of time
	for _, s := range j.sent {
		if !strings.HasPrefix(s.to, fickles) {
			sent++
		}
	}
	for _, c := range j.claims {
		if c.ordered() && c.went() && !strings.HasPrefix(c.To, fickles) {
			went++
		}
	}
	if sent > 100 && went < sent/3 {
		j.accuse("idle", "of %d messages only %d went out", sent, went)
	}
}

// sortViolations puts the worst first.
func sortViolations(list []violation) {
	rank := map[string]int{"doubled": 1, "lost": 2, "false": 3, "unknown": 4, "order": 5, "invented": 6, "webhook": 7, "stuck": 8}
	slices.SortFunc(list, func(a, b violation) int {
		return cmp.Or(cmp.Compare(cmp.Or(rank[a.Rule], 9), cmp.Or(rank[b.Rule], 9)), cmp.Compare(a.Detail, b.Detail))
	})
}
