package model_test

import "slices"

// What a relay does: its journal, its outbox, its daemon.

// add appends a report to the outbox. Where numbers alone are compared, an old journal
// catches up by giving out numbers again, and the cloud takes those for known.
func (j *journal) add(r report) {
	if j.catchesUp && j.behind > 0 {
		j.behind--
		return
	}
	j.untold[j.told] = r
	j.told++
}

// repeat appends a report unless it is untold already.
func (j *journal) repeat(r report) {
	if !slices.Contains(j.untold[:j.told], r) {
		j.add(r)
	}
}

// holds tells whether the outbox says something of an attempt.
func (j *journal) holds(message, attempt uint8) bool {
	return slices.ContainsFunc(j.untold[:j.told], func(r report) bool {
		return r.message() == message && r.attempt() == attempt
	})
}

// drop forgets the oldest untold report, which the cloud has committed.
func (j *journal) drop() {
	copy(j.untold[:], j.untold[1:])
	j.untold[maxUntold-1] = 0
	j.told--
}

// commit takes the oldest report of a Mac into the cloud. A copy of the journal that
// never gave it out is behind from then on.
func (s *state) commit(m uint8) report {
	mac := &s.macs[m]
	r := mac.journal.untold[0]
	mac.journal.drop()
	mac.written -= min(mac.written, 1)
	if m == firstMac && s.copied && s.copy.install == mac.journal.install {
		if s.copy.told > 0 {
			s.copy.drop()
		} else {
			s.copy.behind++
		}
	}
	if m == firstMac && s.backup.taken && !s.restored {
		s.backup.since[s.backup.committed] = r
		s.backup.committed++
	}
	return r
}

// report writes what the outbox holds to the socket.
func (w *walk) report(s *state) {
	if !w.wires {
		return
	}
	for m := range s.macs {
		mac := &s.macs[m]
		if (mac.session == serving || mac.session == retired) && mac.written < mac.journal.told {
			t := *s
			t.macs[m].written = mac.journal.told
			w.reach("relay.report", &t)
		}
	}
}

// receive writes an order into the journal, or answers one that is known.
func (w *walk) receive(s *state) {
	for m := range s.macs {
		if s.macs[m].session != serving {
			continue
		}
		for i := range uint8(messages) {
			for a := uint8(1); a <= attempts; a++ {
				if s.orders&frame(s.macs[m].journal.install, i, a) == 0 {
					continue
				}
				t := *s
				w.take(&t.macs[m], i, a, w.wires || s.restored)
				w.reach("relay.receive", &t)
			}
		}
	}
}

func (w *walk) take(m *mac, i, a uint8, answers bool) {
	j := &m.journal
	one := &j.sends[i]
	next := a > one.attempt && (one.step == nowhere || one.step.noSend() || one.step == rejected)
	switch {
	case next && (m.released || j.fenced):
		*one = send{step: noSendReleased, attempt: a, row: one.row}
		j.add(tell(tellReleased, i, a, 0))
	case next:
		*one = send{step: received, attempt: a, row: one.row} // a failed row is looked at again
		if !w.coarse {
			j.add(tell(tellAccepted, i, a, 0))
		}
	case answers:
		j.answer(i, a)
	}
}

// answer repeats what has become of a message that is ordered though the journal knows
// it.
func (j *journal) answer(i, a uint8) {
	one := &j.sends[i]
	switch one.step {
	case settled:
		j.repeat(tell(tellUnknown, i, a, 0))
	case observed:
		j.repeat(tell(tellSent, i, a, one.row))
	case rejected:
		j.repeat(tell(tellFailed, i, one.attempt, one.row))
	case noSendAgain, noSendFinal, noSendCanceled, noSendExpired, noSendReleased:
		j.repeat(tell(answers[one.step], i, a, 0))
	}
}

var answers = [...]kind{
	noSendAgain: tellNoSendAgain, noSendFinal: tellNoSendFinal, noSendCanceled: tellCanceled,
	noSendExpired: tellExpired, noSendReleased: tellReleased,
}

// decline gives up a message that was not begun.
func (j *journal) decline(i uint8, as step) {
	j.sends[i].step = as
	j.add(tell(answers[as], i, j.sends[i].attempt, 0))
}

// declines are the ways in which a relay gives up what it has not begun: it was asked
// to, the time has passed, another Mac takes over, it is not wanted any more.
func (w *walk) declines(s *state) {
	for m := range s.macs {
		mac := &s.macs[m]
		if !mac.up {
			continue
		}
		if mac.session == serving {
			w.cancelled(s, m)
			if m == firstMac && s.recalled && !mac.released {
				t := *s
				t.macs[m].giveBack()
				w.reach("relay.release", &t)
			}
		}
		if (mac.session == retired || mac.session == denied) && !mac.journal.fenced {
			t := *s
			t.macs[m].fence()
			w.reach("relay.fence", &t)
		}
		for i := range uint8(messages) {
			if w.expires && mac.journal.sends[i].step == received {
				t := *s
				t.macs[m].journal.decline(i, noSendExpired)
				w.reach("relay.expire", &t)
			}
		}
	}
}

// cancelled answers a withdrawal. One that comes before its order leaves the answer to
// the order behind.
func (w *walk) cancelled(s *state, m int) {
	for i := range uint8(messages) {
		for a := uint8(1); a <= attempts; a++ {
			j := &s.macs[m].journal
			if s.cancels&frame(j.install, i, a) == 0 {
				continue
			}
			one := j.sends[i]
			fresh := a > one.attempt && (one.step == nowhere || one.step.noSend())
			if !fresh && (one.attempt != a || one.step != received) {
				continue
			}
			t := *s
			t.macs[m].journal.sends[i].attempt = a
			t.macs[m].journal.decline(i, noSendCanceled)
			w.reach("relay.cancel", &t)
		}
	}
}

func (m *mac) giveBack() {
	m.released = true
	for i := range uint8(messages) {
		if m.journal.sends[i].step == received {
			m.journal.decline(i, noSendReleased)
		}
	}
}

func (m *mac) fence() {
	m.journal.fenced = true
	for i := range m.journal.sends {
		if one := &m.journal.sends[i]; one.step == received {
			*one = send{row: one.row}
		}
	}
}

// arm writes down that a send begins. Nothing is armed before the end of what was armed
// earlier is known, and before the cloud has welcomed the daemon: the journal may be an
// old copy.
func (w *walk) arm(s *state) {
	for m := range s.macs {
		mac := &s.macs[m]
		if !mac.up || !mac.greeted && w.broken != beginsUnasked || mac.journal.fenced || mac.released || mac.hand.message != noMessage || mac.journal.isArmed() {
			continue
		}
		for i := range uint8(messages) {
			if mac.journal.sends[i].step != received {
				continue
			}
			if row := mac.journal.sends[i].row; row != 0 && !s.rows[row-1].failed && w.broken != staleFallback {
				continue // it is looked at again right before
			}
			t := *s
			j := &t.macs[m].journal
			j.sends[i].step, j.sends[i].mark, j.sends[i].row = armed, s.rowCount, 0
			if !w.coarse {
				j.add(tell(tellSending, i, j.sends[i].attempt, 0))
			}
			t.macs[m].hand.message = i
			w.reach("relay.arm", &t)
		}
	}
}

func (j *journal) isArmed() bool {
	for i := range j.sends {
		if j.sends[i].step == armed {
			return true
		}
	}
	return false
}

// conclude writes down how an attempt ended, once its lock is free: by the result, or
// by what its absence says.
func (w *walk) conclude(s *state) {
	for m := range s.macs {
		mac := &s.macs[m]
		for i := range uint8(messages) {
			one := mac.journal.sends[i]
			if !mac.up || one.step != armed || mac.hand.message == i {
				continue
			}
			run := &mac.runs[i][one.attempt-1]
			if run.locked(w.broken) {
				continue
			}
			if run.harmless(w.broken) {
				w.noSend(s, m, i)
				continue
			}
			t := *s
			t.macs[m].journal.sends[i].step = handed
			w.tidy(&t.macs[m].runs[i][one.attempt-1])
			w.reach("relay.handed", &t)
		}
	}
}

// locked tells whether somebody holds the lock of a run.
func (r run) locked(b rule) bool {
	if b == shimLocks && r.shim == started {
		return false
	}
	return r.shim != noShim || r.script == running || r.script == dispatched
}

// harmless tells whether a run whose lock is free provably did nothing.
func (r run) harmless(b rule) bool {
	switch {
	case r.result == mayHave:
		return b == ambiguousRetried
	case r.result == noEffect:
		return true
	}
	return !r.marker || b == killedIsNothing
}

func (w *walk) noSend(s *state, m int, i uint8) {
	t := *s
	run := &t.macs[m].runs[i][s.macs[m].journal.sends[i].attempt-1]
	final := run.result == noEffect && w.refuses
	w.tidy(run)
	t.macs[m].journal.decline(i, noSendAgain)
	w.reach("relay.nosend", &t)
	if final {
		t.macs[m].journal.sends[i].step = noSendFinal
		t.macs[m].journal.untold[t.macs[m].journal.told-1] = tell(tellNoSendFinal, i, t.macs[m].journal.sends[i].attempt, 0)
		w.reach("relay.nosend", &t)
	}
}

// tidy removes the files of a run that is concluded, where a walk does not look at how
// that is done.
func (w *walk) tidy(r *run) {
	if !w.files {
		*r = r.bare()
	}
}

// bind gives a row to a send, or notes that a bound one has changed.
func (w *walk) bind(s *state) {
	for m := range s.macs {
		if !s.macs[m].up {
			continue
		}
		for i := range uint8(messages) {
			one := s.macs[m].journal.sends[i]
			if one.row != 0 && one.step != observed && !s.rows[one.row-1].failed {
				w.bound(*s, m, i, one.row) // Messages has sent it after all
			}
			if !one.step.unresolved() {
				continue
			}
			for r := one.mark; r < s.rowCount; r++ {
				if s.macs[m].journal.free(r + 1) {
					w.bound(*s, m, i, r+1)
				}
			}
		}
	}
}

func (w *walk) bound(s state, m int, i, row uint8) {
	one := &s.macs[m].journal.sends[i]
	as, k := observed, tellSent
	if s.rows[row-1].failed {
		as, k = rejected, tellFailed
	}
	one.step, one.row = as, row
	s.macs[m].journal.add(tell(k, i, one.attempt, row))
	w.reach("relay.bind", &s)
}

// free tells whether no send of the journal has the row.
func (j *journal) free(row uint8) bool {
	for i := range j.sends {
		if j.sends[i].row == row {
			return false
		}
	}
	return true
}

// settle ends the wait for a row. A row that is there is seen before.
func (w *walk) settle(s *state) {
	for m := range s.macs {
		for i := range uint8(messages) {
			one := s.macs[m].journal.sends[i]
			if !s.macs[m].up || one.step != handed || s.visible(m, one) {
				continue
			}
			t := *s
			t.macs[m].journal.sends[i].step = settled
			t.macs[m].journal.add(tell(tellUnknown, i, one.attempt, 0))
			if s.macs[m].runs[i][one.attempt-1].event {
				t.messages[i].blurred = true // the row comes late
			}
			w.reach("relay.settle", &t)
		}
	}
}

func (s *state) visible(m int, one send) bool {
	for r := one.mark; r < s.rowCount; r++ {
		if s.macs[m].journal.free(r + 1) {
			return true
		}
	}
	return false
}

// hear takes an acknowledgement, after which a run's files may go.
func (w *walk) hear(s *state) {
	for m := range s.macs {
		mac := &s.macs[m]
		if mac.acks == [messages][attempts]bool{} {
			continue
		}
		t := *s
		for i := range mac.acks {
			for a, yes := range mac.acks[i] {
				t.macs[m].runs[i][a].heard = mac.runs[i][a].heard || yes
			}
		}
		t.macs[m].acks = [messages][attempts]bool{}
		w.reach("relay.acked", &t)
	}
}

// forget removes the files of a run whose end is in the journal and known to the cloud:
// from then on an older copy of the journal is recognised.
func (w *walk) forget(s *state) {
	if !w.files {
		return
	}
	for m := range s.macs {
		mac := &s.macs[m]
		if !mac.up {
			continue
		}
		for i := range mac.runs {
			for a := range mac.runs[i] {
				run := mac.runs[i][a]
				one := mac.journal.sends[i]
				done := one.attempt > uint8(a+1) || one.attempt == uint8(a+1) && one.step > armed
				if !done || mac.hand.message == uint8(i) || !run.marker && run.result == noResult || run.locked(w.broken) || !run.heard && w.broken != forgetsEarly {
					continue
				}
				t := *s
				t.macs[m].runs[i][a] = run.bare()
				w.reach("shim.forget", &t)
			}
		}
	}
}
