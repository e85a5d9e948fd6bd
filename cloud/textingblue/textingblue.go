// Package textingblue speaks Texting Blue's public API, as its pages describe it:
// routes, JSON bodies, error envelope, webhook bodies and signatures. What the pages
// leave open is decided in docs/api/texting-blue.md.
//
// It refuses to hold rules: it checks the form of a request, calls package cloud and
// renders what comes back. Its handlers may be called concurrently.
package textingblue

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
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
}

// New makes the API's handler, to be registered for /v1/.
func New(c *cloud.Service, log *slog.Logger) *API {
	a := &API{cloud: c, log: log, mux: http.NewServeMux()}
	a.handle("POST /v1/messages/send", cloud.MessagesSend, a.sendMessage)
	a.handle("POST /v1/messages", cloud.MessagesSend, a.sendMessage)
	a.handle("GET /v1/messages", cloud.MessagesRead, a.listMessages)
	a.handle("GET /v1/messages/{id}", cloud.MessagesRead, a.getMessage)
	a.handle("GET /v1/numbers", cloud.NumbersRead, a.listNumbers)
	a.handle("GET /v1/numbers/{id}", cloud.NumbersRead, a.getNumber)
	a.handle("POST /v1/numbers/verify", cloud.NumbersWrite, a.verifyNumber)
	a.handle("PUT /v1/numbers/{id}", cloud.NumbersWrite, a.updateNumber)
	a.handle("PATCH /v1/numbers/{id}", cloud.NumbersWrite, a.updateNumber)
	a.handle("DELETE /v1/numbers/{id}", cloud.NumbersWrite, a.deleteNumber)
	a.handle("GET /v1/webhooks", cloud.WebhooksManage, a.listWebhooks)
	a.handle("POST /v1/webhooks", cloud.WebhooksManage, a.createWebhook)
	a.handle("GET /v1/webhooks/{id}", cloud.WebhooksManage, a.getWebhook)
	a.handle("PUT /v1/webhooks/{id}", cloud.WebhooksManage, a.updateWebhook)
	a.handle("PATCH /v1/webhooks/{id}", cloud.WebhooksManage, a.updateWebhook)
	a.handle("DELETE /v1/webhooks/{id}", cloud.WebhooksManage, a.deleteWebhook)
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
}

// reply is a status and what to encode as its body.
type reply struct {
	status int
	body   any
}

// handle registers a route: key, permission, rate, body, handler, in that order.
func (a *API) handle(pattern string, need cloud.Permission, h func(context.Context, call) (reply, error)) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		out, err := a.serve(w, r, need, h)
		if err != nil {
			out = a.errorReply(w, r, err)
		}
		a.write(w, out)
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, need cloud.Permission, h func(context.Context, call) (reply, error)) (reply, error) {
	w.Header().Set("x-ratelimit-remaining", "0")
	who, err := a.cloud.Authenticate(r.Context(), store.TextingBlue, r.Header.Get("x-api-key"))
	if err != nil {
		return reply{}, err
	}
	var forbidden error
	if need != "" {
		forbidden = who.Need(need)
	}
	left, err := a.cloud.Count(who)
	if left == cloud.Unlimited {
		left = math.MaxInt32
	}
	w.Header().Set("x-ratelimit-remaining", strconv.FormatInt(left, 10))
	if forbidden != nil {
		return reply{}, forbidden
	}
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return reply{}, cloud.Invalid("", "The request body could not be read, or is larger than %d bytes.", maxBody)
	}
	return h(r.Context(), call{Request: r, who: who, body: body})
}

func (a *API) write(w http.ResponseWriter, out reply) {
	data, err := cloud.JSON(out.body)
	if err != nil {
		a.log.Error("http.not_encoded", "error", err.Error())
		out.status, data = http.StatusInternalServerError, []byte(`{"error":{"code":"internal_error","message":"Internal error."}}`)
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
	return reply{}, methodError(allowed)
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
