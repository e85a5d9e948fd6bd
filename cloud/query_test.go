package cloud_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud"
)

func TestParseQuery(t *testing.T) {
	for raw, want := range map[string]url.Values{
		"":                            {},
		"&&":                          {},
		"a=1&a=2&b":                   {"a": {"1", "2"}, "b": {""}},
		"a==&=b":                      {"a": {"="}, "": {"b"}},
		"group_id=any;+;chat42&x=1":   {"group_id": {"any; ;chat42"}, "x": {"1"}},
		"group_id=any%3B%2B%3Bchat42": {"group_id": {"any;+;chat42"}},
		"%61=%C3%A9":                  {"a": {"é"}},
	} {
		got, err := cloud.ParseQuery(raw)
		if err != nil || !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q: %q, %v, want %q", raw, got, err, want)
		}
	}
	for raw, name := range map[string]string{"a=1&b=%zz&c=3": "b", "a=%": "a", "a%2=1": "a%2", "a=%FF": "a", "%FF=1": "%FF"} {
		e := cloud.Public(second(cloud.ParseQuery(raw)))
		if e == nil || e.Code != cloud.InvalidRequest || e.Param != name || !strings.Contains(e.Message, "'"+name+"'") {
			t.Errorf("%q: %+v", raw, e)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRestorePlus(t *testing.T) {
	for s, want := range map[string]string{
		"": "", " 19998887777": "+19998887777", "+1": "+1", "1 2": "1 2", "ann blue@example.com": "ann+blue@example.com", " a b@example.com": "+a+b@example.com",
	} {
		if got := cloud.RestorePlus(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}

// FuzzParseQuery finds what net/url finds, wherever that reads all of it.
func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"", "a=1&b=2", "a;b=1", "a=%zz", "a=+&a", "=", "%", "a=%FF", "é=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := cloud.ParseQuery(raw)
		if e := cloud.Public(err); err != nil && (e == nil || e.Code != cloud.InvalidRequest) {
			t.Errorf("%q: %v", raw, err)
		}
		want, strict := url.ParseQuery(raw)
		if err == nil && strict == nil && !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q: %q, not %q", raw, got, want)
		}
	})
}
