package sendblue

import "testing"

// Every form of ISO 8601 that clients write is the same moment.
func TestMoment(t *testing.T) {
	for _, s := range []string{
		"2025-01-15T10:30:00.000Z", "2025-01-15T10:30:00Z", "2025-01-15T10:30:00", "2025-01-15T10:30Z", "2025-01-15T10:30", "2025-01-15T12:30:00+02:00", "2025-01-15T12:30:00.0+0200",
		"2025-01-15T12:30:00+02", "2025-01-15T12:30+0200", "2025-01-15T12:30+02:00", "2025-01-15T12:30+02", "2025-01-15T06:00:00-0430", "2025-01-15T10:30:00 0000", "2025-01-15T10:30:00+0000", "2025-01-15T10:30+00:00",
	} {
		if got, err := (query{"x": {s}}).moment("x"); err != nil || got != 1736937000000 {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	if got, err := (query{"x": {"2025-01-15"}}).moment("x"); err != nil || got != 1736899200000 {
		t.Errorf("%d, %v", got, err)
	}
	for _, s := range []string{"yesterday", "2025-01", "2025-1-15", "2025-01-15T10", "2025-01-15T10:30:00+2", "2025-02-30", "20250115T103000Z", "1736937000000"} {
		if got, err := (query{"x": {s}}).moment("x"); err == nil {
			t.Errorf("%s: %d", s, got)
		}
	}
}
