package cloud

import (
	"strconv"
	"sync"
	"testing"
)

// A memo asks once for what it knows, never holds more than it may, and gives everybody
// the answer to his own question.
func TestMemo(t *testing.T) {
	m := memo[string]{most: 3}
	var asked []string
	find := func(s string) string { asked = append(asked, s); return "of " + s }
	for _, s := range []string{"a", "a", "b", "c", "d", "a"} {
		if got := m.of(s, find); got != "of "+s {
			t.Errorf("%s: %s", s, got)
		}
		if len(m.known) > 3 {
			t.Errorf("%d answers are kept", len(m.known))
		}
	}
	if want := []string{"a", "b", "c", "d", "a"}; len(asked) != len(want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				s := strconv.Itoa((n + i) % 5)
				if got := m.of(s, func(s string) string { return "of " + s }); got != "of "+s {
					t.Errorf("%s: %s", s, got)
				}
			}
		})
	}
	all.Wait()
}
