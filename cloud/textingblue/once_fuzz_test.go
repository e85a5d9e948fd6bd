package textingblue

import "testing"

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
