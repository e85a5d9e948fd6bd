package cloud

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// ParseQuery reads the parameters of a request, or a form. Pairs end at & alone: the id of
// a group has semicolons in it. A pair that cannot be decoded is an error that names it,
// where net/url passes it by: a list without one of its filters shows what nobody asked for.
func ParseQuery(raw string) (url.Values, error) {
	values := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		before, after, _ := strings.Cut(pair, "=")
		name, known := unescapeQuery(before)
		value, whole := unescapeQuery(after)
		if !known || !whole {
			name = clip(name)
			return nil, Invalid(name, "The '%s' parameter cannot be decoded: it must be percent-encoded UTF-8.", name)
		}
		values[name] = append(values[name], value)
	}
	return values, nil
}

// unescapeQuery decodes a name or a value, which it returns as it stands where that fails.
func unescapeQuery(s string) (string, bool) {
	plain, err := url.QueryUnescape(s)
	if err != nil || !utf8.ValidString(plain) {
		return s, false
	}
	return plain, true
}

// RestorePlus writes a phone number or an address as it was meant where its plus was not
// escaped: in a query or a form it reads as a space. A number has it in front, an e-mail
// address may have it anywhere, and no space.
func RestorePlus(s string) string {
	if strings.Contains(s, "@") {
		return strings.ReplaceAll(s, " ", "+")
	}
	if rest, ok := strings.CutPrefix(s, " "); ok {
		return "+" + rest
	}
	return s
}
