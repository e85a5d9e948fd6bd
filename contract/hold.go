package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// outside are the responses of the document's components that answer requests for which
// it has no operation.
var outside = map[int]string{
	http.StatusUnauthorized:        "Unauthorized",
	http.StatusNotFound:            "NotFound",
	http.StatusMethodNotAllowed:    "MethodNotAllowed",
	http.StatusTooManyRequests:     "RateLimited",
	http.StatusInternalServerError: "Internal",
}

// Hold serves what h serves and fails the test on every answer that the document does
// not describe: an unknown status or content type, a member too many, one missing, a
// value of the wrong form, a header that must be there.
func (d *Document) Hold(t testing.TB, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &witness{ResponseWriter: w}
		h.ServeHTTP(seen, r)
		if err := d.Check(r, seen.status, w.Header(), seen.body.Bytes()); err != nil {
			t.Errorf("%s %s: %d: not as the document says: %v\n%.2000s", r.Method, r.URL.Path, seen.status, err, seen.body.Bytes())
		}
	})
}

// witness keeps what a handler answers.
type witness struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *witness) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *witness) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Check holds one answer against the document.
func (d *Document) Check(r *http.Request, status int, h http.Header, body []byte) error {
	if cleaned(r) && h.Get("Location") != "" && (status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect) {
		return nil // net/http sends the client to the path as it is usually written
	}
	response, err := d.response(r, status)
	if err != nil {
		return err
	}
	for name, header := range response.Headers {
		if err := checkHeader(header.Value, h.Get(name)); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return d.checkBody(response, h.Get("Content-Type"), body)
}

// cleaned tells whether a path has dots or slashes that mean nothing.
func cleaned(r *http.Request) bool {
	p := r.URL.Path
	return path.Clean("/"+p) != strings.TrimSuffix(p, "/") && p != "/"
}

func (d *Document) response(r *http.Request, status int) (*openapi3.Response, error) {
	o, ok := d.Operation(r)
	if !ok {
		if name := outside[status]; name != "" {
			return d.spec.Components.Responses[name].Value, nil
		}
		return nil, fmt.Errorf("the document has no such path")
	}
	ref := o.spec.Responses.Status(status)
	if ref == nil {
		return nil, fmt.Errorf("%s has no such status", o.Pattern())
	}
	return ref.Value, nil
}

func checkHeader(header *openapi3.Header, value string) error {
	if value == "" {
		if header.Required {
			return fmt.Errorf("it is missing")
		}
		return nil
	}
	schema := header.Schema.Value
	if schema.Type.Is("integer") {
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return schema.VisitJSON(float64(n))
	}
	return schema.VisitJSON(value)
}

func (d *Document) checkBody(response *openapi3.Response, contentType string, body []byte) error {
	if len(response.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body that must not be there")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	media := response.Content[kind]
	switch {
	case media == nil:
		return fmt.Errorf("content type %s is not one of the document's", kind)
	case kind == "text/event-stream":
		name, _ := media.Extensions["x-event"].(string)
		return d.checkStream(name, body)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return brief(media.Schema.Value.VisitJSON(value))
}

// brief leaves out what a schema's error repeats of schema and value.
func brief(err error) error {
	if e, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		return fmt.Errorf("/%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	return err
}

// checkStream holds the data of each whole event of a stream against a schema.
func (d *Document) checkStream(schema string, body []byte) error {
	whole := body[:bytes.LastIndexByte(body, '\n')+1]
	for line := range strings.Lines(string(whole)) {
		data, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "data: ")
		if !ok {
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(data), &value); err != nil {
			return err
		}
		if err := d.Schema(schema, value); err != nil {
			return err
		}
	}
	return nil
}
