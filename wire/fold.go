package wire

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold removes what Messages is known to change in a text: composed forms, curled
// quotes, joiners and variation selectors, the placeholder of attachments, and
// white space.
func Fold(text string) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case r == '\u2018' || r == '\u2019' || r == '\u201a' || r == '\u2032':
			r = '\''
		case r == '\u201c' || r == '\u201d' || r == '\u201e' || r == '\u2033':
			r = '"'
		case r == '\ufffc' || r == '\u200d' || r >= '\ufe00' && r <= '\ufe0f':
			continue
		case unicode.IsSpace(r):
			space = true
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	// Last, because a joiner keeps apart what composes without it.
	return norm.NFC.String(b.String())
}

// SameText tells whether a row's text is what was sent but for what Messages changes in any.
// A text that folds to nothing, such as a lone space, is the same as itself alone, and not
// as that of every row that holds only a file.
func SameText(sent, row string) bool {
	folded := Fold(sent)
	return Fold(row) == folded && (folded != "" || row == sent)
}

// SameLetters tells whether a row's text may be what Messages has made of what was sent:
// dashes, dots and the like are others.
func SameLetters(sent, row string) bool {
	letters := Letters(sent)
	return letters != "" && Letters(row) == letters
}

// Letters keeps only letters and digits of what Fold leaves: dashes, dots and the like may
// be other ones in the row.
func Letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, Fold(text))
}
