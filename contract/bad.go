package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Bad makes requests with something wrong in most of them, from what a document says
// of its operations. The same seed makes the same requests. It is not for concurrent
// use.
type Bad struct {
	ops []Operation
	rng *rand.Rand
	// Values are what ids and cursors in paths and queries may be beside nonsense: one's
	// own and those of others.
	values []string
}

// Bad begins a course of bad requests.
func (d *Document) Bad(seed uint64, values []string) *Bad {
	return &Bad{ops: d.Operations(), rng: rand.New(rand.NewPCG(seed, seed)), values: values}
}

// odd are texts that something may stumble over.
var odd = []string{
	"", " ", "\x00", "a\x00b", "null", "undefined", "true", "-1", "0", "1e400", "9223372036854775808", "NaN", "0x10", "1.5", "' OR 1=1 --", "%s%n%d", "{{7*7}}", "${7*7}",
	"<script>alert(1)</script>", "../../etc/passwd", "..", ".", "/", "\\", "\xff\xfe", "\xed\xa0\x80", "\xc0\x80", "\u202eabc", "\u200b", "👩‍👩‍👧‍👦", "é", "e\u0301", "\r\nX-Injected: 1", "\ufeff", "+14155551234", " 14155551234",
	"++1", "+", "a@b", "A@B.C", "https://", "https://127.0.0.1/", "http://[::1]/", "javascript:alert(1)", "file:///etc/passwd", "https://example.com/\x00", "2026-02-30T25:61:61Z", "2026-02-07T12:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z",
	"cur_", "cur_aaaaaaaaaaaaaaaaaaaa", "msg_xxxxxxxxxxxx", "00000000-0000-0000-0000-000000000000", strings.Repeat("x", 300), strings.Repeat("😀", 5001), strings.Repeat("a", 70_000),
}

// oddHeaders are headers that nothing should heed.
var oddHeaders = []struct{ name, value string }{
	{"Accept", "*/*"}, {"Accept", "text/html"}, {"Accept", ";;"}, {"Content-Encoding", "gzip"}, {"X-HTTP-Method-Override", "DELETE"}, {"X-Stainless-Retry-Count", "0"}, {"X-Stainless-Retry-Count", "1"}, {"X-Stainless-Retry-Count", "-1"},
	{"Expect", "100-continue"}, {"Range", "bytes=0-1"}, {"If-None-Match", "*"}, {"Last-Event-ID", "x"}, {"X-Forwarded-For", "127.0.0.1"}, {"Origin", "https://evil.example"}, {"Cookie", "x-api-key=1"},
}

// raw are values of JSON, good and not, of every type.
var raw = []string{
	"null", "true", "false", "0", "-0", "-1", "1", "1.5", "1e3", "1e400", "-1e400", "9223372036854775807", "9223372036854775808", strings.Repeat("9", 400), "01", "+1", "NaN", "Infinity", "[]", "{}", "[[]]", `[null]`, `[1,"a",null]`, `{"a":{"b":[1]}}`, `{"":""}`,
	`"\u0000"`, `"\ud800"`, `"\udfff\ud800"`, "\"\x00\"", "\"\xff\"", `"\x"`, `"a`, `'a'`, `undefined`, `""`, `" "`, `["message.sent"]`, `["message.sent","message.sent"]`, `["nothing"]`, `"x"`, "\"a\nb\"", strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 12_000),
}

func pick[T any](b *Bad, list []T) T { return list[b.rng.IntN(len(list))] }

// chance is true in one of n cases.
func (b *Bad) chance(n int) bool { return b.rng.IntN(n) == 0 }

// text is a value for where a text or an id belongs.
func (b *Bad) text() string {
	if len(b.values) == 0 || b.chance(2) {
		return pick(b, odd)
	}
	v := pick(b, b.values)
	switch b.rng.IntN(6) {
	case 0:
		return v + "x"
	case 1:
		return v[:b.rng.IntN(len(v)+1)]
	case 2:
		return strings.ToUpper(v)
	case 3: // one bit is another
		i := b.rng.IntN(len(v) + 1)
		if i == len(v) {
			return v
		}
		return v[:i] + string(v[i]^1) + v[i+1:]
	}
	return v
}

// Next makes a request, without keys.
func (b *Bad) Next() *http.Request {
	o := pick(b, b.ops)
	method := o.Method
	if b.chance(20) {
		method = pick(b, []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW", "get"})
	}
	target := &url.URL{Scheme: "http", Host: "api.example"}
	b.path(o, target)
	target.RawQuery = b.query(o)
	var body []byte
	if o.ReadsBody() || b.chance(10) {
		body = b.body(o)
	}
	r := &http.Request{
		Method: method, URL: target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), RequestURI: target.RequestURI(), RemoteAddr: "192.0.2.1:1",
	}
	if b.chance(10) {
		r.ContentLength = -1
	}
	b.headers(r.Header)
	if o.Streams() && b.chance(2) {
		r.Header.Set("Accept", "text/event-stream")
		if b.chance(3) {
			r.Header.Set("Last-Event-ID", pick(b, b.values))
		}
	}
	return r
}

func (b *Bad) path(o Operation, into *url.URL) {
	var parts []string
	for part := range strings.SplitSeq(o.Path, "/") {
		if strings.HasPrefix(part, "{") {
			part = b.id(o, strings.Trim(part, "{}"))
		} else if b.chance(200) {
			part = pick(b, []string{strings.ToUpper(part), part + "/", "." + "/" + part, part + ";v=1", part + "%00", "", ".."})
		}
		parts = append(parts, part)
	}
	into.Path = strings.Join(parts, "/")
	if !strings.HasPrefix(into.Path, "/") {
		into.Path = "/" + into.Path
	}
}

// id is a value for a parameter of the path: half of them are ids of the right kind.
func (b *Bad) id(o Operation, name string) string {
	if b.chance(2) {
		kind, _, _ := strings.Cut(o.PathExample(name), "_")
		fitting := slices.DeleteFunc(slices.Clone(b.values), func(v string) bool { return !strings.HasPrefix(v, kind+"_") })
		if len(fitting) > 0 {
			return pick(b, fitting)
		}
	}
	for {
		if s := b.text(); len(s) <= 2000 && (s != "" || b.chance(4)) {
			return s
		}
	}
}

func (b *Bad) query(o Operation) string {
	var list []string
	for _, p := range slices.Concat(o.item.Parameters, o.spec.Parameters) {
		if p.Value.In != "query" || b.chance(2) {
			continue
		}
		list = append(list, url.QueryEscape(p.Value.Name)+"="+b.parameter(p.Value.Schema.Value))
		if b.chance(8) {
			list = append(list, url.QueryEscape(p.Value.Name)+"="+b.parameter(p.Value.Schema.Value))
		}
	}
	if b.chance(10) {
		list = append(list, pick(b, []string{"%", "%zz", "a;b", "=", "&&", "x=1", "\x7f", "limit[]=1", "x=%ff%fe", "%00=1"}))
	}
	return strings.Join(list, "&")
}

// parameter is a query's value, escaped; mostly one that is good.
func (b *Bad) parameter(s *openapi3.Schema) string {
	switch {
	case len(s.Enum) > 0 && !b.chance(3):
		return url.QueryEscape(fmt.Sprint(pick(b, s.Enum)))
	case s.Type.Is("integer") && !b.chance(3):
		return fmt.Sprint(1 + b.rng.IntN(100))
	case b.chance(10):
		return pick(b, odd[:20]) // as it is
	}
	return url.QueryEscape(b.text())
}

// body writes an object of the operation's schema with wrong members, and then may
// spoil it as a whole.
func (b *Bad) body(o Operation) []byte {
	var parts []string
	if o.ReadsBody() {
		if m := o.spec.RequestBody.Value.Content["application/json"]; m != nil {
			parts = b.members(m)
		}
	}
	if b.chance(4) {
		parts = append(parts, fmt.Sprintf("%q:%s", pick(b, []string{"extra", "", "__proto__", "constructor", "id", "account_id", "team_id"}), pick(b, raw)))
	}
	b.rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	text := "{" + strings.Join(parts, ",") + "}"
	if b.chance(8) {
		return []byte(b.spoil(text))
	}
	return []byte(text)
}

func (b *Bad) members(m *openapi3.MediaType) (parts []string) {
	example, _ := m.Example.(map[string]any)
	if b.chance(4) {
		for _, name := range slices.Sorted(maps.Keys(example)) {
			data, err := json.Marshal(example[name])
			if err != nil {
				panic(err) // it was read from JSON
			}
			parts = append(parts, fmt.Sprintf("%q:%s", name, data))
		}
		return parts
	}
	for _, name := range slices.Sorted(maps.Keys(m.Schema.Value.Properties)) {
		good, known := example[name]
		value := pick(b, raw)
		switch {
		case known && !b.chance(4):
			data, err := json.Marshal(good)
			if err != nil {
				panic(err) // it was read from JSON
			}
			value = string(data)
		case !known && !b.chance(4):
			continue
		case b.chance(2):
			data, _ := json.Marshal(b.text())
			value = string(data)
		}
		if b.chance(12) {
			continue // missing
		}
		parts = append(parts, fmt.Sprintf("%q:%s", name, value))
		if b.chance(12) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, pick(b, raw))) // twice
		}
	}
	return parts
}

// spoil breaks a body.
func (b *Bad) spoil(text string) string {
	switch b.rng.IntN(9) {
	case 0:
		return text[:b.rng.IntN(len(text))]
	case 1:
		return text + pick(b, []string{"x", "{}", "]", "\x00", "//"})
	case 2:
		return "\ufeff" + text
	case 3:
		return "[" + text + "]"
	case 4:
		return pick(b, raw)
	case 5:
		i := b.rng.IntN(len(text))
		return text[:i] + pick(b, []string{"\xff", "\x00", "\\u0000", "\"", ","}) + text[i:]
	case 6:
		return strings.Repeat(" ", 100_000) + text
	case 7:
		return pick(b, odd)
	}
	return "to=%2B14155551234&number=%2B14155551234&content=x&%zz"
}

func (b *Bad) headers(h http.Header) {
	if kind := pick(b, []string{
		"application/json", "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "application/xml", "\xff", "; ;", "",
	}); kind != "" {
		h.Set("Content-Type", kind)
	}
	if b.chance(10) {
		h.Set("Idempotency-Key", pick(b, []string{"a", `"a"`, `"`, "", "é", "a b", strings.Repeat("k", 256), "\x00", "k1", "k2"}))
	}
	if b.chance(20) {
		h.Add("Idempotency-Key", "second")
	}
	if b.chance(3) {
		one := pick(b, oddHeaders)
		h.Set(one.name, one.value)
	}
}
