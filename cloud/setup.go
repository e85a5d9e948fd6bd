package cloud

import (
	"context"
	"errors"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/fault"
)

// SetupState is whether a setup URL can still be used, and why not.
type SetupState string

// The states of a setup URL.
const (
	SetupOpen     SetupState = "open"
	SetupUsed     SetupState = "used"
	SetupExpired  SetupState = "expired"
	SetupReplaced SetupState = "replaced" // a newer one was made for the line
	SetupTaken    SetupState = "taken"    // the line has got a Mac since, and this one may not replace it
	SetupUnknown  SetupState = "unknown"
)

// Setup is what a setup URL still is. Whoever holds one that is not open learns no more
// than that.
type Setup struct {
	State     SetupState
	Number    string    // the line's, E.164; the rest only where it is open
	Account   string    // its name, for people
	ExpiresAt time.Time // until when it can be used
	Replaces  bool      // the Mac that the line has gives way to the new one

	line store.Line
}

// SetupError is the no to a setup URL, as a sentence with the next step.
type SetupError struct{ State SetupState }

func (e *SetupError) Error() string {
	switch e.State {
	case SetupUsed:
		return "This setup URL has been used already: each pairs one Mac. For another Mac make a new one with `bluecloud line pair NUMBER --replace`; if you have not used it yourself, revoke the Mac that has with `bluecloud relay revoke`."
	case SetupExpired:
		return "The time of this setup URL is over: make a new one with `bluecloud line pair NUMBER`."
	case SetupReplaced:
		return "A newer setup URL was made for this number, so this one has ended: use the newest, or make another with `bluecloud line pair NUMBER`."
	case SetupTaken:
		return "The number has got a Mac since this setup URL was made: make one that may replace it with `bluecloud line pair NUMBER --replace`."
	}
	return "This server does not know this setup URL: copy the whole address, or make a new one with `bluecloud line pair NUMBER`."
}

// refusal is why a setup cannot be gone on with, or nil.
func (s Setup) refusal() error {
	if s.State == SetupOpen {
		return nil
	}
	return &SetupError{s.State}
}

// Setup looks a setup URL up by its token and changes nothing.
func (s *Service) Setup(ctx context.Context, token string) (Setup, error) {
	return setupOf(ctx, s.store, hashSecret(token), time.Now())
}

// setupReader is the store, or a transaction of it.
type setupReader interface {
	SetupToken(ctx context.Context, hash string) (store.SetupToken, error)
	Line(ctx context.Context, id string) (store.Line, error)
	Account(ctx context.Context, id string) (store.Account, error)
}

func setupOf(ctx context.Context, r setupReader, hash string, now time.Time) (Setup, error) {
	token, err := r.SetupToken(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return Setup{State: SetupUnknown}, nil
	}
	if err != nil {
		return Setup{}, err
	}
	switch {
	case token.Ended == store.SetupUsed:
		return Setup{State: SetupUsed}, nil
	case token.Ended != "":
		return Setup{State: SetupReplaced}, nil
	case token.ExpiresAt <= now.UnixMilli():
		return Setup{State: SetupExpired}, nil
	}
	line, err := r.Line(ctx, token.LineID)
	if errors.Is(err, store.ErrNotFound) {
		return Setup{State: SetupUnknown}, nil
	}
	if err != nil {
		return Setup{}, err
	}
	if line.RelayID != "" && !token.Replaces {
		return Setup{State: SetupTaken}, nil
	}
	account, err := r.Account(ctx, line.AccountID)
	return Setup{
		State: SetupOpen, Number: line.PhoneNumber, Account: account.Name, ExpiresAt: time.UnixMilli(token.ExpiresAt),
		Replaces: line.RelayID != "", line: line,
	}, err
}

// StartPairing makes a setup URL for a line: one use, a short life. Where the line
// has a Mac already, replace says that it may be retired by that use. A test number gets
// no real Mac.
func (s *Service) StartPairing(ctx context.Context, l store.Line, replace bool) (string, error) {
	if l.RelayID != "" && !replace {
		return "", &Error{Code: Conflict, Message: "This phone number has a Mac already.", Param: "phone_number"}
	}
	if err := s.ordinary(ctx, l.AccountID); err != nil {
		return "", err
	}
	return s.setupURL(ctx, l, replace)
}

func (s *Service) setupURL(ctx context.Context, l store.Line, replace bool) (string, error) {
	token := "dev_" + randomText(32)
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		defer fault.Before(fault.CloudPairToken)
		return tx.CreateSetupToken(store.SetupToken{
			TokenHash: hashSecret(token), LineID: l.ID, Replaces: replace, ExpiresAt: time.Now().Add(s.cfg.SetupTTL).UnixMilli(),
		})
	})
	fault.After(fault.CloudPairToken)
	return s.cfg.PublicURL + "/setup?token=" + token, err
}
