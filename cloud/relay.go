package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// RelayRoutes registers what relays call: pairing, the socket, files, messages of the
// past, and a message to see that all works.
func (s *Service) RelayRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /relay/v1/pair", s.servePair)
	mux.HandleFunc("GET /relay/v1/socket", s.serveSocket)
	mux.HandleFunc("POST /relay/v1/credential", s.serveRotation)
	mux.HandleFunc("GET /relay/v1/credential", s.serveProof)
	mux.HandleFunc("GET /relay/v1/files/{id}", s.serveFile)
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete} {
		mux.HandleFunc(method+" /relay/v1/media/{id}", s.serveUpload)
	}
	mux.HandleFunc("POST /relay/v1/history", s.serveHistory)
	mux.HandleFunc("POST /relay/v1/test", s.serveTrial)
}

func (s *Service) servePair(w http.ResponseWriter, r *http.Request) {
	var req wire.PairRequest
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxFrame))
	if err == nil {
		err = json.Unmarshal(data, &req)
	}
	if err != nil {
		answerRelay(w, http.StatusBadRequest, wire.PairResponse{Error: "The request could not be read: is this an old bluerelay?"})
		return
	}
	answer, err := s.Pair(r.Context(), req)
	no, refused := errors.AsType[*SetupError](err)
	switch {
	case refused:
		answerRelay(w, http.StatusForbidden, wire.PairResponse{Error: no.Error()})
	case err != nil:
		s.log.Error("pair.failed", "error", err.Error())
		answerRelay(w, http.StatusServiceUnavailable, wire.PairResponse{Error: "The server cannot pair at the moment: try again later."})
	default:
		answerRelay(w, http.StatusOK, answer)
	}
}

func answerRelay(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a reader that has gone needs no answer
}

// Pair uses a setup token up and makes a Mac the line's own. A Mac that the line
// had is replaced, if the token says so; otherwise the error is a SetupError. It is first asked to
// let go of what it holds, for Config.ReleaseWait: what it gives back goes to the new
// one, and only what it does not becomes unknown.
func (s *Service) Pair(ctx context.Context, req wire.PairRequest) (answer wire.PairResponse, err error) {
	former, err := s.clearTheWay(ctx, hashSecret(req.Token))
	if err != nil {
		return answer, err
	}
	defer func() {
		if err != nil && former != nil {
			former.cancel(errStays)
		}
	}()
	now := time.Now()
	secret := newSecret()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		setup, err := setupOf(tx.Context(), tx, hashSecret(req.Token), now)
		if err == nil {
			err = setup.refusal()
		}
		if err != nil {
			return err
		}
		if _, err := tx.TakeSetupToken(hashSecret(req.Token), now.UnixMilli()); err != nil {
			return err
		}
		line := setup.line
		if err := s.retire(tx, line, true, now); err != nil {
			return err
		}
		relay := store.Relay{
			ID: newID("rel_"), AccountID: line.AccountID, LineID: line.ID, SecretHash: hashSecret(secret),
			Host: clip(req.Host), OS: clip(req.OS), Version: clip(req.Version), CreatedAt: now.UnixMilli(),
		}
		if err := tx.CreateRelay(relay); err != nil {
			return err
		}
		line.RelayID, line.Verified = relay.ID, true
		if err := tx.UpdateLine(line); err != nil {
			return err
		}
		account, err := tx.Account(tx.Context(), line.AccountID)
		answer = wire.PairResponse{RelayID: relay.ID, Secret: secret, Account: account.Name, Line: line.PhoneNumber, LineID: line.ID}
		s.log.Info("relay.paired", "relay", relay.ID, "line", line.ID)
		fault.Before(fault.CloudReplace)
		return err
	})
	fault.After(fault.CloudReplace)
	s.hub.ringAll() // a session of the Mac that was replaced finds out
	s.dispatch.ring()
	return answer, err
}

// clip bounds what a stranger says of itself.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "") }

// serveSocket upgrades a relay's request. The session that follows lives until the
// connection or the server ends, not until the request does.
func (s *Service) serveSocket(w http.ResponseWriter, r *http.Request) {
	relay, err := s.knownRelay(r)
	if err != nil {
		s.refuseRelay(w, err)
		return
	}
	up := websocket.Upgrader{
		HandshakeTimeout: helloTimeout,
		Subprotocols:     []string{wire.Subprotocol},
		// A browser page has no business here, whatever host it comes from.
		CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" },
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	conn.SetReadLimit(wire.MaxFrame)
	s.serveRelay(conn, relay)
}

// callingRelay finds the relay whose credential a request carries. Where there is
// none, the request has been answered.
func (s *Service) callingRelay(w http.ResponseWriter, r *http.Request) (store.Relay, bool) {
	relay, err := s.relayOf(r)
	if err != nil {
		s.refuseRelay(w, err)
		return store.Relay{}, false
	}
	return relay, true
}

func (s *Service) refuseRelay(w http.ResponseWriter, err error) {
	if e, ok := errors.AsType[*refused](err); ok {
		http.Error(w, e.text, e.status)
		return
	}
	s.log.Error("relay.refused", "error", err.Error())
	http.Error(w, "the server cannot look relays up at the moment", http.StatusServiceUnavailable)
}

// relayOf is the relay whose credential the request shows, if it is its line's own.
func (s *Service) relayOf(r *http.Request) (store.Relay, error) {
	relay, err := s.knownRelay(r)
	if err == nil && relay.Replaced {
		err = &refused{http.StatusUnauthorized, "another Mac has taken this one's place"}
	}
	return relay, err
}

// knownRelay is the relay whose credential the request shows, if it may say anything:
// its line's own, or one that was replaced.
func (s *Service) knownRelay(r *http.Request) (store.Relay, error) {
	unknown := &refused{http.StatusUnauthorized, "this relay is not paired, or was revoked"}
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return store.Relay{}, unknown
	}
	relay, err := s.store.RelayByHash(r.Context(), hashSecret(secret))
	if errors.Is(err, store.ErrNotFound) {
		return relay, unknown
	}
	if err != nil {
		return relay, fmt.Errorf("find the relay: %w", err)
	}
	line, err := s.store.Line(r.Context(), relay.LineID)
	if errors.Is(err, store.ErrNotFound) || err == nil && line.RelayID != relay.ID && !relay.Replaced {
		return relay, unknown
	}
	if err == nil && relay.NextHash == hashSecret(secret) {
		relay, err = s.prove(r.Context(), relay)
	}
	return relay, err
}

func (s *Service) serveRelay(conn *websocket.Conn, relay store.Relay) {
	one := &session{Service: s, conn: conn, relay: relay, bell: make(chan struct{}, 1), gone: make(chan struct{}), empty: make(chan struct{}),
		log: s.log.With(slog.String("relay", relay.ID))}
	s.sessions.Add(1)
	defer s.sessions.Done()
	one.run(s.base)
}

// RevokeRelay ends a Mac's right to connect; what it held becomes unknown and its
// line waits for another pairing. Of one that was replaced it ends what was left of the
// right.
func (s *Service) RevokeRelay(ctx context.Context, id string) error {
	now := time.Now()
	return s.store.Write(ctx, func(tx *store.Tx) error {
		relay, err := tx.Relay(tx.Context(), id)
		if err != nil {
			return err
		}
		line, err := tx.Line(tx.Context(), relay.LineID)
		if err != nil {
			return err
		}
		if line.RelayID != id {
			return tx.RefuseRelay(id) // one that was replaced has nothing more to say either
		}
		if err := s.retire(tx, line, false, now); err != nil {
			return err
		}
		line.RelayID = ""
		return tx.UpdateLine(line)
	})
}
