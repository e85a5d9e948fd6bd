// Package sendblue speaks Sendblue's public API, as its pages and its official SDK
// describe it: routes, JSON bodies, error envelope, webhook bodies and headers. What
// those leave open is decided in docs/api/sendblue.md.
//
// It refuses to hold rules: it checks the form of a request, calls package cloud and
// renders what comes back. Its handlers may be called concurrently.
package sendblue

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// Paths are what the handler is to be registered for. Nothing is served below the last
// two, where older and newer clients ask: they get the API's own words for it.
var Paths = []string{"/api/", "/account", "/accounts/", "/v3/"}

// API serves Paths.
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

// New makes the API's handler, to be registered for Paths.
func New(c *cloud.Service, log *slog.Logger) *API {
	a := &API{cloud: c, log: log, mux: http.NewServeMux()}
	a.handle("GET /api/v2/messages", cloud.MessagesRead, a.listMessages)
	a.handle("GET /api/v2/messages/{id}", cloud.MessagesRead, a.getMessage)
	a.handle("DELETE /api/message/{handle}", cloud.MessagesSend, a.deleteMessage)
	a.handle("GET /api/status", cloud.MessagesRead, a.getStatus)
	a.handleOnce("POST /api/send-message", cloud.MessagesSend, a.sendMessage)
	a.handleOnce("POST /api/send-group-message", cloud.MessagesSend, a.sendGroupMessage)
	a.handle("GET /api/account/webhooks", cloud.WebhooksManage, a.listWebhooks)
	a.handleOnce("POST /api/account/webhooks", cloud.WebhooksManage, a.addWebhooks)
	a.handleOnce("PUT /api/account/webhooks", cloud.WebhooksManage, a.replaceWebhooks)
	a.handle("DELETE /api/account/webhooks", cloud.WebhooksManage, a.removeWebhooks)
	a.handle("GET /api/v2/events", cloud.MessagesRead, a.streamEvents)
	for _, r := range refused {
		a.handle(r.pattern, r.need, refuse(r.why))
	}
	a.mux.HandleFunc(documentRoute, serveDocument)
	a.contactRoutes()
	a.fileRoutes()
	a.lineRoutes()
	a.handle("GET /api/evaluate-service", cloud.MessagesRead, a.evaluateService)
	a.handle("GET /api/v2/groups/{id}", cloud.MessagesRead, a.getGroup)
	a.handle("GET /account", "", a.getAccount)
	a.handle("/", "", a.nothingHere)
	return a
}

// ServeHTTP serves one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// call is one authenticated request.
type call struct {
	*http.Request
	who  cloud.Principal
	once *cloud.Once // of a request that takes effect once; nil where nothing makes it that
	body *body
	out  http.ResponseWriter // for a handler that answers by itself
}

// reply is a status and what to encode as its body; without a status the handler has
// answered by itself.
type reply struct {
	status int
	body   any
}

// encode is a reply as it is kept for a request that comes again.
func (r reply) encode() (status int, body []byte, err error) {
	body, err = cloud.JSON(r.body)
	return r.status, body, err
}

// trouble is the body of an answer that could not be encoded.
const trouble = `{"status":"ERROR","message":"Internal error."}`

type handler func(context.Context, call) (reply, error)

// handle registers a route: keys, permission, rate, handler, in that order. The body is
// left to the handler.
func (a *API) handle(pattern string, need cloud.Permission, h handler) {
	a.register(pattern, need, h, false)
}

// handleOnce registers a route that takes effect once for all requests that are the
// same and have the same Idempotency-Key, or are repeated by the official SDK.
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
	who, err := a.authenticate(r)
	if err != nil {
		return call{}, err
	}
	c := call{Request: r, who: who, body: new(body), out: w}
	var forbidden, bad error
	if need != "" {
		forbidden = who.Need(need)
	}
	if once && forbidden == nil {
		cloud.ShowLeft(w, a.cloud.Left(who))
		c.once, bad = onceOf(c)
		if err := a.cloud.Replayed(r.Context(), who, c.once); err != nil {
			return c, err
		}
	}
	left, err := a.cloud.Count(who)
	cloud.ShowLeft(w, left)
	return c, cmp.Or(forbidden, err, bad)
}

// authenticate reads the pair of keys, in either spelling of its headers.
func (a *API) authenticate(r *http.Request) (cloud.Principal, error) {
	id := cmp.Or(r.Header.Get("sb-api-key-id"), r.Header.Get("x-sb-api-key-id"))
	secret := cmp.Or(r.Header.Get("sb-api-secret-key"), r.Header.Get("x-sb-api-secret-key"))
	return a.cloud.AuthenticatePair(r.Context(), store.Sendblue, id, secret)
}

// nothingHere answers paths that do not exist, and methods that a path does not
// have.
func (a *API) nothingHere(_ context.Context, c call) (reply, error) {
	return reply{}, cloud.NothingAt(a.mux, c.Request)
}

// stamp writes a time as the API does: milliseconds, UTC, Z; "" for never.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// text is a string, or nil for an empty one.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
