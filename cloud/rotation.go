package cloud

import (
	"context"
	"errors"
	"net/http"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// A Mac's secret is exchanged in two steps, so that neither a crash nor a lost answer
// between them shuts it out: first another one is issued, and both count; when the new one
// is shown for the first time, by whatever request, the former ends.

// serveRotation issues a secret.
func (s *Service) serveRotation(w http.ResponseWriter, r *http.Request) {
	relay, ok := s.callingRelay(w, r)
	if !ok {
		return
	}
	secret := newSecret()
	err := s.store.Write(r.Context(), func(tx *store.Tx) error {
		defer fault.Before(fault.CloudIssue)
		return tx.IssueSecret(relay.ID, hashSecret(secret))
	})
	fault.After(fault.CloudIssue)
	if err != nil {
		s.refuseRelay(w, err)
		return
	}
	s.log.Info("relay.secret_issued", "relay", relay.ID)
	answerRelay(w, http.StatusOK, wire.RotationResponse{Secret: secret})
}

// serveProof is for a Mac that has nothing else to say with its new secret.
func (s *Service) serveProof(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.callingRelay(w, r); ok {
		w.WriteHeader(http.StatusNoContent)
	}
}

// prove ends the former secret of a Mac that has shown the one it was issued.
func (s *Service) prove(ctx context.Context, relay store.Relay) (store.Relay, error) {
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		defer fault.Before(fault.CloudProve)
		return tx.ProveSecret(relay.ID, relay.NextHash)
	})
	fault.After(fault.CloudProve)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // another request of it was quicker
		return relay, err
	}
	relay.SecretHash, relay.NextHash = relay.NextHash, ""
	s.log.Info("relay.secret_exchanged", "relay", relay.ID)
	return relay, nil
}

func newSecret() string { return "rly_" + randomText(40) }
