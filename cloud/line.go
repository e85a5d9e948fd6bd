package cloud

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"bluerelay/cloud/store"
)

// NumberState is a line with what is known of its Mac.
type NumberState struct {
	store.Line
	Relay         *store.Relay // nil until a Mac is paired
	MessagesToday int64        // outbound and inbound since midnight UTC
}

// Numbers returns the account's lines.
func (s *Service) Numbers(ctx context.Context, p Principal) ([]NumberState, error) {
	list, err := s.Relays(ctx, p)
	if err != nil {
		return nil, err
	}
	today, err := s.today(ctx, p.Account.ID)
	for i := range list {
		list[i].MessagesToday = today[list[i].ID]
	}
	return list, err
}

// Relays returns the account's lines without MessagesToday.
func (s *Service) Relays(ctx context.Context, p Principal) ([]NumberState, error) {
	lines, err := s.store.Lines(ctx, p.Account.ID)
	if err != nil {
		return nil, err
	}
	list := make([]NumberState, len(lines))
	for i, l := range lines {
		if list[i], err = s.withRelay(ctx, l); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// today counts the messages since midnight UTC, by line.
func (s *Service) today(ctx context.Context, accountID string) (map[string]int64, error) {
	return s.store.CountByLine(ctx, accountID, time.Now().UnixMilli())
}

func (s *Service) withRelay(ctx context.Context, l store.Line) (NumberState, error) {
	n := NumberState{Line: l}
	if l.RelayID == "" {
		return n, nil
	}
	r, err := s.store.Relay(ctx, l.RelayID)
	n.Relay = &r
	return n, err
}

// Number returns one of the account's lines.
func (s *Service) Number(ctx context.Context, p Principal, id string) (NumberState, error) {
	l, err := s.ownLine(ctx, s.store, p, id)
	if err != nil {
		return NumberState{}, err
	}
	n, err := s.withRelay(ctx, l)
	if err != nil {
		return n, err
	}
	today, err := s.today(ctx, p.Account.ID)
	n.MessagesToday = today[l.ID]
	return n, err
}

// OnlyLine is the number of the account's line, where it has exactly one.
func (s *Service) OnlyLine(ctx context.Context, p Principal) (number string, ok bool, err error) {
	lines, err := s.store.Lines(ctx, p.Account.ID)
	if err != nil || len(lines) != 1 {
		return "", false, err
	}
	return lines[0].PhoneNumber, true, nil
}

type lineReader interface {
	Line(ctx context.Context, id string) (store.Line, error)
}

func (s *Service) ownLine(ctx context.Context, r lineReader, p Principal, id string) (store.Line, error) {
	l, err := r.Line(ctx, id)
	if err == nil && l.AccountID != p.Account.ID {
		err = store.ErrNotFound
	}
	return l, err
}

// LineChange is what to change of a line; nil members stay.
type LineChange struct {
	Label  *string // at most 100 characters
	Status *string // LineActive or LinePaused
	Pace   *string // "", "off" or messages a second
	Burst  *int    // messages that may go at once after a rest, 0 for what its Mac calls for
	// NewConversations is how many the line may begin in 24 hours: "" for what its Mac
	// calls for, "off", or a number.
	NewConversations *string
	Canary           *bool // whether its Mac proves once a day that it sends
	SMSFallback      *bool // whether a text that proves not to reach a number by iMessage goes by SMS
}

// The events of a line.
const (
	linePausedEvent  = "line.paused"
	lineResumedEvent = "line.resumed"
)

// UpdateNumber changes one of the account's lines. What waits on a line that is
// paused stays where it is.
func (s *Service) UpdateNumber(ctx context.Context, p Principal, id string, c LineChange) (store.Line, error) {
	if err := c.check(); err != nil {
		return store.Line{}, err
	}
	var l store.Line
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.ownLine(tx.Context(), tx, p, id); err != nil {
			return err
		}
		old := l.Status
		c.apply(&l)
		if c.Canary != nil {
			if err := setCanary(tx, l.ID, *c.Canary, time.Now()); err != nil {
				return err
			}
		}
		if err := tx.UpdateLine(l); err != nil || l.Status == old {
			return err
		}
		kind := lineResumedEvent
		if l.Status == store.LinePaused {
			kind = linePausedEvent
		}
		e := store.Event{Type: kind}
		if l.RelayID != "" {
			relay, err := tx.Relay(tx.Context(), l.RelayID)
			if err != nil {
				return err
			}
			e.Relay = &relay
		}
		return s.recordOf(tx, l, e, time.Now())
	})
	s.hub.ring(l.PhoneNumber)
	s.dispatch.ring()
	return l, err
}

func (c LineChange) check() error {
	if c.Label != nil && utf8.RuneCountInString(*c.Label) > 100 {
		return Invalid("label", "The 'label' field must not exceed 100 characters.")
	}
	if c.Status != nil && *c.Status != store.LineActive && *c.Status != store.LinePaused {
		return Invalid("status", "The 'status' field must be active or paused.")
	}
	if c.Pace != nil {
		if _, err := parsePace(*c.Pace); err != nil {
			return Invalid("pace", "The pace must be off or a number of messages a second from 0.000012 to 1000, such as 1 or 0.5.")
		}
	}
	if c.Burst != nil && (*c.Burst < 0 || *c.Burst > maxBurst) {
		return Invalid("burst", "The burst must be a number of messages from 1 to %d, or 0 for what the Mac calls for.", maxBurst)
	}
	if c.NewConversations != nil {
		if _, err := parseNewConversations(*c.NewConversations); err != nil {
			return Invalid("new_conversations", "The new conversations must be off or a number from 0 to %d.", maxNewConversations)
		}
	}
	return nil
}

func (c LineChange) apply(l *store.Line) {
	if c.Label != nil {
		l.Label = *c.Label
	}
	if c.Status != nil {
		l.Status = *c.Status
	}
	if c.Pace != nil {
		l.Pace = *c.Pace
	}
	if c.SMSFallback != nil {
		l.SMSFallback = *c.SMSFallback
	}
	if c.Burst != nil {
		l.Burst = *c.Burst
	}
	if c.NewConversations != nil {
		l.NewConversations = *c.NewConversations
	}
}

// RemoveNumber takes a line out of use: its Mac may no longer connect, what waits
// is canceled, at most endingBatch of it at once and the rest by the sweep, what the Mac
// holds becomes unknown.
func (s *Service) RemoveNumber(ctx context.Context, p Principal, id string) error {
	if p.Test() {
		return errTestNumber
	}
	now := time.Now()
	var l store.Line
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.ownLine(tx.Context(), tx, p, id); err != nil {
			return err
		}
		if err := s.endLine(tx, store.Ending{AccountID: l.AccountID, LineID: l.ID}, now); err != nil {
			return err
		}
		if err := s.retire(tx, l, false, now); err != nil {
			return err
		}
		return tx.RemoveLine(l.ID, now.UnixMilli())
	})
	s.hub.ring(l.PhoneNumber)
	s.dispatch.ring()
	return err
}

// retire ends the right of a line's Mac to send; one that was replaced may still tell
// what became of what it held.
func (s *Service) retire(tx *store.Tx, l store.Line, replaced bool, now time.Time) error {
	if l.RelayID == "" {
		return nil
	}
	gone, err := tx.RetireInstalls(l.RelayID, "", now.UnixMilli())
	if err != nil {
		return err
	}
	for _, install := range gone {
		if err := s.lost(tx, install, l.ID, now); err != nil {
			return err
		}
	}
	return tx.RetireRelay(l.RelayID, replaced, now.UnixMilli())
}

// AddLine registers a number, as set says where it differs from what is usual. A vouched one may send at once, its messages waiting
// for a Mac; otherwise the pairing verifies it. A number that another account has only asked
// for, and that nobody can pair any more, gives way.
func (s *Service) AddLine(ctx context.Context, accountID, number string, set LineChange, vouched bool) (store.Line, error) {
	if !ValidNumber(number) {
		return store.Line{}, Invalid("phone_number", "The 'phone_number' field must be a valid E.164 phone number")
	}
	if err := set.check(); err != nil {
		return store.Line{}, err
	}
	if err := s.ordinary(ctx, accountID); err != nil {
		return store.Line{}, err
	}
	l := store.Line{ID: newID("num_"), AccountID: accountID, PhoneNumber: number, Status: store.LineActive, Verified: vouched, CreatedAt: time.Now().UnixMilli()}
	set.apply(&l)
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := s.giveWay(tx, l); err != nil {
			return err
		}
		if err := tx.CreateLine(l); err != nil {
			return err
		}
		if set.Canary != nil && *set.Canary {
			if err := setCanary(tx, l.ID, true, time.Now()); err != nil {
				return err
			}
		}
		return roomForNumber(tx, accountID)
	})
	if errors.Is(err, store.ErrExists) {
		return l, &Error{Code: Conflict, Message: "This phone number is registered already.", Param: "phone_number"}
	}
	return l, err
}

// giveWay takes out of use what stands in the way of a new line of another account: one with
// its number that no Mac was ever paired with and nobody vouches for, and whose setup URLs
// have ended. Else whoever asks for a number first would keep its owner out of it for ever.
// Nothing can have been sent from it.
func (s *Service) giveWay(tx *store.Tx, l store.Line) error {
	old, err := tx.LineByNumber(tx.Context(), l.PhoneNumber)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	// A line is made a moment before its first setup URL.
	if err != nil || old.AccountID == l.AccountID || old.Verified || l.CreatedAt < old.CreatedAt+s.cfg.SetupTTL.Milliseconds() {
		return err
	}
	open, err := tx.HasOpenSetup(tx.Context(), old.ID, l.CreatedAt)
	if err != nil || open {
		return err
	}
	return tx.RemoveLine(old.ID, l.CreatedAt)
}

// VerifyNumber registers a number for the account, or takes the one that it has
// registered and not paired, and returns its setup URL.
func (s *Service) VerifyNumber(ctx context.Context, p Principal, number string) (setupURL string, err error) {
	if p.Test() {
		return "", errTestNumber
	}
	if !ValidNumber(number) {
		return "", Invalid("phone_number", "The 'phone_number' field must be a valid E.164 phone number")
	}
	l, err := s.store.LineByNumber(ctx, number)
	if errors.Is(err, store.ErrNotFound) || err == nil && l.AccountID != p.Account.ID {
		l, err = s.AddLine(ctx, p.Account.ID, number, LineChange{}, false)
	}
	if err != nil {
		return "", err
	}
	return s.StartPairing(ctx, l, false)
}
