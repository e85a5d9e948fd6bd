package cloud

import (
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// apply writes one report of a relay. Late, repeated and contradicted reports change
// nothing; that is not an error, because the relay must get its acknowledgement.
func (s *Service) apply(tx *store.Tx, relay store.Relay, line store.Line, install string, r wire.Report, now time.Time) error {
	r.Service = plainService(r.Service)
	if r.Inbound != nil {
		r.Inbound.Service = plainService(r.Inbound.Service)
	}
	switch r.Kind {
	case wire.Received:
		return s.receive(tx, line, r, now)
	case wire.Typed:
		return s.typed(tx, relay, line, r, now)
	case wire.Joined:
		return s.joined(tx, line, r, now)
	case wire.Edited, wire.Unsent:
		return s.changed(tx, line, r, now)
	case wire.Tapped:
		return s.tapped(tx, line, r, now)
	case wire.Grouped:
		return s.grouped(tx, line, r, now)
	case wire.Alarm:
		return s.alarmed(tx, relay, r, now)
	}
	return s.progressed(tx, relay, line, install, r, now)
}

// receive stores an inbound message once, however often it is reported.
func (s *Service) receive(tx *store.Tx, line store.Line, r wire.Report, now time.Time) error {
	in := r.Inbound
	known, err := tx.HasGUID(tx.Context(), line.ID, in.GUID)
	if err != nil || known {
		return err
	}
	if own, err := returned(tx, line, in); err != nil || own {
		return err
	}
	m, err := newMessage(tx, line, in, now)
	if err != nil {
		return err
	}
	m.Direction, m.Status, m.From, m.To = store.Inbound, wire.StatusReceived, in.From, line.PhoneNumber
	if err := tx.CreateMessage(&m); err != nil {
		return err
	}
	said, err := s.heed(tx, m, in, now)
	if err != nil {
		return err
	}
	held, err := s.announce(tx, m, in.Media, now)
	if err != nil || held {
		return err
	}
	if err := s.record(tx, m); err != nil {
		return err
	}
	return s.obey(tx, said, m, now)
}
