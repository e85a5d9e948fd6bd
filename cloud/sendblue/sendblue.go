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
	"math"
	"net/http"
	"strconv"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// API serves /api/ and /account.
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

// New makes the API's handler, to be registered for /api/ and /account.
func New(c *cloud.Service, log *slog.Logger) *API {
	a := &API{cloud: c, log: log, mux: http.NewServeMux()}
	a.handle("GET /api/v2/messages", cloud.MessagesRead, a.listMessages)
	a.handle("GET /api/v2/messages/{id}", cloud.MessagesRead, a.getMessage)
	a.handle("DELETE /api/message/{handle}", cloud.MessagesSend, a.deleteMessage)
	a.handle("GET /api/status", cloud.MessagesRead, a.getStatus)
	a.handleOnce("POST /api/send-message", cloud.MessagesSend, a.sendMessage)
	a.handleOnce("POST /api/send-group-message", cloud.MessagesSend, a.sendGroupMessage)
	a.handle("GET /api/account/webhooks", cloud.WebhooksManage, a.listWebhooks)
	a.handle("POST /api/account/webhooks", cloud.WebhooksManage, a.addWebhooks)
	a.handle("PUT /api/account/webhooks", cloud.WebhooksManage, a.replaceWebhooks)
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
	once *cloud.Once // of a request that takes effect once
	body *body
	out  http.ResponseWriter // for a handler that answers by itself
}

// reply is a status and what to encode as its body; without a status the handler has
// answered by itself.
type reply struct {
	status int
	body   any
}

// rendered is a body that is written as it is.
type rendered []byte

func (r reply) encode() ([]byte, error) {
	if done, ok := r.body.(rendered); ok {
		return done, nil
	}
	return cloud.JSON(r.body)
}

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
		a.write(w, out)
	})
}

// admit checks whatever comes before the handler. An answer that is repeated comes
// before every limit.
func (a *API) admit(w http.ResponseWriter, r *http.Request, need cloud.Permission, once bool) (call, error) {
	w.Header().Set(leftHeader, "0")
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
		setLeft(w, a.cloud.Left(who))
		c.once, bad = onceOf(c)
		if err := a.cloud.Replayed(r.Context(), who, c.once); err != nil {
			return c, err
		}
	}
	left, err := a.cloud.Count(who)
	setLeft(w, left)
	return c, cmp.Or(forbidden, err, bad)
}

// authenticate reads the pair of keys, in either spelling of its headers.
func (a *API) authenticate(r *http.Request) (cloud.Principal, error) {
	id := cmp.Or(r.Header.Get("sb-api-key-id"), r.Header.Get("x-sb-api-key-id"))
	secret := cmp.Or(r.Header.Get("sb-api-secret-key"), r.Header.Get("x-sb-api-secret-key"))
	return a.cloud.AuthenticatePair(r.Context(), store.Sendblue, id, secret)
}

// leftHeader tells how many requests are left in the running minute.
const leftHeader = "x-ratelimit-remaining"

func setLeft(w http.ResponseWriter, left int64) {
	if left == cloud.Unlimited {
		left = math.MaxInt32
	}
	w.Header().Set(leftHeader, strconv.FormatInt(left, 10))
}

func (a *API) write(w http.ResponseWriter, out reply) {
	if out.status == 0 {
		return
	}
	data, err := out.encode()
	if err != nil {
		a.log.Error("http.not_encoded", "error", err.Error())
		out.status, data = http.StatusInternalServerError, []byte(`{"status":"ERROR","message":"Internal error."}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(out.status)
	_, _ = w.Write(data) // a client that has gone needs no answer
}

// nothingHere answers paths that do not exist, and methods that a path does not
// have.
func (a *API) nothingHere(_ context.Context, c call) (reply, error) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := c.Clone(c.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return reply{}, &cloud.Error{Code: cloud.NotFound, Message: "There is nothing at this path."}
	}
	return reply{}, &wrongMethod{allowed}
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
