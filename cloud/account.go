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

// defaultRequests is how many requests a minute each key of a new account has.
const defaultRequests = 1000

// CreateAccount makes an account with one key of each dialect and one owner.
func (s *Service) CreateAccount(ctx context.Context, name, email string) (NewAccount, error) {
	if strings.TrimSpace(name) == "" {
		return NewAccount{}, errors.New("an account needs a name")
	}
	now := time.Now().UnixMilli()
	a := store.Account{ID: newID("team_"), Name: name, Email: email, Plan: "self_hosted", RequestsPerMinute: defaultRequests, CreatedAt: now}
	made := NewAccount{AccountID: a.ID, Console: ConsoleUser{Login: email, Password: randomText(20)}}
	if email == "" {
		made.Console.Login = "owner-" + strings.TrimPrefix(a.ID, "team_")
	}
	hash, err := hashPassword(made.Console.Password)
	if err != nil {
		return NewAccount{}, err
	}
	owner := store.Member{ID: newID("usr_"), AccountID: a.ID, Login: made.Console.Login, Name: name, Role: "owner", PasswordHash: hash, CreatedAt: now}
	all := []string{string(Everything)}
	key, secret := newTextingBlueKey(a.ID, all, now)
	made.TextingBlue.APIKey = secret
	pair, pairSecret := newSendblueKey(a.ID, all, now)
	made.Sendblue = KeyPair{APIKeyID: pair.Shown, APISecretKey: pairSecret}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.CreateAccount(a), tx.CreateMember(owner), tx.CreateKey(key), tx.CreateKey(pair))
	})
	if errors.Is(err, store.ErrExists) {
		return NewAccount{}, fmt.Errorf("somebody logs in as %s already: choose another e-mail address", made.Console.Login)
	}
	return made, err
}

// newTextingBlueKey has the vendor's form: tb_live_ and 32 characters.
func newTextingBlueKey(accountID string, permissions []string, now int64) (store.Key, string) {
	secret := "tb_live_" + randomText(32)
	return store.Key{
		ID: newID("key_"), AccountID: accountID, Dialect: store.TextingBlue, Shown: secret[:12],
		SecretHash: hashSecret(secret), Permissions: permissions, CreatedAt: now,
	}, secret
}

// newSendblueKey is a pair: an id that may be shown, and a secret.
func newSendblueKey(accountID string, permissions []string, now int64) (store.Key, string) {
	secret := randomText(32)
	return store.Key{
		ID: newID("key_"), AccountID: accountID, Dialect: store.Sendblue, Shown: randomText(32),
		SecretHash: hashSecret(secret), Permissions: permissions, CreatedAt: now,
	}, secret
}

// CreateKey makes a key of a dialect and returns its secret, shown this once.
func (s *Service) CreateKey(ctx context.Context, accountID, dialect string, want []string) (store.Key, string, error) {
	if len(want) == 0 {
		return store.Key{}, "", errors.New("a key needs at least one permission")
	}
	for _, w := range want {
		if !slices.Contains(permissions, Permission(w)) {
			return store.Key{}, "", fmt.Errorf("%q is no permission: choose among %s", w, joinPermissions())
		}
	}
	if _, err := s.store.Account(ctx, accountID); err != nil {
		return store.Key{}, "", fmt.Errorf("find the account %s: %w", accountID, err)
	}
	make := newTextingBlueKey
	if dialect == store.Sendblue {
		make = newSendblueKey
	}
	key, secret := make(accountID, want, time.Now().UnixMilli())
	return key, secret, s.store.Write(ctx, func(tx *store.Tx) error { return tx.CreateKey(key) })
}

func joinPermissions() string {
	list := make([]string, len(permissions))
	for i, p := range permissions {
		list[i] = string(p)
	}
	return strings.Join(list, ", ")
}
