package textingblue

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"bluerelay/cloud"
)

// envelope is the body of every error.
type envelope struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param,omitempty"`
	// OldestCursor is where to go on after cursor_expired.
	OldestCursor string `json:"oldest_cursor,omitempty"`
}

// statuses are the HTTP statuses of the API's error page.
var statuses = map[cloud.Code]int{
	cloud.InvalidRequest:    http.StatusBadRequest,
	cloud.Unauthorized:      http.StatusUnauthorized,
	cloud.PlanLimitExceeded: http.StatusPaymentRequired,
	cloud.Forbidden:         http.StatusForbidden,
	cloud.NotFound:          http.StatusNotFound,
	cloud.Conflict:          http.StatusConflict,
	cloud.RateLimited:       http.StatusTooManyRequests,
	cloud.Unavailable:       http.StatusServiceUnavailable,

	cloud.IdempotencyKeyReused: http.StatusUnprocessableEntity,
	cloud.TooLate:              http.StatusConflict,
	cloud.DuplicateRisk:        http.StatusConflict,
	cloud.CursorExpired:        http.StatusGone,
	cloud.Unsettled:            http.StatusInternalServerError,
}

// errorReply renders any error. What is not meant for the caller is logged, without
// the request's body, and answered in general words.
func (a *API) errorReply(w http.ResponseWriter, r *http.Request, err error) reply {
	if e, ok := errors.AsType[*cloud.WrongMethod](err); ok {
		w.Header().Set("Allow", strings.Join(e.Allowed, ", "))
		return reply{http.StatusMethodNotAllowed, envelope{errorBody{Code: string(cloud.InvalidRequest), Message: e.Error()}}}
	}
	if e, ok := errors.AsType[*cloud.Replay](err); ok {
		w.Header().Set(cloud.ReplayedHeader, "true")
		return reply{e.Status, cloud.Rendered(e.Body)}
	}
	e := cloud.Public(err)
	if (e == nil || e.Code == cloud.Unsettled) && r.Context().Err() == nil { // a client that hangs up is no fault of ours
		a.log.Error("http.failed", "route", r.Pattern, "error", err.Error())
	}
	if e == nil {
		return reply{http.StatusInternalServerError, envelope{errorBody{Code: "internal_error", Message: "Internal error. Try again."}}}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	if e.Code == cloud.IdempotencyKeyReused || e.Code == cloud.Unsettled {
		w.Header().Set("x-should-retry", "false")
	}
	return reply{statuses[e.Code], envelope{errorBody{Code: string(e.Code), Message: e.Message, Param: e.Param, OldestCursor: e.Cursor}}}
}
