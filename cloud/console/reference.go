package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// reference is an API as the page shows it.
type reference struct {
	Name, URL, ID string
	Intro         string
	Groups        []group
	Schemas       []shape
}

// group is the operations of one tag.
type group struct {
	Name, Intro string
	Operations  []operation
}

type operation struct {
	ID, Method, Path, Summary, Intro, Permission string
	Extension                                    bool
	Parameters                                   []field
	Body                                         []field
	Curl                                         string
	Answers                                      []answer
}

// field is a parameter, or a member of an object.
type field struct {
	Name, Where, Type, Intro string
	Required, Extension      bool
}

type answer struct {
	Status, Intro string
	Schema        string // the name of a schema of the page, "" for none
	Fields        []field
	Example       string
}

// shape is an object that several operations use.
type shape struct {
	ID, Name, Intro string
	Fields          []field
	Extension       bool
}

// renderer makes the page's view of one document.
type renderer struct {
	api  API
	id   string
	doc  document
	base string // the server's own URL
}

// docs answers with the page of the APIs, which is made at the first request.
func (c Console) docs() http.HandlerFunc {
	references := sync.OnceValues(c.references)
	return func(w http.ResponseWriter, _ *http.Request) {
		list, err := references()
		if err != nil {
			c.failed(w, "docs.html", err)
			return
		}
		c.render(w, http.StatusOK, "docs.html", list)
	}
}

func (c Console) references() ([]reference, error) {
	list := make([]reference, len(c.APIs))
	for i, api := range c.APIs {
		var err error
		if list[i], err = newReference(api, c.PublicURL); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func newReference(api API, base string) (reference, error) {
	r := renderer{api: api, base: base, id: strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, strings.ToLower(api.Name))}
	if err := json.Unmarshal(api.Document, &r.doc); err != nil {
		return reference{}, fmt.Errorf("read the document of %s: %w", api.Name, err)
	}
	out := reference{Name: api.Name, URL: api.URL, ID: r.id, Intro: r.doc.Info.Description}
	for _, tag := range r.doc.Tags {
		out.Groups = append(out.Groups, group{Name: tag.Name, Intro: tag.Description, Operations: r.operations(tag.Name)})
	}
	for _, name := range r.doc.Components.Schemas.names {
		s := r.doc.Components.Schemas.values[name]
		if len(s.Properties.names) > 0 {
			out.Schemas = append(out.Schemas, shape{ID: r.anchor(name), Name: name, Intro: s.Description, Fields: fieldsOf(s), Extension: s.Extension})
		}
	}
	return out, nil
}

// anchor is the id of a schema in the page.
func (r renderer) anchor(name string) string { return r.id + "-" + name }

func (r renderer) operations(tag string) (list []operation) {
	for _, at := range r.doc.Paths.names {
		p := r.doc.Paths.values[at]
		for _, m := range []struct {
			method string
			spec   *spec
		}{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}} {
			if m.spec != nil && slices.Contains(m.spec.Tags, tag) {
				list = append(list, r.operation(m.method, at, p, *m.spec))
			}
		}
	}
	return list
}

func (r renderer) operation(method, at string, p path, s spec) operation {
	out := operation{
		ID: r.anchor(s.OperationID), Method: method, Path: at, Summary: s.Summary, Intro: s.Description, Permission: s.Permission, Extension: s.Extension,
	}
	where := at
	for _, one := range slices.Concat(p.Parameters, s.Parameters) {
		if name := nameOf(one.Ref); name != "" {
			one = r.doc.Components.Parameters[name]
		}
		out.Parameters = append(out.Parameters, field{Name: one.Name, Where: one.In, Type: typeOf(one.Schema), Intro: one.Description, Required: one.Required, Extension: one.Extension})
		if one.In == "path" {
			where = strings.ReplaceAll(where, "{"+one.Name+"}", fmt.Sprint(cmp.Or(one.Example, any(one.Name))))
		}
	}
	body := ""
	if s.RequestBody != nil {
		media := s.RequestBody.Content["application/json"]
		out.Body, body = fieldsOf(r.resolve(media.Schema)), compact(media.Example)
	}
	out.Curl = r.curl(method, where, s, body)
	for status, answer := range s.Responses {
		out.Answers = append(out.Answers, r.answer(status, answer))
	}
	slices.SortFunc(out.Answers, func(a, b answer) int { return strings.Compare(a.Status, b.Status) })
	return out
}

func (r renderer) answer(status string, s response) answer {
	if name := nameOf(s.Ref); name != "" {
		s = r.doc.Components.Responses[name]
	}
	out := answer{Status: status, Intro: s.Description}
	media := s.Content["application/json"]
	if name := nameOf(media.Schema.Ref); name != "" && status[0] == '2' {
		out.Schema = name
	} else if status[0] == '2' {
		out.Fields = fieldsOf(media.Schema)
	}
	if text := pretty(media.Example); status[0] == '2' && text != "" {
		out.Example = text
	} else if status[0] == '2' {
		out.Example = pretty(r.resolve(media.Schema).Example)
	}
	return out
}

// curl is a line that works when keys and ids are put in.
func (r renderer) curl(method, at string, s spec, body string) string {
	var line strings.Builder
	line.WriteString("curl")
	if method != "GET" {
		line.WriteString(" -X " + method)
	}
	line.WriteString(" '" + r.base + at + "'")
	if s.Security == nil {
		for _, h := range r.api.keyHeaders() {
			line.WriteString(" \\\n  -H '" + h + "'")
		}
	}
	if body != "" {
		line.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(body, "'", `'\''`) + "'")
	}
	return line.String()
}

// keyHeaders are how a request shows its keys.
func (a API) keyHeaders() []string {
	var keys struct {
		Components struct {
			SecuritySchemes ordered[struct{ Name string }]
		}
	}
	_ = json.Unmarshal(a.Document, &keys) // newReference has read it
	var list []string
	for _, name := range keys.Components.SecuritySchemes.names {
		list = append(list, keys.Components.SecuritySchemes.values[name].Name+": YOUR_KEY")
	}
	return list
}

func (r renderer) resolve(s schema) schema {
	if name := nameOf(s.Ref); name != "" {
		return r.doc.Components.Schemas.values[name]
	}
	return s
}

// nameOf is the last part of a reference, "" without one.
func nameOf(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func fieldsOf(s schema) (list []field) {
	for _, name := range s.Properties.names {
		p := s.Properties.values[name]
		list = append(list, field{Name: name, Type: typeOf(p), Intro: p.Description, Required: slices.Contains(s.Required, name), Extension: p.Extension})
	}
	return list
}

// typeOf says in words what a value may be.
func typeOf(s schema) string {
	var out string
	switch {
	case s.Ref != "":
		return nameOf(s.Ref)
	case len(s.AnyOf) > 0 || len(s.OneOf) > 0:
		var list []string
		for _, one := range slices.Concat(s.AnyOf, s.OneOf) {
			if one.Type != "" || one.Ref != "" {
				list = append(list, typeOf(one))
			}
		}
		out = strings.Join(list, " or ")
	case s.Items != nil:
		out = "array of " + typeOf(*s.Items)
	case len(s.Enum) > 0:
		var list []string
		for _, v := range s.Enum {
			if v != nil {
				list = append(list, fmt.Sprint(v))
			}
		}
		out = strings.Join(list, ", ")
	case s.Format == "date-time":
		out = "time"
	default:
		out = s.Type
	}
	if s.Minimum != nil && s.Maximum != nil {
		out += fmt.Sprintf(" %v to %v", *s.Minimum, *s.Maximum)
	}
	if s.MaxLength != nil {
		out += fmt.Sprintf(", at most %d", *s.MaxLength)
	}
	if s.Default != nil {
		out += fmt.Sprintf(", default %v", s.Default)
	}
	if s.Nullable {
		out += " or null"
	}
	return out
}

func compact(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return ""
	}
	return b.String()
}

func pretty(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return ""
	}
	return b.String()
}

// code writes prose as HTML: what stands in backquotes is code.
func code(prose string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(prose, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}
