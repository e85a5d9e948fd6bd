package cloud_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"bluerelay/cloud"
)

func fingerprint(t testing.TB, body string) string {
	t.Helper()
	f, err := cloud.Fingerprint("POST", "/p", []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return f
}

// Each line is one meaning, written in several ways.
var meanings = [][]string{
	{"", " ", "\n\t"},
	{"null"}, {"true"}, {"false"}, {`""`}, {`"0"`}, {`"null"`},
	{"{}", " { } "}, {"[]"}, {"[[]]"}, {"[{}]"}, {"[[],[]]"},
	{"0", "-0", "0.0", "0e9", "-0.00E-7", "0e99999999999999999999999999"},
	{"1", "1.0", "1e0", "10e-1", "0.1e1", "1E+0", "100000000000e-11"},
	{"-1", "-1.0"}, {"10", "1e1"}, {"100", "1e2", "0.001e5"}, {"0.1", "1e-1", "0.10"}, {"1.5", "15e-1"},
	{"9007199254740993", "9007199254740993.0"}, {"9007199254740992"},
	{"1e400", "10e399"}, {"1e-400"}, {"1e99999999999999999999999999", "10e99999999999999999999999998"},
	{`"a"`, `"\u0061"`}, {`"+1"`, `"\u002b1"`, `"\u002B1"`}, {`"é"`, `"\u00e9"`}, {`"e\u0301"`}, {`"😀"`, `"\ud83d\ude00"`}, {`"/"`, `"\/"`},
	{`{"a":1,"b":[1,2]}`, `{"b":[1.0,2e0],"a":1}`, ` {"a" : 1 , "b" : [ 1 , 2 ] } `, `{"\u0061":1,"b":[1,2]}`, `{"a":9,"b":[1,2],"a":1}`},
	{`{"a":1,"b":[2,1]}`}, {`{"a":[1,2],"b":1}`}, {`{"a":1}`}, {`{"a":1,"b":null}`}, {`{"a":"1"}`}, {`{"A":1}`},
	{`["a","b"]`}, {`["ab"]`}, {`["a",["b"]]`}, {`[["a"],"b"]`}, {`{"a":{"b":1}}`}, {`{"a":{},"b":1}`},
}

func TestFingerprintTellsMeaningsApart(t *testing.T) {
	seen := make(map[string]string)
	for _, ways := range meanings {
		want := fingerprint(t, ways[0])
		if former, ok := seen[want]; ok {
			t.Errorf("%s and %s are the same", former, ways[0])
		}
		seen[want] = ways[0]
		for _, other := range ways[1:] {
			if fingerprint(t, other) != want {
				t.Errorf("%s and %s differ", ways[0], other)
			}
		}
	}
	for _, where := range [][2]string{{"GET", "/p"}, {"POST", "/q"}, {"POS", "T/p"}} {
		f, err := cloud.Fingerprint(where[0], where[1], []byte("{}"))
		if err != nil || f == fingerprint(t, "{}") {
			t.Errorf("%v: %s, %v", where, f, err)
		}
	}
	for _, bad := range []string{"{", "{}{}", "{} x", "nul", "01", "1.", "\f", "\u00a0", "'a'", "\xff", "\"\xff\"", "{\"a\":}", strings.Repeat("[", 20000)} {
		if f, err := cloud.Fingerprint("POST", "/p", []byte(bad)); err == nil {
			t.Errorf("%.20q has the fingerprint %s", bad, f)
		}
	}
}

// FuzzFingerprint holds the fingerprints of two bodies against their meanings, and
// that of one against other ways to write it.
func FuzzFingerprint(f *testing.F) {
	var all []string
	for _, ways := range meanings {
		all = append(all, ways...)
	}
	for i, a := range all {
		f.Add([]byte(a), []byte(all[(i+1)%len(all)]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		one, err := cloud.Fingerprint("POST", "/p", a)
		if err != nil {
			return
		}
		va, small := decoded(t, a)
		for _, way := range otherWays(t, a, va) {
			if again, err := cloud.Fingerprint("POST", "/p", way); again != one {
				t.Errorf("%q and %q differ, %v", a, way, err)
			}
		}
		two, err := cloud.Fingerprint("POST", "/p", b)
		if err != nil || !small {
			return
		}
		if vb, small := decoded(t, b); small && (one == two) != equal(va, vb) {
			t.Errorf("%q and %q: the same fingerprint %t, the same meaning %t", a, b, one == two, equal(va, vb))
		}
	})
}

// nothing is the value of a body without one.
type nothing struct{}

// decoded reads a body; small says that its numbers can be computed.
func decoded(t *testing.T, body []byte) (v any, small bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); errors.Is(err, io.EOF) {
		return nothing{}, true
	} else if err != nil {
		t.Fatalf("%q has a fingerprint: %v", body, err)
	}
	return v, smallNumbers(v)
}

func smallNumbers(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, one := range v {
			if !smallNumbers(one) {
				return false
			}
		}
	case []any:
		for _, one := range v {
			if !smallNumbers(one) {
				return false
			}
		}
	case json.Number:
		i := strings.IndexAny(string(v), "eE")
		if i < 0 {
			return true
		}
		n, err := strconv.Atoi(strings.TrimPrefix(string(v[i+1:]), "+"))
		return err == nil && n > -1000 && n < 1000
	}
	return true
}

// equal compares two bodies as their readers would.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, one := range a {
			if other, ok := b[name]; !ok || !equal(one, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, _ := new(big.Rat).SetString(string(a))
		y, _ := new(big.Rat).SetString(string(b))
		return x.Cmp(y) == 0
	}
	return a == b
}

// otherWays writes a body anew.
func otherWays(t *testing.T, body []byte, v any) [][]byte {
	if v == (any)(nothing{}) {
		return [][]byte{nil, []byte("\n ")}
	}
	var wide bytes.Buffer
	if err := json.Indent(&wide, body, "  ", "\t"); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	scaled, err := json.Marshal(rescale(v))
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{wide.Bytes(), sorted, scaled}
}

// rescale writes each number without an exponent with one.
func rescale(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = rescale(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = rescale(one)
		}
		return out
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			return v + ".00E+0"
		}
	}
	return v
}
