package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// take handles a frame together with the reports that have come with it.
func (s *session) take(ctx context.Context, f wire.Frame, frames <-chan wire.Frame) error {
	var reports []wire.Report
	for {
		switch f.Type {
		case wire.TypeReport:
			reports = append(reports, *f.Report)
		case wire.TypeHealth:
			if err := s.noteHealth(ctx, *f.Health, f.Checkup); err != nil {
				return err
			}
		case wire.TypeHello, wire.TypeWelcome, wire.TypeSend, wire.TypeAck, wire.TypeDrain, wire.TypeCancel, wire.TypeRelease:
			// What came before it counts all the same.
			if err := s.work(ctx, reports); err != nil {
				return err
			}
			return &closing{wire.CloseProtocol, "a relay does not send " + string(f.Type) + " here"}
		}
		if len(reports) < reportBatch {
			select {
			case f = <-frames:
				continue
			default:
			}
		}
		return s.work(ctx, reports)
	}
}

// noteHealth writes down how the relay is, and has told what has changed by it.
func (s *session) noteHealth(ctx context.Context, h wire.Health, found *wire.Checkup) error {
	if s.retired {
		return nil
	}
	before := s.relay
	s.setHealth(h)
	s.log.Info("relay.health", "ready", s.relay.Ready, "problem", s.relay.Problem)
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UpdateRelay(s.relay); err != nil {
			return err
		}
		if err := s.tellHealth(tx, s.relay, before, time.Now()); err != nil || found == nil {
			return err
		}
		return s.noteCheckup(tx, s.relay, *found, time.Now())
	})
	s.dispatch.ring()
	return err
}

// work commits reports, in as many transactions as they have time for, and assigns what may
// be sent next.
func (s *session) work(ctx context.Context, reports []wire.Report) error {
	for {
		n, err := s.turn(ctx, reports)
		if err != nil || n == len(reports) {
			return err
		}
		reports = reports[n:]
	}
}

// turn commits the first of some reports and assigns what may be sent next, in one
// transaction; then it acknowledges and orders. It returns how many reports that were.
func (s *session) turn(ctx context.Context, reports []wire.Report) (n int, err error) {
	now := time.Now()
	var orders []store.Message
	var refused error // to be told to the relay, when what came before it is committed
	var empty bool
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.current(tx); err != nil {
			return err
		}
		if !s.retired && s.hub.serving(s.number) != s {
			return errSuperseded
		}
		var err error
		if n, refused, err = s.applyAll(tx, reports, now); err != nil {
			return err
		}
		if s.retired && s.acked >= s.high {
			return tx.HearOut(s.install)
		}
		if empty, err = s.emptied(tx); err != nil {
			return err
		}
		orders, err = s.grant(tx, s.line, now)
		if err == nil && n > 0 {
			fault.Before(fault.CloudApply)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(orders) > 0 {
		fault.After(fault.CloudAssign)
	}
	if n > 0 {
		fault.After(fault.CloudApply)
		s.dispatch.ring()
		if err := s.write(wire.Frame{Type: wire.TypeAck, Ack: &wire.Ack{Seq: s.acked}}); err != nil {
			return 0, err
		}
		fault.Hit(fault.CloudAck)
	}
	if refused != nil {
		return 0, refused
	}
	if s.retired && s.acked >= s.high && (s.quiet == nil || n > 0) {
		// What it sent last is about to be delivered.
		s.quiet = time.After(s.cfg.RetiredWait)
	}
	return n, s.direct(ctx, orders, empty)
}

// direct writes what the relay is to do.
func (s *session) direct(ctx context.Context, orders []store.Message, empty bool) error {
	s.mu.Lock()
	orders, s.granted = append(s.granted, orders...), nil
	letGo := s.letGo
	s.mu.Unlock()
	if err := s.order(ctx, orders); err != nil {
		return err
	}
	if empty {
		close(s.empty)
	}
	if !letGo || s.told {
		return nil
	}
	// After the orders: it can give back only what it has.
	s.told = true
	err := s.write(wire.Frame{Type: wire.TypeRelease})
	fault.Hit(fault.CloudRecall)
	return err
}

// applyAll applies reports that are new. A relay that has missed an acknowledgement
// repeats old news, which must not undo what came after it. One report that cannot be
// stored for a reason of its own must not keep all that follow it out for ever: it is
// counted as an alarm and passed by.
//
// It applies at least one and takes no longer than Config.ReportTime for the others: whoever
// else writes waits, and where the database is slow a backlog gets through piece by piece. n
// is how many it has taken. refused is why the connection must end; what came before that is
// applied.
func (s *session) applyAll(tx *store.Tx, reports []wire.Report, now time.Time) (n int, refused, err error) {
	if len(reports) == 0 {
		return 0, nil, nil
	}
	began := time.Now()
	in, err := tx.Install(tx.Context(), s.install)
	if err != nil {
		return 0, nil, err
	}
	s.acked = in.LastSeq
	token := in.LastToken
	for ; n < len(reports) && (n == 0 || time.Since(began) < s.cfg.ReportTime) && refused == nil; n++ {
		r := reports[n]
		// After hello there may be one, of reports that are too old to be repeated.
		if s.seen != 0 && r.Seq > s.seen+1 {
			refused = errGap
			break
		}
		s.seen = max(s.seen, r.Seq)
		if r.Seq <= s.acked {
			continue
		}
		if in.HeardOut && bringsNew(r.Kind) {
			s.acked, token = r.Seq, r.Token // what comes now is the new Mac's to bring
			continue
		}
		err := tx.Try(func() error { return s.apply(tx, s.relay, s.line, s.install, r, now) })
		switch {
		case err == nil:
		case errors.Is(err, errNotYours):
			refused, err = errNotYours, s.alarm(tx, s.relay, alarmForeign, "", now)
		case store.Hopeless(err):
			s.log.Error("report.refused", "number", r.Seq, "kind", clip(string(r.Kind)), "error", err.Error())
			err = s.alarm(tx, s.relay, alarmUnreadable, "", now)
		}
		if err != nil {
			return 0, nil, fmt.Errorf("apply a report: %w", err)
		}
		s.acked, token = r.Seq, r.Token
	}
	return n, refused, tx.AdvanceInstall(s.install, s.acked, clip(token))
}

// bringsNew tells whether a report is about something that another Mac of the same
// Apple Account sees too.
func bringsNew(k wire.Kind) bool { return k.Status() == "" && k != wire.Alarm }

// order writes what is assigned, or is to be withdrawn. It is on disk already: a
// frame that is lost is written again after the next hello.
func (s *session) order(ctx context.Context, list []store.Message) error {
	for _, m := range list {
		f, err := s.command(ctx, m)
		if err != nil {
			return err
		}
		if err := s.write(f); err != nil {
			return err
		}
		if f.Cancel != nil {
			fault.Hit(fault.CloudWithdraw)
			continue
		}
		fault.Hit(fault.CloudOrder)
	}
	return nil
}

// command is what the relay is to do about a message that it is responsible for.
func (s *session) command(ctx context.Context, m store.Message) (wire.Frame, error) {
	if m.CancelRequested != 0 {
		return wire.Frame{Type: wire.TypeCancel, Cancel: &wire.Cancel{Message: m.ID, Attempt: m.Attempt}}, nil
	}
	order := wire.Send{
		Message: m.ID, Attempt: m.Attempt, Seq: m.Seq, To: m.To, Text: m.Content, Service: asked(m), ExpiresIn: timeLeft(m, time.Now()),
	}
	if m.ToGroup() {
		order.To, order.Group = "", m.ChatGUID
	}
	if m.MediaURL == "" {
		return wire.Frame{Type: wire.TypeSend, Send: &order}, nil
	}
	v, err := s.store.Outgoing(ctx, m.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// The relay will not find it either, and say so; a text without its file would be
		// another message than was asked for.
		order.File = &wire.File{ID: m.ID}
	case err != nil:
		return wire.Frame{}, fmt.Errorf("find the file of a message: %w", err)
	default:
		order.File = &wire.File{ID: v.ID, Name: v.Name, MIME: v.MIME, Size: v.Size, SHA256: v.SHA256}
	}
	return wire.Frame{Type: wire.TypeSend, Send: &order}, nil
}
