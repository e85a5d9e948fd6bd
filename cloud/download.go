package cloud

import (
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"time"

	"bluerelay/cloud/store"
)

// MediaRoutes registers the public paths of files.
func (s *Service) MediaRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /media/{token}/{name}", s.serveMedia)
}

// serveMedia sends a stored file to whoever knows its path. Nothing in it is run by
// a browser: the type is one of a list, never guessed, and the page has no origin.
func (s *Service) serveMedia(w http.ResponseWriter, r *http.Request) {
	v, err := fileAt(r.Context(), s.store, "", r.PathValue("token"), r.PathValue("name"), time.Now())
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.log.Error("media.not_found", "error", err.Error())
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	s.sendFile(w, r, v)
}

// sendFile answers with a stored file, or the part of it that is asked for.
func (s *Service) sendFile(w http.ResponseWriter, r *http.Request, v store.Media) {
	f, err := s.folder.open(v.ID)
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.log.Error("media.unreadable", "media", v.ID, "error", err.Error())
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	defer f.Close()
	rc := http.NewResponseController(w)
	// A server that stops lets a download in hand go on for a moment only.
	end, ok := s.transfers.begin("", func() { _ = rc.SetWriteDeadline(time.Now().Add(downloadGrace)) })
	if !ok {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	defer end()
	mediaHeaders(w.Header(), v)
	http.ServeContent(w, r, "", time.UnixMilli(v.CreatedAt), f)
}

// downloadGrace is how long a download may go on while the server stops.
const downloadGrace = 5 * time.Second

func mediaHeaders(h http.Header, v store.Media) {
	disposition := "attachment"
	if shownInline(v.MIME) {
		disposition = "inline"
	}
	h.Set("Content-Type", v.MIME)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": v.Name}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("ETag", `"`+v.SHA256+`"`)
}
