package textingblue

import (
	_ "embed"
	"net/http"

	"bluerelay/cloud"
)

// document is what openapi.yaml says, as JSON.
//
//go:embed openapi.json
var document []byte

// documentRoute is the one route that needs no key.
const documentRoute = "GET /v1/openapi.json"

// Document is the API's OpenAPI document, as JSON. The caller does not change it.
func Document() []byte { return document }

// serveDocument answers everybody, as often as they like: a client that is being written
// has no key yet.
func serveDocument(w http.ResponseWriter, _ *http.Request) {
	cloud.ShowLeft(w, cloud.Unlimited)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(document) // a client that has gone needs no answer
}
