package sendblue

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"bluerelay/cloud"
)

// The error codes that the API documents.
const (
	codeInvalid  = 4000 // see the message
	codeTooMany  = 4001
	codeInternal = 5000
)

// envelope is the body of every error. The text stands in two places: clients read the
// one or the other.
type envelope struct {
	Status       string  `json:"status"` // always ERROR
	Message      string  `json:"message"`
	ErrorMessage string  `json:"error_message"`
	ErrorCode    *int    `json:"error_code"`   // null where the API documents none
	ErrorReason  string  `json:"error_reason"` // for machines
	ErrorDetail  *string `json:"error_detail"` // the field at fault
	// OldestCursor is where to go on after cursor_expired.
	OldestCursor string `json:"oldest_cursor,omitempty"`
}

// answers are the HTTP status and the error code of each of our codes, 0 for none.
var answers = map[cloud.Code]struct{ status, code int }{
	cloud.InvalidRequest:    {http.StatusBadRequest, codeInvalid},
	cloud.Unauthorized:      {http.StatusUnauthorized, 0},
	cloud.PlanLimitExceeded: {http.StatusPaymentRequired, 0},
	cloud.Forbidden:         {http.StatusForbidden, 0},
	cloud.NotFound:          {http.StatusNotFound, 0},
	cloud.Conflict:          {http.StatusConflict, 0},
	cloud.RateLimited:       {http.StatusTooManyRequests, codeTooMany},
	cloud.Unavailable:       {http.StatusServiceUnavailable, codeInternal},

	cloud.IdempotencyKeyReused: {http.StatusUnprocessableEntity, codeInvalid},
	cloud.TooLate:              {http.StatusConflict, 0},
	cloud.DuplicateRisk:        {http.StatusConflict, 0},
	cloud.CursorExpired:        {http.StatusGone, 0},
	cloud.Unsettled:            {http.StatusInternalServerError, codeInternal},
}

// errorReply renders any error. What is not meant for the caller is logged, without
// the request's body, and answered in general words.
//
// The official SDK repeats by itself what was answered with 408, 409, 429 or 5xx. It is
// told not to where a repetition cannot help, or where it is not known how far the
// first request came.
func (a *API) errorReply(w http.ResponseWriter, r *http.Request, err error) reply {
	if e, ok := errors.AsType[*cloud.WrongMethod](err); ok {
		w.Header().Set("Allow", strings.Join(e.Allowed, ", "))
		return reply{http.StatusMethodNotAllowed, newEnvelope(0, "method_not_allowed", e.Error(), "")}
	}
	if e, ok := errors.AsType[*notSupported](err); ok {
		return reply{http.StatusBadRequest, newEnvelope(codeInvalid, "not_supported", e.why, "")}
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
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set(retryHeader, "false")
		}
		return reply{http.StatusInternalServerError, newEnvelope(codeInternal, "internal_error", "Internal error. Try again.", "")}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	answer := answers[e.Code]
	if answer.status == http.StatusConflict || e.Code == cloud.IdempotencyKeyReused || e.Code == cloud.Unsettled {
		w.Header().Set(retryHeader, "false")
	}
	if e.Declined {
		answer.code = codeDeclined
	}
	out := newEnvelope(answer.code, string(e.Code), e.Message, e.Param)
	out.OldestCursor = e.Cursor
	return reply{answer.status, out}
}

// retryHeader tells the official SDK whether it may repeat a request.
const retryHeader = "x-should-retry"

// newEnvelope makes the body of an error about a field, "" for none. The rules name
// fields in Texting Blue's words.
func newEnvelope(code int, reason, message, field string) envelope {
	if ours, ok := fieldNames[field]; ok {
		message = strings.NewReplacer("'"+field+"'", "'"+ours+"'", `"`+field+`"`, `"`+ours+`"`).Replace(message)
		field = ours
	}
	e := envelope{Status: statusError, Message: message, ErrorMessage: message, ErrorReason: reason, ErrorDetail: text(field)}
	if code != 0 {
		e.ErrorCode = &code
	}
	return e
}

// fieldNames are the fields that have another name here than in the rules.
var fieldNames = map[string]string{"from": "from_number", "to": "number", "url": "webhooks", "after": "Last-Event-ID"}

// statusError is what every error's body begins with.
const statusError = "ERROR"

// statusOK is what the body of every answer begins with that is neither an error nor a
// bare message.
const statusOK = "OK"
