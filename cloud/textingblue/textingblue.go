// Package textingblue speaks Texting Blue's public API, as its pages describe it:
// routes, JSON bodies, error envelope, webhook bodies and signatures. What the pages
// leave open is decided in docs/api/texting-blue.md.
//
// It refuses to hold rules: it checks the form of a request, calls package cloud and
// renders what comes back. Its handlers may be called concurrently.
package textingblue

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// maxBody is the size of a request in bytes: 5,000 characters, each escaped in the
// longest way, and room for the rest.
const maxBody = 256 << 10

// API serves /v1/.
type API struct {
	cloud *cloud.Service
	log   *slog.Logger
	mux   *http.ServeMux
	// routes are what the mux serves, in the order of New.
	routes []route
}

// route is a method and a path, and the permission that a key needs for it, "" for none.
type route struct {
	pattern string
	need    cloud.Permission
}

// New makes the API's handler, to be registered for /v1/.
func New(c *cloud.Service, log *slog.Logger) *API {
	a := &API{cloud: c, log: log, mux: http.NewServeMux()}
	a.handleOnce("POST /v1/messages/send", cloud.MessagesSend, a.sendMessage)
	a.handleOnce("POST /v1/messages", cloud.MessagesSend, a.sendMessage)
	a.handle("GET /v1/messages", cloud.MessagesRead, a.listMessages)
	a.handle("GET /v1/messages/{id}", cloud.MessagesRead, a.getMessage)
	a.handle("GET /v1/messages/{id}/timeline", cloud.MessagesRead, a.getTimeline)
	a.handle("POST /v1/messages/{id}/cancel", cloud.MessagesSend, a.cancelMessage)
	a.handleOnce("POST /v1/messages/{id}/resend", cloud.MessagesSend, a.resendMessage)
	a.handle("GET /v1/events", cloud.MessagesRead, a.listEvents)
	a.handle("GET /v1/numbers", cloud.NumbersRead, a.listNumbers)
	a.handle("GET /v1/numbers/{id}", cloud.NumbersRead, a.getNumber)
	a.handle("POST /v1/numbers/verify", cloud.NumbersWrite, a.verifyNumber)
	a.handle("PUT /v1/numbers/{id}", cloud.NumbersWrite, a.updateNumber)
	a.handle("PATCH /v1/numbers/{id}", cloud.NumbersWrite, a.updateNumber)
	a.handle("DELETE /v1/numbers/{id}", cloud.NumbersWrite, a.deleteNumber)
	a.handle("GET /v1/relays", cloud.NumbersRead, a.listRelays)
	a.handle("GET /v1/webhooks", cloud.WebhooksManage, a.listWebhooks)
	a.handle("POST /v1/webhooks", cloud.WebhooksManage, a.createWebhook)
	a.handle("GET /v1/webhooks/{id}", cloud.WebhooksManage, a.getWebhook)
	a.handle("PUT /v1/webhooks/{id}", cloud.WebhooksManage, a.updateWebhook)
	a.handle("PATCH /v1/webhooks/{id}", cloud.WebhooksManage, a.updateWebhook)
	a.handle("DELETE /v1/webhooks/{id}", cloud.WebhooksManage, a.deleteWebhook)
	a.handle("GET /v1/webhooks/{id}/deliveries", cloud.WebhooksManage, a.listDeliveries)
	a.handle("POST /v1/webhooks/{id}/deliveries/{delivery}/replay", cloud.WebhooksManage, a.replayDelivery)
	a.handle("POST /v1/webhooks/{id}/replay", cloud.WebhooksManage, a.replayEvents)
	a.handle("POST /v1/webhooks/{id}/test", cloud.WebhooksManage, a.testWebhook)
	a.handle("POST /v1/webhooks/{id}/rotate-secret", cloud.WebhooksManage, a.rotateSecret)
	a.handle("GET /v1/team", cloud.TeamRead, a.getTeam)
	a.handle("PUT /v1/team", cloud.TeamWrite, a.updateTeam)
	a.handle("PATCH /v1/team", cloud.TeamWrite, a.updateTeam)
	a.handle("GET /v1/team/members", cloud.TeamRead, a.listMembers)
	a.handle("POST /v1/team/members/invite", cloud.TeamWrite, a.inviteMember)
	a.handle("PUT /v1/team/members/{id}", cloud.TeamWrite, a.updateMember)
	a.handle("PATCH /v1/team/members/{id}", cloud.TeamWrite, a.updateMember)
	a.handle("DELETE /v1/team/members/{id}", cloud.TeamWrite, a.deleteMember)
	a.handle("GET /v1/team/invitations", cloud.TeamRead, a.listInvitations)
	a.handle("DELETE /v1/team/invitations/{id}", cloud.TeamWrite, a.deleteInvitation)
	a.mux.HandleFunc(documentRoute, serveDocument)
	a.handle("/", "", a.nothingHere)
	return a
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// call is one authenticated request.
type call struct {
	*http.Request
	who  cloud.Principal
	body []byte
	once *cloud.Once         // of a request with a key
	out  http.ResponseWriter // of a handler that answers by itself
}

// reply is a status and what to encode as its body; without a status the handler has
// answered by itself.
type reply struct {
	status int
	body   any
}

// trouble is the body of an answer that could not be encoded.
const trouble = `{"error":{"code":"internal_error","message":"Internal error."}}`

type handler func(context.Context, call) (reply, error)

// handle registers a route: key, permission, rate, body, handler, in that order.
func (a *API) handle(pattern string, need cloud.Permission, h handler) {
	a.register(pattern, need, h, false)
}

// handleOnce registers a route that takes effect once for all requests that are the
// same and have the same Idempotency-Key.
func (a *API) handleOnce(pattern string, need cloud.Permission, h handler) {
	a.register(pattern, need, h, true)
}

func (a *API) register(pattern string, need cloud.Permission, h handler, once bool) {
	a.routes = append(a.routes, route{pattern, need})
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, err := a.admit(w, r, need, once)
		var out reply
		if err == nil {
			out, err = h(r.Context(), c)
		}
		if err != nil {
			out = a.errorReply(w, r, err)
		}
		if out.status != 0 {
			a.cloud.Answer(w, out.status, out.body, trouble)
		}
	})
}

// admit checks whatever comes before the handler. An answer that is repeated comes
// before every limit.
func (a *API) admit(w http.ResponseWriter, r *http.Request, need cloud.Permission, once bool) (call, error) {
	cloud.ShowLeft(w, 0)
	who, err := a.cloud.Authenticate(r.Context(), store.TextingBlue, r.Header.Get("x-api-key"))
	if err != nil {
		return call{}, err
	}
	c := call{Request: r, who: who, out: w}
	var forbidden, bad error
	if need != "" {
		forbidden = who.Need(need)
	}
	if once = once && forbidden == nil && len(r.Header.Values(cloud.IdempotencyHeader)) > 0; once {
		cloud.ShowLeft(w, a.cloud.Left(who))
		if bad = c.read(w); bad == nil {
			c.once, bad = onceOf(r, c.body)
		}
		if err := a.cloud.Replayed(r.Context(), who, c.once); err != nil {
			return call{}, err
		}
	}
	left, err := a.cloud.Count(who)
	cloud.ShowLeft(w, left)
	if err = cmp.Or(forbidden, err, bad); err != nil {
		return call{}, err
	}
	if !once {
		err = c.read(w)
	}
	return c, err
}

// read reads the body.
func (c *call) read(w http.ResponseWriter) (err error) {
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, c.Body, maxBody)); err != nil {
		return cloud.Invalid("", "The request body could not be read, or is larger than %d bytes.", maxBody)
	}
	return nil
}

// nothingHere answers paths that do not exist, and methods that a path does not
// have.
func (a *API) nothingHere(_ context.Context, c call) (reply, error) {
	return reply{}, cloud.NothingAt(a.mux, c.Request)
}

// stamp writes a time as the API does: whole seconds, UTC, Z; nil for never.
func stamp(ms int64) *string {
	if ms == 0 {
		return nil
	}
	return new(time.UnixMilli(ms).UTC().Format(time.RFC3339))
}

// text is a string, or nil for an empty one.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
