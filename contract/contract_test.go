package contract_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bluerelay/contract"
)

// small is a document with one route.
const small = `
openapi: 3.0.3
info: {title: small, version: "1"}
x-shared-error: &error
  description: An error.
  content: {application/json: {schema: {type: object, required: [error], properties: {error: {type: string}}}}}
paths:
  /things/{id}:
    get:
      x-permission: things:read
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: A thing.
          headers: {left: {required: true, schema: {type: integer, minimum: 0}}}
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Thing'}
            text/event-stream: {schema: {type: string}, x-event: Thing}
        '404': *error
components:
  responses: {Unauthorized: *error, NotFound: *error, MethodNotAllowed: *error, RateLimited: *error, Internal: *error}
  schemas:
    Thing:
      type: object
      required: [id, size]
      properties:
        id: {type: string}
        size: {type: integer, nullable: true}
        parts: {type: array, items: {type: object, properties: {n: {type: integer}}}}
`

func parse(t *testing.T) *contract.Document {
	t.Helper()
	data, err := contract.JSON([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	d, err := contract.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCheck(t *testing.T) {
	d := parse(t)
	const plain, stream = "application/json; charset=utf-8", "text/event-stream"
	for _, c := range []struct {
		target string
		status int
		kind   string
		left   string
		body   string
		wrong  string // part of the error, "" for none
	}{
		{"/things/a", 200, plain, "3", `{"id":"a","size":null}`, ""},
		{"/things/a", 200, plain, "3", `{"id":"a","size":1,"parts":[{"n":1}]}`, ""},
		{"/things/a", 200, plain, "3", `{"id":"a"}`, "size"},
		{"/things/a", 200, plain, "3", `{"id":"a","size":"1"}`, "size"},
		{"/things/a", 200, plain, "3", `{"id":null,"size":1}`, "id"},
		{"/things/a", 200, plain, "3", `{"id":"a","size":1,"more":1}`, "more"},
		{"/things/a", 200, plain, "3", `{"id":"a","size":1,"parts":[{"m":1}]}`, "m"},
		{"/things/a", 200, plain, "3", `{"id":"a","size":1}x`, "invalid character"},
		{"/things/a", 200, plain, "", `{"id":"a","size":1}`, "left"},
		{"/things/a", 200, plain, "-1", `{"id":"a","size":1}`, "left"},
		{"/things/a", 200, "text/html", "3", `{"id":"a","size":1}`, "text/html"},
		{"/things/a", 200, "", "3", `{"id":"a","size":1}`, "content type"},
		{"/things/a", 201, plain, "3", `{"id":"a","size":1}`, "no such status"},
		{"/things/a", 404, plain, "", `{"error":"none"}`, ""},
		{"/things/a", 500, plain, "", `{"error":"broken"}`, "no such status"},
		{"/things/a", 200, stream, "3", "id: 1\n\ndata: {\"id\":\"a\",\"size\":1}\n\ndata: {\"id\":", ""},
		{"/things/a", 200, stream, "3", "data: {\"id\":\"a\"}\n\n", "size"},
		{"/nothing", 404, plain, "", `{"error":"none"}`, ""},
		{"/nothing", 404, plain, "", `{}`, "error"},
		{"/nothing", 200, plain, "", `{}`, "no such path"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
		h := http.Header{"Content-Type": {c.kind}, "Left": {c.left}}
		err := d.Check(r, c.status, h, []byte(c.body))
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s %d %s: %v, want %q", c.target, c.status, c.body, err, c.wrong)
		}
	}
}

func TestOperations(t *testing.T) {
	list := parse(t).Operations()
	if len(list) != 1 || list[0].Pattern() != "GET /things/{id}" || list[0].Permission() != "things:read" || list[0].ReadsBody() || list[0].Open() || !list[0].Answers(404) || list[0].Answers(400) {
		t.Errorf("%+v", list)
	}
}

func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		"b: 1\na: two\n": `{"b":1,"a":"two"}`,
		"x-shared: &a {p: 1, q: 2}\nz: {<<: *a, q: 3}\n":     `{"z":{"p":1,"q":3}}`,
		"x-shared: &a {p: 1}\nz: {<<: [*a, {p: 2, r: 4}]}\n": `{"z":{"p":1,"r":4}}`,
		"a: &a [1, 2.5, true, null, '3', \"\"]\nb: *a\n":     `{"a":[1,2.5,true,null,"3",""],"b":[1,2.5,true,null,"3",""]}`,
		"'404': x\n":     `{"404":"x"}`,
		"a: 1\na: 2\n":   "",
		"a: {b\n":        "",
		"z: {<<: [1]}\n": "",
		"":               "",
	} {
		got, err := contract.JSON([]byte(text))
		compact := strings.NewReplacer("\n", "", " ", "").Replace(string(got))
		if (err != nil) != (want == "") || compact != want {
			t.Errorf("%q: %s %v, want %s", text, compact, err, want)
		}
	}
}
