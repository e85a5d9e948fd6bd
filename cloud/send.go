package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Outgoing is what somebody wants sent. Limits of length are the dialect's.
type Outgoing struct {
	From    string // one of the account's lines, E.164
	To      string // E.164
	Content string
}

// ValidNumber tells whether s is an E.164 number of a possible length. It does not
// ask whether the number is in use: the vendors' own samples are not.
func ValidNumber(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	n, err := phonenumbers.Parse(s, phonenumbers.UNKNOWN_REGION)
	return err == nil && phonenumbers.IsPossibleNumber(n)
}

// Send stores a message and wakes the relay. When it returns without an error the
// message is on disk.
func (s *Service) Send(ctx context.Context, p Principal, out Outgoing) (store.Message, error) {
	if err := out.check(); err != nil {
		return store.Message{}, err
	}
	now := time.Now()
	m := store.Message{
		ID: newID("msg_"), AccountID: p.Account.ID, Direction: store.Outbound, Status: wire.Queued,
		From: out.From, To: out.To, Peer: out.To, Content: out.Content, Service: "iMessage", CreatedAt: now.UnixMilli(),
	}
	var relay *session
	var granted []store.Message
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		line, err := lineOf(tx, p.Account.ID, out.From)
		if err != nil {
			return err
		}
		if err := withinPlan(tx, p.Account, now); err != nil {
			return err
		}
		m.LineID = line.ID
		if err := tx.CreateMessage(&m); err != nil {
			return err
		}
		if relay = s.hub.serving(out.From); relay == nil {
			return nil
		}
		// A relay that is connected gets it by the same commit.
		granted, err = relay.grant(tx, line, now)
		return err
	})
	if err != nil {
		return store.Message{}, fmt.Errorf("store a message: %w", err)
	}
	if relay != nil {
		relay.hand(granted)
	} else {
		s.hub.ring(out.From) // one may have come meanwhile
	}
	return m, nil
}

func (o Outgoing) check() error {
	switch {
	case !ValidNumber(o.To):
		return Invalid("to", "The 'to' field must be a valid E.164 phone number")
	case !ValidNumber(o.From):
		return Invalid("from", "The 'from' field must be a valid E.164 phone number")
	case o.Content == "":
		return Invalid("content", "The 'content' field is required.")
	case !utf8.ValidString(o.Content):
		return Invalid("content", "The 'content' field must be valid UTF-8.")
	case strings.ContainsRune(o.Content, 0):
		return Invalid("content", "The 'content' field must not contain a NUL character.")
	}
	return nil
}

// lineOf finds the line that an account sends from.
func lineOf(tx *store.Tx, accountID, number string) (store.Line, error) {
	line, err := tx.LineByNumber(tx.Context(), number)
	if errors.Is(err, store.ErrNotFound) || err == nil && (line.AccountID != accountID || !line.Verified) {
		return line, Invalid("from", `The "from" number is not registered or verified for this team`)
	}
	if err == nil && line.Status == store.LinePaused {
		return line, Invalid("from", `The "from" number is currently paused`)
	}
	return line, err
}

// withinPlan refuses what exceeds the account's messages of the calendar month.
func withinPlan(tx *store.Tx, a store.Account, now time.Time) error {
	if a.MonthlyMessages == 0 {
		return nil
	}
	now = now.UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	n, err := tx.CountOutbound(tx.Context(), a.ID, month.UnixMilli())
	if err == nil && n >= a.MonthlyMessages {
		return &Error{Code: PlanLimitExceeded, Message: "Monthly message limit reached"}
	}
	return err
}

// Message returns one message of the account.
func (s *Service) Message(ctx context.Context, p Principal, id string) (store.Message, error) {
	m, err := s.store.Message(ctx, p.Account.ID, id)
	return s.absolute(m), err
}

// Messages returns a page, newest first, and whether there is more. cursor is the
// id of the last message of the page before, "" for the first page.
func (s *Service) Messages(ctx context.Context, p Principal, f store.MessageFilter, cursor string) (list []store.Message, more bool, err error) {
	f.AccountID = p.Account.ID
	if cursor != "" {
		last, err := s.store.Message(ctx, p.Account.ID, cursor)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, Invalid("cursor", "The 'cursor' parameter is not one of this server's")
		}
		if err != nil {
			return nil, false, err
		}
		f.Before = &last
	}
	limit := f.Limit
	f.Limit++
	list, err = s.store.Messages(ctx, f)
	if err != nil {
		return nil, false, fmt.Errorf("list messages: %w", err)
	}
	for i, m := range list {
		list[i] = s.absolute(m)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}
