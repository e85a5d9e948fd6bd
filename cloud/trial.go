package cloud

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// trialText is what a message says that somebody has sent to himself to see whether it
// works.
const trialText = "This is a test message of bluerelay. If you can read it, sending from this Mac works."

// serveTrial sends a message because the person at the Mac wants to see one arrive. A
// relay may ask for it for its own line only, and it counts like any other message.
func (s *Service) serveTrial(w http.ResponseWriter, r *http.Request) {
	relay, ok := s.callingRelay(w, r)
	if !ok {
		return
	}
	var ask wire.Trial
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxFrame))
	if err == nil {
		err = json.Unmarshal(data, &ask)
	}
	if err != nil {
		answerTrial(w, http.StatusBadRequest, wire.TrialAnswer{Error: "The request could not be read: is this an old bluerelay?"})
		return
	}
	m, err := s.try(r.Context(), relay, ask.To)
	if err == nil {
		answerTrial(w, http.StatusAccepted, wire.TrialAnswer{Message: m.ID})
		return
	}
	public := Public(err)
	if public == nil {
		s.log.Error("trial.failed", "relay", relay.ID, "error", err.Error())
		public = &Error{Code: Unavailable, Message: "The server cannot send a message at the moment: try again later."}
	}
	answerTrial(w, trialStatus(public.Code), wire.TrialAnswer{Error: public.Message})
}

func trialStatus(c Code) int {
	switch c {
	case InvalidRequest:
		return http.StatusBadRequest
	case PlanLimitExceeded:
		return http.StatusPaymentRequired
	case RateLimited:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

func answerTrial(w http.ResponseWriter, status int, answer wire.TrialAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a reader that has gone needs no answer
}

// try sends the message from the relay's own line.
func (s *Service) try(ctx context.Context, relay store.Relay, to string) (store.Message, error) {
	line, err := s.store.Line(ctx, relay.LineID)
	if err != nil {
		return store.Message{}, err
	}
	account, err := s.store.Account(ctx, line.AccountID)
	if err != nil {
		return store.Message{}, err
	}
	if line.PhoneNumber == to {
		return store.Message{}, Invalid("to", "That is the number this Mac sends from: give another one of yours, on which you can see the message arrive.")
	}
	return s.Send(ctx, Principal{Account: account}, Outgoing{From: line.PhoneNumber, To: to, Content: trialText, NeedsText: true})
}
