// Package console is what people see in a browser: a page that says that the
// server runs, the steps of pairing a Mac, the public APIs, and the page that takes an
// invitation to a team.
//
// It needs no login and shows nothing of anybody's data, but to whoever holds the
// token of an invitation what that invites to, and to whoever holds an open setup URL
// which number it is for and which account will see that Mac's messages. Its handlers may be called concurrently.
package console

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"bluerelay/cloud"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{"code": code}).ParseFS(files, "pages/*.html"))

// Console serves /, /setup, /invite and /docs.
type Console struct {
	Cloud     *cloud.Service
	PublicURL string
	APIs      []API
	Simulated bool // the Messages behind this server is a simulated one
	Log       *slog.Logger
}

// Routes registers the pages.
func (c Console) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		c.render(w, http.StatusOK, "status.html", map[string]any{"URL": c.PublicURL, "Simulated": c.Simulated})
	})
	mux.HandleFunc("GET /setup", c.showSetup)
	mux.HandleFunc("GET /invite", c.showInvitation)
	// Whoever posts must hold the token, which no other site knows; that it comes from
	// a page of ours is asked all the same.
	mux.Handle("POST /invite", http.NewCrossOriginProtection().Handler(http.HandlerFunc(c.acceptInvitation)))
	mux.HandleFunc("GET /docs", c.docs())
}

// ourToken is a token of the form that ours have, else "": what is not one of ours is
// not repeated.
func ourToken(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return s
}

// render answers with a page. Nothing that it shows may be kept, framed or sent
// elsewhere, its address, which may hold a token, included.
func (c Console) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		c.failed(w, name, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with less, a browser would not say where a form comes from
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that has gone needs no page
}

func (c Console) failed(w http.ResponseWriter, name string, err error) {
	c.Log.Error("page.failed", "page", name, "error", err.Error())
	http.Error(w, "the page could not be made", http.StatusInternalServerError)
}
