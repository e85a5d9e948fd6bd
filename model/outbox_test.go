package model_test

import "slices"

// What a relay has to tell: its outbox.

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
