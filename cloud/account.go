package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
)

// NewAccount is an account with all its secrets, which nobody can show again.
type NewAccount struct {
	AccountID   string      `json:"account_id"`
	TextingBlue APIKey      `json:"texting_blue"`
	Sendblue    KeyPair     `json:"sendblue"`
	Console     ConsoleUser `json:"console"`
}

// APIKey is a Texting Blue key.
type APIKey struct {
	APIKey string `json:"api_key"`
}

// KeyPair is a Sendblue key.
type KeyPair struct {
	APIKeyID     string `json:"api_key_id"`
	APISecretKey string `json:"api_secret_key"`
}

// ConsoleUser is a person's way into the console.
type ConsoleUser struct {
	Login    string `json:"login"`
	Password string `json:"password"`
}

// CreateAccount makes an account with one key of each dialect and one owner.
func (s *Service) CreateAccount(ctx context.Context, name, email string) (NewAccount, error) {
	if strings.TrimSpace(name) == "" {
		return NewAccount{}, errors.New("an account needs a name")
	}
	now := time.Now().UnixMilli()
	a := store.Account{ID: newID("team_"), Name: name, Email: email, Plan: selfHosted, Limits: plans[selfHosted], CreatedAt: now}
	made := NewAccount{AccountID: a.ID, Console: ConsoleUser{Login: lowerAddress(email), Password: randomText(20)}}
	if email == "" {
		made.Console.Login = "owner-" + strings.TrimPrefix(a.ID, "team_")
	}
	hash, err := hashPassword(made.Console.Password)
	if err != nil {
		return NewAccount{}, err
	}
	owner := store.Member{ID: newID("usr_"), AccountID: a.ID, Login: made.Console.Login, Name: name, Role: RoleOwner, PasswordHash: hash, CreatedAt: now}
	all := []string{string(Everything)}
	key, secret := newKey(a.ID, store.TextingBlue, all, false, now)
	made.TextingBlue.APIKey = secret
	pair, pairSecret := newKey(a.ID, store.Sendblue, all, false, now)
	made.Sendblue = KeyPair{APIKeyID: pair.Shown, APISecretKey: pairSecret}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.CreateAccount(a), tx.CreateMember(owner), tx.CreateKey(key), tx.CreateKey(pair))
	})
	if errors.Is(err, store.ErrExists) {
		return NewAccount{}, fmt.Errorf("somebody logs in as %s already: choose another e-mail address", made.Console.Login)
	}
	return made, err
}

// newKey makes a key of a dialect and its secret, both in the vendor's form: tb_live_ or
// tb_test_ and 32 characters; or a pair of an id that may be shown and a secret.
func newKey(accountID, dialect string, permissions []string, test bool, now int64) (store.Key, string) {
	shown, secret := "", randomText(32)
	switch {
	case dialect == store.Sendblue && test:
		shown = "test_" + randomText(27)
	case dialect == store.Sendblue:
		shown = randomText(32)
	case test:
		secret = "tb_test_" + secret
		shown = secret[:12]
	default:
		secret = "tb_live_" + secret
		shown = secret[:12]
	}
	return store.Key{
		ID: newID("key_"), AccountID: accountID, Dialect: dialect, Shown: shown,
		SecretHash: hashSecret(secret), Permissions: permissions, CreatedAt: now,
	}, secret
}

// CreateKey makes a key of a dialect and returns its secret, shown this once.
func (s *Service) CreateKey(ctx context.Context, accountID, dialect string, want []string) (store.Key, string, error) {
	if err := checkPermissions(want); err != nil {
		return store.Key{}, "", err
	}
	a, err := s.store.Account(ctx, accountID)
	if err == nil && a.TestOf != "" {
		err = errors.New("it belongs to test keys")
	}
	if err != nil {
		return store.Key{}, "", fmt.Errorf("find the account %s: %w", accountID, err)
	}
	key, secret := newKey(accountID, dialect, want, false, time.Now().UnixMilli())
	return key, secret, s.store.Write(ctx, func(tx *store.Tx) error { return tx.CreateKey(key) })
}

func checkPermissions(want []string) error {
	if len(want) == 0 {
		return errors.New("a key needs at least one permission")
	}
	for _, w := range want {
		if !slices.Contains(permissions, Permission(w)) {
			return fmt.Errorf("%q is no permission: choose among %s", w, joinPermissions())
		}
	}
	return nil
}

func joinPermissions() string {
	list := make([]string, len(permissions))
	for i, p := range permissions {
		list[i] = string(p)
	}
	return strings.Join(list, ", ")
}
