package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"bluerelay/cloud/store"
)

// The length of a password that a person chooses, in characters.
const (
	MinPassword = 12
	MaxPassword = 200
)

// Invited is an open invitation as whoever holds its token may see it.
type Invited struct {
	Team  string
	Email string
	Role  string
}

// Invitation returns the open invitation that a token belongs to, or store.ErrNotFound
// for one that was used, was taken back, is too old or never was.
func (s *Service) Invitation(ctx context.Context, token string) (Invited, error) {
	v, err := s.store.InvitationByHash(ctx, hashSecret(token), time.Now().UnixMilli())
	if err != nil {
		return Invited{}, err
	}
	a, err := s.store.Account(ctx, v.AccountID)
	return Invited{Team: a.Name, Email: v.Email, Role: v.Role}, err
}

// Join uses an invitation up: whoever holds its token becomes a member, with the
// invitation's address as his login. It returns store.ErrNotFound as Invitation does,
// and *Error for what the person can mend.
func (s *Service) Join(ctx context.Context, token, name, password string) (store.Member, error) {
	now := time.Now()
	// A stranger must not have a password hashed.
	v, err := s.store.InvitationByHash(ctx, hashSecret(token), now.UnixMilli())
	if err != nil {
		return store.Member{}, err
	}
	if name, err = checkName(name); err != nil {
		return store.Member{}, err
	}
	if err := checkPassword(password, v.Email); err != nil {
		return store.Member{}, err
	}
	m := store.Member{ID: newID("usr_"), AccountID: v.AccountID, Login: v.Email, Name: name, Role: v.Role, CreatedAt: now.UnixMilli()}
	if m.PasswordHash, err = hashPassword(password); err != nil {
		return store.Member{}, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteInvitation(v.AccountID, v.ID, now.UnixMilli()); err != nil {
			return err // somebody was quicker
		}
		a, err := tx.Account(tx.Context(), v.AccountID)
		if err != nil {
			return err
		}
		if err := roomForMember(tx, a, v.ID, now); err != nil {
			return err
		}
		return tx.CreateMember(m)
	})
	if errors.Is(err, store.ErrExists) {
		err = &Error{Code: Conflict, Message: "Somebody logs in to this server with your address already: ask for an invitation to another one."}
	}
	if err != nil {
		return store.Member{}, fmt.Errorf("accept an invitation: %w", err)
	}
	s.log.Info("member.joined", "member", m.ID, "account", m.AccountID, "role", m.Role)
	return m, nil
}

// checkPassword refuses what is too easy to guess to be worth hashing.
func checkPassword(password, email string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return Invalid("password", "The password must be valid UTF-8.")
	case n < MinPassword || n > MaxPassword:
		return Invalid("password", "The password must have %d to %d characters.", MinPassword, MaxPassword)
	case strings.EqualFold(password, email):
		return Invalid("password", "The password must not be your address.")
	}
	return nil
}
