package textingblue

import (
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"bluerelay/cloud"
)

// fields are the members of a request's JSON object. Members that nobody asks for
// are ignored, as the service does that this API belongs to.
type fields map[string]json.RawMessage

// object reads the body of a request.
func (c call) object() (fields, error) {
	if !utf8.Valid(c.body) {
		return nil, cloud.Invalid("", "The request body must be valid UTF-8.")
	}
	var f fields
	if err := json.Unmarshal(c.body, &f); err != nil || f == nil {
		return nil, cloud.Invalid("", "The request body must be a JSON object.")
	}
	return f, nil
}

// has tells whether a member is there and not null.
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null"
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

// optional reads a string, nil where it is missing or null.
func (f fields) optional(name string) (*string, error) {
	if !f.has(name) {
		return nil, nil
	}
	s, err := f.text(name)
	return &s, err
}

// flag reads a boolean, old where it is missing or null.
func (f fields) flag(name string, old bool) (bool, error) {
	if !f.has(name) {
		return old, nil
	}
	b := old
	if err := json.Unmarshal(f[name], &b); err != nil {
		return old, cloud.Invalid(name, "The '%s' field must be true or false.", name)
	}
	return b, nil
}

// list reads an array of strings, old where it is missing or null.
func (f fields) list(name string, old []string) ([]string, error) {
	if !f.has(name) {
		return old, nil
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

// lastMoment is the end of the year 9999, after which RFC 3339 ends.
const lastMoment = 253402300799999

// moment reads a time as Unix milliseconds, 0 where it is missing or null. It may be
// written in RFC 3339 or as a number of milliseconds.
func (f fields) moment(name string) (int64, error) {
	if !f.has(name) {
		return 0, nil
	}
	wrong := cloud.Invalid(name, "The '%s' field must be a time in RFC 3339 or in milliseconds since 1970.", name)
	var s string
	if json.Unmarshal(f[name], &s) == nil {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return 0, wrong
		}
		return checkMoment(t.UnixMilli(), name, wrong)
	}
	var ms int64
	if json.Unmarshal(f[name], &ms) != nil {
		return 0, wrong
	}
	return checkMoment(ms, name, wrong)
}

// checkMoment refuses what lies before 1970, which the rules could take for no time at
// all, as they refuse every time that has passed.
func checkMoment(ms int64, name string, wrong error) (int64, error) {
	switch {
	case ms <= 0:
		return 0, cloud.Invalid(name, "The '%s' field must be a time in the future.", name)
	case ms > lastMoment:
		return 0, wrong
	}
	return ms, nil
}
