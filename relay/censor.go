package relay

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"bluerelay/chatdb"
)

// censor decides what of a message may be shown in a bug report. Its zero value shows
// no text, no full number and no address.
type censor struct{ show bool }

// text is a text's length and what kinds of characters it has.
func (c censor) text(s string) string {
	if c.show || s == "" {
		return s
	}
	return shape(s)
}

// kinds are the kinds of characters, in the order in which they are asked for.
var kinds = [...]struct {
	name string
	is   func(rune) bool
}{
	{"upper", unicode.IsUpper},
	{"letter", unicode.IsLetter},
	{"digit", unicode.IsDigit},
	{"newline", func(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }},
	{"space", unicode.IsSpace},
	{"object", func(r rune) bool { return r == '\uFFFC' }},
	{"invalid", func(r rune) bool { return r == '\uFFFD' }},
	{"punctuation", unicode.IsPunct},
	{"mark", unicode.IsMark},
	{"symbol", unicode.IsSymbol},
	{"control", unicode.IsControl},
	{"format", func(r rune) bool { return unicode.Is(unicode.Cf, r) }},
	{"other", func(rune) bool { return true }},
}

func shape(s string) string {
	var counts [len(kinds)]int
	points, units := 0, 0
	for _, r := range s {
		points++
		units += max(1, utf16.RuneLen(r))
		for i, k := range kinds {
			if k.is(r) {
				counts[i]++
				break
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d characters, %d UTF-16 units:", points, units)
	for i, n := range counts {
		if n > 0 {
			fmt.Fprintf(&b, " %d %s", n, kinds[i].name)
		}
	}
	return b.String()
}

var number = regexp.MustCompile(`^\+?[0-9]{1,20}$`)

// handle keeps the ends of a number, and of an address nothing but its ending.
func (c censor) handle(s string) string {
	switch {
	case c.show || s == "":
		return s
	case number.MatchString(s) && len(s) >= 10:
		return s[:2] + "…" + s[len(s)-4:]
	case number.MatchString(s):
		return "…" // a short code; it may say whose customer somebody is
	case strings.Contains(s, "@"):
		return "…@…" + c.ending(s)
	}
	return shape(s)
}

// account is a handle behind a letter, such as E:user@example.com.
func (c censor) account(s string) string {
	if kind, rest, ok := strings.Cut(s, ":"); ok && len(kind) == 1 {
		return c.token(kind) + ":" + c.handle(rest)
	}
	return c.handle(s)
}

var room = regexp.MustCompile(`^chat[0-9]{5,}$`)

// chat is a chat's guid or identifier: of one person it holds the handle.
func (c censor) chat(s string) string {
	parts := strings.Split(s, ";")
	for i, p := range parts {
		switch {
		case i < len(parts)-1:
			parts[i] = c.token(p)
		case !room.MatchString(p): // Messages makes those up
			parts[i] = c.handle(p)
		}
	}
	return strings.Join(parts, ";")
}

// file is a file's ending.
func (c censor) file(s string) string {
	if c.show || s == "" {
		return s
	}
	return "…" + c.ending(s)
}

var ending = regexp.MustCompile(`^\.[A-Za-z][A-Za-z0-9]{0,7}$`)

func (c censor) ending(s string) string {
	if e := path.Ext(s); ending.MatchString(e) {
		return e
	}
	return ""
}

var (
	word      = regexp.MustCompile(`^[A-Za-z+-]{0,16}$`)
	mediaType = regexp.MustCompile(`^([a-z]{1,16}/|com\.|public\.|org\.|dyn\.)[a-z0-9.+-]{1,60}$`)
	bundle    = regexp.MustCompile(`^com\.[A-Za-z0-9.:_-]{1,160}$`)
	attribute = regexp.MustCompile(`^(__kIM|IM|NS)[A-Za-z]{1,60}$`)
	guid      = regexp.MustCompile(`^(at_[0-9]{1,3}_|iMessage_)?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

// What follows are names that Apple's programs gave to something and that say nothing
// of a person. What does not look like one came from somebody else and may be
// anything.

func (c censor) token(s string) string     { return c.known(word, s) }
func (c censor) mediaType(s string) string { return c.known(mediaType, s) }
func (c censor) bundle(s string) string    { return c.known(bundle, s) }
func (c censor) guid(s string) string      { return c.known(guid, s) }

func (c censor) known(pattern *regexp.Regexp, s string) string {
	if c.show || pattern.MatchString(s) {
		return s
	}
	return c.text(s)
}

// attribute is the name of a run's attribute and the kind and size of its value.
func (c censor) attribute(a chatdb.Attr) string {
	name, v := c.known(attribute, a.Name), a.Value
	switch v.Kind {
	case chatdb.ValueText, chatdb.ValueURL, chatdb.ValueOther:
		return fmt.Sprintf("%s: %s", name, c.text(v.Text))
	case chatdb.ValueInt:
		if c.show || v.Int >= -1 && v.Int < 100 { // more could be somebody's code
			return fmt.Sprintf("%s: %d", name, v.Int)
		}
		return name + ": a number"
	case chatdb.ValueFloat:
		return name + ": a fraction"
	case chatdb.ValueDate:
		return name + ": a date"
	case chatdb.ValueBytes:
		return fmt.Sprintf("%s: %d bytes", name, len(v.Bytes))
	case chatdb.ValueList:
		return fmt.Sprintf("%s: a list of %d", name, len(v.List))
	case chatdb.ValueMap:
		return fmt.Sprintf("%s: a map of %d", name, len(v.Map))
	}
	return name + ": nothing"
}
