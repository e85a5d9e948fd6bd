package model_test

// What a relay does with orders until they begin.

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
	case next:
		*one = send{step: received, attempt: a, row: one.row} // a failed row is looked at again
		if !w.coarse {
			j.add(tell(tellAccepted, i, a, 0))
		}
		if !w.adopt(m, i) && (m.released || j.fenced) {
			j.decline(i, noSendReleased)
		}
	case answers:
		j.answer(i, a)
	}
}

// adopt takes for begun what the journal has as waiting and of which there are files: it
// is an old copy.
func (w *walk) adopt(m *mac, i uint8) bool {
	one := &m.journal.sends[i]
	if one.step != received || w.broken == unadopted || w.broken == armLost {
		return false
	}
	if r := m.runs[i][one.attempt-1]; !r.marker && r.result == noResult && !r.locked(w.broken) {
		return false
	}
	one.step, one.mark, one.row = armed, 0, 0
	if !w.coarse {
		m.journal.add(tell(tellSending, i, one.attempt, 0))
	}
	return true
}

// answer repeats what has become of a message that is ordered though the journal knows
// it.
func (j *journal) answer(i, a uint8) {
	one := &j.sends[i]
	switch one.step {
	case settled, silent:
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
			t.macs[m].journal.sends[i].step, t.macs[m].journal.sends[i].attempt = received, a
			if !w.adopt(&t.macs[m], i) {
				t.macs[m].journal.decline(i, noSendCanceled)
			}
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
