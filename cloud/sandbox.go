package cloud

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"bluerelay/cloud/store"
)

// A test key works on an account of its own beside the one that it was made for: its
// messages, webhooks and events are separate because everything is kept by account.
// That account has one line, a number that nobody can have, whose Mac is a simulated
// one: whoever runs the server starts it when Config.Sandbox asks for it. No real Mac can
// be paired with it, and no other number be added.

// Test numbers begin like the simulator's recipients, +15005550001 to 0010, and follow them.
const (
	testPrefix = "+1500555"
	firstTest  = 100
	lastTest   = 9999
)

// errTestNumber answers what would bring a real Mac, or another number, to a test key.
var errTestNumber = &Error{Code: Forbidden, Message: "A test key has its built-in test number and no other; use a live key for numbers of your own"}

// Test tells whether the key is a test key, whose messages never reach a real Mac.
func (p Principal) Test() bool { return p.Account.TestOf != "" }

// CreateTestKey makes a test key for an account and returns its secret, shown this once,
// and the number that it sends from. The first one makes that number too.
func (s *Service) CreateTestKey(ctx context.Context, accountID, dialect string, want []string) (key store.Key, secret string, line store.Line, err error) {
	if err := checkPermissions(want); err != nil {
		return key, "", line, err
	}
	now := time.Now()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		owner, err := tx.Account(tx.Context(), accountID)
		if err != nil {
			return fmt.Errorf("find the account %s: %w", accountID, err)
		}
		if owner.TestOf != "" {
			return errors.New("a test key is made for the account itself, not for the one of its test keys")
		}
		if line, err = sandboxOf(tx, owner, now); err != nil {
			return err
		}
		key, secret = newKey(line.AccountID, dialect, want, true, now.UnixMilli())
		return tx.CreateKey(key)
	})
	return key, secret, line, err
}

// sandboxOf finds the line of an account's test keys, or makes it and what it needs.
func sandboxOf(tx *store.Tx, owner store.Account, now time.Time) (store.Line, error) {
	a, err := tx.TestAccount(tx.Context(), owner.ID)
	if err == nil {
		return testLine(tx.Context(), tx, a.ID)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return store.Line{}, err
	}
	a = owner
	a.ID, a.TestOf, a.CreatedAt = newID("team_"), owner.ID, now.UnixMilli()
	if err := tx.CreateAccount(a); err != nil {
		return store.Line{}, err
	}
	number, err := freeTestNumber(tx)
	if err != nil {
		return store.Line{}, err
	}
	l := store.Line{
		ID: newID("num_"), AccountID: a.ID, PhoneNumber: number, Label: "Test line (simulated)", Status: store.LineActive, Verified: true,
		Pace: "off", NewConversations: "off", CreatedAt: now.UnixMilli(),
	}
	return l, tx.CreateLine(l)
}

// TestLine is the one line of an account of test keys.
func (s *Service) TestLine(ctx context.Context, accountID string) (store.Line, error) {
	return testLine(ctx, s.store, accountID)
}

func testLine(ctx context.Context, r interface {
	Lines(ctx context.Context, accountID string) ([]store.Line, error)
}, accountID string) (store.Line, error) {
	lines, err := r.Lines(ctx, accountID)
	if err == nil && len(lines) != 1 {
		err = fmt.Errorf("the test account %s has %d lines", accountID, len(lines))
	}
	if err != nil {
		return store.Line{}, err
	}
	return lines[0], nil
}

// freeTestNumber draws a number that no line has.
func freeTestNumber(tx *store.Tx) (string, error) {
	const draws = 200
	for range draws {
		number := fmt.Sprintf("%s%04d", testPrefix, firstTest+rand.IntN(lastTest-firstTest+1))
		_, err := tx.LineByNumber(tx.Context(), number)
		if errors.Is(err, store.ErrNotFound) {
			return number, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%d test numbers that were drawn are all taken: one server has room for some thousand accounts with test keys", draws)
}

// StartTestPairing makes a setup URL for a test line, whether it has a Mac or not. Only
// the server itself asks for it, for the simulated Mac that it starts.
func (s *Service) StartTestPairing(ctx context.Context, l store.Line) (string, error) {
	if err := s.ordinary(ctx, l.AccountID); !errors.Is(err, errTestNumber) {
		return "", errors.Join(err, errors.New("only a test line gets a simulated Mac by itself"))
	}
	return s.setupURL(ctx, l, true)
}

// ordinary refuses an account that belongs to test keys.
func (s *Service) ordinary(ctx context.Context, accountID string) error {
	a, err := s.store.Account(ctx, accountID)
	if err == nil && a.TestOf != "" {
		err = errTestNumber
	}
	return err
}
