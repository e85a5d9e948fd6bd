package contract

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"
)

// Cut has a request answered in this process. A stream is cut as soon as it has shown
// something, as by a reader who goes.
func Cut(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w := &reader{httptest.NewRecorder(), cancel}
	h.ServeHTTP(w, r.WithContext(ctx))
	return w.ResponseRecorder
}

// reader is a connection, as far as a stream needs one.
type reader struct {
	*httptest.ResponseRecorder
	leave context.CancelFunc
}

func (r *reader) Flush()                           { r.ResponseRecorder.Flush(); r.leave() }
func (*reader) SetReadDeadline(_ time.Time) error  { return nil }
func (*reader) SetWriteDeadline(_ time.Time) error { return nil }
