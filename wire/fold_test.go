package wire_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"bluerelay/wire"
)

// Both texts look alike to a person, and Messages is known to make the second out
// of the first, or the other way round.
var sameText = map[string][2]string{
	"plain":                     {"hello", "hello"},
	"curled quotes":             {`"it's"`, "“it’s”"},
	"low quotes":                {`"Hallo" 'du'`, "„Hallo“ ‚du‘"},
	"primes":                    {`5'11"`, "5′11″"},
	"trailing space":            {"hello", "hello \n"},
	"leading space":             {" \thello", "hello"},
	"runs of space":             {"a  b\r\nc", "a b c"},
	"no-break space":            {"a b", "a\u00a0b"},
	"composed":                  {"é ñ 한", "e\u0301 n\u0303 \u1112\u1161\u11ab"},
	"joiner dropped":            {"👩\u200d👧", "👩👧"},
	"variation selector":        {"❤\ufe0f", "❤"},
	"text selector":             {"☎\ufe0e", "☎"},
	"placeholder of a file":     {"look", "\ufffclook"},
	"joiner within a character": {"a\u200d\u0301", "á"},
	"emoji with tone":           {"👍🏽", "👍🏽"},
	"emoji alone":               {"❤️", "❤"},
	"link":                      {"https://example.com/?q=1", "https://example.com/?q=1"},
}

func TestFold(t *testing.T) {
	t.Parallel()
	for name, pair := range sameText {
		if a, b := wire.Fold(pair[0]), wire.Fold(pair[1]); a != b {
			t.Errorf("%s: %+q and %+q", name, a, b)
		}
	}
	for _, pair := range [][2]string{{"a", "A"}, {"a", "b"}, {"ab", "a b"}, {"👍", "👍🏽"}, {"a", "á"}, {"1", "2"}, {"ﬁ", "fi"}} {
		if wire.Fold(pair[0]) == wire.Fold(pair[1]) {
			t.Errorf("%q and %q are not the same text", pair[0], pair[1])
		}
	}
}

func TestLetters(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		"wait...":       "wait…",
		"a -- b":        "a — b",
		"Yes!":          "Yes",
		"cafe\u0301 3€": "café3",
		"a\u200d\u0301": "á",
		"привет, мир":   "привет мир",
		"١٢٣":           "(١٢٣)",
	} {
		if wire.Letters(a) != wire.Letters(b) {
			t.Errorf("%q and %q: %q, %q", a, b, wire.Letters(a), wire.Letters(b))
		}
	}
	for _, none := range []string{"", " ", "👍", "?!", "\ufffc"} {
		if l := wire.Letters(none); l != "" {
			t.Errorf("%q has the letters %q", none, l)
		}
	}
}

// FuzzFold: folding a text again, or in another composition, changes nothing, and
// equal texts have equal letters.
func FuzzFold(f *testing.F) {
	for _, pair := range sameText {
		f.Add(pair[0])
		f.Add(pair[1])
	}
	f.Add("\u1100\u200d\u1161 \u0344\u2000\u212b")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\ufffd")
		once := wire.Fold(text)
		if twice := wire.Fold(once); twice != once {
			t.Fatalf("%+q folds to %+q and that to %+q", text, once, twice)
		}
		for name, other := range map[string]string{"NFC": norm.NFC.String(text), "NFD": norm.NFD.String(text), "spaces": " " + text + "\n", "placeholder": "\ufffc" + text} {
			if wire.Fold(other) != once {
				t.Fatalf("%s: %+q folds to %+q, %+q to %+q", name, text, once, other, wire.Fold(other))
			}
			if wire.Letters(other) != wire.Letters(text) {
				t.Fatalf("%s: the letters of %+q are %+q and %+q", name, text, wire.Letters(text), wire.Letters(other))
			}
		}
	})
}
