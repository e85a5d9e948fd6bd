package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
)

// Once is the part of a request that makes it take effect once, however often it
// comes: the key that its sender chose, what it says, and how its dialect answers.
type Once struct {
	Key         string // as the sender means it, without the quotes of the header
	Fingerprint string // see Fingerprint
	// Answer renders what the sender gets for the message that was made. It is called
	// inside the message's transaction and must be quick.
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
// key is new. Dialects ask it before every limit; Send asks again, so that of several
// at once one takes effect.
func (s *Service) Replayed(ctx context.Context, p Principal, once *Once) error {
	return once.replay(ctx, s.store, p)
}

type remembering interface {
	Remembered(ctx context.Context, accountID, key string) (store.Remembered, error)
}

func (o *Once) replay(ctx context.Context, r remembering, p Principal) error {
	if o == nil {
		return nil
	}
	a, err := r.Remembered(ctx, p.Account.ID, o.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for an earlier request: %w", err)
	case a.Fingerprint != o.Fingerprint:
		return &Error{Code: IdempotencyKeyReused, Message: "This Idempotency-Key was used with another request: choose a new key for a new message."}
	}
	return &Replay{Status: a.Status, Body: []byte(a.Body)}
}

// remember keeps the answer in the transaction that made the message. Refusals are
// not kept: nothing has come of them, and the next try may be better.
func (o *Once) remember(tx *store.Tx, p Principal, m store.Message, now time.Time) error {
	if o == nil {
		return nil
	}
	status, body, err := o.Answer(m)
	if err != nil {
		return err
	}
	return tx.Remember(store.Remembered{
		AccountID: p.Account.ID, Key: o.Key, Fingerprint: o.Fingerprint, Status: status, Body: string(body), CreatedAt: now.UnixMilli(),
	})
}

// forgetBatch is how many answers are forgotten in one transaction.
const forgetBatch = 500

// forgetRequests removes answers that are older than Config.IdempotencyLife.
func (s *Service) forgetRequests(ctx context.Context) error {
	before := time.Now().Add(-s.cfg.IdempotencyLife).UnixMilli()
	oldest, err := s.store.OldestRemembered(ctx)
	if err != nil || oldest == 0 || oldest >= before {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.Forget(before, forgetBatch) })
}
