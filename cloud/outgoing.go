package cloud

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// serveFile sends a relay a file that a message of its own line is to be sent with, or
// a part of it. Everything else does not exist for it.
func (s *Service) serveFile(w http.ResponseWriter, r *http.Request) {
	relay, ok := s.callingRelay(w, r)
	if !ok {
		return
	}
	v, err := s.store.OutgoingOf(r.Context(), relay.LineID, r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.log.Error("media.not_found", "error", err.Error())
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	if sum, err := hex.DecodeString(v.SHA256); err == nil {
		w.Header().Set(wire.HeaderDigest, "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	}
	s.sendFile(w, r, v)
}
