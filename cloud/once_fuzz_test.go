package cloud

import (
	"strings"
	"testing"
)

// FuzzPlainKey holds the reading of keys against their writing.
func FuzzPlainKey(f *testing.F) {
	for _, s := range []string{"", "k", `"k"`, `"`, `""`, `"\"\\"`, `"a\n"`, `"a\"`, "two words", "é", `a"b`, `"a"b"`, strings.Repeat("k", 255), strings.Repeat("k", 256)} {
		f.Add(s)
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := plainKey(s)
		if !ok {
			return
		}
		if key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
			t.Errorf("%q is no key, and read from %q", key, s)
		}
		if again, ok := plainKey(`"` + quote.Replace(key) + `"`); !ok || again != key {
			t.Errorf("%q comes back as %q, %t", key, again, ok)
		}
		if !strings.HasPrefix(s, `"`) && key != s {
			t.Errorf("%q became %q", s, key)
		}
	})
}
