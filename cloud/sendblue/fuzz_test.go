package sendblue

import (
	"testing"
	"unicode/utf8"

	"bluerelay/cloud"
)

// FuzzDecode reads bodies of every kind, and what is asked of them.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "{}", "null", "[1]", `{"a":1,"a":"b"}`, `{"numbers":["+1",null]}`, "a=1&a=2", "numbers[]=1&numbers[]=2", "a=%ff", "a=%zz", "number=+1555", ` {"a":"\ud800"}`} {
		f.Add("application/json", s)
		f.Add("application/x-www-form-urlencoded", s)
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		got, err := decode(kind, []byte(body))
		if err != nil {
			return
		}
		for name := range got {
			if s, err := got.text(name); err == nil && !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
			_, _ = got.flag(name, false)
			if ms, err := got.moment(name); err == nil && (ms < 0 || ms > lastMoment) {
				t.Errorf("%q is %d", got[name], ms)
			}
			_, _ = got.list(name)
			_, _ = readHooks(got, name, "receive")
		}
	})
}

// FuzzQuery reads times and numbers of a query.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "x=1", "x=+1555", "x=2025-01-15T10:30:00.000Z", "x=2025-01-15T10:30:00+02:00", "x=2025-01-15", "x=a&x=b", "x=%00", "x=-1", "x=1969-01-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := cloud.ParseQuery(raw)
		if err != nil {
			return
		}
		q := query(values)
		if ms, err := q.moment("x"); err == nil && q.text("x") != "" && ms < 1 {
			t.Errorf("%q is %d", raw, ms)
		}
		if n, err := q.integer("x", 5, 1, 9); err == nil && (n < 1 || n > 9) {
			t.Errorf("%q is %d", raw, n)
		}
		_ = q.number("x")
	})
}
