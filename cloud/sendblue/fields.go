package sendblue

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bluerelay/cloud"
)

// maxBody is the size of a request in bytes: 18,996 characters, each escaped in the
// longest way, and room for the rest.
const maxBody = 512 << 10

// fields are the members of a request, as JSON. Of one that occurs twice the last
// counts; those that nobody asks for are ignored.
type fields map[string]json.RawMessage

// body is what a request says, read once.
type body struct {
	read   bool
	fields fields
	err    error
}

// object reads the body of a request: JSON, whatever the Content-Type says, or a form.
func (c call) object() (fields, error) {
	if b := c.body; !b.read {
		b.read = true
		var data []byte
		if data, b.err = c.read(); b.err == nil {
			b.fields, b.err = decode(c.Header.Get("Content-Type"), data)
		}
	}
	return c.body.fields, c.body.err
}

func (c call) read() ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.out, c.Body, maxBody))
	if err != nil {
		return nil, cloud.Invalid("", "The request body could not be read, or is larger than %d bytes.", maxBody)
	}
	return body, nil
}

func decode(contentType string, body []byte) (fields, error) {
	if !utf8.Valid(body) {
		return nil, cloud.Invalid("", "The request body must be valid UTF-8.")
	}
	// curl labels whatever it posts as a form.
	kind, _, _ := mime.ParseMediaType(contentType)
	if kind == "application/x-www-form-urlencoded" && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return decodeForm(string(body))
	}
	var f fields
	if err := json.Unmarshal(body, &f); err != nil || f == nil {
		return nil, cloud.Invalid("", "The request body must be a JSON object.")
	}
	return f, nil
}

// several marks all values of a form's field, beside its last one.
const several = "[]"

func decodeForm(body string) (fields, error) {
	values, err := cloud.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	f := make(fields, 2*len(values))
	for name, list := range values {
		name = strings.TrimSuffix(name, several)
		if f[name+several], err = cloud.JSON(list); err != nil {
			return nil, err
		}
		if f[name], err = cloud.JSON(list[len(list)-1]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// has tells whether a member is there and neither null nor empty.
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null" && string(raw) != `""`
}

// text reads a string, "" where it is missing or null.
func (f fields) text(name string) (string, error) {
	var s string
	if !f.has(name) {
		return "", nil
	}
	if err := json.Unmarshal(f[name], &s); err != nil {
		return "", cloud.Invalid(name, "The '%s' field must be a string.", name)
	}
	return s, nil
}

// number reads a phone number or an address, with the plus that a form has lost.
func (f fields) number(name string) (string, error) {
	s, err := f.text(name)
	if !f.ofForm(name) && strings.Contains(s, "@") {
		return s, err // JSON loses no plus: it is no address
	}
	return cloud.RestorePlus(s), err
}

// group reads the id of a group, with the pluses that a form has lost.
func (f fields) group(name string) (string, error) {
	s, err := f.text(name)
	if f.ofForm(name) {
		s = pluses(s)
	}
	return s, err
}

// ofForm tells whether a member has come in a form.
func (f fields) ofForm(name string) bool {
	_, ok := f[name+several]
	return ok
}

// pluses restores what was not escaped in the id of a group, which has no spaces.
func pluses(s string) string { return strings.ReplaceAll(s, " ", "+") }

// flag reads a boolean, which may be written as text; old where it is missing or null.
func (f fields) flag(name string, old bool) (bool, error) {
	if !f.has(name) {
		return old, nil
	}
	switch string(f[name]) {
	case `true`, `"true"`:
		return true, nil
	case `false`, `"false"`:
		return false, nil
	}
	return old, cloud.Invalid(name, "The '%s' field must be true or false.", name)
}

// lastMoment is the end of the year 9999, after which RFC 3339 ends.
const lastMoment = 253402300799999

// moment reads a time as Unix milliseconds, 0 where it is missing or null. It may be
// written in RFC 3339 or as a number of milliseconds.
func (f fields) moment(name string) (int64, error) {
	if !f.has(name) {
		return 0, nil
	}
	var s string
	var ms int64
	if json.Unmarshal(f[name], &s) == nil {
		t, err := time.Parse(time.RFC3339, s)
		if err == nil {
			return min(max(t.UnixMilli(), 1), lastMoment), nil
		}
	} else if json.Unmarshal(f[name], &ms) == nil && ms <= lastMoment {
		return max(ms, 1), nil // 0 would be no time at all
	}
	return 0, cloud.Invalid(name, "The '%s' field must be a time in RFC 3339 or in milliseconds since 1970.", name)
}

// list reads an array of strings, nil where it is missing or null. In a form it is a
// field that occurs several times.
func (f fields) list(name string) ([]string, error) {
	if all, ok := f[name+several]; ok {
		f = fields{name: all}
	}
	if !f.has(name) {
		return nil, nil
	}
	var s []*string
	if err := json.Unmarshal(f[name], &s); err != nil || slices.Contains(s, nil) {
		return nil, cloud.Invalid(name, "The '%s' field must be an array of strings.", name)
	}
	out := make([]string, len(s))
	for i, p := range s {
		out[i] = *p
	}
	return out, nil
}

// query are the parameters of a request. Of one that occurs twice the last counts, and
// an empty one is none: the official SDK writes null so.
type query url.Values

func (c call) query() (query, error) {
	values, err := cloud.ParseQuery(c.URL.RawQuery)
	return query(values), err
}

func (q query) text(name string) string {
	list := q[name]
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// number reads a phone number or an address.
func (q query) number(name string) string { return cloud.RestorePlus(q.text(name)) }

// integer reads a whole number from low to high, old where there is none.
func (q query) integer(name string, old, low, high int) (int, error) {
	s := q.text(name)
	if s == "" {
		return old, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, cloud.Invalid(name, "The '%s' parameter must be an integer from %d to %d.", name, low, high)
	}
	return n, nil
}

// momentForms are the ways of ISO 8601 to write a time that are understood: a date, or a
// date with a time to the minute, the second or its fraction, and an offset with or without
// its colon or its minutes. Where a form has seconds, time.Parse takes their fraction too.
var momentForms = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07", "2006-01-02T15:04",
	"2006-01-02",
}

// moment reads a time of ISO 8601 as Unix milliseconds, 0 where there is none. The plus
// of an offset may be lost. Without an offset it is UTC.
func (q query) moment(name string) (int64, error) {
	s := q.text(name)
	if s == "" {
		return 0, nil
	}
	for _, form := range momentForms {
		if t, err := time.Parse(form, strings.Replace(s, " ", "+", 1)); err == nil {
			return max(t.UnixMilli(), 1), nil // 0 would be no time at all
		}
	}
	return 0, cloud.Invalid(name, "The '%s' parameter must be a time in ISO 8601, such as 2025-01-15T10:30:00.000Z.", name)
}
