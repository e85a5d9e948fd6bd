package model_test

// What happens beside the daemon: the shim, osascript, Messages.

// begin takes the lock and starts the shim, unless the attempt was made before.
func (w *walk) begin(s *state) {
	for m := range s.macs {
		hand := s.macs[m].hand
		if hand.message == noMessage {
			continue
		}
		t := *s
		a := s.macs[m].journal.sends[hand.message].attempt
		run := &t.macs[m].runs[hand.message][a-1]
		switch {
		case w.coarse:
			t.macs[m].hand = hand.none()
			run.shim, run.marker, run.script = ordered, true, running
			w.reach("shim.run", &t)
		case hand.locked:
			t.macs[m].hand = hand.none()
			run.shim = started
			w.reach("shim.start", &t)
		case run.locked(w.broken) || run.marker && w.broken != armLost:
			t.macs[m].hand = hand.none() // what becomes of it counts
			w.reach("shim.lock", &t)
		default:
			t.macs[m].hand.locked = true
			w.reach("shim.lock", &t)
		}
	}
}

// bare is a run without its files.
func (r run) bare() run {
	r.marker, r.result, r.heard = false, noResult, false
	return r
}

func (hand) none() hand { return hand{message: noMessage} }

// beside moves every run on.
func (w *walk) beside(s *state) {
	for m := range s.macs {
		for i := range s.macs[m].runs {
			for a := range s.macs[m].runs[i] {
				if r := s.macs[m].runs[i][a]; r != (run{}) {
					w.move(s, m, i, a, r)
				}
			}
		}
	}
}

func (w *walk) move(s *state, m, i, a int, r run) {
	set := func(name string, r run) {
		t := *s
		t.macs[m].runs[i][a] = r
		w.reach(name, &t)
	}
	next := r
	switch {
	case r.shim == started:
		next.shim = ordered
		set("shim.order", next)
	case r.shim == ordered && !r.marker:
		next.marker = true
		set("shim.mark", next)
	case r.shim == ordered && r.script == noScript && r.result == noResult:
		next.script = running
		set("shim.run", next)
	case r.shim == ordered && (r.script == refused || r.script == over):
		next.result = noEffect
		if r.script == over {
			next.result = mayHave
		}
		next.shim, next.script = noShim, noScript
		set("shim.result", next)
	}
	w.moveScript(set, r)
	if r.event {
		w.deliver(s, m, i, a)
	}
}

// moveScript moves osascript on. Without its shim it goes on alike, and nobody hears
// how it ends.
func (w *walk) moveScript(set func(string, run), r run) {
	name := "shim.ended"
	if r.shim == noShim {
		name = "osascript.ended"
	}
	next := r
	switch r.script {
	case running:
		set(name, w.end(r, refused))
		next.script, next.event = dispatched, true
		set("osascript.dispatch", next)
	case dispatched:
		set(name, w.end(r, over))
	}
}

// end is a run whose osascript has ended.
func (w *walk) end(r run, as script) run {
	switch {
	case r.shim == noShim:
		r.script = noScript
	case w.coarse:
		r.shim, r.script, r.result = noShim, noScript, noEffect
		if as == over {
			r.result = mayHave
		}
	default:
		r.script = as
	}
	return r
}

// deliver is what Messages does with an event: now or at any later time, with a row that
// is good or one that failed.
func (w *walk) deliver(s *state, m, i, a int) {
	done := *s
	done.macs[m].runs[i][a].event = false
	t := done
	t.messages[i].effects++
	t.addRow(row{message: uint8(i), attempt: uint8(a + 1)})
	w.reach("messages.take", &t)
	if w.fails {
		t = done
		t.addRow(row{message: uint8(i), attempt: uint8(a + 1), failed: true})
		w.reach("messages.fail", &t)
	}
	if w.silences {
		t = done
		t.addRow(row{message: uint8(i), attempt: uint8(a + 1), silent: true})
		w.reach("messages.begin", &t)
	}
	if t, ok := w.fault(&done); ok {
		t.messages[i].blurred = true
		w.reach("messages.drop", &t)
	}
}

// speak is what becomes of a row that has said nothing so far: it is sent, it fails, or
// its owner deletes it before.
func (w *walk) speak(s *state) {
	for r, one := range s.rows[:s.rowCount] {
		if !one.silent || one.gone {
			continue
		}
		t := *s
		t.rows[r].silent = false
		t.messages[one.message].effects++
		w.reach("messages.send", &t)
		t = *s
		t.rows[r].silent, t.rows[r].failed = false, true
		w.reach("messages.fail", &t)
		if t, ok := w.fault(s); ok {
			t.rows[r].gone = true
			t.messages[one.message].blurred = true
			w.reach("messages.lose", &t)
		}
	}
}

func (s *state) addRow(r row) {
	s.rows[s.rowCount] = r
	s.rowCount++
}

// mend is Messages sending after all what it had marked as failed, until a Mac has looked
// at the row and begun another attempt.
func (w *walk) mend(s *state) {
	for r, one := range s.rows[:s.rowCount] {
		if !one.failed || s.begunAfter(one) {
			continue
		}
		t := *s
		t.rows[r].failed = false
		t.messages[one.message].effects++
		w.reach("messages.mend", &t)
	}
}

func (s *state) begunAfter(r row) bool {
	for m := range s.macs {
		if one := s.macs[m].journal.sends[r.message]; one.attempt > r.attempt && one.step >= armed {
			return true
		}
	}
	return false
}
