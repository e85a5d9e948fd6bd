package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// badHistory is a request that no relay of ours makes.
type badHistory struct{ reason string }

func (e *badHistory) Error() string { return e.reason }

// serveHistory stores messages of the past that a person at the Mac asked to bring.
func (s *Service) serveHistory(w http.ResponseWriter, r *http.Request) {
	relay, ok := s.callingRelay(w, r)
	if !ok {
		return
	}
	var h wire.History
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxHistoryBytes))
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		answerHistory(w, http.StatusBadRequest, wire.HistoryAnswer{Error: "The request could not be read: is this an old bluerelay?"})
		return
	}
	added, err := s.AddHistory(r.Context(), relay, h.Messages)
	bad, wrong := errors.AsType[*badHistory](err)
	switch {
	case wrong:
		answerHistory(w, http.StatusBadRequest, wire.HistoryAnswer{Error: bad.reason})
	case errors.Is(err, store.ErrNotFound):
		answerHistory(w, http.StatusUnauthorized, wire.HistoryAnswer{Error: "This Mac is no longer paired with its number: pair it again."})
	case err != nil:
		s.log.Error("history.failed", "relay", relay.ID, "error", err.Error())
		answerHistory(w, http.StatusServiceUnavailable, wire.HistoryAnswer{Error: "The server cannot store messages at the moment: try again later."})
	default:
		answerHistory(w, http.StatusOK, wire.HistoryAnswer{New: added})
	}
}

func answerHistory(w http.ResponseWriter, status int, answer wire.HistoryAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a reader that has gone needs no answer
}

// AddHistory stores messages of the past for the relay's line, in one transaction,
// and says how many were not there yet. They make no event and reach no webhook:
// nobody should be told of last year as if it were now. It returns ErrNotFound when
// the line has another Mac by now.
func (s *Service) AddHistory(ctx context.Context, relay store.Relay, list []wire.Past) (added int, err error) {
	if len(list) > wire.MaxHistory {
		return 0, &badHistory{"too many messages at once"}
	}
	if slices.ContainsFunc(list, func(p wire.Past) bool { return !completePast(p) }) {
		return 0, &badHistory{"a message of the past lacks what it must have"}
	}
	now := time.Now().UnixMilli()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		line, err := tx.Line(tx.Context(), relay.LineID)
		if err != nil {
			return err
		}
		if line.RelayID != relay.ID {
			return store.ErrNotFound
		}
		messages := make([]store.Message, len(list))
		for i, p := range list {
			messages[i] = pastMessage(line, p, now)
		}
		added, err = tx.AddHistory(line.AccountID, messages)
		return err
	})
	return added, err
}

// completePast tells whether a message can be stored and found again.
func completePast(p wire.Past) bool {
	switch p.Status {
	case wire.StatusReceived:
		return !p.Own && p.GUID != "" && p.At > 0 && (p.Handle != "" || p.Group && p.Chat != "")
	case wire.StatusSent, wire.StatusDelivered, wire.StatusRead, wire.StatusFailed:
		return p.Own && p.GUID != "" && p.At > 0 && (p.Handle != "" || p.Chat != "")
	}
	return false
}

func pastMessage(line store.Line, p wire.Past, now int64) store.Message {
	m := store.Message{
		ID: newMessageID(time.UnixMilli(now)), LineID: line.ID, Direction: store.Inbound, Status: p.Status,
		From: p.Handle, To: line.PhoneNumber, Peer: cmp.Or(p.Handle, p.Chat), Content: p.Text, Service: plainService(p.Service),
		ChatGUID: p.Chat, AppleGUID: p.GUID, CreatedAt: p.At, SentAt: p.At, DeliveredAt: p.Delivered, ReadAt: p.Read, UpdatedAt: now,
		ReplyTo: p.ReplyTo, Junk: p.Junk,
	}
	if p.Own {
		m.Direction, m.From, m.To, m.Origin = store.Outbound, line.PhoneNumber, cmp.Or(p.Handle, p.Chat), store.OriginDevice
	}
	if p.Group && p.Chat != "" {
		m.Peer = p.Chat
	}
	if p.Fault != nil {
		m.ErrorCode, m.ErrorNumber, m.ErrorMessage = p.Fault.Code, p.Fault.Number, p.Fault.Text
	}
	if p.Status == wire.StatusFailed {
		m.SentAt = 0
	}
	return m
}
