package sendblue

import (
	"context"

	"bluerelay/cloud"
)

// notSupported is why a documented path cannot do what it is for.
type notSupported struct{ why string }

func (e *notSupported) Error() string { return e.why }

// private is the reason for most of it.
const private = " would need Apple's private interfaces, which this server does not use."

// refused are the documented paths of what a Mac cannot honestly do. They answer 400:
// the official SDK would repeat what is answered with 500 or more.
var refused = []struct {
	pattern string
	need    cloud.Permission
	why     string
}{
	{"POST /api/send-reaction", cloud.MessagesSend, "A reaction" + private},
	// Published clients pass over an error that says so: it is what the service answers
	// where there is no conversation.
	{"POST /api/send-typing-indicator", cloud.MessagesSend, "No route mapping found: a typing indicator" + private},
	{"POST /api/mark-read", cloud.MessagesSend, "A read receipt" + private},
	{"POST /api/modify-group", cloud.MessagesSend, "Changing a group" + private},
	{"POST /api/create-group", cloud.MessagesSend, "A new group" + private},
	{"POST /api/send-carousel", cloud.MessagesSend, "A carousel" + private},
	{"POST /api/messages/{handle}/update-app-card", cloud.MessagesSend, "An app card" + private},
	{"POST /api/request-location", cloud.MessagesSend, "Asking for a location" + private},
	{"GET /api/location", cloud.MessagesRead, "A location" + private},
	{"GET /api/location/{number}", cloud.MessagesRead, "A location" + private},
	{"GET /api/location/{number}/watch", cloud.MessagesRead, "A location" + private},
	{"GET /api/lines/{number}/call-forwarding", cloud.NumbersRead, noCalls},
	{"PUT /api/lines/{number}/call-forwarding", cloud.NumbersWrite, noCalls},
	{"DELETE /api/lines/{number}/call-forwarding", cloud.NumbersWrite, noCalls},
	{"POST /api/v2/groups/{id}/name", cloud.MessagesSend, "Changing a group" + private},
	{"POST /api/v2/groups/{id}/photo", cloud.MessagesSend, "Changing a group" + private},
	{"POST /api/v2/verify/services/{service}/verifications", cloud.MessagesSend, noVerification},
	{"GET /api/v2/verify/services/{service}/verifications/{id}", cloud.MessagesRead, noVerification},
	{"GET /api/v2/verify/verifications", cloud.MessagesRead, noVerification},
	{"GET /api/v2/seats", cloud.TeamRead, noSeats},
	{"GET /api/v2/seats/count", cloud.TeamRead, noSeats},
	{"GET /api/v2/seats/{id}", cloud.TeamRead, noSeats},
	{"GET /api/v2/totp/code/{id}", cloud.TeamRead, noCodes},
	{"GET /api/v2/totp/secrets", cloud.TeamRead, noCodes},
	{"POST /api/v2/totp/secrets", cloud.TeamWrite, noCodes},
	{"DELETE /api/v2/totp/secrets/{id}", cloud.TeamWrite, noCodes},
}

const (
	noCalls        = "A Mac's line carries messages only: there are no calls to forward."
	noVerification = "This server verifies nobody's number."
	noSeats        = "This server has no seats: its people are members of the team."
	noCodes        = "This server keeps no one-time codes."
)

// refuse answers that something cannot be done.
func refuse(why string) handler {
	return func(context.Context, call) (reply, error) { return reply{}, &notSupported{why} }
}
