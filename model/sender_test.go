package model_test

// What a relay does with a send once it begins.

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
			if one.row != 0 && s.rows[one.row-1].news(one.step) {
				w.bound(*s, m, i, one.row) // Messages has sent it after all, or has failed
			}
			if !one.step.unresolved() {
				continue
			}
			for r := one.mark; r < s.rowCount; r++ {
				if s.macs[m].journal.free(r+1) && !s.rows[r].gone {
					w.bound(*s, m, i, r+1)
				}
			}
		}
	}
}

func (w *walk) bound(s state, m int, i, row uint8) {
	one := &s.macs[m].journal.sends[i]
	if s.rows[row-1].silent {
		one.step, one.row = pending, row
		w.reach("relay.bind", &s)
		return
	}
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

// settle ends the wait for a row, or for what one says that is there. A row that is there
// is seen before.
func (w *walk) settle(s *state) {
	for m := range s.macs {
		for i := range uint8(messages) {
			one := s.macs[m].journal.sends[i]
			if s.macs[m].up && one.step == pending && s.rows[one.row-1].silent {
				t := *s
				t.macs[m].journal.sends[i].step = silent
				t.macs[m].journal.add(tell(tellUnknown, i, one.attempt, 0))
				t.messages[i].blurred = true // it may speak later
				w.reach("relay.settle", &t)
			}
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
		if s.macs[m].journal.free(r+1) && !s.rows[r].gone {
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

// prune forgets an order long after its end, once the cloud has heard of that: the files
// of its run are gone, and no frame of it is on its way any more.
func (w *walk) prune(s *state) {
	if !w.silences {
		return
	}
	for m := range s.macs {
		j := &s.macs[m].journal
		for i := range uint8(messages) {
			one := j.sends[i]
			if !s.macs[m].up || one.step <= armed || one.step == handed || one.step.noSend() {
				continue
			}
			r := s.macs[m].runs[i][one.attempt-1]
			if r.locked(w.broken) || (one.step == pending || r != r.bare()) && w.broken != forgetsUntold {
				continue
			}
			t := *s
			t.macs[m].journal.sends[i] = send{}
			t.messages[i].erased = true // what its row says from now on, nobody hears
			for a := range t.macs[m].runs[i] {
				t.macs[m].runs[i][a] = s.macs[m].runs[i][a].bare()
				t.orders &^= frame(j.install, i, uint8(a+1))
			}
			w.reach("relay.prune", &t)
		}
	}
}
