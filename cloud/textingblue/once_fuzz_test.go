package textingblue

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

// FuzzMoment reads times.
func FuzzMoment(f *testing.F) {
	for _, s := range []string{"0", "1", "-1", "null", "1.5", "1e3", `"2026-02-07T12:00:00Z"`, `"2026-02-07T12:00:00.5+02:00"`, `"9999-12-31T23:59:59Z"`, `"1969-01-01T00:00:00Z"`, "true", "{}", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ms, err := fields{"at": []byte(s)}.moment("at")
		if err == nil && (ms < 0 || ms > lastMoment) || err != nil && ms != 0 {
			t.Errorf("%q is %d, %v", s, ms, err)
		}
		if err == nil && ms > 0 {
			if again, err := (fields{"at": []byte(`"` + instant(ms) + `"`)}).moment("at"); again != ms || err != nil {
				t.Errorf("%d comes back as %d, %v", ms, again, err)
			}
		}
	})
}
