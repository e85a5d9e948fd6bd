package cloud

import (
	"errors"
	"fmt"
	"time"

	"bluerelay/cloud/store"
)

// Code names what is wrong with a request; each dialect has its own words for it.
type Code string

// The codes.
const (
	InvalidRequest    Code = "invalid_request"
	Unauthorized      Code = "unauthorized"
	PlanLimitExceeded Code = "plan_limit_exceeded"
	Forbidden         Code = "forbidden"
	NotFound          Code = "not_found"
	Conflict          Code = "conflict"
	RateLimited       Code = "rate_limited"
	Unavailable       Code = "unavailable" // the same request may succeed later

	IdempotencyKeyReused Code = "idempotency_key_reused"
	TooLate              Code = "too_late"       // what was asked for cannot be taken back any more
	DuplicateRisk        Code = "duplicate_risk" // it may be sent twice, and nobody has said that this is wanted
	CursorExpired        Code = "cursor_expired" // what followed it is not kept any more
	Unsettled            Code = "unsettled"      // the server cannot tell whether it was stored
)

// Error is an error that the caller of the API may see. Everything else that goes
// wrong is internal and is never shown.
type Error struct {
	Code       Code
	Message    string        // one sentence, in Texting Blue's style
	Param      string        // the field at fault, "" where none is
	RetryAfter time.Duration // with RateLimited and Unavailable
	Cursor     string        // with CursorExpired: the oldest one that there is
	Declined   bool          // with InvalidRequest: the recipient is a real one, and one that nothing is sent to
}

func (e *Error) Error() string { return e.Message }

// Invalid makes an InvalidRequest about a field.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Public turns any error into one that may be shown. It returns nil where the
// error is internal: the caller logs that one and answers with its dialect's words.
func Public(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, store.ErrUnsettled): // before what may be said of its cause
		return &Error{Code: Unsettled, Message: "The database went away while this was stored, and whether it was is not known. Look before you send the same again; with the same Idempotency-Key as before, repeating it is safe."}
	case errors.Is(err, store.ErrNotFound):
		return &Error{Code: NotFound, Message: "There is nothing with this id."}
	case errors.Is(err, store.ErrNoSpace):
		return &Error{Code: Unavailable, Message: "The server cannot store anything at the moment. Nothing was accepted; try again later.", RetryAfter: 10 * time.Second}
	}
	return nil
}
