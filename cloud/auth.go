package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bluerelay/cloud/store"
)

// Permission is something that a key may allow.
type Permission string

// The permissions, as Texting Blue names them.
const (
	MessagesSend   Permission = "messages:send"
	MessagesRead   Permission = "messages:read"
	WebhooksManage Permission = "webhooks:manage"
	NumbersRead    Permission = "numbers:read"
	NumbersWrite   Permission = "numbers:write"
	TeamRead       Permission = "team:read"
	TeamWrite      Permission = "team:write"
	Everything     Permission = "*"
)

// Permissions lists all of them.
var permissions = []Permission{MessagesSend, MessagesRead, WebhooksManage, NumbersRead, NumbersWrite, TeamRead, TeamWrite, Everything}

// Principal is whoever has shown a good key.
type Principal struct {
	Account store.Account
	Key     store.Key
}

// invalidKey is said of every key that is not good, whatever is wrong with it.
const invalidKey = "Missing or invalid API key"

// Authenticate finds out whose key that is.
func (s *Service) Authenticate(ctx context.Context, dialect, secret string) (Principal, error) {
	unauthorized := &Error{Code: Unauthorized, Message: invalidKey}
	if secret == "" {
		return Principal{}, unauthorized
	}
	key, account, err := s.store.KeyByHash(ctx, hashSecret(secret))
	if errors.Is(err, store.ErrNotFound) || err == nil && key.Dialect != dialect {
		return Principal{}, unauthorized
	}
	if err != nil {
		return Principal{}, fmt.Errorf("find the key: %w", err)
	}
	if account.TestOf != "" && s.cfg.Sandbox != nil {
		s.cfg.Sandbox(account.ID)
	}
	return Principal{Account: account, Key: key}, nil
}

// AuthenticatePair finds out whose pair of key id and secret that is.
func (s *Service) AuthenticatePair(ctx context.Context, dialect, id, secret string) (Principal, error) {
	p, err := s.Authenticate(ctx, dialect, secret)
	if err == nil && p.Key.Shown != id {
		return Principal{}, &Error{Code: Unauthorized, Message: invalidKey}
	}
	return p, err
}

type keyReader interface {
	KeyByHash(ctx context.Context, hash string) (store.Key, store.Account, error)
}

// stillGood reads a key and its account again, or returns Unauthorized for one that was
// revoked meanwhile, by this process or beside it. Whoever acts without a key, as the server
// itself does, stays as he is.
func stillGood(ctx context.Context, r keyReader, p Principal) (Principal, error) {
	if p.Key.SecretHash == "" {
		return p, nil
	}
	key, account, err := r.KeyByHash(ctx, p.Key.SecretHash)
	if errors.Is(err, store.ErrNotFound) {
		return p, &Error{Code: Unauthorized, Message: invalidKey}
	}
	return Principal{Account: account, Key: key}, err
}

// Need returns Forbidden unless the key has the permission.
func (p Principal) Need(want Permission) error {
	if slices.Contains(p.Key.Permissions, string(want)) || slices.Contains(p.Key.Permissions, string(Everything)) {
		return nil
	}
	return &Error{Code: Forbidden, Message: fmt.Sprintf("This API key lacks the %s permission", want)}
}

// Unlimited is what Count returns where an account has no limit of requests.
const Unlimited = -1

// Count counts a request against the key's limit a minute and returns how many are
// left in the running minute, or RateLimited.
func (s *Service) Count(p Principal) (left int64, err error) {
	limit := p.Account.RequestsPerMinute
	if limit == 0 {
		return Unlimited, nil
	}
	used, wait := s.rates.count(p.Key.ID, time.Now(), limit)
	if wait > 0 {
		return 0, tooFast(wait)
	}
	return limit - used, nil
}

// tooFast says when the same request may be made again, in whole seconds.
func tooFast(wait time.Duration) *Error {
	seconds := max(int64((wait+time.Second-1)/time.Second), 1)
	return &Error{
		Code: RateLimited, RetryAfter: time.Duration(seconds) * time.Second,
		Message: fmt.Sprintf("Rate limit exceeded. Retry after %d seconds.", seconds),
	}
}

// Left is how many requests the key has left in the running minute, or Unlimited. It
// counts none.
func (s *Service) Left(p Principal) int64 {
	limit := p.Account.RequestsPerMinute
	if limit == 0 {
		return Unlimited
	}
	return max(limit-s.rates.used(p.Key.ID, time.Now()), 0)
}

// rates counts requests by key in minutes that begin with the first request. It
// lives in memory: a restart forgives.
type rates struct {
	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	ends time.Time
	used int64
}

func (r *rates) count(key string, now time.Time, limit int64) (used int64, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.windows[key]
	if w == nil || !now.Before(w.ends) {
		w = &window{ends: now.Add(time.Minute)}
		r.windows[key] = w
	}
	if w.used >= limit {
		return w.used, w.ends.Sub(now)
	}
	w.used++
	return w.used, 0
}

func (r *rates) used(key string, now time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.windows[key]; w != nil && now.Before(w.ends) {
		return w.used
	}
	return 0
}
