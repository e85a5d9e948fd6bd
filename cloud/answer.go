package cloud

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// ReplayedHeader marks the answer to a request that must take effect once and had.
const ReplayedHeader = "Idempotency-Replayed"

// leftHeader tells how many requests are left in the running minute.
const leftHeader = "x-ratelimit-remaining"

// ShowLeft tells a client how many requests are left in the running minute.
func ShowLeft(w http.ResponseWriter, left int64) {
	if left == Unlimited {
		left = math.MaxInt32
	}
	w.Header().Set(leftHeader, strconv.FormatInt(left, 10))
}

// Rendered is a body that is written as it is.
type Rendered []byte

// Answer writes the answer to a request: a body of JSON, or one that is Rendered. Where
// the body cannot be encoded the client gets 500 with the body trouble.
func (s *Service) Answer(w http.ResponseWriter, status int, body any, trouble string) {
	data, done := body.(Rendered)
	if !done {
		var err error
		if data, err = JSON(body); err != nil {
			s.log.Error("http.not_encoded", "error", err.Error())
			status, data = http.StatusInternalServerError, Rendered(trouble)
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone needs no answer
}

// WrongMethod is a path that exists, asked in a way that does not.
type WrongMethod struct{ Allowed []string }

func (e *WrongMethod) Error() string {
	return "This path answers only " + strings.Join(e.Allowed, ", ") + "."
}

// NothingAt says why no route but "/" serves a request: *WrongMethod where there are
// others at its path, else an *Error that says that there is nothing.
func NothingAt(mux *http.ServeMux, r *http.Request) error {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return &Error{Code: NotFound, Message: "There is nothing at this path."}
	}
	return &WrongMethod{allowed}
}
