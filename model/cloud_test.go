package model_test

// What the cloud does. Each method is one transaction or one frame written.

// create stores a message; the second only after the first, for they are of one
// conversation and have an order.
func (w *walk) create(s *state) {
	for m := range uint8(w.messages) {
		if s.messages[m].status != absent {
			continue
		}
		t := *s
		t.messages[m].status = queued
		w.reach("cloud.create", &t)
		return
	}
}

// cancel withdraws a message: at once where nobody has it, else by asking.
func (w *walk) cancel(s *state) {
	if !w.cancels {
		return
	}
	for m := range s.messages {
		t := *s
		one := &t.messages[m]
		switch {
		case !one.status.begun() || one.asked:
			continue
		case one.install == 0 || w.broken == cancelAlone:
			one.status = canceled
		default:
			one.asked = true
		}
		w.reach("cloud.cancel", &t)
	}
}

// expire ends a message whose time has passed before anybody had it.
func (w *walk) expire(s *state) {
	if !w.expires {
		return
	}
	for m := range s.messages {
		if one := s.messages[m]; one.status == queued && one.install == 0 {
			t := *s
			t.messages[m].status = expired
			w.reach("cloud.expire", &t)
		}
	}
}

// assign gives a waiting message to the line's Mac, the next one of a conversation when
// the one before has come to an end.
func (w *walk) assign(s *state) {
	mac := &s.macs[s.owner]
	if mac.session != serving || s.releasing {
		return
	}
	for m := range s.messages {
		one := s.messages[m]
		if one.status.begun() && one.install == 0 && one.attempt < w.attempts {
			t := *s
			t.messages[m].install = mac.journal.install
			t.messages[m].attempt++
			w.reach("cloud.assign", &t)
		}
		if !one.status.ended() {
			return
		}
	}
}

// lapse is what a broken cloud does: it takes a message back because time has passed.
func (w *walk) lapse(s *state) {
	if w.broken != leases {
		return
	}
	for m := range s.messages {
		if one := s.messages[m]; one.status.begun() && one.install != 0 && one.attempt < w.attempts {
			t := *s
			t.messages[m].status, t.messages[m].install = queued, 0
			w.reach("broken.lease", &t)
		}
	}
}

// order writes what is assigned, and withdraw asks for what is to be canceled.
func (w *walk) order(s *state) {
	mac := &s.macs[s.owner]
	if mac.session != serving {
		return
	}
	for m := range uint8(messages) {
		one := &s.messages[m]
		if !one.status.begun() || one.install != mac.journal.install {
			continue
		}
		f := frame(one.install, m, one.attempt)
		if !one.asked && s.orders&f == 0 {
			t := *s
			t.orders |= f
			w.reach("cloud.order", &t)
		}
		if one.asked && s.cancels&f == 0 {
			t := *s
			t.cancels |= f
			w.reach("cloud.withdraw", &t)
		}
	}
}

// release begins a planned change of the Mac: nothing more is assigned to the one there
// is, and it is asked to give back what it has not begun.
func (w *walk) release(s *state) {
	if !w.releases || s.replaced {
		return
	}
	if !s.releasing {
		t := *s
		t.releasing = true
		w.reach("cloud.release", &t)
		return
	}
	if s.macs[s.owner].session == serving && !s.recalled {
		t := *s
		t.recalled = true
		w.reach("cloud.recall", &t)
	}
}

// replace gives the line to the second Mac. What the first one holds is beyond anybody's
// knowledge.
func (w *walk) replace(s *state) {
	if !w.replaces || s.replaced {
		return
	}
	t := *s
	t.replaced, t.releasing, t.owner = true, false, secondMac
	t.disconnect(firstMac)
	for _, in := range []uint8{installA, installA2} {
		w.retire(&t, in)
	}
	w.reach("cloud.replace", &t)
}

// retire ends an install.
func (w *walk) retire(s *state, in uint8) {
	if !s.installs[in].known || s.installs[in].retired {
		return
	}
	s.installs[in].retired = true
	for m := range s.messages {
		one := &s.messages[m]
		switch {
		case one.bySMS && one.status == queued && one.install == 0 && w.broken != fallbackMoves:
			one.status = failed // only the Mac that has the row can look whether it stays so
		case one.install != in || !one.status.begun():
		case w.broken == replacementRequeues:
			one.status, one.install = queued, 0
		default:
			one.status, one.blurred = unknown, true
		}
	}
}

// admit answers hello.
func (w *walk) admit(s *state) {
	for m := range uint8(macs) {
		if !s.macs[m].up || s.macs[m].session != offline || m == secondMac && !s.replaced {
			continue
		}
		t := *s
		t.macs[m].session = w.greet(&t, m)
		t.macs[m].greeted = t.macs[m].greeted || t.macs[m].session == serving
		if w.files {
			t.macs[m].acks = t.committed(m) // the welcome says how far the cloud has come
		}
		w.reach("cloud.admit", &t)
	}
}

func (w *walk) greet(s *state, m uint8) session {
	j := &s.macs[m].journal
	in := &s.installs[j.install]
	old := j.behind > 0 && w.broken != oldJournalTrusted
	switch {
	case m != s.owner && in.known && !old:
		return retired
	case m != s.owner || in.retired:
		return denied
	case old:
		w.retire(s, j.install)
		return denied
	}
	in.known = true
	for other := range uint8(installs) {
		if other != j.install && other != installB && m == firstMac {
			w.retire(s, other)
		}
	}
	return serving
}

// apply commits the next report of an install.
func (w *walk) apply(s *state) {
	for m := range uint8(macs) {
		mac := &s.macs[m]
		if mac.session != serving && mac.session != retired || mac.journal.told == 0 || w.wires && mac.written == 0 {
			continue
		}
		t := *s
		r := t.commit(m)
		name := "cloud.apply"
		if w.believe(&t, t.macs[m].journal.install, r) {
			name = "cloud.fallback"
		}
		w.reach(name, &t)
	}
}

// believe changes a message as a report calls for: what is a claim counts only from the
// message's own install and attempt, or a later attempt, which a restored database does
// not know of; a fact always. It tells whether the message was put back to be sent by SMS.
func (w *walk) believe(s *state, in uint8, r report) (fellBack bool) {
	one := &s.messages[r.message()]
	own := one.install == in && one.attempt <= r.attempt() || w.broken == unfenced
	if claim := r.kind() != tellSent && r.kind() != tellFailed; claim && own && w.broken != unfenced {
		one.attempt = r.attempt()
	}
	switch k := r.kind(); k {
	case tellAccepted:
		if own && one.status == queued {
			one.status = accepted
		}
	case tellSending:
		if own && (one.status == queued || one.status == accepted) {
			one.status = sending
		}
	case tellUnknown:
		if own && one.status.begun() {
			one.status = unknown
		}
	case tellSent:
		w.believeRow(s, one, sent, r.row())
	case tellFailed:
		if w.fallsBack && one.status.begun() && !one.bySMS && one.attempt < w.attempts {
			one.status, one.install, one.bySMS, one.row = queued, 0, true, r.row()
			return true
		}
		w.believeRow(s, one, failed, r.row())
	default:
		if own {
			one.giveUp(k, w.attempts)
		}
	}
	return false
}

// believeRow notes what a row says. A row makes one message: where another one has it,
// this one's has not been seen. Nor does it tell of a message of which nobody knew, where
// it may be that of an equal one that another Mac has, or had.
func (w *walk) believeRow(s *state, one *message, as status, row uint8) {
	for m := range s.messages {
		if other := &s.messages[m]; other != one && other.row == row && w.broken != rowCountsTwice {
			if one.status.begun() {
				one.status = unknown
			}
			return
		}
	}
	if one.status == unknown && w.broken != rowOfEither && s.rival(one) {
		return
	}
	if as == failed && (one.status == canceled || one.status == expired) {
		return
	}
	one.status, one.row = as, row
}

// rival tells whether an equal message is or was with another install, and has no row.
func (s *state) rival(one *message) bool {
	for m := range s.messages {
		other := &s.messages[m]
		if other != one && other.install != 0 && other.install != one.install && other.row == 0 && (other.status.begun() || other.status == unknown) {
			return true
		}
	}
	return false
}

// giveUp is what a report that nothing was done leads to.
func (m *message) giveUp(k kind, last uint8) {
	open := m.status.begun()
	switch {
	case !open && !(k == tellNoSendFinal && m.status == unknown):
	case k == tellNoSendFinal:
		m.status = failed
	case k == tellCanceled || m.asked:
		m.status = canceled
	case k == tellExpired:
		m.status = expired
	case m.attempt >= last:
		m.status = failed
	default:
		m.status, m.install = queued, 0
	}
}

// acknowledge tells a relay how far the cloud has come.
func (w *walk) acknowledge(s *state) {
	if !w.files {
		return
	}
	for m := range uint8(macs) {
		mac := &s.macs[m]
		if mac.session != serving && mac.session != retired {
			continue
		}
		if now := s.committed(m); now != mac.acks {
			t := *s
			t.macs[m].acks = now
			w.reach("cloud.ack", &t)
		}
	}
}

// committed tells of each attempt that has come to an end whether the cloud has heard so
// and the relay does not know.
func (s *state) committed(m uint8) (acks [messages][attempts]bool) {
	mac := &s.macs[m]
	for i := range mac.journal.sends {
		one := &mac.journal.sends[i]
		for a := range mac.runs[i] {
			run := &mac.runs[i][a]
			if run.heard || !run.marker && run.result == noResult {
				continue
			}
			ended := one.attempt > uint8(a+1) || one.attempt == uint8(a+1) && one.step > handed
			acks[i][a] = ended && !mac.journal.holds(uint8(i), uint8(a+1))
		}
	}
	return acks
}
