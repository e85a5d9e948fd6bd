// Package console is what people see in a browser: a page that says that the
// server runs, and the steps of pairing a Mac.
//
// It shows nothing of anybody's data and needs no login. Its handlers may be called
// concurrently.
package console

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Console serves / and /setup.
type Console struct {
	PublicURL string
	Simulated bool // the Messages behind this server is a simulated one
	Log       *slog.Logger
}

// Routes registers the pages.
func (c Console) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		c.render(w, "status.html", map[string]any{"URL": c.PublicURL, "Simulated": c.Simulated})
	})
	mux.HandleFunc("GET /setup", func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("token")
		if strings.Trim(token, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			token = "" // not one of ours; do not repeat it
		}
		c.render(w, "setup.html", map[string]any{"Token": token, "Command": "bluerelay pair '" + c.PublicURL + "/setup?token=" + token + "'"})
	})
}

func (c Console) render(w http.ResponseWriter, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		c.Log.Error("page.failed", "page", name, "error", err.Error())
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address holds a token
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes()) // a browser that has gone needs no page
}
