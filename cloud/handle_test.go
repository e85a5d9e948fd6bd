package cloud

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestHandle(t *testing.T) {
	ids := []string{"msg_aaaaaaaaaaaa", "msg_777777777777", "msg_abcdefghijkl", "msg_baaaaaaaaaaa", "msg_aaaaaaaaaaab"}
	for range 1000 {
		ids = append(ids, newMessageID(time.Now()))
	}
	for _, id := range ids {
		handle := Handle(id)
		if !uuid4.MatchString(handle) {
			t.Errorf("the handle of %s is %s", id, handle)
		}
		if got := MessageOf(handle); got != id {
			t.Errorf("%s is the handle of %s, not of %q", handle, id, got)
		}
		if got := MessageOf(strings.ToUpper(handle)); got != id {
			t.Errorf("in upper case %s is the handle of %q", handle, got)
		}
	}
}

func TestHandleOfNothing(t *testing.T) {
	for _, id := range []string{"", "msg_", "evt_aaaaaaaaaaaa", "msg_aaaaaaaaaaa", "msg_aaaaaaaaaaaaa", "msg_AAAAAAAAAAAA", "msg_aaaaaaaaaaa1", "aaaaaaaaaaaa"} {
		if got := Handle(id); got != "" {
			t.Errorf("%q has the handle %s", id, got)
		}
	}
	good := Handle("msg_abcdefghijkl")
	for i := range good { // every other digit is another message, or none
		for _, c := range "0123456789abcdef-" {
			other := good[:i] + string(c) + good[i+1:]
			if got := MessageOf(other); got != "" && other != good {
				t.Errorf("%s is the handle of %s", other, got)
			}
		}
	}
	for _, handle := range []string{"", "msg_abcdefghijkl", "5a17319e-cbcf-443e-897e-d8b0c04b1b09", good + "0", strings.ReplaceAll(good, "-", ""), "{" + good + "}", " " + good} {
		if got := MessageOf(handle); got != "" {
			t.Errorf("%q is the handle of %s", handle, got)
		}
	}
}

func FuzzMessageOf(f *testing.F) {
	f.Add("5a17319e-cbcf-443e-897e-d8b0c04b1b09")
	f.Add(Handle("msg_abcdefghijkl"))
	f.Fuzz(func(t *testing.T, handle string) {
		if id := MessageOf(handle); id != "" && Handle(id) != strings.ToLower(handle) {
			t.Errorf("%q is the handle of %s, which has %s", handle, id, Handle(id))
		}
	})
}

// Ids of messages follow the clock, and none comes twice, however many are made at once and
// whatever the clock does meanwhile.
func TestMessageIDsFollowTheClock(t *testing.T) {
	was := lastID.Swap(0) // all tests share it
	t.Cleanup(func() { lastID.Store(was) })
	now := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	made := make(map[string]bool)
	var before uint64
	for i := range 100_000 {
		if i%1000 == 999 {
			now = now.Add(-time.Hour) // a step back
		}
		id := newMessageID(now)
		bits, ok := idBits(id)
		if !ok || made[id] || bits <= before {
			t.Fatalf("%s after %d", id, before)
		}
		made[id], before = true, bits
	}
	// A minute later its ids are beyond all that came before.
	bits, _ := idBits(newMessageID(now.Add(200 * time.Hour)))
	if early, late := before>>idUnitBits, bits>>idUnitBits; late-early < 3_000_000 {
		t.Errorf("%d units between", late-early)
	}
	if id := newMessageID(time.Unix(0, 0)); Handle(id) == "" {
		t.Errorf("a clock before the epoch makes %q", id)
	}
}
