package model_test

// What goes wrong. Each costs one of the faults that a walk allows.

// fault counts one more, if there may be one more.
func (w *walk) fault(s *state) (state, bool) {
	t := *s
	t.faults++
	return t, int(t.faults) <= w.faults
}

// disrupt is everything that may go wrong by itself.
func (w *walk) disrupt(s *state) {
	w.revive(s)
	t, ok := w.fault(s)
	if !ok {
		return
	}
	for m := range t.macs {
		if m == secondMac && !s.replaced {
			continue // nothing happens there yet
		}
		w.crash(&t, m)
		w.cut(&t, m)
		w.kill(&t, m)
	}
	w.tamper(&t)
}

// revive starts a daemon again. It costs nothing.
func (w *walk) revive(s *state) {
	for m := range s.macs {
		if !s.macs[m].up {
			t := *s
			t.macs[m].up = true
			for i := range uint8(messages) {
				w.adopt(&t.macs[m], i)
			}
			w.reach("daemon.start", &t)
		}
	}
}

// crash kills a daemon. Its shim and its osascript go on.
func (w *walk) crash(s *state, m int) {
	if !s.macs[m].up {
		return
	}
	t := *s
	mac := &t.macs[m]
	mac.up, mac.greeted, mac.released, mac.hand = false, false, false, mac.hand.none()
	t.disconnect(m)
	w.reach("crash.relay", &t)
	switch j := &mac.journal; w.broken {
	case memoryOnly:
		j.sends = [messages]send{}
		t.blur()
		w.reach("crash.relay", &t)
	case armLost, armLostAlone:
		w.cutPower(t, m)
	}
}

// cutPower is what a power cut does to a journal whose arming is not waited for.
func (w *walk) cutPower(s state, m int) {
	mac := &s.macs[m]
	j := &mac.journal
	for i := range uint8(messages) {
		if one := &j.sends[i]; one.step == armed && j.told > 0 && j.untold[j.told-1] == tell(tellSending, i, one.attempt, 0) {
			one.step = received
			s.messages[i].erased = true
			s.messages[i].blurred = s.messages[i].blurred || mac.runs[i][one.attempt-1].marker
			j.told--
			j.untold[j.told] = 0
			mac.runs[i][one.attempt-1].shim = noShim
			mac.runs[i][one.attempt-1].script = noScript
			w.reach("broken.power", &s)
		}
	}
}

// cut ends a connection, and with it what is on its way: a cloud that crashes does no
// more than that.
func (w *walk) cut(s *state, m int) {
	if s.macs[m].session == offline {
		return
	}
	t := *s
	t.disconnect(m)
	w.reach("crash.cloud", &t)
}

func (s *state) disconnect(m int) {
	mac := &s.macs[m]
	mac.session, mac.written, mac.acks = offline, 0, [messages][attempts]bool{}
}

// kill ends a shim or an osascript.
func (w *walk) kill(s *state, m int) {
	for i := range s.macs[m].runs {
		for a := range s.macs[m].runs[i] {
			r := s.macs[m].runs[i][a]
			set := func(name string, r run) {
				t := *s
				t.macs[m].runs[i][a] = r
				t.messages[i].blurred = t.messages[i].blurred || r.marker
				w.reach(name, &t)
			}
			if next := r; r.shim != noShim {
				next.shim = noShim
				if r.script == refused || r.script == over {
					next.script = noScript
				}
				set("crash.shim", next)
			}
			w.killScript(set, r)
		}
	}
}

// killScript ends osascript. Between its marker and the send nothing was handed to
// Messages, after it all was.
func (w *walk) killScript(set func(string, run), r run) {
	switch r.script {
	case running:
		set("crash.osascript", w.end(r, refused))
	case dispatched:
		r = w.end(r, over)
		set("crash.osascript", r)
		r.event = false
		set("crash.osascript", r)
	}
}

// tamper is what people and their backups do to a journal and to the cloud's database.
func (w *walk) tamper(s *state) {
	mac := &s.macs[firstMac]
	if w.deletes && !mac.up && mac.journal.install == installA {
		t := *s
		t.macs[firstMac].journal = journal{install: installA2}
		t.blur()
		w.reach("journal.delete", &t)
	}
	if w.restores && !mac.up && s.copied && mac.journal != s.copy && !mac.journal.catchesUp {
		t := *s
		t.macs[firstMac].journal = s.copy
		t.macs[firstMac].journal.catchesUp = w.broken == numbersAlone
		if w.folder {
			t.macs[firstMac].runs = [messages][attempts]run{}
		}
		t.blur()
		w.reach("journal.restore", &t)
	}
	if w.backups && s.backup.taken && !s.restored {
		w.restoreCloud(*s)
	}
}

// blur notes that what any message has done may be beyond anybody's knowledge.
func (s *state) blur() {
	for i := range s.messages {
		s.messages[i].blurred, s.messages[i].erased = true, true
	}
}

// copyJournal takes a copy of the first Mac's journal, once.
func (w *walk) copyJournal(s *state) {
	if w.restores && !s.copied {
		t := *s
		t.copied, t.copy = true, s.macs[firstMac].journal
		w.reach("journal.copy", &t)
	}
}

// backUp takes a copy of the cloud's database, once.
func (w *walk) backUp(s *state) {
	if w.backups && !s.backup.taken {
		t := *s
		t.backup = backup{taken: true, messages: s.messages, installs: s.installs}
		w.reach("database.copy", &t)
	}
}

// restoreCloud puts the cloud back to its copy. Relays keep what was acknowledged, so
// that what the copy does not know comes again.
func (w *walk) restoreCloud(s state) {
	s.restored = true
	for m := range s.macs {
		s.disconnect(m)
	}
	for i := range s.messages {
		now := &s.messages[i]
		old := s.backup.messages[i]
		old.effects, old.blurred, old.erased = now.effects, now.blurred, now.erased
		*now = old
	}
	s.installs = s.backup.installs
	j := &s.macs[firstMac].journal
	n := s.backup.committed
	copy(j.untold[n:], j.untold[:j.told])
	copy(j.untold[:], s.backup.since[:n])
	j.told += n
	s.backup = backup{taken: true}
	w.reach("database.restore", &s)
}
