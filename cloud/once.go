package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bluerelay/cloud/store"
)

// Once is the part of a request that makes it take effect once, however often it
// comes: the key that its sender chose, or the count of tries that its client keeps,
// what it says, and how its dialect answers.
type Once struct {
	Key         string // as the sender means it, without the quotes of the header; "" without
	Fingerprint string // see Fingerprint
	// Try is which try of one and the same request this is, as a client without a Key
	// counts that repeats by itself, from 1; 0 where it does not. From the second on it is
	// the same as an equal one that was accepted from the same API key, if that one came,
	// or was repeated, within Config.RepeatWindow.
	Try int
	// Answer renders what the sender gets for the message that was made; nil where it is
	// none. It is called inside the message's transaction and must be quick.
	Answer func(store.Message) (status int, body []byte, err error)
}

// Replay is what a request gets that was made before: the first one's answer, byte
// for byte. It is an error so that it takes the way of the other early answers.
type Replay struct {
	Status int
	Body   []byte
}

func (r *Replay) Error() string { return "the request was made before" }

// Replayed looks whether a request was made before. It returns *Replay where it was,
// IdempotencyKeyReused where the key belongs to another request, and nil where the
// key is new. Dialects ask it before every limit; whatever takes effect asks again in its
// transaction, so that of several at once one does.
func (s *Service) Replayed(ctx context.Context, p Principal, once *Once) error {
	err := s.replay(ctx, s.store, p, once)
	s.seenAgain(ctx, p, once, err)
	return err
}

type remembering interface {
	Remembered(ctx context.Context, accountID, key string) (store.Remembered, error)
	Accepted(ctx context.Context, keyID, fingerprint string, since int64) (store.Accepted, error)
}

func (s *Service) replay(ctx context.Context, r remembering, p Principal, o *Once) error {
	if o == nil {
		return nil
	}
	if o.Key == "" {
		return s.repeated(ctx, r, p, o)
	}
	a, err := r.Remembered(ctx, p.Account.ID, o.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for an earlier request: %w", err)
	case a.Fingerprint != o.Fingerprint:
		return &Error{Code: IdempotencyKeyReused, Message: "This Idempotency-Key was used with another request: choose a new key for a new request."}
	}
	return &Replay{Status: a.Status, Body: []byte(a.Body)}
}

// repeated looks for the try of a request that was accepted.
func (s *Service) repeated(ctx context.Context, r remembering, p Principal, o *Once) error {
	if o.Try < 2 {
		return nil
	}
	a, err := r.Accepted(ctx, p.Key.ID, o.Fingerprint, time.Now().Add(-s.cfg.RepeatWindow).UnixMilli())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an earlier try: %w", err)
	}
	return &Replay{Status: a.Status, Body: []byte(a.Body)}
}

// seenAgain notes that a request has come again, so that its next try is recognised
// too. err is what was found of it.
func (s *Service) seenAgain(ctx context.Context, p Principal, o *Once, err error) {
	again, ok := errors.AsType[*Replay](err)
	if !ok || o.Key != "" {
		return
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		return tx.Accept(store.Accepted{KeyID: p.Key.ID, Fingerprint: o.Fingerprint, Status: again.Status, Body: string(again.Body), SeenAt: time.Now().UnixMilli()})
	})
	if err != nil { // the answer is known all the same
		s.log.Warn("request.not_noted", "error", err.Error())
	}
}

// remember keeps the answer in the transaction that made the message.
func (o *Once) remember(tx *store.Tx, p Principal, m store.Message, now time.Time) error {
	return o.keep(tx, p, now, func() (int, []byte, error) { return o.Answer(m) })
}

// keep keeps the answer to a request in the transaction that has done what it asks for.
// Refusals are not kept: nothing has come of them, and the next try may be better.
func (o *Once) keep(tx *store.Tx, p Principal, now time.Time, answer func() (status int, body []byte, err error)) error {
	if o == nil {
		return nil
	}
	status, body, err := answer()
	if err != nil {
		return err
	}
	if o.Key == "" {
		return tx.Accept(store.Accepted{KeyID: p.Key.ID, Fingerprint: o.Fingerprint, Status: status, Body: string(body), SeenAt: now.UnixMilli()})
	}
	return tx.Remember(store.Remembered{
		AccountID: p.Account.ID, Key: o.Key, Fingerprint: o.Fingerprint, Status: status, Body: string(body), CreatedAt: now.UnixMilli(),
	})
}

// forgetBatch is how many answers are forgotten in one transaction.
const forgetBatch = 500

// forgetRequests removes answers that are older than Config.IdempotencyLife, or
// Config.RepeatWindow for those without a key.
func (s *Service) forgetRequests(ctx context.Context) error {
	now := time.Now()
	before, repeats := now.Add(-s.cfg.IdempotencyLife).UnixMilli(), now.Add(-s.cfg.RepeatWindow).UnixMilli()
	oldest, err := s.store.OldestRemembered(ctx)
	if err != nil {
		return err
	}
	accepted, err := s.store.OldestAccepted(ctx)
	if err != nil || (oldest == 0 || oldest >= before) && (accepted == 0 || accepted >= repeats) {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.Forget(before, forgetBatch), tx.ForgetAccepted(repeats, forgetBatch))
	})
}

// IdempotencyHeader is how a request says that it must take effect once.
const IdempotencyHeader = "Idempotency-Key"

// maxKey is the length of a key in characters.
const maxKey = 255

// IdempotencyKey reads a request's key, "" where it has none. Quotes of a structured
// field's string (RFC 8941 3.3.3) are not part of it.
func IdempotencyKey(h http.Header) (string, error) {
	values := h.Values(IdempotencyHeader)
	if len(values) == 0 {
		return "", nil
	}
	key, ok := plainKey(values[0])
	if !ok || len(values) > 1 {
		return "", Invalid(IdempotencyHeader, "The %s header must be one key of 1 to %d visible ASCII characters.", IdempotencyHeader, maxKey)
	}
	return key, nil
}

// plainKey takes the quotes off a key that is written as a structured field's string
// (RFC 8941 3.3.3), and checks it.
func plainKey(s string) (string, bool) {
	if rest, quoted := strings.CutPrefix(s, `"`); quoted {
		inner, closed := strings.CutSuffix(rest, `"`)
		if !closed {
			return "", false
		}
		var ok bool
		if s, ok = unescape(inner); !ok {
			return "", false
		}
	}
	visible := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	return s, visible && s != "" && len(s) <= maxKey
}

// unescape reads the inside of a structured field's string.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' {
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}
