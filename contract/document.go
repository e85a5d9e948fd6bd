// Package contract holds an HTTP API to its OpenAPI document: every answer is checked
// against what the document says of it, and bad requests are made from it.
//
// It is for tests only; no program of ours imports it. It knows no API: both dialects'
// tests use it.
package contract

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Document is an OpenAPI document. It may be used concurrently.
type Document struct {
	spec *openapi3.T
	mux  *http.ServeMux // finds the operation of a request
	ops  map[string]Operation
}

// Operation is a method of a path.
type Operation struct {
	Method string
	Path   string // with its parameters in braces
	spec   *openapi3.Operation
	item   *openapi3.PathItem
}

// Pattern is the operation as net/http's ServeMux writes it.
func (o Operation) Pattern() string { return o.Method + " " + o.Path }

// Permission is what the document says that a key must allow, "" for a route that asks
// for none.
func (o Operation) Permission() string {
	s, _ := o.spec.Extensions["x-permission"].(string)
	return s
}

// ReadsBody tells whether the operation has a body.
func (o Operation) ReadsBody() bool { return o.spec.RequestBody != nil }

// Streams tells whether the operation may answer with a stream of events.
func (o Operation) Streams() bool {
	ok := o.spec.Responses.Status(http.StatusOK)
	return ok != nil && ok.Value.Content["text/event-stream"] != nil
}

// Open tells whether the operation needs no key.
func (o Operation) Open() bool { return o.spec.Security != nil && len(*o.spec.Security) == 0 }

// Answers tells whether the document names a status for the operation.
func (o Operation) Answers(status int) bool { return o.spec.Responses.Status(status) != nil }

// Example is the answer of that status that the document shows, nil for none.
func (o Operation) Example(status int) any {
	if r := o.spec.Responses.Status(status); r != nil && r.Value.Content["application/json"] != nil {
		return r.Value.Content["application/json"].Example
	}
	return nil
}

// PathExample is the document's example of a parameter of the path, "" for none.
func (o Operation) PathExample(name string) string {
	for _, p := range o.item.Parameters {
		if s, ok := p.Value.Example.(string); ok && p.Value.Name == name && p.Value.In == "path" {
			return s
		}
	}
	return ""
}

// BodyExample is the body that the document shows of a request, as JSON; "" for none.
func (o Operation) BodyExample() string {
	if !o.ReadsBody() || o.spec.RequestBody.Value.Content["application/json"] == nil {
		return ""
	}
	data, err := json.Marshal(o.spec.RequestBody.Value.Content["application/json"].Example)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(data)
}

// At is the operation's path with its parameters filled in by name; those that are not
// given are the document's examples.
func (o Operation) At(values map[string]string) string {
	var parts []string
	for part := range strings.SplitSeq(o.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			part = cmp.Or(values[name], o.PathExample(name))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/")
}

// Parse reads a document and checks it, its examples included. From then on an object
// has the members that are named and no other, where the document does not say
// otherwise: it promises more to a test than to a client.
func Parse(data []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	if err := spec.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		return nil, err
	}
	d := &Document{spec: spec, mux: http.NewServeMux(), ops: make(map[string]Operation)}
	for path, item := range spec.Paths.Map() {
		for method, spec := range item.Operations() {
			o := Operation{Method: method, Path: path, spec: spec, item: item}
			d.ops[o.Pattern()] = o
			d.mux.Handle(o.Pattern(), http.NotFoundHandler())
			for _, r := range spec.Responses.Map() {
				closeContent(r.Value.Content)
			}
		}
	}
	for _, s := range spec.Components.Schemas {
		closeObjects(s.Value)
	}
	for _, r := range spec.Components.Responses {
		closeContent(r.Value.Content)
	}
	for _, name := range outside {
		if d.spec.Components.Responses[name] == nil {
			return nil, fmt.Errorf("components.responses lacks %s", name)
		}
	}
	return d, nil
}

func closeContent(content openapi3.Content) {
	for _, m := range content {
		closeObjects(m.Schema.Value)
	}
}

// closeObjects forbids members that a schema does not name.
func closeObjects(s *openapi3.Schema) {
	if s == nil || s.AdditionalProperties.Has != nil || s.AdditionalProperties.Schema != nil {
		return
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = openapi3.AdditionalProperties{Has: new(false)}
	}
	for _, p := range s.Properties {
		closeObjects(p.Value)
	}
	if s.Items != nil {
		closeObjects(s.Items.Value)
	}
	for _, list := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf} {
		for _, one := range list {
			closeObjects(one.Value)
		}
	}
}

// Operations lists all, by path and method.
func (d *Document) Operations() []Operation {
	var list []Operation
	for _, o := range d.ops {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Operation) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return list
}

// Operation returns the operation that a request is for.
func (d *Document) Operation(r *http.Request) (Operation, bool) {
	if r.Method == http.MethodHead {
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
	}
	_, pattern := d.mux.Handler(r)
	o, ok := d.ops[pattern]
	return o, ok
}

// Schema checks a value, as json.Unmarshal reads it, against a schema of the document.
func (d *Document) Schema(name string, value any) error {
	s := d.spec.Components.Schemas[name]
	if s == nil {
		return fmt.Errorf("the document has no schema %s", name)
	}
	return brief(s.Value.VisitJSON(value))
}
