package textingblue

import (
	"net/http"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// keyHeader is how a request says that it must take effect once; replayedHeader marks
// the answer to one that had.
const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
)

// maxKey is the length of a key in characters.
const maxKey = 255

// onceOf reads a request's key, nil where it has none. A body that cannot be read as
// JSON has no meaning to remember: the handler refuses it.
func onceOf(r *http.Request, body []byte) (*cloud.Once, error) {
	values := r.Header.Values(keyHeader)
	if len(values) == 0 {
		return nil, nil
	}
	key, ok := plainKey(values[0])
	if !ok || len(values) > 1 {
		return nil, cloud.Invalid(keyHeader, "The %s header must be one key of 1 to %d visible ASCII characters.", keyHeader, maxKey)
	}
	print, err := cloud.Fingerprint(r.Method, r.URL.Path, body)
	if err != nil {
		return nil, nil
	}
	return &cloud.Once{Key: key, Fingerprint: print, Answer: func(m store.Message) (int, []byte, error) {
		out := accepted(m)
		data, err := cloud.JSON(out.body)
		return out.status, data, err
	}}, nil
}

// plainKey takes the quotes off a key that is written as a structured field's string
// (RFC 8941 3.3.3), and checks it.
func plainKey(s string) (string, bool) {
	if rest, quoted := strings.CutPrefix(s, `"`); quoted {
		inner, closed := strings.CutSuffix(rest, `"`)
		if !closed {
			return "", false
		}
		var ok bool
		if s, ok = unescape(inner); !ok {
			return "", false
		}
	}
	visible := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	return s, visible && s != "" && len(s) <= maxKey
}

// unescape reads the inside of a structured field's string.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' {
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// rendered is a body that is written as it is.
type rendered []byte
